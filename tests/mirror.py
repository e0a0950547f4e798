"""The PyTorch counterpart of a network, with the same parameters."""

import pytest

import fastnn as fn
from fastnn.layers import ACTIVATIONS, activation_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

torch.set_num_threads(1)  # its networks here are too small for more

OPTIONS = {"softplus": {"threshold": 1000}, "softmax": {"dim": 1}}


def module_of(activation):
    """The activation of PyTorch."""
    given = () if activation.alpha is None else (activation.alpha,)
    return getattr(torch.nn, ACTIVATIONS[activation.name].torch)(*given, **OPTIONS.get(activation.name, {}))


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
                modules.append(module_of(activation))
        elif isinstance(layer, fn.Dropout):
            modules.append(torch.nn.Dropout(layer.rate))
        elif isinstance(layer, fn.LayerNorm):
            modules.append(torch.nn.LayerNorm(units, layer.epsilon))
    mirror = torch.nn.Sequential(*modules).to(getattr(torch, network.dtype))
    mirror.load_state_dict({name: torch.from_numpy(array) for name, array in network.parameters.items()})
    return mirror
