"""Normalisations as an ONNX graph spells them out: x / √(mean(x²) + ε), of x or of x less its mean.

A gain and a bias that follow are a factor and a shift like any others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from onnx import NodeProto

from fastnn.layers import LayerNorm, RMSNorm
from fastnn.onnx.constants import attributes_of

Users = Mapping[str, Sequence[NodeProto]]
Constants = Mapping[str, np.ndarray]


class Norm(NamedTuple):
    """A normalisation without gain and bias, and the name of its output."""

    layer: LayerNorm | RMSNorm
    output: str


def find(value: str, users: Users, constants: Constants) -> Norm | None:
    """Find the normalisation that begins at ``value``; None if none does.

    ``users`` are the nodes that each value goes into.
    """
    mean = _one(node for node in users[value] if node.op_type == "ReduceMean" and _is_over_units(node, constants))
    if mean is None:
        found = _divided([value], users, constants)
        return found and Norm(RMSNorm(found[0]), found[1])
    differences = [node for node in users.get(mean.output[0], ()) if list(node.input) == [value, mean.output[0]]]
    if not differences or any(node.op_type != "Sub" for node in differences):
        return None
    found = _divided([node.output[0] for node in differences], users, constants)
    return found and Norm(LayerNorm(found[0]), found[1])


def _divided(values: Sequence[str], users: Users, constants: Constants) -> tuple[float, str] | None:
    """Return ε and the output of v / √(mean(v²) + ε), where ``values`` are names of v."""
    square = _one(node for value in values for node in users.get(value, ()) if _is_square(node, value, constants))
    mean = square and _user(square, "ReduceMean", users)
    if mean is None or not _is_over_units(mean, constants):
        return None
    added = _user(mean, "Add", users)
    epsilon = None if added is None else _constant(added, constants)
    root = added and _user(added, "Sqrt", users)
    scaled = root and (_user(root, "Div", users) or _reciprocal(root, users))
    if not root or not scaled or epsilon is None or epsilon.size != 1:
        return None
    numerators = [name for name in scaled.input if name in values]
    if len(numerators) != 1 or (scaled.op_type == "Div" and scaled.input[0] not in values):
        return None
    return number(epsilon), scaled.output[0]


def number(array: np.ndarray | np.float32) -> float:
    """Return a number as it was meant: 0.2 rather than 0.20000000298, the same in float32."""
    return float(str(np.asarray(array).reshape(())))


def _one(nodes: Iterable[NodeProto]) -> NodeProto | None:
    found = list(nodes)
    return found[0] if len(found) == 1 else None


def _user(node: NodeProto, operator: str, users: Users) -> NodeProto | None:
    """Return the only node that an output goes into, if it is one of the operator."""
    user = _one(users.get(node.output[0], ()))
    return user if user is not None and user.op_type == operator else None


def _reciprocal(root: NodeProto, users: Users) -> NodeProto | None:
    reciprocal = _user(root, "Reciprocal", users)
    return reciprocal and _user(reciprocal, "Mul", users)


def _is_square(node: NodeProto, value: str, constants: Constants) -> bool:
    if node.op_type == "Mul":
        return list(node.input) == [value, value]
    exponent = constants.get(node.input[1]) if node.op_type == "Pow" and node.input[0] == value else None
    return exponent is not None and exponent.size == 1 and float(exponent.reshape(())) == 2


def _is_over_units(node: NodeProto, constants: Constants) -> bool:
    """Return whether a mean is that of each row, kept as a column."""
    attributes = attributes_of(node)
    given = constants.get(node.input[1]) if len(node.input) > 1 else np.array(attributes.get("axes", ()))
    return given is not None and given.tolist() in ([-1], [1]) and attributes.get("keepdims", 1) == 1


def _constant(node: NodeProto, constants: Constants) -> np.ndarray | None:
    """Return what a node adds."""
    return next((constants[name] for name in node.input if name in constants), None)
