"""An ONNX graph while it is being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from fastnn._version import __version__

# The oldest operator set with LayerNormalization: runtimes know it since 2022. GELU and Mish, which came later as
# operators, are written by what they consist of.
OPSET, IR_VERSION = 17, 8
ML_OPSET = 3
MAX_BYTES = 2**31 - 2**20  # of a file, less something for all that is not a parameter
ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


class Graph:
    """Nodes and constants so far.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Of the constants in formulas.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.nodes: list[NodeProto] = []
        self.tensors: dict[str, np.ndarray] = {}
        self._numbers: dict[float, str] = {}

    def add(self, operator: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        """Adds a node of one output, and gives the output's name."""
        output = name or f"{operator}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [output], name=output, domain=domain or None, **attributes)
        )
        return output

    def tensor(self, name: str, array: np.ndarray) -> str:
        """Adds a constant array under a name."""
        self.tensors[name] = array
        return name

    def number(self, value: float) -> str:
        """A constant number of the graph's dtype; one that was asked for before is the same constant."""
        if value not in self._numbers:
            self._numbers[value] = self.tensor(f"number_{len(self._numbers)}", np.array(value, self.dtype))
        return self._numbers[value]

    def model(
        self,
        inputs: Sequence[ValueInfoProto],
        outputs: Sequence[ValueInfoProto],
        metadata: Mapping[str, str],
        description: str,
    ) -> ModelProto:
        """The whole model."""
        initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in self.tensors.items()]
        graph = helper.make_graph(self.nodes, "fastnn", inputs, outputs, initializers)
        versions = [helper.make_opsetid("", OPSET)]
        if any(node.domain for node in self.nodes):
            versions.append(helper.make_opsetid("ai.onnx.ml", ML_OPSET))
        model = helper.make_model(
            graph,
            opset_imports=versions,
            ir_version=IR_VERSION,
            producer_name="fastnn",
            producer_version=__version__,
            doc_string=description,
        )
        helper.set_model_props(model, dict(metadata))
        return model


def rows(name: str, element_type: int, units: int) -> ValueInfoProto:
    """An input or output of any number of rows."""
    return helper.make_tensor_value_info(name, element_type, ["n", units])
