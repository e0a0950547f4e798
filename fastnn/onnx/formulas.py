"""Activations that an ONNX graph spells out: x · sigmoid(x), and the like.

A value is kept as a number times a product of factors, so that neither the order of the multiplications nor what was
multiplied by the number matters. Numbers in factors are compared to six digits: √2 has been rounded to float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto


@dataclass(frozen=True)
class Product:
    """``number`` times the factors, in alphabetical order."""

    number: float
    factors: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number:.6g}" + "".join(f" * {factor}" for factor in self.factors)


_LONGEST = 8  # values of a formula
_ACTIVATIONS = {
    "1 * sigmoid(1 * x) * x": "silu",
    "1 * tanh(1 * softplus(1 * x)) * x": "mish",
    "0.5 * plus(1 * erf(0.707107 * x), 1) * x": "gelu",
}
_FUNCTIONS = {"Sigmoid", "Tanh", "Softplus", "Erf"}


def find(
    value: str, users: Mapping[str, Sequence[NodeProto]], constants: Mapping[str, np.ndarray]
) -> tuple[str, str] | None:
    """The activation that begins at ``value``, and the name of its output; None if none that is known does.

    ``users`` are the nodes that each value goes into.
    """
    known = {value: Product(1.0, ("x",))}
    pending = list(users[value])
    while pending and len(known) <= _LONGEST:
        node = pending.pop()
        result = _result(node, known, constants)
        if result is not None and node.output[0] not in known:
            if str(result) in _ACTIVATIONS:
                return _ACTIVATIONS[str(result)], node.output[0]
            known[node.output[0]] = result
            pending += users.get(node.output[0], [])
    return None


def _result(node: NodeProto, known: Mapping[str, Product], constants: Mapping[str, np.ndarray]) -> Product | None:
    """What a node makes of known values and numbers; None if it is not part of any formula."""
    inputs: list[Product] = []
    for name in node.input:
        if name in known:
            inputs.append(known[name])
        elif name in constants and constants[name].size == 1:
            inputs.append(Product(float(constants[name].reshape(())), ()))
        else:
            return None
    if node.op_type in _FUNCTIONS and len(inputs) == 1:
        return Product(1.0, (f"{node.op_type.lower()}({inputs[0]})",))
    if len(inputs) != 2:
        return None
    first, second = inputs
    if node.op_type == "Mul":
        return Product(first.number * second.number, tuple(sorted(first.factors + second.factors)))
    if node.op_type == "Div" and not second.factors and second.number:
        return Product(first.number / second.number, first.factors)
    if node.op_type == "Add" and not (first.factors and second.factors):
        varying, number = (first, second) if first.factors else (second, first)
        return Product(1.0, (f"plus({varying}, {number})",))
    return None
