"""Models of tables as ONNX models: an input for each column, the preprocessing, the network, and what it predicts.

Numbers are computed in float64 up to the matrix that the network takes, as `fastnn.tables.Preprocessor` does.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto

from fastnn.onnx.dates import date
from fastnn.onnx.graph import ELEMENT_TYPES, Graph, matrix, vector
from fastnn.onnx.layers import write_layers
from fastnn.onnx.models import describe
from fastnn.tables import Categorical, Classes, Date, Numeric, Quantity, TableModel, number_formats

_INPUTS = {Categorical: TensorProto.STRING, Date: TensorProto.INT64}  # others are numbers
LABELS = {"U": TensorProto.STRING, "i": TensorProto.INT64, "f": TensorProto.DOUBLE, "b": TensorProto.BOOL}


def table_model(model: TableModel) -> ModelProto:
    """Return the model of a table.

    Raises
    ------
    ValueError
        If a column has no name, or that of a parameter.
    """
    network = model.network
    parameters = dict(network.parameters)
    for name in model.preprocessor.names:
        if not name or name in parameters:
            raise ValueError(f"a column of a model for ONNX must have a name, and none like '0.weight'; got {name!r}")
    graph = Graph(network.dtype, taken=model.preprocessor.names)
    inputs, parts = [], []
    for encoder in model.preprocessor.encoders:
        inputs.append(matrix(encoder.name, _INPUTS.get(type(encoder), TensorProto.DOUBLE), 1))
        if isinstance(encoder, Categorical):
            parts += _categorical(graph, encoder)
        elif isinstance(encoder, Date):
            parts += date(graph, encoder)
        elif isinstance(encoder, Numeric):
            parts += _numeric(graph, encoder)
        else:
            raise TypeError(f"a column of the kind {type(encoder).__name__} cannot be exported")
    value = graph.add("Concat", *parts, axis=1)
    value = write_layers(graph, network.layers, parameters, value)
    value = graph.add("Cast", value, to=TensorProto.DOUBLE)
    if isinstance(model.target, Classes):
        outputs = _classes(graph, model.target, value, network.plan.output_activation)
    else:
        outputs = _quantity(graph, model.target, value)
    result = graph.model(inputs, outputs, f"{model!r}\n\n{network.summary()}")
    describe(result, network, {"metadata": network.metadata, "table": model.describe()})
    return result


# ---------------------------------------------------------------------- columns


def _numeric(graph: Graph, encoder: Numeric) -> list[str]:
    """Return ``(x - mean) / scale`` of a number, NaN where it is missing, and its indicator."""
    fill, mean, scale = (
        graph.tensor(f"{encoder.name} {what}", np.float64(getattr(encoder, what))) for what in ("fill", "mean", "scale")
    )
    missing = graph.add("IsNaN", encoder.name)
    for word in () if encoder.format is None else encoder.format.words:
        for number in number_formats.plain([word]) or ():  # which means missing, such as -999
            same = graph.add("Equal", encoder.name, graph.tensor(f"{encoder.name} is {word}", np.float64(number)))
            missing = graph.add("Or", missing, same)
    filled = graph.add("Where", missing, fill, encoder.name)
    value = graph.add("Div", graph.add("Sub", filled, mean), scale)
    columns = [value, missing] if encoder.indicator else [value]
    return [graph.add("Cast", column, to=ELEMENT_TYPES[graph.dtype]) for column in columns]


def _categorical(graph: Graph, encoder: Categorical) -> list[str]:
    """Return one-hot columns of a text; empty, or one of the words that mean it, where it is missing."""
    width = len(encoder.features)
    if not width:
        return []
    other = len(encoder.categories) if encoder.other else width  # where no column is
    places = {category: place for place, category in enumerate(encoder.categories)}
    for word in ("", *(() if encoder.format is None else encoder.format.words)):
        places.setdefault(word, len(encoder.categories) + encoder.other if encoder.missing else other)
    place = graph.add(
        "LabelEncoder",
        encoder.name,
        domain="ai.onnx.ml",
        keys_strings=list(places),
        values_int64s=list(places.values()),
        default_int64=other,
    )
    columns = graph.tensor(f"{encoder.name} columns", np.arange(width)[None, :])
    return [graph.add("Cast", graph.add("Equal", place, columns), to=ELEMENT_TYPES[graph.dtype])]


# ------------------------------------------------------------------ predictions


def _classes(graph: Graph, target: Classes, value: str, activation: str) -> list[ValueInfoProto]:
    """Return the class and the probabilities, from outputs in float64."""
    n = target.n_outputs
    if activation == "sigmoid":
        axes, zero = graph.tensor("axes", np.array([1])), graph.tensor("zero", np.float64(0))
        total = graph.add("ReduceSum", value, axes, keepdims=1)
        share, uniform = graph.add("Div", value, total), graph.tensor("uniform", np.float64(1 / n))
        value = graph.add("Where", graph.add("Greater", total, zero), share, uniform)
    elif activation != "softmax":
        value = graph.add("Softmax", value, axis=1)
    labels = target.decode(np.arange(n))
    labels = labels.astype(str) if labels.dtype.kind in "uO" else labels  # whole numbers beyond int64
    constant = graph.tensor("classes", labels.astype(object) if labels.dtype.kind == "U" else labels)
    probabilities = graph.add("Identity", value, name="probabilities")
    label = graph.add("Gather", constant, graph.add("ArgMax", value, axis=1, keepdims=0), name="label")
    return [vector(label, LABELS[labels.dtype.kind]), matrix(probabilities, TensorProto.DOUBLE, n)]


def _quantity(graph: Graph, target: Quantity, value: str) -> list[ValueInfoProto]:
    """Return the quantity, or its quantiles, in its own units."""
    scale, mean = (graph.tensor(f"target {what}", np.float64(getattr(target, what))) for what in ("scale", "mean"))
    if target.rate:
        value = graph.add("Mul", graph.add("Exp", value), scale, name="prediction")
    elif target.log:
        one, zero = graph.tensor("target one", np.float64(1)), graph.tensor("target zero", np.float64(0))
        exponent = graph.add("Add", graph.add("Mul", value, scale), mean)
        value = graph.add("Max", graph.add("Sub", graph.add("Exp", exponent), one), zero, name="prediction")
    else:
        value = graph.add("Add", graph.add("Mul", value, scale), mean, name="prediction")
    return [matrix(value, TensorProto.DOUBLE, target.n_outputs)]
