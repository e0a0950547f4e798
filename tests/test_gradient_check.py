"""`gradient_check`: a good gradient passes, a wrong one is noticed."""

import pytest

import fastnn as fn
from fastnn._engine.training import Training


def test_gradient_check_passes_on_a_good_network(blobs):
    X, y = blobs
    network = fn.Network([fn.Input(7), fn.Dense(30, "relu"), fn.Dropout(0.3), fn.Dense(20, "mish"), fn.Dense(3)])
    before = network.digest()
    result = fn.gradient_check(network, "cross_entropy", X, y)
    assert list(result) == list(network.parameters)
    assert result.max == max(result.values()) < 1e-6
    assert network.digest() == before
    assert result.items() == fn.gradient_check(network, "cross_entropy", X, y).items()


def test_gradient_check_notices_a_wrong_gradient(blobs, monkeypatch):
    X, y = blobs
    network = fn.Network([fn.Input(7), fn.Dense(5, "tanh"), fn.Dense(3)])

    class Wrong:
        def __init__(self, *arguments):
            self.right = Training(*arguments)

        def gradient(self, *arguments):
            loss, gradients = self.right.gradient(*arguments)
            gradients[0, "weight"][2, 3] *= 1.01
            return loss, gradients

    monkeypatch.setattr("fastnn.gradients.Training", Wrong)
    result = fn.gradient_check(network, "cross_entropy", X, y)
    assert result["0.weight"] == pytest.approx(0.01, rel=0.05)
    assert result["2.weight"] < 1e-6


def test_gradient_check_refuses_a_zero_gradient(blobs):
    X, y = blobs
    network = fn.Network(
        [fn.Input(7), fn.Dense(5, "relu", bias_initializer=fn.initializers.Constant(-1e6)), fn.Dense(3)]
    )
    with pytest.raises(ValueError, match=r"'0.weight' is zero in every entry"):
        fn.gradient_check(network, "cross_entropy", X, y)
