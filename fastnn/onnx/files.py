"""ONNX files: writing models to them, and reading models from them."""

from __future__ import annotations

import os
from typing import Any

import onnx
from onnx import ModelProto

from fastnn._input import checks
from fastnn._storage import descriptions, durable
from fastnn.network import Network
from fastnn.onnx.constants import array_of, check_inside
from fastnn.onnx.estimators import estimator_model, fitted
from fastnn.onnx.external import MAX_BYTES, take_in, tensors_of
from fastnn.onnx.models import DESCRIPTION, STRUCTURE, VERSIONS, network_model, structure
from fastnn.onnx.reader import read_network
from fastnn.onnx.tables import table_model
from fastnn.tables import TableModel


def export(model: Any, path: str | os.PathLike[str], *, activation: str | None = None) -> None:
    """Write a model to an ONNX file; an existing one is replaced in one go.

    A network has the input ``X``, shape (n, n_features) for any n, and the output ``outputs``, shape (n, n_outputs), or
    ``probabilities`` if it ends in a softmax or sigmoid; both of the network's dtype.

    A table model has an input of shape (n, 1) for each column, under its name: numbers and booleans (1 or 0) as
    float64, NaN where missing; categories as strings, empty where missing. Its outputs are ``label``, shape (n,), and
    ``probabilities``, shape (n, n_classes), in the order of ``target.labels``; or, for a quantity, ``prediction``,
    shape (n, 1) or (n, n_quantiles), in its own units.

    A fitted estimator has the input ``X`` too, and the outputs that scikit-learn's own get by skl2onnx: ``label``,
    shape (n,), and ``probabilities``, shape (n, n_classes), in the order of ``classes_``; or, of a regressor,
    ``variable``, shape (n, n_outputs).

    Files need operator set 17, and table models the operators of ``ai.onnx.ml`` too. Everything that `load` needs to
    give the model back to the last bit travels with them. Other runtimes round differently: their outputs are equal up
    to that, not to the last bit.

    Parameters
    ----------
    model : Network, TableModel or estimator
        An estimator is a fitted one of `fastnn.sklearn`; read again by `load`, it is its network.
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
    estimator = fitted(model)
    if isinstance(model, Network):
        result = network_model(model, activation)
    elif not isinstance(model, TableModel) and estimator is None:
        raise TypeError(
            f"model must be a Network, a TableModel or an estimator of fastnn.sklearn; got {checks.described(model)}"
        )
    elif activation is not None:
        raise ValueError(f"activation is for networks: a classifier gives probabilities already; got {activation!r}")
    else:
        result = table_model(model) if estimator is None else estimator_model(estimator)
    size = sum(len(tensor.raw_data) for tensor in result.graph.initializer)
    if size > MAX_BYTES:
        raise ValueError(f"model must have at most 2 GB of parameters to go into an ONNX file; it has {size:,} bytes")
    durable.replace(path, result.SerializeToString(deterministic=True))


def load(
    path: str | os.PathLike[str], *, output: str | None = None, external_data: bool = False
) -> Network | TableModel:
    """Read a model from an ONNX file.

    One that `export` wrote is what it was, to the last bit; with ``activation`` it ends in that. Of other files those
    are read that compute layers in sequence, as PyTorch, scikit-learn's converter and others write them: dense layers,
    normalisations and the activations that fastnn has, by their operators or spelled out. Numbers that multiply or are
    added to units, and ``BatchNormalization`` and ``Scaler``, are folded into the layers beside them, so outputs may
    differ in the last bits. What does nothing to rows of features (Identity, Dropout, Flatten, Squeeze, …) is left
    out: outputs always have the shape (n, n_outputs).

    Parameters
    ----------
    path : path-like
    output : str, optional
        The name of the output that the network is to compute, where a file has several: a classifier's
        ``"probabilities"``, say. Whatever serves others alone does not matter.
    external_data : bool, default False
        Whether tensors may lie in other files: ``torch.onnx.export`` puts them into ``NAME.onnx.data`` by default. The
        model says which file: one in its own folder, by its name alone. Leave it off for models whose maker you do not
        trust: they would learn from a network that you pass on what is in your files.

    Returns
    -------
    Network or TableModel

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is damaged or not an ONNX file; or holds what fastnn has no layer for: the message names the node. If it
        has several outputs and ``output`` is none of them: the message lists them.
    """
    name = checks.path(path)
    external_data = checks.boolean(external_data, "external_data")
    if output is not None and not isinstance(output, str):
        raise TypeError(f"output must be a string, the name of an output; got {checks.described(output)}")
    with open(name, "rb") as file:
        content = file.read()
    folder = os.path.dirname(os.path.abspath(name)) if external_data else None
    model, properties = _parsed(content, name, folder)
    if output is not None and output not in {given.name for given in model.graph.output}:
        listed = ", ".join(repr(given.name) for given in model.graph.output)
        raise ValueError(f"output must be one of those of {name!r}: {listed}; got {output!r}")
    if DESCRIPTION in properties:
        own = _own(model, properties, name)
        if own is not None:
            return own
    try:
        return read_network(model, output)
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None


def _parsed(content: bytes, name: str, folder: str | None) -> tuple[ModelProto, dict[str, str]]:
    """Return the model, checked, and its properties; tensors may lie in other files of ``folder``."""
    try:
        model = onnx.load_model_from_string(content)
        if not model.graph.node:
            raise ValueError("it has no nodes")
    except Exception as error:  # the parser has its own exceptions, in a library below onnx
        raise ValueError(f"{name!r} is damaged or not an ONNX model: {_line(error)}") from None
    try:
        if folder is not None:
            take_in(model, folder)
        for tensor in tensors_of(model):
            check_inside(tensor)  # before the checker looks for it
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None
    try:
        onnx.checker.check_model(model)
        return model, {entry.key: entry.value for entry in model.metadata_props}
    except Exception as error:  # as above
        raise ValueError(f"{name!r} is damaged or not an ONNX model: {_line(error)}") from None


def _line(error: Exception) -> str:
    """Return what an error of the libraries below says, in one line."""
    return " ".join(str(error).split())


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
