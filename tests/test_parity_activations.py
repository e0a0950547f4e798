"""Activations and their gradients are PyTorch's."""

import numpy as np
import pytest
from mirror import torch_network

import fastnn as fn
from fastnn.layers import ACTIVATIONS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")


def test_defaults_of_alpha_are_pytorchs():
    assert fn.Activation("leaky_relu").alpha == torch.nn.LeakyReLU().negative_slope
    assert fn.Activation("elu").alpha == torch.nn.ELU().alpha


CASES = [fn.Activation(name) for name in ACTIVATIONS if name not in ("identity", "softmax")]


@pytest.mark.parametrize("activation", [*CASES, fn.Activation("leaky_relu", 0.3), fn.Activation("elu", 0.5)], ids=repr)
@pytest.mark.parametrize("fused", [True, False])
def test_activations_are_pytorchs(activation, fused, rng, isa, dtype):
    if fused:
        layers = [fn.Input(5), fn.Dense(19, activation), fn.Dense(3)]
    else:
        layers = [fn.Input(5), fn.LayerNorm(), activation, fn.Dense(3)]
    network = fn.Network(layers, seed=4, dtype=dtype)
    X = (3 * rng.normal(size=(37, 5))).astype(dtype)
    y = rng.normal(size=(37, 3)).astype(dtype)
    mirror = torch_network(network)
    tolerance = {"float32": 2e-6, "float64": 1e-13}[dtype]
    expected = mirror(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(network.predict(X), expected, rtol=tolerance, atol=tolerance)

    torch.nn.functional.mse_loss(mirror(torch.from_numpy(X)), torch.from_numpy(y)).backward()
    fn.Trainer(network, "mean_squared", fn.SGD(1.0)).step(X, y)
    for name, parameter in mirror.named_parameters():
        stepped = (parameter - parameter.grad).detach().numpy()
        np.testing.assert_allclose(network.parameters[name], stepped, rtol=5 * tolerance, atol=5 * tolerance)


def test_softmax_is_pytorchs(rng, dtype):
    network = fn.Network([fn.Input(5), fn.Dense(4, "softmax")], dtype=dtype)
    X = (10 * rng.normal(size=(9, 5))).astype(dtype)
    expected = torch_network(network)(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-7)
