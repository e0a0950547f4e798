"""Parity with PyTorch: optimizers, their weight decay, and clipping."""

import inspect

import mirror
import pytest
from parity import groups, inputs, labels, smooth_network, torch, train_both

import fastnn as fn

pytestmark = pytest.mark.usefixtures("torch_settings")

# PyTorch's class and arguments, then ours. Weight decay comes from the test.
OPTIMIZERS = {
    name: (cls.__name__, {"lr": cls.learning_rate}, cls)
    for name, cls in mirror.OPTIMIZERS.items()
    if not cls().weight_decay  # which PyTorch has in place of the penalty
}
OPTIMIZERS |= {
    "sgd": ("SGD", {"lr": 0.05}, lambda **k: fn.SGD(0.05, **k)),
    "momentum": ("SGD", {"lr": 0.02, "momentum": 0.9}, lambda **k: fn.SGD(0.02, momentum=0.9, **k)),
    "nesterov": (
        "SGD",
        {"lr": 0.02, "momentum": 0.8, "nesterov": True},
        lambda **k: fn.SGD(0.02, momentum=0.8, nesterov=True, **k),
    ),
    "adam": ("Adam", {"lr": 3e-3}, lambda **k: fn.Adam(3e-3, **k)),
    "adam, betas": (
        "Adam",
        {"lr": 3e-3, "betas": (0.8, 0.95), "eps": 1e-6},
        lambda **k: fn.Adam(3e-3, beta1=0.8, beta2=0.95, epsilon=1e-6, **k),
    ),
    "amsgrad": (
        "Adam",
        {"lr": 3e-3, "amsgrad": True, "betas": (0.9, 0.9)},
        lambda **k: fn.Adam(3e-3, amsgrad=True, beta2=0.9, **k),
    ),
    "nadam": ("NAdam", {"lr": 2e-3}, lambda **k: fn.NAdam(2e-3, **k)),
    "nadam, momentum decay": (
        "NAdam",
        {"lr": 2e-3, "momentum_decay": 0.05, "betas": (0.95, 0.99)},
        lambda **k: fn.NAdam(2e-3, momentum_decay=0.05, beta1=0.95, beta2=0.99, **k),
    ),
    "rmsprop": ("RMSprop", {"lr": 1e-3}, lambda **k: fn.RMSprop(1e-3, **k)),
    "rmsprop, momentum": (
        "RMSprop",
        {"lr": 1e-3, "momentum": 0.8, "alpha": 0.95},
        lambda **k: fn.RMSprop(1e-3, momentum=0.8, smoothing=0.95, **k),
    ),
    "rmsprop, centered": (
        "RMSprop",
        {"lr": 1e-3, "centered": True},
        lambda **k: fn.RMSprop(1e-3, centered=True, **k),
    ),
    "rmsprop, centered, momentum": (
        "RMSprop",
        {"lr": 1e-3, "centered": True, "momentum": 0.5, "eps": 1e-3},
        lambda **k: fn.RMSprop(1e-3, centered=True, momentum=0.5, epsilon=1e-3, **k),
    ),
    "adagrad": ("Adagrad", {"lr": 0.02}, lambda **k: fn.Adagrad(0.02, **k)),
    "adagrad, decay, accumulator": (
        "Adagrad",
        {"lr": 0.05, "lr_decay": 0.01, "initial_accumulator_value": 0.1},
        lambda **k: fn.Adagrad(0.05, learning_rate_decay=0.01, initial_accumulator=0.1, **k),
    ),
}


@pytest.mark.parametrize("l2", [0.0, 0.01], ids=["", "l2"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(dtype, name, l2):
    theirs, arguments, ours = OPTIMIZERS[name]
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        ours(l2=l2),
        torch.nn.CrossEntropyLoss(),
        lambda net: getattr(torch.optim, theirs)(groups(net, l2), **arguments),
        inputs(dtype),
        labels(),
    )


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adamw(dtype, amsgrad):
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        fn.AdamW(3e-3, amsgrad=amsgrad),
        torch.nn.CrossEntropyLoss(),
        lambda net: torch.optim.AdamW(groups(net, 0.01), lr=3e-3, amsgrad=amsgrad),
        inputs(dtype),
        labels(),
    )


DECOUPLED = [
    cls
    for cls in mirror.OPTIMIZERS.values()
    if "decoupled_weight_decay" in inspect.signature(mirror.optimizer_of(cls)).parameters
]


@pytest.mark.parametrize("cls", DECOUPLED, ids=lambda cls: cls.__name__)
def test_decoupled_decay(dtype, cls):
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        cls(2e-3, weight_decay=0.1),
        torch.nn.CrossEntropyLoss(),
        lambda net: mirror.optimizer_of(cls)(groups(net, 0.1), lr=2e-3, decoupled_weight_decay=True),
        inputs(dtype),
        labels(),
    )


@pytest.mark.parametrize("decoupled", [False, True])
def test_decay_of_all_parameters(dtype, decoupled):
    algorithm = torch.optim.AdamW if decoupled else torch.optim.Adam
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        fn.Adam(3e-3, decay_all=True, **{"weight_decay" if decoupled else "l2": 0.05}),
        torch.nn.CrossEntropyLoss(),
        lambda net: algorithm(groups(net, 0.05, decay_all=True), lr=3e-3),
        inputs(dtype),
        labels(),
    )


# Limits that bind in some updates and not in others.
CLIPPING = {
    "value": ({"clip_value": 0.02}, lambda parameters: torch.nn.utils.clip_grad_value_(parameters, 0.02)),
    "norm": ({"clip_norm": 0.8}, lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.8)),
    "both": (
        {"clip_norm": 0.8, "clip_value": 0.05},
        lambda parameters: (
            torch.nn.utils.clip_grad_norm_(parameters, 0.8),
            torch.nn.utils.clip_grad_value_(parameters, 0.05),
        ),
    ),
}


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
@pytest.mark.parametrize("clipping", CLIPPING)
def test_clipping(dtype, optimizer, clipping):
    theirs, arguments, ours = OPTIMIZERS[optimizer]
    options, clip = CLIPPING[clipping]
    binding = []

    def counted(parameters):
        before = torch.cat([p.grad.ravel() for p in parameters]).clone()
        clip(parameters)
        binding.append(not torch.equal(before, torch.cat([p.grad.ravel() for p in parameters])))

    train_both(
        smooth_network(dtype),
        "cross_entropy",
        ours(l2=0.001, **options),
        torch.nn.CrossEntropyLoss(),
        lambda net: getattr(torch.optim, theirs)(groups(net, 0.001), **arguments),
        inputs(dtype),
        labels(),
        clip=counted,
    )
    assert any(binding)
    assert clipping != "norm" or not all(binding)
