"""What calls of PyTorch's functions and methods are among fastnn's layers, as `torch.fx` records them.

A reader gets a call's arguments without the value that goes through the layers, and the reading, to which it adds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from fastnn.torch import modules
from fastnn.torch.activations import MODULES
from fastnn.torch.modules import Reading


class Size:
    """A size that is not known, but may stand in a shape: any arithmetic with it fails."""


ROWS, UNITS = Size(), Size()  # UNITS where no layer has told yet
_HOLDERS = (torch, nn.functional, operator)


def name_of(target: Any) -> str:
    """Return the name of a function of PyTorch or a method, without the sign for in place; else an empty one."""
    if isinstance(target, str):
        return target.rstrip("_")
    name = getattr(target, "__name__", "")
    name = name if any(getattr(holder, name, None) is target for holder in _HOLDERS) else ""
    return name.rstrip("_")


def read_call(name: str, before: list[Any], after: list[Any], options: dict[str, Any], reading: Reading) -> None:
    """Add what a call computes.

    Parameters
    ----------
    name : str
        From `name_of`.
    before, after : list
        The arguments before the value, and those after it.
    options : dict
        Those by name.
    reading : Reading

    Raises
    ------
    ValueError
        If fastnn has no layer that computes the same.
    """
    options = {key: value for key, value in options.items() if key not in ("inplace", "_stacklevel")}
    try:
        if name in _ARITHMETIC:
            _arithmetic(_ARITHMETIC[name], before, *after, reading=reading, **options)
        elif before or name not in _READERS:
            raise ValueError(f"fastnn has no layer that computes {name or 'this'}{_HINTS.get(name, '')}")
        else:
            _READERS[name](reading, *after, **options)
    except TypeError as error:
        raise ValueError(f"the call of {name} has arguments that fastnn cannot read: {error}") from None


_HINTS = {
    "log_softmax": f": {modules.WITHOUT_LOG_SOFTMAX}",
    "relu6": ", ReLU between 0 and 6",
    "hardtanh": ", the identity between two bounds",
}


# ------------------------------------------------------------------- layers


def _matmul(reading: Reading, weight: torch.Tensor) -> None:
    modules.read_linear(weight.T, None, reading)


def _layer_norm(
    reading: Reading,
    normalized_shape: Any,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> None:
    modules.read_layer_norm(normalized_shape, weight, bias, eps, reading)


def _rms_norm(
    reading: Reading, normalized_shape: Any, weight: torch.Tensor | None = None, eps: float | None = None
) -> None:
    modules.read_rms_norm(normalized_shape, weight, eps, reading)


def _batch_norm(
    reading: Reading,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> None:
    modules.read_batch_norm(running_mean, running_var, weight, bias, training, eps, reading)


def _activation(name: str, parameters: tuple[str, ...]) -> Callable[..., None]:
    def read(reading: Reading, *after: Any, **options: Any) -> None:
        arguments = dict(zip(parameters, after, strict=False)) | options
        if arguments.get("dtype") is None:
            arguments.pop("dtype", None)
        modules.read_module(MODULES[name](**arguments), reading)

    return read


def _clamp(reading: Reading, min: Any = None, max: Any = None) -> None:
    if min != 0 or max is not None:
        raise ValueError(f"fastnn has no activation that clamps between {min} and {max}")
    reading.found.activation("relu")


# ---------------------------------------------------------------- factors and shifts


def _arithmetic(kind: str, before: list[Any], *after: Any, reading: Reading, alpha: Any = 1, **options: Any) -> None:
    arguments = [*before, *after, *(options.pop(name) for name in ("other",) if name in options)]
    if options or alpha != 1:
        raise ValueError(f"fastnn cannot read the options of this {kind}")
    if kind == "neg":
        reading.found.affine(np.array([-1.0]), None)
        return
    (other,) = arguments
    array, dtype = _constant(other, reading)
    reading.found.arithmetic(kind, array, bool(before), dtype)


def _constant(value: Any, reading: Reading) -> tuple[np.ndarray, str]:
    """Return a number, or one for each unit, as float64; and the dtype that it has, if it has one."""
    if isinstance(value, (int, float)):
        return np.array([float(value)]), ""
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"it must be a number or a tensor; got {type(value).__name__}")
    array = value.detach().cpu().numpy() if value.ndim == 0 or value.dtype == torch.int64 else modules.array_of(value)
    if array.size != 1:
        reading.check_rows()
    if array.ndim > 2 - reading.is_flat or (array.ndim and array.shape[-1] != array.size):
        raise ValueError(f"a constant must be one number, or one for each unit; it has shape {array.shape}")
    dtype = array.dtype.name if array.ndim and array.dtype.kind == "f" else ""  # others leave the value's dtype alone
    return array.reshape(-1).astype(np.float64), dtype


# ----------------------------------------------------------- what does nothing to rows


def _flatten(reading: Reading, start_dim: int = 0, end_dim: int = -1) -> None:
    modules.read_flatten(start_dim, end_dim, reading)


def _squeeze(reading: Reading, dim: int = 1) -> None:
    reading.check_rows()
    if dim not in (1, -1):
        raise ValueError(f"it must be of the units of rows (dim=-1); got {dim}")
    reading.flatten()


def _unsqueeze(reading: Reading, dim: int) -> None:
    if not reading.is_flat or dim not in (1, -1):
        raise ValueError("it must leave rows as they are")
    reading.is_flat = False


def _view(reading: Reading, *shape: Any) -> None:
    sizes = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], (int, Size)) else shape
    units = reading.found.units
    if sizes in ((-1,), (ROWS,)):
        if not reading.is_flat:
            reading.flatten()
        return
    rows = len(sizes) == 2 and (sizes[0] is ROWS or sizes[0] == -1)
    if not rows or not (sizes[1] == units or (sizes[1] == -1 and sizes[0] is ROWS) or (not units and sizes[1] != -1)):
        raise ValueError(f"it must leave rows as they are; its shape is {tuple(map(_shown, sizes))}")
    reading.is_flat = False


def _shown(size: Any) -> Any:
    return "n" if isinstance(size, Size) else size


def _to(_: Reading, *after: Any, **options: Any) -> None:
    for value in (*after, *options.values()):
        if isinstance(value, torch.dtype) and value not in (torch.float32, torch.float64):
            raise ValueError(f"it must be of float32 or float64; got {value}")


def _dropout(reading: Reading, p: float = 0.5, training: bool = True) -> None:
    reading.found.dropout(p)


_ARITHMETIC = {
    **{name: kind for kind in ("add", "sub", "mul", "neg") for name in (kind, f"i{kind}")},
    **dict.fromkeys(("div", "truediv", "itruediv", "true_divide", "divide"), "div"),
    "subtract": "sub",
    "multiply": "mul",
    "negative": "neg",
}
_READERS: dict[str, Callable[..., None]] = {
    "linear": lambda reading, weight, bias=None: modules.read_linear(weight, bias, reading),
    **dict.fromkeys(("matmul", "mm"), _matmul),
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "batch_norm": _batch_norm,
    "dropout": _dropout,
    **{name: _activation(name, ()) for name in MODULES},
    "hardswish": _activation("hard_swish", ()),
    "leaky_relu": _activation("leaky_relu", ("negative_slope",)),
    "elu": _activation("elu", ("alpha",)),
    "softplus": _activation("softplus", ("beta", "threshold")),
    "softmax": _activation("softmax", ("dim",)),
    **dict.fromkeys(("clamp", "clip"), _clamp),
    "flatten": _flatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    **dict.fromkeys(("view", "reshape"), _view),
    **dict.fromkeys(("to", "type"), _to),
    **dict.fromkeys(("float", "double", "contiguous", "clone", "detach"), lambda reading: None),
}
