"""Fitted estimators as ONNX models, with the outputs that scikit-learn's own get from its converter."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto

from fastnn._input import checks
from fastnn.network import Network
from fastnn.onnx.graph import ELEMENT_TYPES, Graph, matrix, vector
from fastnn.onnx.layers import write_layers
from fastnn.onnx.models import describe
from fastnn.onnx.tables import LABELS


class Fitted(NamedTuple):
    """What there is to know of a fitted estimator.

    Attributes
    ----------
    network : Network
        Ending in probabilities, if there are classes.
    classes : ndarray or None
        Those of a classifier.
    activation : str
        What its predictions are of the network's outputs: ``"identity"``, ``"logistic"``, ``"softmax"`` or ``"exp"``.
    """

    network: Network
    classes: np.ndarray | None
    activation: str


def fitted(model: Any) -> Fitted | None:
    """Return what an estimator holds; None if it is none of fastnn's.

    It is known by its attributes, so that scikit-learn need not be there: ``network_``, ``out_activation_`` and, of a
    classifier, ``classes_``. They are taken from its state, which holds what was written into its coefficients.

    Raises
    ------
    ValueError
        If it is not fitted.
    """
    if not any(cls.__module__.startswith("fastnn.sklearn.") for cls in type(model).__mro__):
        return None
    state = model.__getstate__()
    if "network_" not in state:
        raise ValueError(f"model must be fitted; this {type(model).__name__} is not: call fit first")
    return Fitted(state["network_"], state.get("classes_"), state["out_activation_"])


def estimator_model(model: Fitted) -> ModelProto:
    """Return the model of a fitted estimator."""
    network = model.network
    parameters = dict(network.parameters)
    graph = Graph(network.dtype, taken=["X", "label", "probabilities", "variable"])
    value = write_layers(graph, network.layers, parameters, "X")
    outputs = _values(graph, model, value) if model.classes is None else _classes(graph, model, model.classes, value)
    inputs = [matrix("X", ELEMENT_TYPES[network.dtype], network.n_features)]
    result = graph.model(inputs, outputs, network.summary())
    describe(result, network, {"metadata": network.metadata})
    return result


def _values(graph: Graph, model: Fitted, value: str) -> list[ValueInfoProto]:
    if model.activation == "exp":
        value = graph.add("Exp", value)
    graph.finish("Identity", value, name="variable")
    return [matrix("variable", ELEMENT_TYPES[graph.dtype], model.network.n_outputs)]


def _classes(graph: Graph, model: Fitted, classes: np.ndarray, value: str) -> list[ValueInfoProto]:
    """Return the label, which scikit-learn's converter has before the probabilities, and these."""
    n, element_type = model.network.n_outputs, ELEMENT_TYPES[graph.dtype]
    if n == 1:
        value, n = _of_one_output(graph, value, len(classes))
    graph.finish("Identity", value, name="probabilities")
    if model.activation == "logistic" and model.network.n_outputs > 1:  # several labels at once
        above = graph.add("Greater", value, graph.number(0.5))
        graph.finish("Cast", above, name="label", to=TensorProto.INT64)
        return [matrix("label", TensorProto.INT64, n), matrix("probabilities", element_type, n)]
    names = _labels(classes)
    constant = graph.tensor("classes", names)
    graph.finish("Gather", constant, graph.add("ArgMax", value, axis=1, keepdims=0), name="label")
    kind = "U" if names.dtype.kind == "O" else names.dtype.kind
    return [vector("label", LABELS[kind]), matrix("probabilities", element_type, n)]


def _of_one_output(graph: Graph, value: str, n_classes: int) -> tuple[str, int]:
    """Return the probabilities of two classes from that of the second; of a single class, ones."""
    one = graph.number(1.0)
    other = graph.add("Sub", one, value)
    if n_classes == 1:
        return graph.add("Add", value, other), 1
    return graph.add("Concat", other, value, axis=1), 2


def _labels(classes: np.ndarray) -> np.ndarray:
    """Return classes as ONNX can hold them: texts, as which whole numbers beyond int64 go too, numbers or booleans."""
    kind = classes.dtype.kind
    if kind in "UT" or (kind == "O" and all(isinstance(name, str) for name in classes)):
        return classes.astype(object)
    if kind in "iu":
        beyond = classes.size and classes.max() > np.iinfo(np.int64).max
        return classes.astype(str).astype(object) if beyond else classes.astype(np.int64)  # as for tables
    if kind == "f":
        return classes.astype(np.float64)
    if kind == "b":
        return classes
    raise ValueError(f"classes must be texts, numbers or booleans; got {checks.described(classes)}")
