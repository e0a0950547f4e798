"""Activations as ONNX nodes.

In float32 standard operators; in float64, for which runtimes lack several of them, or round their attributes to
float32, formulas of those that they have.
"""

from __future__ import annotations

import math

from onnx import defs

from fastnn.layers import ACTIVATIONS, Activation
from fastnn.onnx.expressions import evaluated
from fastnn.onnx.graph import OPSET, Graph


def write_activation(graph: Graph, activation: Activation, value: str) -> str:
    """Add an activation; return the name of its output.

    Raises
    ------
    ValueError
        If ONNX has no operator for it, and its entry in `fastnn.activations` has no formula.
    """
    name, alpha, kind = activation.name, activation.alpha, ACTIVATIONS[activation.name]
    if name == "identity":
        return value
    if graph.dtype == "float64" and name == "gelu":
        return _gelu_64(graph, value)
    has_operator = bool(kind.onnx) and defs.has(kind.onnx, OPSET)
    formula = (kind.formula64 or kind.formula) if graph.dtype == "float64" else kind.formula
    if formula and (graph.dtype == "float64" or not has_operator):
        numbers = {} if alpha is None else {"alpha": graph.number(alpha)}
        return evaluated(
            formula,
            graph.add,
            graph.number,
            lambda inner, given: write_activation(graph, Activation(inner), given),  # type: ignore[arg-type]
            x=value,
            **numbers,
        )
    if not has_operator:
        raise ValueError(
            f"the activation {name!r} cannot be written: ONNX has no operator for it, and it has no formula"
        )
    if name == "softmax":
        return graph.add(kind.onnx, value, axis=-1)
    return graph.add(kind.onnx, value) if alpha is None else graph.add(kind.onnx, value, alpha=alpha)


# log(erfc(z) e^(z²) / t), t = 2 / (2 + z), as a polynomial in u = 2t - 1, the lowest power first: the interpolation at
# the 28 Chebyshev nodes, computed to 60 digits. Its error is below 2e-15 for every z from 0 on.
_ERFC = (
    -0.6717940840566923,
    0.6726432239776567,
    0.04734330684190473,
    -0.046895610231182674,
    -0.009872689366406727,
    0.008824938557327763,
    0.001758933558165434,
    -0.002345812504982584,
    -0.00014624686754045134,
    0.0006736788382506061,
    -9.373500301998985e-05,
    -0.00017430319942974635,
    7.140089189099235e-05,
    3.174616564355679e-05,
    -3.0187528842243815e-05,
    1.3509102932957954e-07,
    8.56191490492248e-06,
    -2.9430926821341833e-06,
    -1.271343067023655e-06,
    1.2437191416721655e-06,
    -1.6939237579995655e-07,
    -2.4404662375581676e-07,
    1.538760666928522e-07,
    -1.711069646695314e-09,
    -3.9356533447809914e-08,
    1.2225710551260416e-08,
    4.089222480896167e-09,
    -2.0464670329192375e-09,
)


def _gelu_64(graph: Graph, x: str) -> str:
    """Return x P(X <= x) = max(x, 0) - |x| erfc(|x| / √2) / 2."""
    two, one = graph.number(2.0), graph.number(1.0)
    size = graph.add("Abs", x)
    z = graph.add("Mul", size, graph.number(math.sqrt(0.5)))
    t = graph.add("Div", two, graph.add("Add", z, two))
    u = graph.add("Sub", graph.add("Add", t, t), one)
    power = graph.number(_ERFC[-1])
    for coefficient in _ERFC[-2::-1]:
        power = graph.add("Add", graph.add("Mul", power, u), graph.number(coefficient))
    erfc = graph.add("Mul", t, graph.add("Exp", graph.add("Sub", power, graph.add("Mul", z, z))))
    tail = graph.add("Mul", graph.add("Mul", size, graph.number(0.5)), erfc)
    return graph.add("Sub", graph.add("Relu", x), tail)
