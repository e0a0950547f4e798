"""From PyTorch: the layers that a module consists of, and their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from fastnn._input import checks
from fastnn._lowering.imported_layers import ImportedLayers
from fastnn.layers import Dense, Layer, LayerNorm, RMSNorm
from fastnn.torch.activations import MODULES

if TYPE_CHECKING:
    from fastnn._input.names import DtypeName


def layers_of(module: nn.Module) -> tuple[list[Layer], list[np.ndarray], DtypeName]:
    """Read a module of layers in sequence; see `fastnn.Network.from_torch`.

    Returns
    -------
    layers : list of Layer
        The input among them.
    tensors : list of ndarray
        Their parameters, in the order of a network's.
    dtype : {"float32", "float64"}
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module; got {checks.described(module)}")
    found = ImportedLayers()
    for place, part in _flattened(module, ""):
        try:
            _read(part, found)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    if not any(isinstance(layer, Dense) for layer in found.layers):
        raise ValueError("module must hold at least one Linear; got none")
    return found.complete()


def _flattened(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that compute, in their order, and how an error message calls them."""
    place = f"module {name!r}, {type(module).__name__}" if name else f"the module, {type(module).__name__}"
    if module._forward_hooks or module._forward_pre_hooks:
        raise ValueError(f"{place}: its forward hooks may change what it computes; remove them first")
    if not _computes_as(module, nn.Sequential):
        yield place, module
        return
    for key, child in module._modules.items():
        if child is not None:
            yield from _flattened(child, f"{name}.{key}" if name else key)


def _computes_as(module: nn.Module, cls: type[nn.Module]) -> bool:
    """Return whether ``module`` is one of ``cls``, or of a subclass that has left the forward pass alone."""
    return isinstance(module, cls) and type(module).forward is cls.forward and "forward" not in vars(module)


def _read(module: Any, found: ImportedLayers) -> None:
    """Add a module, or raise ValueError if fastnn has no layer that computes the same."""
    for cls, read in _READERS.items():
        if _computes_as(module, cls):
            read(module, found)
            return
    name = next((name for name, cls in MODULES.items() if _computes_as(module, cls)), None)
    if name is None:
        listed = ", ".join(cls.__name__ for cls in (*_READERS, *MODULES.values()))
        raise ValueError(f"fastnn has no such layer; it has {listed}")
    found.activation(name, _PARAMETERS[name](module) if name in _PARAMETERS else None)


def _linear(module: Any, found: ImportedLayers) -> None:
    found.dense(_array(module.weight), None if module.bias is None else _array(module.bias))


def _layer_norm(module: Any, found: ImportedLayers) -> None:
    found.normalization(LayerNorm(module.eps), _width(module), weight=_given(module.weight), bias=_given(module.bias))


def _rms_norm(module: Any, found: ImportedLayers) -> None:
    # Without one, PyTorch adds the dtype's own epsilon.
    dtype = torch.get_default_dtype() if module.weight is None else module.weight.dtype
    epsilon = torch.finfo(dtype).eps if module.eps is None else module.eps
    found.normalization(RMSNorm(epsilon), _width(module), weight=_given(module.weight))


def _width(module: Any) -> int:
    """Return how many units a normalisation is over."""
    if len(module.normalized_shape) != 1:
        raise ValueError(f"normalized_shape must be one number; got {tuple(module.normalized_shape)}")
    return int(module.normalized_shape[0])


def _flatten(module: Any, _: ImportedLayers) -> None:
    if module.start_dim != 1 or module.end_dim not in (-1, 1):
        raise ValueError("a Flatten must leave rows as they are (start_dim=1, end_dim=-1)")


_READERS: dict[type[nn.Module], Callable[[Any, ImportedLayers], None]] = {
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    nn.RMSNorm: _rms_norm,
    nn.Dropout: lambda module, found: found.dropout(module.p),
    nn.Flatten: _flatten,
    nn.Identity: lambda module, found: None,
}


def _given(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else _array(tensor)


def _array(tensor: torch.Tensor) -> np.ndarray:
    if tensor.device.type == "meta" or isinstance(tensor, nn.parameter.UninitializedParameter):
        raise ValueError("its parameters must have values; they have none yet")
    if tensor.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"its parameters must be float32 or float64; they are {tensor.dtype}: use module.float()")
    return tensor.detach().cpu().numpy()


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
