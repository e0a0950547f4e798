"""What PyTorch's modules are among fastnn's layers: a function for each, which adds it to those found so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from fastnn._lowering.imported_layers import ImportedLayers
from fastnn.layers import LayerNorm, RMSNorm
from fastnn.torch.activations import MODULES

WITHOUT_LOG_SOFTMAX = "leave it out, as the loss 'cross_entropy' takes what goes into it"


class Reading:
    """The layers found so far, and what a value is where they end.

    Attributes
    ----------
    found : ImportedLayers
    is_flat : bool
        Whether rows of one unit have become one dimension.
    """

    def __init__(self) -> None:
        self.found = ImportedLayers()
        self.is_flat = False

    def check_rows(self) -> None:
        """Raise ValueError unless the value is rows of units."""
        if self.is_flat:
            raise ValueError("it must take rows of units; here they are of one dimension")

    def flatten(self) -> None:
        """Make one dimension of rows of one unit."""
        if self.found.units != 1:
            raise ValueError(f"only rows of one unit can become one dimension; they have {self.found.units or 'more'}")
        self.is_flat = True


def computes_as(module: nn.Module, cls: type[nn.Module]) -> bool:
    """Return whether ``module`` is one of ``cls``, or of a subclass that has left the forward pass alone."""
    return isinstance(module, cls) and type(module).forward is cls.forward and "forward" not in vars(module)


def is_layer(module: nn.Module) -> bool:
    """Return whether fastnn has a layer of the module's kind."""
    return any(computes_as(module, cls) for cls in (*_READERS, *MODULES.values()))


def read_module(module: Any, reading: Reading) -> None:
    """Add a module, or raise ValueError if fastnn has no layer that computes the same."""
    for cls, read in _READERS.items():
        if computes_as(module, cls):
            read(module, reading)
            return
    name = next((name for name, cls in MODULES.items() if computes_as(module, cls)), None)
    if name is None:
        if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
            raise ValueError("it has no forward pass of its own; pass a torch.nn.Sequential of its modules")
        if computes_as(module, nn.LogSoftmax):
            raise ValueError(f"fastnn has no such layer: {WITHOUT_LOG_SOFTMAX}")
        if type(module).__name__ in {cls.__name__ for cls in (*_READERS, *MODULES.values())}:
            raise ValueError(f"it is no module of torch.nn, but of {type(module).__module__}")
        listed = ", ".join(cls.__name__ for cls in (*_READERS, *MODULES.values()))
        raise ValueError(f"fastnn has no such layer; it has {listed}")
    if name == "softmax":
        reading.check_rows()
    reading.found.activation(name, _PARAMETERS[name](module) if name in _PARAMETERS else None)


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """Return the values of a parameter, in float32 or float64."""
    if tensor.device.type == "meta" or isinstance(tensor, nn.parameter.UninitializedParameter):
        raise ValueError("its parameters must have values; they have none yet")
    if tensor.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"its parameters must be float32 or float64; they are {tensor.dtype}: use module.float()")
    return tensor.detach().cpu().numpy()


def given(tensor: torch.Tensor | None) -> np.ndarray | None:
    """Return the values of a parameter that may be missing."""
    return None if tensor is None else array_of(tensor)


def read_linear(weight: torch.Tensor, bias: torch.Tensor | None, reading: Reading) -> None:
    """Add x Wᵀ + b."""
    reading.check_rows()
    if weight.ndim != 2:
        raise ValueError(f"its weight must be a matrix; it has shape {tuple(weight.shape)}")
    reading.found.dense(array_of(weight), given(bias))


def read_layer_norm(
    shape: Any, weight: torch.Tensor | None, bias: torch.Tensor | None, epsilon: float, reading: Reading
) -> None:
    """Add a layer normalisation."""
    reading.check_rows()
    reading.found.normalization(LayerNorm(epsilon), _width(shape), weight=given(weight), bias=given(bias))


def read_rms_norm(shape: Any, weight: torch.Tensor | None, epsilon: float | None, reading: Reading) -> None:
    """Add an RMS normalisation; without an epsilon, PyTorch adds the dtype's own."""
    reading.check_rows()
    before = getattr(torch, reading.found.dtype) if reading.found.dtype else torch.get_default_dtype()
    dtype = before if weight is None else weight.dtype
    number = torch.finfo(dtype).eps if epsilon is None else epsilon
    reading.found.normalization(RMSNorm(number), _width(shape), weight=given(weight))


def read_batch_norm(
    mean: torch.Tensor | None,
    variance: torch.Tensor | None,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    training: bool,
    epsilon: float,
    reading: Reading,
) -> None:
    """Add what a batch normalisation does in evaluation mode: a factor and a shift of each unit."""
    reading.check_rows()
    if training:
        raise ValueError("it normalises by each batch in training mode; call .eval() on the module first")
    if mean is None or variance is None:
        raise ValueError("it normalises by each batch, having no running statistics")
    factor = 1.0 / np.sqrt(array_of(variance).astype(np.float64) + epsilon)
    if weight is not None:
        factor = factor * array_of(weight)
    shift = -array_of(mean) * factor
    if bias is not None:
        shift = shift + array_of(bias)
    reading.found.affine(factor, shift, array_of(mean).dtype.name)


def _width(shape: Any) -> int:
    """Return how many units a normalisation is over."""
    if len(shape) != 1:
        raise ValueError(f"normalized_shape must be one number; got {tuple(shape)}")
    return int(shape[0])


def _batch_norm(module: Any, reading: Reading) -> None:
    statistics = (module.running_mean, module.running_var)
    read_batch_norm(*statistics, module.weight, module.bias, module.training, module.eps, reading)


def _flatten(module: Any, reading: Reading) -> None:
    read_flatten(module.start_dim, module.end_dim, reading)


def read_flatten(start: int, end: int, reading: Reading) -> None:
    """Add a flattening: nothing for rows, if they stay what they are."""
    if start == 0 and end in (-1, 1):
        reading.flatten()
    elif start not in (1, -1) or end not in (-1, 1):
        raise ValueError("a Flatten must leave rows as they are (start_dim=1, end_dim=-1)")


def _unflatten(module: Any, reading: Reading) -> None:
    if module.dim not in (1, -1) or tuple(module.unflattened_size) != (reading.found.units,):
        raise ValueError("an Unflatten must leave rows as they are")


_READERS: dict[type[nn.Module], Callable[[Any, Reading], None]] = {
    nn.Linear: lambda module, reading: read_linear(module.weight, module.bias, reading),
    nn.LayerNorm: lambda module, reading: read_layer_norm(
        module.normalized_shape, module.weight, module.bias, module.eps, reading
    ),
    nn.RMSNorm: lambda module, reading: read_rms_norm(module.normalized_shape, module.weight, module.eps, reading),
    nn.BatchNorm1d: _batch_norm,
    nn.Dropout: lambda module, reading: reading.found.dropout(module.p),
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.Identity: lambda module, reading: None,
}


def _gelu(module: Any) -> None:
    if module.approximate != "none":
        raise ValueError(f"fastnn has the exact GELU only; got approximate={module.approximate!r}")


def _softplus(module: Any) -> None:
    if module.beta != 1 or module.threshold < 20:
        raise ValueError(f"fastnn's softplus has beta=1 and no threshold below 20; got {module}")


def _softmax(module: Any) -> None:
    if module.dim not in (None, 1, -1):
        raise ValueError(f"a Softmax must be over the units of a row (dim=1); got dim={module.dim}")


# What a module says beyond its class: the parameter of the activation, or an error if fastnn's cannot have it.
_PARAMETERS: dict[str, Callable[[Any], float | None]] = {
    "leaky_relu": lambda module: module.negative_slope,
    "elu": lambda module: module.alpha,
    "gelu": _gelu,
    "softplus": _softplus,
    "softmax": _softmax,
}
