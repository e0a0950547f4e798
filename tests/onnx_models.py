"""ONNX models made by hand, and what onnxruntime computes from them."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from runtime import session_of

ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def model_of(nodes, tensors, features=4, outputs=("y",), dtype="float32", opset=17, shape=None, rank=2):
    """A model of nodes between an input x and outputs."""
    names = set()
    for item in nodes:
        item.name = "" if item.name in names else item.name  # names are unique, or left out
        names.add(item.name)
    element_type = ELEMENT_TYPES[dtype]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", element_type, ["batch", features] if shape is None else shape)],
        [helper.make_tensor_value_info(name, element_type, [None] * rank) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(operator, inputs, output="y", **attributes):
    """A node with a name."""
    return helper.make_node(operator, inputs.split(), [output], name=f"my {operator}", **attributes)


def run(path, X, output=None):
    """The only output that onnxruntime gives for the only input, or one by name."""
    session = session_of(path)
    (result,) = session.run(None if output is None else [output], {session.get_inputs()[0].name: X})
    return result
