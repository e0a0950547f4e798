"""ONNX files run by onnxruntime."""

import numpy as np
import pytest
from networks import rows

import fastnn as fn

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def session_of(path):
    """A session of onnxruntime with a file."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: nothing to compare with")
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(path, X):
    """What onnxruntime computes."""
    session = session_of(path)
    return session.run(None, {session.get_inputs()[0].name: X})[0]


def assert_same_outputs(net, path, X=None):
    X = rows(net) if X is None else X
    ours, theirs = net.predict(X), run(path, X)
    assert theirs.dtype == ours.dtype
    # A normalisation of units that hardly differ multiplies the rounding of what comes before it.
    amplified = 300.0 ** sum(isinstance(layer, fn.LayerNorm) for layer in net.layers)
    scale = max(1.0, np.abs(X).max(), np.abs(ours).max())
    np.testing.assert_allclose(
        theirs, ours, rtol=TOLERANCE[net.dtype], atol=0.1 * TOLERANCE[net.dtype] * amplified * scale
    )
