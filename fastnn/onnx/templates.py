"""The float64 GELU that fastnn writes, a polynomial of degree 27, known again by its nodes."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from onnx import NodeProto

from fastnn.layers import Activation
from fastnn.onnx.activations import write_activation
from fastnn.onnx.graph import Graph


def gelu_64(value: str, users: Mapping[str, Sequence[NodeProto]], constants: Mapping[str, np.ndarray]) -> str | None:
    """Return the output of the GELU that begins at ``value``, or None.

    ``users`` are the nodes that each value goes into.
    """
    nodes, numbers = _template()
    names = {"x": value}  # of the template's values, those of the graph

    def same(ours: str, theirs: str) -> bool:
        if ours in numbers:
            return theirs in constants and constants[theirs].size == 1 and constants[theirs].item() == numbers[ours]
        return names[ours] == theirs

    for node in nodes:
        varying = next(name for name in node.input if name in names)
        for user in users.get(names[varying], ()):
            alike = user.op_type == node.op_type and len(user.input) == len(node.input)
            if alike and all(map(same, node.input, user.input)):
                names[node.output[0]] = user.output[0]
                break
        else:
            return None
    return names[nodes[-1].output[0]]


@functools.cache
def _template() -> tuple[list[NodeProto], dict[str, float]]:
    """Return the nodes of the GELU of ``x``, and its numbers by name."""
    graph = Graph("float64", taken=["x"])
    write_activation(graph, Activation("gelu"), "x")
    model = graph.model([], [], "")
    numbers = {tensor.name: float(np.frombuffer(tensor.raw_data, "<f8")[0]) for tensor in model.graph.initializer}
    return list(model.graph.node), numbers
