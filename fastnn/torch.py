"""To PyTorch and back (the extra ``torch``): ``net.to_torch()`` and ``Network.from_torch(module)``.

A network and the ``torch.nn.Sequential`` of its layers have the same parameters under the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastnn._input import checks
from fastnn._lowering.builder import Builder
from fastnn.layers import Activation, Dense, Dropout, LayerNorm, activation_of
from fastnn.network import Network

try:
    import torch
    from torch import nn
except ImportError as error:
    raise ImportError("fastnn.torch needs PyTorch: pip install 'fastnn[torch]'") from error

__all__ = ["from_torch", "to_torch"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "softmax": nn.Softmax,
}
# Beyond its threshold PyTorch's softplus is its argument: above this one that is so to the last bit of a float64.
_EXACT_THRESHOLD = 40.0


# ------------------------------------------------------------------- to PyTorch


def to_torch(network: Network) -> nn.Sequential:
    """The network as a ``torch.nn.Sequential``; see `fastnn.Network.to_torch`."""
    checks.instance(network, Network, "network")
    dtype = getattr(torch, network.dtype)
    modules: list[nn.Module] = []
    units = network.n_features
    for layer in network.layers:
        if isinstance(layer, Dropout):
            modules.append(nn.Dropout(layer.rate))
        elif isinstance(layer, LayerNorm):
            modules.append(nn.LayerNorm(units, layer.epsilon, dtype=dtype))
        elif isinstance(layer, (Dense, Activation)):
            if isinstance(layer, Dense):
                # Without initial values, whose drawing would move PyTorch's global random numbers on.
                modules.append(nn.utils.skip_init(nn.Linear, units, layer.units, dtype=dtype))
                units = layer.units
            activation = activation_of(layer)
            if activation.name != "identity":
                modules.append(_activation_module(activation))
    module = nn.Sequential(*modules)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in network.parameters.items()})
    return module.eval()


def _activation_module(activation: Activation) -> nn.Module:
    cls = _ACTIVATIONS[activation.name]
    if activation.alpha is not None:
        return cls(activation.alpha)
    if activation.name == "softmax":
        return cls(dim=1)
    return cls(threshold=_EXACT_THRESHOLD) if activation.name == "softplus" else cls()


# ----------------------------------------------------------------- from PyTorch


def from_torch(module: nn.Module) -> Network:
    """The network that a PyTorch module of layers in sequence is; see `fastnn.Network.from_torch`."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module; got {checks.described(module)}")
    builder = Builder()
    for place, part in _flattened(module, ""):
        try:
            _read(part, builder)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    if not any(isinstance(layer, Dense) for layer in builder.layers):
        raise ValueError("module must hold at least one Linear; got none")
    return builder.network()


def _flattened(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules that compute, in their order, and how an error message calls them."""
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
    """Whether ``module`` is one of ``cls``, or of a subclass that has left the forward pass alone."""
    return isinstance(module, cls) and type(module).forward is cls.forward and "forward" not in vars(module)


def _read(module: Any, builder: Builder) -> None:
    """Adds a module, or raises ValueError if fastnn has no layer that computes the same."""
    if _computes_as(module, nn.Linear):
        builder.dense(_array(module.weight), None if module.bias is None else _array(module.bias))
    elif _computes_as(module, nn.LayerNorm):
        if len(module.normalized_shape) != 1:
            raise ValueError(f"normalized_shape must be one number; got {tuple(module.normalized_shape)}")
        gain, bias = (None if tensor is None else _array(tensor) for tensor in (module.weight, module.bias))
        builder.layer_norm(module.normalized_shape[0], gain, bias, module.eps)
    elif _computes_as(module, nn.Dropout):
        builder.dropout(module.p)
    elif _computes_as(module, nn.Flatten):
        if module.start_dim != 1 or module.end_dim not in (-1, 1):
            raise ValueError("a Flatten must leave rows as they are (start_dim=1, end_dim=-1)")
    elif not _computes_as(module, nn.Identity):
        name = next((name for name, cls in _ACTIVATIONS.items() if _computes_as(module, cls)), None)
        if name is None:
            listed = ", ".join(cls.__name__ for cls in _ACTIVATIONS.values())
            raise ValueError(f"fastnn has no such layer; it has Linear, LayerNorm, Dropout, {listed}")
        builder.activation(name, _PARAMETERS[name](module) if name in _PARAMETERS else None)


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
