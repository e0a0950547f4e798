"""Layers as ONNX nodes.

In float32 standard operators; in float64, for which runtimes lack several of them, or round their attributes and sums
to float32, formulas of those that they have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.layers import Activation, Dense, Input, Layer, LayerNorm, RMSNorm, activation_of
from fastnn.onnx.graph import Graph


def write_layers(graph: Graph, layers: Sequence[Layer], parameters: Mapping[str, np.ndarray], value: str) -> str:
    """Add the nodes that compute the outputs of a network from its input ``value``; return the name of the outputs."""
    tensors = iter(parameters.items())
    for layer in layers:
        if not layer.predicts or isinstance(layer, Input):
            continue
        if type(layer) not in _WRITERS:
            raise ValueError(f"fastnn knows no ONNX operators that compute {layer!r}")
        value = _WRITERS[type(layer)](graph, layer, value, tensors)
    return value


def write_activation(graph: Graph, activation: Activation, value: str) -> str:
    """Add an activation; return the name of its output."""
    name, alpha = activation.name, activation.alpha
    if name == "identity":
        return value
    if name == "softmax":
        return graph.add("Softmax", value, axis=-1)
    if name in _FORMULAS:
        return _FORMULAS[name](graph, value)
    if graph.dtype == "float64" and name in _FORMULAS_64:
        return _FORMULAS_64[name](graph, value, alpha or 0.0)
    if alpha is not None:
        return graph.add(_OPERATORS[name], value, alpha=alpha)
    return graph.add(_OPERATORS[name], value)


_OPERATORS = {
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "selu": "Selu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
}


# ------------------------------------------------------------------- layers

Tensors = Iterator[tuple[str, np.ndarray]]  # names and values, of which a layer takes its own


def _dense(graph: Graph, layer: Dense, value: str, tensors: Tensors) -> str:
    weight, bias = (graph.tensor(*next(tensors)) for _ in range(2))
    return write_activation(graph, activation_of(layer), graph.add("Gemm", value, weight, bias, transB=1))


def _activation(graph: Graph, layer: Activation, value: str, _: Tensors) -> str:
    return write_activation(graph, layer, value)


def _layer_norm(graph: Graph, layer: LayerNorm, value: str, tensors: Tensors) -> str:
    gain, bias = (graph.tensor(*next(tensors)) for _ in range(2))
    epsilon = layer.epsilon
    if graph.dtype == "float32":
        return graph.add("LayerNormalization", value, gain, bias, axis=-1, epsilon=epsilon)
    deviation = graph.add("Sub", value, graph.add("ReduceMean", value, axes=[-1]))
    variance = graph.add("ReduceMean", graph.add("Mul", deviation, deviation), axes=[-1])
    scale = graph.add("Sqrt", graph.add("Add", variance, graph.number(epsilon)))
    return graph.add("Add", graph.add("Mul", graph.add("Div", deviation, scale), gain), bias)


def _rms_norm(graph: Graph, layer: RMSNorm, value: str, tensors: Tensors) -> str:
    gain = graph.tensor(*next(tensors))
    square = graph.add("ReduceMean", graph.add("Mul", value, value), axes=[-1])
    scale = graph.add("Sqrt", graph.add("Add", square, graph.number(layer.epsilon)))
    return graph.add("Mul", graph.add("Div", value, scale), gain)


_WRITERS: dict[type[Layer], Callable[[Graph, Any, str, Tensors], str]] = {
    Dense: _dense,
    Activation: _activation,
    LayerNorm: _layer_norm,
    RMSNorm: _rms_norm,
}


# ------------------------------------------------------------ in both dtypes


def _silu(graph: Graph, x: str) -> str:
    if graph.dtype == "float64":  # ONNX Runtime may fuse the product to an operator that it has for float32 alone
        return graph.add("Div", x, graph.add("Add", graph.add("Exp", graph.add("Neg", x)), graph.number(1.0)))
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def _mish(graph: Graph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Tanh", write_activation(graph, Activation("softplus"), x)))


def _gelu(graph: Graph, x: str) -> str:
    if graph.dtype == "float64":
        return _gelu_64(graph, x)
    erf = graph.add("Erf", graph.add("Mul", x, graph.number(math.sqrt(0.5))))
    return graph.add("Mul", graph.add("Mul", x, graph.number(0.5)), graph.add("Add", erf, graph.number(1.0)))


_FORMULAS: dict[str, Callable[[Graph, str], str]] = {"silu": _silu, "mish": _mish, "gelu": _gelu}


# --------------------------------------------------------------- in float64


def _leaky_relu(graph: Graph, x: str, alpha: float) -> str:
    below = graph.add("Mul", graph.add("Min", x, graph.number(0.0)), graph.number(alpha))
    return graph.add("Add", graph.add("Relu", x), below)


def _elu(graph: Graph, x: str, alpha: float, scale: float = 1.0) -> str:
    power = graph.add("Exp", graph.add("Min", x, graph.number(0.0)))
    below = graph.add("Mul", graph.add("Sub", power, graph.number(1.0)), graph.number(alpha))
    above = graph.add("Relu", x)
    return graph.add("Add", above if scale == 1.0 else graph.add("Mul", above, graph.number(scale)), below)


def _selu(graph: Graph, x: str, _: float) -> str:
    return _elu(graph, x, 1.7580993408473768, 1.0507009873554805)  # as in the kernels: scale · alpha, and scale


def _softplus(graph: Graph, x: str, _: float) -> str:
    power = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    return graph.add("Add", graph.add("Relu", x), graph.add("Log", graph.add("Add", power, graph.number(1.0))))


_FORMULAS_64: dict[str, Callable[[Graph, str, float], str]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "softplus": _softplus,
}

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
    """x P(X <= x) = max(x, 0) - |x| erfc(|x| / √2) / 2."""
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
