"""RMS normalisation as an ONNX graph spells it out: x / √(mean(x²) + ε) · gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import NodeProto, helper


def find(
    value: str, users: Mapping[str, Sequence[NodeProto]], constants: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, float, str] | None:
    """Give the gain, epsilon and output of the normalisation that begins at ``value``; None if none does.

    ``users`` are the nodes that each value goes into.
    """
    square = _one(node for node in users[value] if _is_square(node, value, constants))
    mean = square and _user(square, "ReduceMean", users)
    if mean is None or not _is_over_units(mean, constants):
        return None
    added = _user(mean, "Add", users)
    epsilon = None if added is None else _constant(added, constants)
    root = added and _user(added, "Sqrt", users)
    scaled = root and (_user(root, "Div", users) or _reciprocal(root, users))
    product = scaled and _user(scaled, "Mul", users)
    gain = None if product is None else _constant(product, constants)
    if not scaled or not product or scaled.input[0] != value or epsilon is None or epsilon.size != 1 or gain is None:
        return None
    return (gain, float(str(np.float32(epsilon.reshape(())))), product.output[0]) if gain.ndim == 1 else None


def _one(nodes: object) -> NodeProto | None:
    found = list(nodes)  # type: ignore[call-overload]
    return found[0] if len(found) == 1 else None


def _user(node: NodeProto, operator: str, users: Mapping[str, Sequence[NodeProto]]) -> NodeProto | None:
    """Return the only node that an output goes into, if it is one of the operator."""
    user = _one(users.get(node.output[0], ()))
    return user if user is not None and user.op_type == operator else None


def _reciprocal(root: NodeProto, users: Mapping[str, Sequence[NodeProto]]) -> NodeProto | None:
    reciprocal = _user(root, "Reciprocal", users)
    return reciprocal and _user(reciprocal, "Mul", users)


def _is_square(node: NodeProto, value: str, constants: Mapping[str, np.ndarray]) -> bool:
    if node.op_type == "Mul":
        return list(node.input) == [value, value]
    exponent = constants.get(node.input[1]) if node.op_type == "Pow" and node.input[0] == value else None
    return exponent is not None and exponent.size == 1 and float(exponent.reshape(())) == 2


def _is_over_units(node: NodeProto, constants: Mapping[str, np.ndarray]) -> bool:
    """Return whether a mean is that of each row, kept as a column."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    axes = constants[node.input[1]].tolist() if len(node.input) > 1 else list(attributes.get("axes", ()))
    return axes in ([-1], [1]) and attributes.get("keepdims", 1) == 1


def _constant(node: NodeProto, constants: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Return what a node adds or multiplies by."""
    return next((constants[name] for name in node.input if name in constants), None)
