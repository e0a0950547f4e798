"""The formulas of activations, walked from the inside out: to write them as nodes, and to know them again."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeVar

_ARITHMETIC = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div"}
_FUNCTIONS = {"abs": "Abs", "erf": "Erf", "exp": "Exp", "log": "Log", "maximum": "Max", "minimum": "Min"}

Value = TypeVar("Value")


def evaluated(
    formula: str,
    apply: Callable[..., Value],
    number: Callable[[float], Value],
    activation: Callable[[str, Value], Value],
    **values: Value,
) -> Value:
    """Evaluate a formula of `fastnn.activations`.

    Parameters
    ----------
    formula : str
    apply : callable
        Called with the name of an ONNX operator and the values that it takes.
    number, activation : callable
        What make a value of a number, and of the name of another activation and a value.
    **values
        What the names in the formula stand for.

    Raises
    ------
    ValueError
        If there is something else in it.
    """

    def visit(node: ast.AST) -> Value:
        match node:
            case ast.Constant(value=int() | float() as constant):
                return number(float(constant))
            case ast.Name(id=name) if name in values:
                return values[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return apply("Neg", visit(operand))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
                return apply(_ARITHMETIC[type(operator)], visit(left), visit(right))
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
                return apply(_FUNCTIONS[name], *map(visit, arguments))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return activation(name, visit(argument))
        raise ValueError(f"{ast.unparse(node)!r} has no place in the formula {formula!r}")

    return visit(ast.parse(formula, mode="eval").body)
