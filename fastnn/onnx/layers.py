"""Layers as ONNX nodes.

In float32 standard operators; in float64, for which runtimes lack several of them, or round their sums to float32,
formulas of those that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.layers import Activation, Dense, Input, Layer, LayerNorm, RMSNorm, activation_of
from fastnn.onnx.activations import write_activation
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
