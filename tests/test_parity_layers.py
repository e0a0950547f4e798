"""Parity with PyTorch: activations and layers."""

import pytest
from parity import FEATURES, OUTPUTS, inputs, regression_targets, torch, train_both, with_biases

import fastnn as fn

pytestmark = pytest.mark.usefixtures("torch_settings")

ACTIVATIONS = [
    *(name for name in fn.layers.ACTIVATIONS if name != "softmax"),
    fn.Activation("leaky_relu", alpha=0.2),
    fn.Activation("elu", alpha=0.7),
]


@pytest.mark.parametrize("apart", [False, True], ids=["", "apart"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activation(dtype, activation, apart):
    hidden = [fn.Dense(16, activation), fn.Dense(12, activation)]
    if apart:
        as_layer = activation if isinstance(activation, fn.Activation) else fn.Activation(activation)
        hidden = [fn.Dense(16), as_layer, fn.Dense(12), fn.LayerNorm(), as_layer]
    net = with_biases(fn.Network([fn.Input(FEATURES), *hidden, fn.Dense(OUTPUTS)], seed=3, dtype=dtype))
    train_both(
        net,
        "mean_squared",
        fn.SGD(0.05, momentum=0.5),
        torch.nn.MSELoss(),
        lambda reference: torch.optim.SGD(reference.parameters(), lr=0.05, momentum=0.5),
        inputs(dtype),
        regression_targets(dtype),
    )


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "softmax"], ids=str)
def test_activation_of_the_output(dtype, activation):
    net = with_biases(
        fn.Network([fn.Input(FEATURES), fn.Dense(9, "tanh"), fn.Dense(5, activation)], seed=3, dtype=dtype)
    )
    train_both(
        net,
        "mean_squared",
        fn.SGD(0.05),
        torch.nn.MSELoss(),
        lambda reference: torch.optim.SGD(reference.parameters(), lr=0.05),
        inputs(dtype),
        regression_targets(dtype),
    )


@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_layer_norm(dtype, epsilon):
    layers = [fn.LayerNorm(epsilon), fn.Dense(12, "tanh"), fn.LayerNorm(epsilon), fn.Dense(OUTPUTS), fn.LayerNorm()]
    train_both(
        with_biases(fn.Network([fn.Input(FEATURES), *layers], seed=3, dtype=dtype)),
        "mean_squared",
        fn.Adam(3e-3),
        torch.nn.MSELoss(),
        lambda reference: torch.optim.Adam(reference.parameters(), lr=3e-3),
        inputs(dtype),
        regression_targets(dtype),
    )
