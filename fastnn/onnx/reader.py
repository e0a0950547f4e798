"""Networks from the ONNX graphs of other programs: nodes in sequence, each a layer or part of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from fastnn._lowering.imported_layers import ImportedLayers
from fastnn.layers import ACTIVATIONS, Dense, LayerNorm, RMSNorm
from fastnn.network import Network
from fastnn.onnx import formulas, rms_norms

_OLDEST_OPSET = 7  # before, operators were told about broadcasting by attributes
_ACTIVATIONS = {kind.onnx: name for name, kind in ACTIVATIONS.items() if kind.onnx}
_SELU = {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}
_TYPES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}


def read_network(model: ModelProto) -> Network:
    """Return the network that a checked model is.

    Raises
    ------
    ValueError
        If it holds anything but layers in sequence that fastnn has; the message names the node.
    """
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if version < _OLDEST_OPSET:
        raise ValueError(f"its operator set must be at least {_OLDEST_OPSET}; it is {version}")
    return _Reader(model.graph).network()


class _Reader:
    """Follows the value from the input to the output."""

    def __init__(self, graph: GraphProto) -> None:
        self.found = ImportedLayers()
        self.casts: set[int] = set()
        if graph.sparse_initializer:
            raise ValueError("it has sparse tensors, which fastnn cannot read")
        self.constants = {tensor.name: array_of(tensor) for tensor in graph.initializer}
        inputs = [given for given in graph.input if given.name not in self.constants]
        for kind, listed in (("input", inputs), ("output", list(graph.output))):
            if len(listed) != 1:
                names = ", ".join(repr(value.name) for value in listed)
                raise ValueError(f"it must have one {kind}; it has {len(listed)}{names and ': '}{names}")
        self.value, self.output = inputs[0].name, graph.output[0].name
        tensor_type = inputs[0].type.tensor_type
        self.input_type = tensor_type.elem_type
        self.shape = [dim.dim_value for dim in tensor_type.shape.dim] if tensor_type.HasField("shape") else [0, 0]
        self.users: dict[str, list[NodeProto]] = {}
        for node in self._needed(graph):
            for name in set(node.input):
                self.users.setdefault(name, []).append(node)

    def network(self) -> Network:
        """Read it all."""
        while self.value != self.output:
            if self.value not in self.users:
                raise ValueError(f"what the output depends on does not end in it, but in {self.value!r}")
            node = self.users[self.value][0]
            try:
                self._read(node)
            except ValueError as error:
                raise ValueError(f"{_named(node)}: {error}") from None
        found = self.found
        if not any(isinstance(layer, Dense) for layer in found.layers):
            raise ValueError("it has no dense layer")
        declared = self.shape[1] if len(self.shape) == 2 else 0
        if declared and declared != found.features:
            raise ValueError(f"its input has {declared} features, its first layer takes {found.features}")
        for element_type in self.casts or {self.input_type}:
            if _TYPES.get(element_type) != found.dtype:
                came = TensorProto.DataType.Name(element_type).lower()
                raise ValueError(f"its layers are {found.dtype}, what they compute with is {came}")
        layers, tensors, dtype = found.complete()
        network = Network(layers, dtype=dtype)
        network.parameters.update(dict(zip(network.parameters, tensors, strict=True)))
        return network

    def _needed(self, graph: GraphProto) -> list[NodeProto]:
        """Return the nodes that the output depends on and the input goes into; what others make joins the constants."""
        wanted, needed = {self.output}, []
        for node in reversed(graph.node):
            if wanted & set(node.output):
                needed.append(node)
                wanted |= set(node.input)
        if self.value not in wanted:
            raise ValueError(f"its output {self.output!r} does not depend on its input {self.value!r}")
        varying = []
        for node in reversed(needed):
            if all(name in self.constants for name in node.input if name) and not _has_graphs(node):
                self.constants[node.output[0]] = self._constant(node)
            else:
                varying.append(node)
        return varying

    def _constant(self, node: NodeProto) -> np.ndarray:
        attributes = _attributes(node)
        inputs = [self.constants[name] for name in node.input if name]
        if node.op_type == "Constant" and "value" in attributes:
            return array_of(attributes["value"])
        if node.op_type == "Constant" and set(attributes) <= {"value_float", "value_floats", "value_int", "value_ints"}:
            (given,) = attributes.values()
            return np.array(given, np.float32 if "float" in next(iter(attributes)) else np.int64)
        if node.op_type == "Identity":
            return inputs[0]
        if node.op_type == "Transpose":
            return inputs[0].transpose(attributes.get("perm"))
        if node.op_type == "Cast" and attributes["to"] in _TYPES:
            return inputs[0].astype(_TYPES[attributes["to"]])
        raise ValueError(f"{_named(node)}: fastnn cannot read constants that are computed so")

    def _read(self, node: NodeProto) -> None:
        if len(self.users[self.value]) > 1:
            norm = rms_norms.find(self.value, self.users, self.constants)
            if norm is not None:
                gain, epsilon, self.value = norm
                self.found.normalization(RMSNorm(epsilon), len(gain), weight=gain)
                return
            found = formulas.find(self.value, self.users, self.constants)
            if found is None:
                others = ", ".join(map(_named, self.users[self.value][1:3]))
                raise ValueError(f"its input goes into {others} too, which is no activation that fastnn has")
            name, alpha, self.value = found
            self._add_activation(name, alpha)
            return
        if node.domain not in ("", "ai.onnx"):
            raise ValueError(f"fastnn has no such layer (of the domain {node.domain!r})")
        unknown = [name for name in node.input if name and name != self.value and name not in self.constants]
        if unknown or list(node.input).count(self.value) != 1:
            raise ValueError(f"its inputs must be one value and constants; they are {', '.join(node.input)}")
        if node.op_type in _ACTIVATIONS:
            self._activation(node)
        elif node.op_type in _READERS:
            _READERS[node.op_type](self, node, _attributes(node))
        else:
            raise ValueError("fastnn has no such layer")
        if self.value in node.input:
            self.value = node.output[0]

    def _input(self, node: NodeProto, position: int) -> np.ndarray | None:
        """Return a constant input; None if it is left out."""
        name = node.input[position] if position < len(node.input) else ""
        return self.constants[name] if name else None

    def _check_rows(self) -> None:
        if len(self.shape) != 2:
            raise ValueError(f"its rows must be of one dimension; the input has {len(self.shape)} dimensions")

    def _activation(self, node: NodeProto) -> None:
        attributes, name, alpha = _attributes(node), _ACTIVATIONS[node.op_type], None
        if ACTIVATIONS[name].alpha is not None:
            alpha = attributes.get("alpha", ACTIVATIONS[name].alpha)
        elif node.op_type == "Selu":
            if any(abs(attributes.get(name, value) - value) > 1e-6 for name, value in _SELU.items()):
                raise ValueError(f"fastnn's SELU has other parameters; it has {attributes}")
        elif node.op_type == "Gelu":
            approximate = attributes.get("approximate", b"none").decode()
            if approximate != "none":
                raise ValueError(f"fastnn has the exact GELU only; it has approximate={approximate!r}")
        elif node.op_type == "Softmax":
            self._check_rows()
            if attributes.get("axis", -1) not in (1, -1):
                raise ValueError(f"a softmax must be over the units of a row; its axis is {attributes['axis']}")
        self._add_activation(name, alpha)

    def _add_activation(self, name: str, alpha: float | None) -> None:
        if alpha is not None and self.found.dtype == "float32":
            alpha = float(str(np.float32(alpha)))  # 0.2 rather than 0.20000000298, the same in float32
        self.found.activation(name, alpha)

    # --------------------------------------------------- layers by their operators

    def _gemm(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        self._check_rows()
        given = {name: attributes.get(name, 1.0) for name in ("alpha", "beta")}
        if node.input[0] != self.value or attributes.get("transA", 0) or set(given.values()) != {1.0}:
            raise ValueError("a dense layer must be x W + b; it multiplies by other numbers, or transposes x")
        weight = self._matrix(node.input[1])
        weight = weight if attributes.get("transB", 0) else weight.T
        bias = self._input(node, 2)
        self.found.dense(weight, None if bias is None else _bias(bias, len(weight)))

    def _matmul(self, node: NodeProto, _: dict[str, Any]) -> None:
        self._check_rows()
        if node.input[0] != self.value:
            raise ValueError("a dense layer must be x W; it is W x")
        weight = self._matrix(node.input[1]).T
        users = self.users.get(node.output[0], [])
        bias = None
        if len(users) == 1 and users[0].op_type == "Add" and node.output[0] != self.output:
            others = [name for name in users[0].input if name != node.output[0]]
            if len(others) == 1 and others[0] in self.constants:
                bias = _bias(self.constants[others[0]], len(weight))
        self.found.dense(weight, bias)
        self.value = node.output[0] if bias is None else users[0].output[0]

    def _matrix(self, name: str) -> np.ndarray:
        array = self.constants[name] if name else np.empty(0)
        if array.ndim != 2:
            raise ValueError(f"its weight {name!r} must be a matrix; it has shape {array.shape}")
        return array

    def _layer_normalization(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        gain, epsilon = self._gain(node, attributes)
        bias = self._input(node, 2)
        bias = None if bias is None else _bias(bias, len(gain))
        self.found.normalization(LayerNorm(epsilon), len(gain), weight=gain, bias=bias)

    def _gain(self, node: NodeProto, attributes: dict[str, Any]) -> tuple[np.ndarray, float]:
        """Return the gain of a normalisation of rows, and its epsilon."""
        self._check_rows()
        gain = self._input(node, 1)
        if node.input[0] != self.value or gain is None or gain.ndim != 1:
            raise ValueError("a normalisation must have one gain for each unit")
        if attributes.get("axis", -1) not in (1, -1):
            raise ValueError(f"a normalisation must be over the units of a row; its axis is {attributes['axis']}")
        return gain, float(str(np.float32(attributes.get("epsilon", 1e-5))))

    def _rms_normalization(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        gain, epsilon = self._gain(node, attributes)
        self.found.normalization(RMSNorm(epsilon), len(gain), weight=gain)

    # ------------------------------------------------- what does nothing to rows

    def _dropout(self, node: NodeProto, _: dict[str, Any]) -> None:
        training = self._input(node, 2)
        if training is not None and training.any():
            raise ValueError("it drops units at random in prediction too")

    def _flatten(self, _: NodeProto, attributes: dict[str, Any]) -> None:
        if attributes.get("axis", 1) != 1:
            raise ValueError(f"a Flatten must leave rows as they are; its axis is {attributes['axis']}")
        sizes = self.shape[1:]
        self.shape = [0, int(np.prod(sizes)) if all(sizes) else 0]

    def _cast(self, _: NodeProto, attributes: dict[str, Any]) -> None:
        self.casts.add(attributes["to"])

    def _reshape(self, node: NodeProto, _: dict[str, Any]) -> None:
        shape = self._input(node, 1)
        units = self.found.units
        allowed = [[first, second] for first in (-1, 0) for second in (-1, 0, units) if (first, second) != (-1, -1)]
        if shape is None or not units or shape.tolist() not in allowed or shape.tolist() == [-1, 0]:
            raise ValueError("a Reshape must leave rows as they are")

    def _identity(self, _: NodeProto, __: dict[str, Any]) -> None:
        pass


_READERS: dict[str, Callable[[_Reader, NodeProto, dict[str, Any]], None]] = {
    "Gemm": _Reader._gemm,
    "MatMul": _Reader._matmul,
    "LayerNormalization": _Reader._layer_normalization,
    "RMSNormalization": _Reader._rms_normalization,
    "Dropout": _Reader._dropout,
    "Flatten": _Reader._flatten,
    "Cast": _Reader._cast,
    "Reshape": _Reader._reshape,
    "Identity": _Reader._identity,
}


def _named(node: NodeProto) -> str:
    return f"the {node.op_type} node {node.name!r}" if node.name else f"the {node.op_type} node of {node.output[0]!r}"


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _has_graphs(node: NodeProto) -> bool:
    return any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)


def check_inside(tensor: TensorProto) -> None:
    """Raise ValueError if the values lie in another file: whoever made the model would choose which one is opened."""
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError(f"the tensor {tensor.name!r} lies in another file; save the model as one file")


def array_of(tensor: TensorProto) -> np.ndarray:
    """Return the values of a tensor, which it has to hold itself."""
    check_inside(tensor)
    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as error:  # a KeyError for a dtype that does not exist
        raise ValueError(f"the tensor {tensor.name!r} does not hold what its shape and dtype say: {error}") from None


def _bias(array: np.ndarray, units: int) -> np.ndarray:
    """Return one number for each unit, from what NumPy's broadcasting would make that of."""
    if array.ndim > 2 or array.size not in (1, units) or (array.ndim and array.shape[-1] != array.size):
        raise ValueError(f"its bias must have one number for each of {units} units; it has shape {array.shape}")
    return np.ascontiguousarray(np.broadcast_to(array.reshape(-1), (units,)))
