"""The PyTorch counterpart of a network, with the same parameters."""

import pytest

import fastnn as fn
from fastnn.layers import activation_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

torch.set_num_threads(1)  # its networks here are too small for more

ACTIVATIONS = {
    "relu": lambda alpha: torch.nn.ReLU(),
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "selu": lambda alpha: torch.nn.SELU(),
    "gelu": lambda alpha: torch.nn.GELU(),
    "silu": lambda alpha: torch.nn.SiLU(),
    "mish": lambda alpha: torch.nn.Mish(),
    "tanh": lambda alpha: torch.nn.Tanh(),
    "sigmoid": lambda alpha: torch.nn.Sigmoid(),
    "softplus": lambda alpha: torch.nn.Softplus(threshold=1000),
    "softmax": lambda alpha: torch.nn.Softmax(dim=1),
}


def torch_network(network):
    """A ``torch.nn.Sequential`` whose state has the names and values of the network's parameters."""
    modules, units = [], 0
    for layer in network.layers:
        if isinstance(layer, fn.Input):
            units = layer.features
            continue
        if isinstance(layer, fn.Dense):
            modules.append(torch.nn.Linear(units, layer.units))
            units = layer.units
        if isinstance(layer, (fn.Dense, fn.Activation)):
            activation = activation_of(layer)
            if activation.name != "identity":
                modules.append(ACTIVATIONS[activation.name](activation.alpha))
        elif isinstance(layer, fn.Dropout):
            modules.append(torch.nn.Dropout(layer.rate))
        elif isinstance(layer, fn.LayerNorm):
            modules.append(torch.nn.LayerNorm(units, layer.epsilon))
        elif isinstance(layer, fn.RMSNorm):
            modules.append(torch.nn.RMSNorm(units, layer.epsilon))
    mirror = torch.nn.Sequential(*modules).to(getattr(torch, network.dtype))
    mirror.load_state_dict({name: torch.from_numpy(array) for name, array in network.parameters.items()})
    return mirror
