"""The registry of activations names only what there is, line by line."""

import pytest

from fastnn.activations import ACTIVATIONS
from fastnn.initializers import INITIALIZERS


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_initializer_is_one_of_ours(name):
    known = sorted(set(INITIALIZERS) - {"auto"})
    initializer = ACTIVATIONS[name].initializer
    assert initializer in known, f"the initializer of {name!r} must be one of {known}; got {initializer!r}"


@pytest.mark.parametrize("name", [name for name, kind in ACTIVATIONS.items() if kind.torch])
def test_the_class_is_one_of_pytorch(name):
    nn = pytest.importorskip("torch.nn")
    found = getattr(nn, ACTIVATIONS[name].torch, None)
    assert isinstance(found, type), f"the class of {name!r} must be in torch.nn; got {ACTIVATIONS[name].torch!r}"
    assert issubclass(found, nn.Module)


@pytest.mark.parametrize("name", [name for name, kind in ACTIVATIONS.items() if kind.onnx])
def test_the_operator_is_one_of_onnx(name):
    defs = pytest.importorskip("onnx.defs")
    assert defs.has(ACTIVATIONS[name].onnx), f"ONNX has no operator {ACTIVATIONS[name].onnx!r}, given for {name!r}"
