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


F = torch.nn.functional


def pinball(loss, outputs, y):
    errors = y[:, :, None] - outputs.reshape(len(y), y.shape[1], len(loss.quantiles))
    q = torch.tensor(loss.quantiles, dtype=outputs.dtype)
    return torch.maximum(q * errors, (q - 1) * errors)


# Of each output, or of each row.
LOSSES = {
    "mean_squared": lambda loss, outputs, y: F.mse_loss(outputs, y, reduction="none"),
    "mean_absolute": lambda loss, outputs, y: F.l1_loss(outputs, y, reduction="none"),
    "huber": lambda loss, outputs, y: F.huber_loss(outputs, y, reduction="none", delta=loss.delta),
    "log_cosh": lambda loss, outputs, y: torch.log(torch.cosh(outputs - y)),
    "pinball": pinball,
    "poisson": lambda loss, outputs, y: F.poisson_nll_loss(outputs, y, reduction="none"),
    "cross_entropy": lambda loss, outputs, y: F.cross_entropy(
        outputs, y, reduction="none", label_smoothing=loss.label_smoothing
    ),
    "binary_cross_entropy": lambda loss, outputs, y: F.binary_cross_entropy_with_logits(outputs, y, reduction="none"),
}


def row_losses(loss, outputs, y):
    """The loss of each row."""
    return LOSSES[loss.kind](loss, outputs, y).reshape(len(y), -1).mean(dim=1)


# The optimizers that PyTorch has too, as their descriptions say.
OPTIMIZERS = {name: cls for name, cls in fn.optimizers.OPTIMIZERS.items() if "torch.optim." in cls.__doc__}


def optimizer_of(cls):
    """PyTorch's class of an optimizer."""
    return getattr(torch.optim, cls.__name__)


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
        elif isinstance(layer, fn.RMSNorm):
            modules.append(torch.nn.RMSNorm(units, layer.epsilon))
    mirror = torch.nn.Sequential(*modules).to(getattr(torch, network.dtype))
    mirror.load_state_dict({name: torch.tensor(array) for name, array in network.parameters.items()})
    return mirror
