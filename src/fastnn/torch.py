"""To PyTorch and back (the extra ``torch``): ``net.to_torch()`` and ``Network.from_torch(module)``.

A network and the ``torch.nn.Sequential`` of its layers have the same parameters under the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastnn.layers import Activation, Dense, Dropout, Input, Layer, LayerNorm, activation_of
from fastnn.network import Network

try:
    import torch
    from torch import nn
except ImportError as error:
    raise ImportError("fastnn.torch needs PyTorch: pip install 'fastnn[torch]'") from error

__all__ = ["from_torch", "to_torch"]

_DTYPES = {torch.float32: "float32", torch.float64: "float64"}
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
        raise TypeError(f"module must be a torch.nn.Module; got a {type(module).__name__}")
    reader = _Reader()
    for place, part in _flattened(module, ""):
        try:
            reader.read(part)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    if not any(isinstance(layer, Dense) for layer in reader.layers):
        raise ValueError("module must hold at least one Linear; got none")
    return reader.network()


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


class _Reader:
    """Takes modules one after the other, and holds the layers and parameters so far."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.tensors: list[np.ndarray] = []
        self.features = self.units = 0  # of the whole, and of the latest layer; 0 until a module tells
        self.dtype: torch.dtype | None = None
        self.ended = False  # by a softmax

    def read(self, module: nn.Module) -> None:
        """Adds a module.

        Raises
        ------
        ValueError
            If fastnn has no such layer.
        """
        if _computes_as(module, nn.Identity) or self._is_idle(module):
            return
        if self.ended:
            raise ValueError("a Softmax must be the last module, and comes before this one")
        if _computes_as(module, nn.Linear):
            self._linear(module)  # type: ignore[arg-type]
        elif _computes_as(module, nn.LayerNorm):
            self._layer_norm(module)  # type: ignore[arg-type]
        elif _computes_as(module, nn.Dropout):
            self.layers.append(Dropout(module.p))  # type: ignore[arg-type]
        else:
            self._activation(module)

    def network(self) -> Network:
        """The network of what was read."""
        assert self.dtype is not None
        layers = [Input(self.features), *self.layers]
        network = Network(layers, dtype=_DTYPES[self.dtype])
        network.parameters.update(dict(zip(network.parameters, self.tensors, strict=True)))
        return network

    @staticmethod
    def _is_idle(module: nn.Module) -> bool:
        """Whether it is a Flatten that does nothing to rows of features."""
        if not _computes_as(module, nn.Flatten):
            return False
        if module.start_dim != 1 or module.end_dim not in (-1, 1):
            raise ValueError("a Flatten must leave rows as they are (start_dim=1, end_dim=-1)")
        return True

    def _linear(self, module: nn.Linear) -> None:
        self._check_units("in_features", module.in_features)
        self._add(module, module.weight, torch.zeros(module.out_features))
        self.layers.append(Dense(module.out_features))
        self.units = module.out_features

    def _layer_norm(self, module: nn.LayerNorm) -> None:
        if len(module.normalized_shape) != 1:
            raise ValueError(f"normalized_shape must be one number; got {tuple(module.normalized_shape)}")
        units = module.normalized_shape[0]
        self._check_units("normalized_shape", units)
        layer = LayerNorm(module.eps)
        gain = torch.ones(units, dtype=self.dtype) if module.weight is None else module.weight
        self._add(module, gain, torch.zeros(units))
        self.layers.append(layer)

    def _check_units(self, argument: str, given: int) -> None:
        if self.units and given != self.units:
            raise ValueError(f"{argument} must be {self.units}, the outputs of the module before; got {given}")
        self.features = self.features or given
        self.units = given

    def _add(self, module: nn.Linear | nn.LayerNorm, weight: torch.Tensor, no_bias: torch.Tensor) -> None:
        """Adds the parameters; a module without a bias has one of zeros here."""
        bias = no_bias.to(weight.dtype) if module.bias is None else module.bias
        for tensor in (weight, bias):
            if tensor.dtype not in _DTYPES:
                raise ValueError(f"parameters must be float32 or float64; got {tensor.dtype}: use module.float()")
            if self.dtype is not None and tensor.dtype is not self.dtype:
                raise ValueError(f"parameters must be of one dtype, {self.dtype} so far; got {tensor.dtype}")
            if tensor.device.type == "meta" or isinstance(tensor, nn.parameter.UninitializedParameter):
                raise ValueError("parameters must have values; got none yet")
            self.dtype = tensor.dtype
            self.tensors.append(tensor.detach().cpu().numpy())

    def _activation(self, module: nn.Module) -> None:
        found = next((name for name, cls in _ACTIVATIONS.items() if _computes_as(module, cls)), None)
        if found is None:
            raise ValueError(f"fastnn has no such layer; it has Linear, LayerNorm, Dropout and {_listed()}")
        activation = Activation(found, _CHECKS[found](module) if found in _CHECKS else None)
        self.ended = found == "softmax"
        last = self.layers[-1] if self.layers else None
        if isinstance(last, Dense) and activation_of(last).name == "identity":
            self.layers[-1] = Dense(last.units, activation)
        else:
            self.layers.append(activation)


def _listed() -> str:
    return ", ".join(cls.__name__ for cls in _ACTIVATIONS.values())


def _gelu(module: Any) -> None:
    if module.approximate != "none":
        raise ValueError(f"fastnn has the exact GELU only; got approximate={module.approximate!r}")


def _softplus(module: Any) -> None:
    if module.beta != 1 or module.threshold < 20:
        raise ValueError(f"fastnn's softplus has beta=1 and no threshold below 20; got {module}")


def _softmax(module: Any) -> None:
    if module.dim not in (None, 1, -1):
        raise ValueError(f"a Softmax must be over the units of a row (dim=1); got dim={module.dim}")


# What a module says beyond its class: the parameter of the activation, or an error if fastnn's has none such.
_CHECKS: dict[str, Callable[[Any], float | None]] = {
    "leaky_relu": lambda module: module.negative_slope,
    "elu": lambda module: module.alpha,
    "gelu": _gelu,
    "softplus": _softplus,
    "softmax": _softmax,
}
