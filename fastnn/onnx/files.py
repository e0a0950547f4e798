"""ONNX files: writing models to them, and reading models from them."""

from __future__ import annotations

import os

import onnx
from onnx import ModelProto

from fastnn._input import checks
from fastnn._storage import descriptions, durable
from fastnn.network import Network
from fastnn.onnx.models import DESCRIPTION, STRUCTURE, VERSIONS, network_model, structure
from fastnn.onnx.reader import array_of, check_inside, read_network
from fastnn.onnx.tables import table_model
from fastnn.tables import TableModel

MAX_BYTES = 2**31 - 2**20  # of a file, less something for all that is not a parameter


def export(model: Network | TableModel, path: str | os.PathLike[str], *, activation: str | None = None) -> None:
    """Write a model to an ONNX file; an existing one is replaced in one go.

    A network has the input ``X``, shape (n, n_features) for any n, and the output ``outputs``, shape (n, n_outputs), or
    ``probabilities`` if it ends in a softmax or sigmoid; both of the network's dtype.

    A table model has an input of shape (n, 1) for each column, under its name: numbers and booleans (1 or 0) as
    float64, NaN where missing; categories as strings, empty where missing. Its outputs are ``label``, shape (n,), and
    ``probabilities``, shape (n, n_classes), in the order of ``target.labels``; or, for a quantity, ``prediction``,
    shape (n, 1) or (n, n_quantiles), in its own units.

    Files need operator set 17, and table models the operators of ``ai.onnx.ml`` too. Everything that `load` needs to
    give the model back to the last bit travels with them. Other runtimes round differently: their outputs are equal up
    to that, not to the last bit.

    Parameters
    ----------
    model : Network or TableModel
    path : path-like
    activation : {"softmax", "sigmoid"}, optional
        Applied to the outputs of a network, so that the file gives probabilities where the network gives logits.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the file would have more than 2 GB, which ONNX does not allow.
    OSError
        If the file cannot be written.
    """
    path = checks.path(path)
    if isinstance(model, TableModel):
        if activation is not None:
            raise ValueError(f"activation is for networks: a table model gives probabilities; got {activation!r}")
        result = table_model(model)
    elif isinstance(model, Network):
        result = network_model(model, activation)
    else:
        raise TypeError(f"model must be a Network or a TableModel; got {checks.described(model)}")
    size = sum(len(tensor.raw_data) for tensor in result.graph.initializer)
    if size > MAX_BYTES:
        raise ValueError(f"model must have at most 2 GB of parameters to go into an ONNX file; it has {size:,} bytes")
    durable.replace(path, result.SerializeToString(deterministic=True))


def load(path: str | os.PathLike[str]) -> Network | TableModel:
    """Read a model from an ONNX file.

    One that `export` wrote is what it was, to the last bit; with ``activation`` it ends in that. Of other files those
    are read that hold layers in sequence, as PyTorch and others export them: Gemm, or MatMul and Add;
    LayerNormalization; the activations that fastnn has, by their operators or by the usual formulas. What does nothing
    to rows of features (Identity, Dropout, Flatten, Cast and Reshape) is left out.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Network or TableModel

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is damaged or not an ONNX file; or holds what fastnn has no layer for: the message names the node.
    """
    name = checks.path(path)
    with open(name, "rb") as file:
        content = file.read()
    model, properties = _parsed(content, name)
    if DESCRIPTION in properties:
        own = _own(model, properties, name)
        if own is not None:
            return own
    try:
        return read_network(model)
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None


def _parsed(content: bytes, name: str) -> tuple[ModelProto, dict[str, str]]:
    """Return the model, checked, and its properties."""
    try:
        model = onnx.load_model_from_string(content)
        if not model.graph.node:
            raise ValueError("it has no nodes")
        for tensor in model.graph.initializer:
            check_inside(tensor)  # before the checker looks for it
        onnx.checker.check_model(model)
        return model, {entry.key: entry.value for entry in model.metadata_props}
    except Exception as error:  # the parser and the checker have their own exceptions, in libraries below onnx
        raise ValueError(f"{name!r} is damaged or not an ONNX model: {error}") from None


def _own(model: ModelProto, properties: dict[str, str], name: str) -> Network | TableModel | None:
    """Return the model that `export` wrote, or None if another program has changed what the file computes."""
    try:
        metadata = descriptions.from_text(properties[DESCRIPTION])
        for version, known in VERSIONS.items():
            if metadata[version] != known:
                raise ValueError(f"its {version} version is {metadata[version]}; this fastnn knows {known}")
        parameters = {
            tensor.name: tensor for tensor in model.graph.initializer if tensor.name.partition(".")[0].isdecimal()
        }
        if structure(model, parameters) != properties.get(STRUCTURE):
            return None
        arrays = {key: array_of(tensor) for key, tensor in parameters.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} is damaged, or of another version: {error}") from None
    network = Network.from_description(metadata, arrays, name)
    if "table" not in metadata:
        return network
    network.metadata["table"] = metadata["table"]
    return TableModel.of(network, name)
