"""An ONNX graph on the way from its input to an output: one value after the other, each made from the last."""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, NodeProto

from fastnn._lowering.imported_layers import ImportedLayers
from fastnn.onnx.constants import FLOATS, array_of, evaluated
from fastnn.onnx.norms import number

_OPERATORS_OF_SHAPES = ("Gather", "Slice", "Concat", "Squeeze", "Unsqueeze", "Cast", "Identity")


class Chain:
    """A value of the graph, and the layers that made it.

    Attributes
    ----------
    found : ImportedLayers
    value : str
        The name of the value.
    output : str
        The name of the last one.
    shape : list of int
        Of the value: 0 where it is not known, as the number of rows never is.
    element_type : int
        Of the value, as ONNX numbers them.
    computed : set of int
        The types that layers have computed with.
    constants : dict of str to ndarray
    users : dict of str to list of NodeProto
        The nodes that a value goes into, of those that the output depends on.
    """

    def __init__(self, graph: GraphProto, output: str | None) -> None:
        self.found = ImportedLayers()
        self.computed: set[int] = set()
        if graph.sparse_initializer:
            raise ValueError("it has sparse tensors, which fastnn cannot read")
        self.constants = {tensor.name: array_of(tensor) for tensor in graph.initializer}
        inputs = [given for given in graph.input if given.name not in self.constants]
        if len(inputs) != 1:
            names = ", ".join(repr(given.name) for given in inputs)
            raise ValueError(f"it must have one input; it has {len(inputs)}{names and ': '}{names}")
        self.output = _chosen(graph, output)
        tensor_type = inputs[0].type.tensor_type
        self.value, self.element_type = inputs[0].name, tensor_type.elem_type
        self.shape = [0, 0]
        if tensor_type.HasField("shape"):
            self.shape = [dim.dim_value for dim in tensor_type.shape.dim]
            if not self.shape:
                raise ValueError("its input must be rows of features; it has no dimensions")
            self.shape[0] = 0
        self.nodes = self._needed(graph)
        self._find_constants()
        self.users: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in set(node.input):
                self.users.setdefault(name, []).append(node)

    def input(self, node: NodeProto, position: int) -> np.ndarray | None:
        """Return a constant input; None if it is left out."""
        name = node.input[position] if position < len(node.input) else ""
        return self.constants[name] if name else None

    def check_rows(self) -> None:
        """Raise ValueError unless the value is rows of units."""
        if len(self.shape) != 2:
            raise ValueError(f"its rows must be of one dimension; the input has {len(self.shape)} dimensions")

    def take_shape(self) -> None:
        """Make constants of what the graph makes of the value's shape; a 0 there stands for the number of rows."""
        shapes = [node for node in self.users[self.value] if node.op_type == "Shape" and not node.attribute]
        if not shapes:
            return
        units = self.found.units or self.shape[-1]
        sizes = [*self.shape[:-1], units] if len(self.shape) == 2 else self.shape
        known = {node.output[0] for node in shapes}
        if not all(sizes[1:]):
            return
        self.constants |= dict.fromkeys(known, np.array(sizes))
        for node in self.nodes:
            is_known = known & set(node.input) and all(name in self.constants for name in node.input if name)
            if is_known and node.op_type in _OPERATORS_OF_SHAPES:
                self.constants[node.output[0]] = self.evaluated(node)
                known.add(node.output[0])
        self.users[self.value] = [node for node in self.users[self.value] if node not in shapes]

    def add_activation(self, name: str, alpha: float | None) -> None:
        """Add an activation, whose parameter is as it was meant."""
        if alpha is not None and FLOATS.get(self.element_type) == "float32":
            alpha = number(np.float32(alpha))
        self.computed.add(self.element_type)
        self.found.activation(name, alpha)

    def evaluated(self, node: NodeProto) -> np.ndarray:
        """Return what a node makes of constants."""
        try:
            return evaluated(node, self.constants)
        except ValueError as error:
            raise ValueError(f"{named(node)}: {error}") from None

    def _needed(self, graph: GraphProto) -> list[NodeProto]:
        """Return the nodes that the output depends on."""
        wanted, needed = {self.output}, []
        for node in reversed(graph.node):
            if wanted & set(node.output):
                needed.append(node)
                wanted |= set(node.input)
        if self.value not in wanted:
            raise ValueError(f"its output {self.output!r} does not depend on its input {self.value!r}")
        return needed[::-1]

    def _find_constants(self) -> None:
        """Move the nodes that the input does not go into to the constants."""
        varying = []
        for node in self.nodes:
            inputs = [name for name in node.input if name]
            if node.op_type == "CastLike" and inputs[0] in self.constants and self.element_type in FLOATS:
                self.constants[node.output[0]] = self.constants[inputs[0]].astype(FLOATS[self.element_type])
            elif all(name in self.constants for name in inputs) and not _has_graphs(node):
                self.constants[node.output[0]] = self.evaluated(node)
            else:
                varying.append(node)
        self.nodes = varying


def named(node: NodeProto) -> str:
    """Return how an error message calls a node."""
    return f"the {node.op_type} node {node.name!r}" if node.name else f"the {node.op_type} node of {node.output[0]!r}"


def _chosen(graph: GraphProto, output: str | None) -> str:
    names = [given.name for given in graph.output]
    if output is None and len(names) != 1:
        listed = ", ".join(map(repr, names)) or "none"
        raise ValueError(f"it has several outputs: choose one by output=; they are {listed}")
    return names[0] if output is None else output


def _has_graphs(node: NodeProto) -> bool:
    return any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
