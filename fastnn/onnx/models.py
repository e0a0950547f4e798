"""Whole ONNX models of networks, with what fastnn needs to know to give the network back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from onnx import ModelProto

from fastnn._input import checks
from fastnn._storage import descriptions
from fastnn._storage.files import NUMERICS_VERSION
from fastnn.layers import Activation, Dense, activation_of
from fastnn.network import Network
from fastnn.onnx.graph import ELEMENT_TYPES, Graph, matrix
from fastnn.onnx.layers import write_layers

DESCRIPTION, STRUCTURE = "fastnn", "fastnn structure"
VERSIONS = {"format": 1, "numerics": NUMERICS_VERSION}


def network_model(network: Network, activation: str | None) -> ModelProto:
    """Return the model of a network, with an activation at its end if one is given."""
    network = _activated(network, activation)
    output = "probabilities" if _ends_in_probabilities(network) else "outputs"
    graph, parameters = Graph(network.dtype), dict(network.parameters)
    graph.add("Identity", write_layers(graph, network.layers, parameters, "X"), name=output)
    element_type = ELEMENT_TYPES[network.dtype]
    inputs = [matrix("X", element_type, network.n_features)]
    outputs = [matrix(output, element_type, network.n_outputs)]
    model = graph.model(inputs, outputs, network.summary())
    describe(model, network, {"metadata": network.metadata})
    return model


def describe(model: ModelProto, network: Network, more: Mapping[str, Any]) -> None:
    """Add what gives the network back, and a hash of the graph that tells whether it is still what was described."""
    described = {**VERSIONS, **network.describe(), **more}
    model.metadata_props.add(key=DESCRIPTION, value=descriptions.to_text(described))
    model.metadata_props.add(key=STRUCTURE, value=structure(model, network.parameters))


def structure(model: ModelProto, parameters: Iterable[str]) -> str:
    """Return the SHA-256 of what the model computes, but for the parameters, which have their own digest."""
    result, left_out = hashlib.sha256(), set(parameters)
    for node in model.graph.node:
        result.update(node.SerializeToString(deterministic=True))
    for tensor in model.graph.initializer:
        if tensor.name not in left_out:
            result.update(tensor.SerializeToString(deterministic=True))
    return result.hexdigest()


def _activated(network: Network, activation: str | None) -> Network:
    if activation is None:
        return network
    checks.choice(activation, ("softmax", "sigmoid"), "activation")
    if _ends_in_probabilities(network):
        raise ValueError(f"activation must be None: the network ends in {network.layers[-1]!r}; got {activation!r}")
    layers = [*network.layers, Activation(activation)]  # type: ignore[arg-type]
    result = Network(layers, network.seed, network.dtype)
    result.parameters.update(network.parameters)
    result.metadata = network.metadata
    return result


def _ends_in_probabilities(network: Network) -> bool:
    last = network.layers[-1]
    return isinstance(last, (Dense, Activation)) and activation_of(last).name in ("softmax", "sigmoid")
