"""Models as ONNX files, for runtimes in other languages and places (the extra ``onnx``).

>>> import fastnn.onnx
>>> fastnn.onnx.export(net, "model.onnx", activation="softmax")
>>> net = fastnn.onnx.load("model.onnx")
"""

try:
    import onnx as _  # noqa: F401
except ImportError as error:
    raise ImportError("fastnn.onnx needs onnx: pip install onnx") from error

from fastnn._input import modules as _modules
from fastnn.onnx.files import export, load

__all__ = ["export", "load"]

_modules.explain(__name__)
