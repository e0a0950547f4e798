"""An ONNX graph while it is being written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from fastnn._version import __version__

# The oldest operator set with LayerNormalization: runtimes know it since 2022. GELU and Mish, which came later as
# operators, are written by what they consist of.
OPSET, ML_OPSET, IR_VERSION = 17, 3, 8
ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


class Graph:
    """Nodes and constants so far.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Of the constants in formulas.
    taken : iterable of str
        Names that something else has already.
    """

    def __init__(self, dtype: str, taken: Iterable[str] = ()) -> None:
        self.dtype = dtype
        self._taken = set(taken)
        self._nodes: list[NodeProto] = []
        self._tensors: dict[str, np.ndarray] = {}
        self._numbers: dict[float, str] = {}

    def add(self, operator: str, *inputs: str, name: str = "", domain: str | None = None, **attributes: Any) -> str:
        """Add a node of one output, and give the output's name: ``name`` if that is free, or one like it."""
        output = self._free(name or f"{operator}_{len(self._nodes)}")
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def finish(self, operator: str, *inputs: str, name: str, **attributes: Any) -> None:
        """Add a node whose output is one of the model's, by a name that was taken for it."""
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))

    def tensor(self, name: str, array: np.ndarray | np.generic) -> str:
        """Add a constant array, and give its name: ``name`` if that is free, or one like it."""
        name = self._free(name)
        self._tensors[name] = np.asarray(array)
        return name

    def number(self, value: float) -> str:
        """Return a constant number of the graph's dtype; one that was asked for before is the same constant."""
        if value not in self._numbers:
            self._numbers[value] = self.tensor(f"number_{len(self._numbers)}", np.array(value, self.dtype))
        return self._numbers[value]

    def model(self, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto], text: str) -> ModelProto:
        """Return the whole model."""
        initializers = [numpy_helper.from_array(array, name) for name, array in self._tensors.items()]
        versions = [helper.make_opsetid("", OPSET)]
        if any(node.domain for node in self._nodes):
            versions.append(helper.make_opsetid("ai.onnx.ml", ML_OPSET))
        return helper.make_model(
            helper.make_graph(self._nodes, "fastnn", inputs, outputs, initializers),
            opset_imports=versions,
            ir_version=IR_VERSION,
            producer_name="fastnn",
            producer_version=__version__,
            doc_string=text,
        )

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def matrix(name: str, element_type: int, columns: int) -> ValueInfoProto:
    """Return an input or output of shape (n, columns) for any n."""
    return helper.make_tensor_value_info(name, element_type, ["n", columns])


def vector(name: str, element_type: int) -> ValueInfoProto:
    """Return an output of shape (n,) for any n."""
    return helper.make_tensor_value_info(name, element_type, ["n"])
