"""ONNX Runtime, which predicts and does not train."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.rungs import Rung

OPSET, FORMAT = 17, 9  # old enough for every release that is about


def is_installed() -> bool:
    """Return whether it can be compared here."""
    return find_spec("onnxruntime") is not None and find_spec("onnx") is not None


def onnx_predictor(rung: Rung, x: np.ndarray, threads: int) -> Callable[[], Any]:
    """Return a function that computes the rung's outputs for ``x`` on so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model(rung), options, providers=["CPUExecutionProvider"])
    run, inputs = session.run, {"x": x}
    return lambda: run(None, inputs)


def model(rung: Rung) -> bytes:
    """Return the rung's network, with the parameters that every system begins with."""
    from onnx import TensorProto, checker, helper, numpy_helper

    parameters = rung.initial()
    layers = len(parameters) // 2
    nodes, weights = [], []
    for k in range(layers):
        weights += [numpy_helper.from_array(parameters[2 * k], f"W{k}")]
        weights += [numpy_helper.from_array(parameters[2 * k + 1], f"b{k}")]
        given, sums = f"a{k - 1}" if k else "x", f"z{k}"
        nodes.append(helper.make_node("Gemm", [given, f"W{k}", f"b{k}"], [sums], transB=1))
        if k < layers - 1:
            nodes.append(helper.make_node("Relu", [sums], [f"a{k}"]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, rung.sizes[0]])
    y = helper.make_tensor_value_info(f"z{layers - 1}", TensorProto.FLOAT, [None, rung.sizes[-1]])
    graph = helper.make_graph(nodes, "network", [x], [y], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=FORMAT)
    checker.check_model(made)
    return bytes(made.SerializeToString())
