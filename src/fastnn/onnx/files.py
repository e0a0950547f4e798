"""ONNX files: writing models to them, and reading networks from them."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from fastnn import _check, _files
from fastnn._engine.environment import standard_environment
from fastnn.layers import Activation, Dense, activation_of
from fastnn.network import Network
from fastnn.onnx.graph import ELEMENT_TYPES, MAX_BYTES, Graph, rows
from fastnn.onnx.layers import write_layers
from fastnn.onnx.reader import read_network

_STRUCTURE = "fastnn structure"


# ---------------------------------------------------------------------- writing


def export(model: Network, path: str | os.PathLike[str], *, activation: str | None = None) -> None:
    """Writes a model to an ONNX file; an existing one is replaced in one go.

    The file has the input ``X``, shape (n, n_features) for any n, and the output ``outputs``, shape (n, n_outputs), or
    ``probabilities`` if the model ends in a softmax or sigmoid; both of the network's dtype. It needs operator set 17.
    The description, the digest and the metadata of the network travel with it, so that `load` gives it back to the last
    bit. Other runtimes have other roundings: their outputs are equal up to those, not to the last bit.

    Parameters
    ----------
    model : Network
    path : path-like
    activation : {"softmax", "sigmoid"}, optional
        Applied to the outputs, so that the file gives probabilities where the network gives logits.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the file would have more than 2 GB, which ONNX does not allow.
    OSError
        If the file cannot be written.
    """
    if not isinstance(model, Network):
        raise TypeError(f"model must be a Network; got {_check.described(model)}")
    _files.replace(path, _content(_network_model(_activated(model, activation))))


def _activated(network: Network, activation: str | None) -> Network:
    """The network with an activation at its end."""
    if activation is None:
        return network
    _check.choice(activation, ("softmax", "sigmoid"), "activation")
    if ends_in_probabilities(network):
        raise ValueError(f"activation must be None: the network ends in {network.layers[-1]!r}; got {activation!r}")
    layers = [*network.layers, Activation(activation)]
    result = Network._restored(layers, network.seed, network.dtype, network.parameters)
    result.metadata = network.metadata
    return result


def ends_in_probabilities(network: Network) -> bool:
    """Whether the outputs are those of a softmax or sigmoid."""
    last = network.layers[-1]
    return isinstance(last, (Dense, Activation)) and activation_of(last).name in ("softmax", "sigmoid")


def _network_model(network: Network) -> ModelProto:
    parameters = dict(network.parameters)
    output = "probabilities" if ends_in_probabilities(network) else "outputs"
    graph = Graph(network.dtype)
    write_layers(graph, network.layers, parameters, "X", output)
    element_type = ELEMENT_TYPES[network.dtype]
    description = {"kind": "network", **network._description(), "digest": _files.digest(parameters)}
    model = graph.model(
        [rows("X", element_type, network.n_features)],
        [rows(output, element_type, network.n_outputs)],
        {_files.KEY: _files.header({**description, "metadata": network.metadata})},
        network.summary(),
    )
    _add_structure(model, parameters)
    return model


def _add_structure(model: ModelProto, parameters: Any) -> None:
    entry = model.metadata_props.add()
    entry.key, entry.value = _STRUCTURE, _structure(model, parameters)


def _structure(model: ModelProto, parameters: Any) -> str:
    """SHA-256 of what the model computes, but for the parameters, which have their own digest."""
    result = hashlib.sha256()
    for node in model.graph.node:
        result.update(node.SerializeToString(deterministic=True))
    for tensor in model.graph.initializer:
        if tensor.name not in parameters:
            result.update(tensor.SerializeToString(deterministic=True))
    return result.hexdigest()


def _content(model: ModelProto) -> bytes:
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if size > MAX_BYTES:
        raise ValueError(f"model must have at most 2 GB of parameters to go into an ONNX file; it has {size:,} bytes")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


# ---------------------------------------------------------------------- reading


def load(path: str | os.PathLike[str]) -> Network:
    """Reads a network from an ONNX file.

    One that `export` wrote is what it was, to the last bit; with ``activation`` it ends in that. Of other files those
    are read that hold layers in sequence, as PyTorch and others export them: Gemm, or MatMul and Add;
    LayerNormalization; the activations that fastnn has, by their operators or by the usual formulas. What does nothing
    to rows of features (Identity, Dropout, Flatten, Cast and Reshape) is left out.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Network

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is damaged or not an ONNX file; or holds what fastnn has no layer for: the message names the node.
    """
    name = os.fspath(path)
    with open(path, "rb") as file:
        content = file.read()
    model = _parsed(content, name)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    network = None
    if _files.KEY in properties:
        network = _own(model, properties, name)
    if network is None:
        try:
            network = read_network(model)
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from None
    return network


def _parsed(content: bytes, name: str) -> ModelProto:
    try:
        model = onnx.load_model_from_string(content)
        if not model.graph.node:
            raise ValueError("it has no nodes")
        for tensor in model.graph.initializer:
            if tensor.data_location == TensorProto.EXTERNAL:
                raise ValueError(f"the tensor {tensor.name!r} lies in another file; save the model as one file")
        onnx.checker.check_model(model)
    except Exception as error:  # the parser and the checker have their own exceptions, in libraries below onnx
        raise ValueError(f"{name!r} is damaged or not an ONNX model: {error}") from None
    return model


def _own(model: ModelProto, properties: dict[str, str], name: str) -> Network | None:
    """The network that `export` wrote, or None if another program has changed what the file computes."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    try:
        with standard_environment():
            metadata = json.loads(properties[_files.KEY])
        _files.check_header(metadata, name)
        parameters = {key: tensors[key] for key in tensors if key.partition(".")[0].isdecimal()}
        if properties.get(_STRUCTURE) != _structure(model, parameters):
            return None
        arrays = {key: numpy_helper.to_array(tensor) for key, tensor in parameters.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name!r} is damaged: {error}") from None
    return Network._from_file(metadata, arrays, name)
