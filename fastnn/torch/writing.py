"""To PyTorch: a module that computes what a network's layers do, with a copy of their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from fastnn.layers import Activation, Dense, Dropout, Input, Layer, LayerNorm, RMSNorm, activation_of
from fastnn.torch.activations import MODULES

# Layers that leave the number of units as it is, from the layer, that number and the dtype.
_MODULES: dict[type[Layer], Callable[[Any, int, torch.dtype], nn.Module]] = {
    Dropout: lambda layer, units, real: nn.Dropout(layer.rate),
    LayerNorm: lambda layer, units, real: nn.LayerNorm(units, layer.epsilon, dtype=real),
    RMSNorm: lambda layer, units, real: nn.RMSNorm(units, layer.epsilon, dtype=real),
}
# Beyond its threshold PyTorch's softplus is its argument: above this one that is so to the last bit of a float64.
_EXACT_THRESHOLD = 40.0


def module_of(layers: Iterable[Layer], parameters: Mapping[str, np.ndarray], dtype: str) -> nn.Sequential:
    """Make a ``torch.nn.Sequential`` of the layers of a network; see `fastnn.Network.to_torch`.

    Parameters
    ----------
    layers : iterable of Layer
        Those of a network, the input among them.
    parameters : mapping of str to ndarray
        By the names that a network gives them, which are those of the module too.
    dtype : {"float32", "float64"}
    """
    real = getattr(torch, dtype)
    modules: list[nn.Module] = []
    units = 0
    for layer in layers:
        if isinstance(layer, Input):
            units = layer.features
        elif isinstance(layer, (Dense, Activation)):
            if isinstance(layer, Dense):
                # Without initial values, whose drawing would move PyTorch's global random numbers on.
                modules.append(nn.utils.skip_init(nn.Linear, units, layer.units, dtype=real))
                units = layer.units
            activation = activation_of(layer)
            if activation.name != "identity":
                modules.append(_activation_module(activation))
        elif type(layer) in _MODULES:
            modules.append(_MODULES[type(layer)](layer, units, real))
        else:
            raise ValueError(f"fastnn knows no PyTorch module that computes {layer!r}")
    module = nn.Sequential(*modules)
    module.load_state_dict({name: torch.tensor(array) for name, array in parameters.items()})
    return module.eval()


def _activation_module(activation: Activation) -> nn.Module:
    if activation.name not in MODULES:
        raise ValueError(f"the activation {activation.name!r} cannot be converted: torch.nn has none that computes it")
    cls = MODULES[activation.name]
    if activation.alpha is not None:
        return cls(activation.alpha)
    if activation.name == "softmax":
        return cls(dim=1)
    return cls(threshold=_EXACT_THRESHOLD) if activation.name == "softplus" else cls()
