"""Layers as ONNX nodes.

In float32 standard operators; in float64, for which runtimes lack several of them, or round their sums to float32,
formulas of those that they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fastnn.layers import Activation, Dense, Layer, LayerNorm, activation_of
from fastnn.onnx.activations import write_activation
from fastnn.onnx.graph import Graph


def write_layers(graph: Graph, layers: Sequence[Layer], parameters: Mapping[str, np.ndarray], value: str) -> str:
    """Add the nodes that compute the outputs of a network from its input ``value``; return the name of the outputs."""
    tensors = iter(parameters.items())
    for layer in layers:
        if isinstance(layer, (Dense, LayerNorm)):
            weight, bias = (graph.tensor(*next(tensors)) for _ in range(2))
            if isinstance(layer, Dense):
                value = graph.add("Gemm", value, weight, bias, transB=1)
            else:
                value = _layer_norm(graph, value, weight, bias, layer.epsilon)
        if isinstance(layer, (Dense, Activation)):
            value = write_activation(graph, activation_of(layer), value)
    return value


def _layer_norm(graph: Graph, value: str, gain: str, bias: str, epsilon: float) -> str:
    if graph.dtype == "float32":
        return graph.add("LayerNormalization", value, gain, bias, axis=-1, epsilon=epsilon)
    deviation = graph.add("Sub", value, graph.add("ReduceMean", value, axes=[-1]))
    variance = graph.add("ReduceMean", graph.add("Mul", deviation, deviation), axes=[-1])
    scale = graph.add("Sqrt", graph.add("Add", variance, graph.number(epsilon)))
    return graph.add("Add", graph.add("Mul", graph.add("Div", deviation, scale), gain), bias)
