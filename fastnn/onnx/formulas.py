"""Activations that an ONNX graph spells out: x · sigmoid(x), and the like.

A value is kept as a number times a product of factors, so that neither the order of the multiplications nor what was
multiplied by the number matters. Numbers in factors are compared to six digits: √2 has been rounded to float32. The
formulas of `fastnn.activations` go through the same arithmetic, and are compared as text.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from fastnn.layers import ACTIVATIONS
from fastnn.onnx.expressions import evaluated


@dataclass(frozen=True)
class Product:
    """``number`` times the factors, in alphabetical order."""

    number: float
    factors: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.number:.6g}" + "".join(f" * {factor}" for factor in self.factors)


_X = Product(1.0, ("x",))
_LONGEST = 12  # values of a formula
_LARGE = 20  # from there on softplus(x) is x but for rounding
_HARD_SIGMOID = "minimum(maximum(x * alpha + beta, 0), 1)"
_OF_OPERATORS = {kind.onnx: name for name, kind in ACTIVATIONS.items() if kind.onnx}


def find(
    value: str, users: Mapping[str, Sequence[NodeProto]], constants: Mapping[str, np.ndarray]
) -> tuple[str, float | None, str] | None:
    """Find the activation that begins at ``value``: its name, its parameter and the name of its output, or None.

    ``users`` are the nodes that each value goes into. Of formulas one within the other, it is the outer one.
    """
    known, numbers, found = {value: _X}, {0.0}, None
    pending = list(users[value])
    while pending and len(known) <= _LONGEST:
        node = pending.pop()
        inputs = [_value(name, known, constants) for name in node.input]
        numbers |= {given.number for given in inputs if given is not None and not given.factors}
        result = _result(node, inputs)
        if result is not None and node.output[0] not in known:
            name, alpha = _name(str(result), numbers)
            if name:
                found = name, alpha, node.output[0]
            known[node.output[0]] = result
            pending += users.get(node.output[0], [])
    return found


def _value(name: str, known: Mapping[str, Product], constants: Mapping[str, np.ndarray]) -> Product | None:
    if name in known:
        return known[name]
    if name in constants and constants[name].size == 1:
        return Product(float(constants[name].reshape(())))
    return None


def _result(node: NodeProto, inputs: Sequence[Product | None]) -> Product | None:
    """Return what a node makes of known values and numbers; None if it is not part of any formula."""
    values = [given for given in inputs if given is not None]
    if len(values) != len(inputs) or not any(given.factors for given in values):
        return None
    if node.op_type == "HardSigmoid":
        given: dict[str, Any] = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        numbers = {name: Product(given.get(name, usual)) for name, usual in (("alpha", 0.2), ("beta", 0.5))}
        return _evaluated(_HARD_SIGMOID, values[0], **numbers)
    return _applied(node.op_type, *values)


def _applied(operator: str, *values: Product | None) -> Product | None:
    """Return what an operator makes of values; None if it is not part of any formula."""
    match operator, values:
        case "Neg", (Product(number, factors),):
            return Product(-number, factors)
        case "Mul", (Product(number, factors), Product(other, others)):
            return Product(number * other, tuple(sorted(factors + others)))
        case "Div", (Product(number, factors), Product(other, ())) if other:
            return Product(number / other, factors)
        case "Div", (Product(number, factors), Product() as divisor) if divisor.factors:
            return Product(number, tuple(sorted((*factors, f"inverse({divisor})"))))
        case "Sub", (Product() as first, Product() as second):
            return _applied("Add", first, _applied("Neg", second))
        case "Greater", (Product() as first, Product(number, ())) if number >= _LARGE:
            return Product(1.0, (f"large({first})",))
        case "Where", (Product(1.0, (test,)), Product() as first, Product() as second) if test == f"large({first})":
            # PyTorch's softplus, which is x itself where x is large.
            return second if second == _activated("softplus", first) else None
        case (("Add" | "Max" | "Min"), (Product() as first, Product() as second)):
            return Product(1.0, (f"{operator.lower()}({', '.join(sorted((str(first), str(second))))})",))
        case (("Abs" | "Erf" | "Exp" | "Log"), (Product() as first,)):
            return Product(1.0, (f"{operator.lower()}({first})",))
        case _, (Product() as first,) if operator in _OF_OPERATORS:
            return _activated(_OF_OPERATORS[operator], first)
    return None


def _activated(name: str, value: Product | None) -> Product | None:
    """Return another activation within a formula: by its own formula if that is always the same, else by its name."""
    kind = ACTIVATIONS[name]
    if kind.alpha is not None:
        return None
    return _evaluated(kind.formula, value) if kind.formula else Product(1.0, (f"{name}({value})",))


def _evaluated(formula: str, x: Product | None, **numbers: Product | None) -> Product | None:
    return evaluated(formula, _applied, Product, _activated, x=x, **numbers)


def _name(text: str, numbers: set[float]) -> tuple[str, float | None]:
    """Return the activation whose formula has come to ``text``, and which of the numbers is its parameter."""
    if text in _without_alpha():
        return _without_alpha()[text], None
    for name, kind in ACTIVATIONS.items():
        if kind.alpha is not None:
            for number in sorted(numbers):
                if str(_evaluated(kind.formula, _X, alpha=Product(number))) == text:
                    return name, number
    return "", None


@functools.cache
def _without_alpha() -> dict[str, str]:
    """Return the activations by the text of their formulas."""
    return {
        str(_evaluated(formula, _X)): name
        for name, kind in ACTIVATIONS.items()
        for formula in {kind.formula, kind.formula64} - {""}
        if kind.alpha is None
    }
