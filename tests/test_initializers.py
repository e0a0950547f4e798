import time

import numpy as np
import pytest

import fastnn as fn
from fastnn.initializers import INITIALIZERS, resolved

VARIANCES = {
    "glorot_uniform": 2 / (300 + 200),
    "glorot_normal": 2 / (300 + 200),
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
    "lecun_uniform": 1 / 300,
    "lecun_normal": 1 / 300,
}


@pytest.mark.parametrize("name", VARIANCES)
def test_mean_and_variance(name):
    values = INITIALIZERS[name]().values((200, 300), 5, 9)
    assert values.shape == (200, 300)
    assert values.dtype == np.float64
    assert abs(values.mean()) < 4 * np.sqrt(VARIANCES[name] / values.size)
    assert values.var() == pytest.approx(VARIANCES[name], rel=0.03)
    if "uniform" in name:
        limit = np.sqrt(3 * VARIANCES[name])
        assert -limit <= values.min() < -0.99 * limit
        assert 0.99 * limit < values.max() <= limit
    else:
        assert (np.abs(values) > 2 * np.sqrt(VARIANCES[name])).mean() == pytest.approx(0.0455, abs=0.005)


@pytest.mark.parametrize("name", [*VARIANCES, "orthogonal"])
def test_seeds_and_streams_draw_other_numbers(name):
    initializer = INITIALIZERS[name]()
    first = initializer.values((6, 5), 1, 2)
    np.testing.assert_array_equal(first, initializer.values((6, 5), 1, 2))
    assert not np.array_equal(first, initializer.values((6, 5), 2, 2))
    assert not np.array_equal(first, initializer.values((6, 5), 1, 3))


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (40, 9), (9, 40), (1, 12), (12, 1)])
def test_orthogonal(shape):
    values = fn.initializers.Orthogonal(gain=2.0).values(shape, 0, 0) / 2.0
    product = values @ values.T if shape[0] <= shape[1] else values.T @ values
    np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-12)


def test_orthogonal_is_fast_and_precise_enough_at_512():
    start = time.perf_counter()
    values = fn.initializers.Orthogonal().values((512, 512), 0, 0)
    assert time.perf_counter() - start < 10
    np.testing.assert_allclose(values @ values.T, np.eye(512), atol=1e-10)


def test_orthogonal_prefers_no_direction():
    first = np.array([fn.initializers.Orthogonal().values((3, 3), seed, 0)[0, 0] for seed in range(400)])
    # An entry of a random rotation in three dimensions is uniform in [-1, 1].
    assert abs(first.mean()) < 0.1
    assert first.var() == pytest.approx(1 / 3, rel=0.2)


def test_constants():
    network = fn.Network(
        [fn.Input(3), fn.Dense(2, weight_initializer=fn.initializers.Constant(0.5), bias_initializer="zeros")]
    )
    np.testing.assert_array_equal(network.parameters["0.weight"], np.full((2, 3), 0.5))
    np.testing.assert_array_equal(network.parameters["0.bias"], np.zeros(2))


def test_auto_goes_by_the_activation():
    for activation in ("relu", "leaky_relu", "elu", "gelu", "silu", "mish"):
        assert resolved("auto", activation) == fn.initializers.HeNormal()
    assert resolved("auto", "selu") == fn.initializers.LecunNormal()
    for activation in ("tanh", "sigmoid", "softplus", "softmax", "identity"):
        assert resolved("auto", activation) == fn.initializers.GlorotUniform()


def test_auto_sees_the_activation_behind_other_layers():
    fused = fn.Network([fn.Input(5), fn.Dense(4, "relu"), fn.Dense(2)])
    apart = fn.Network([fn.Input(5), fn.Dense(4), fn.LayerNorm(), fn.Activation("relu"), fn.Dense(2)])
    np.testing.assert_array_equal(fused.parameters["0.weight"], apart.parameters["0.weight"])
    linear = fn.Network([fn.Input(5), fn.Dense(4), fn.Dense(2, "relu")])
    assert not np.array_equal(fused.parameters["0.weight"], linear.parameters["0.weight"])


def test_values_are_rounded_once():
    layers = [fn.Input(30), fn.Dense(20, "relu"), fn.Dense(10)]
    wide, narrow = fn.Network(layers, seed=8, dtype="float64"), fn.Network(layers, seed=8)
    for name, array in wide.parameters.items():
        np.testing.assert_array_equal(array.astype(np.float32), narrow.parameters[name])


def test_the_same_layer_twice_draws_twice():
    layer = fn.Dense(4)
    network = fn.Network([fn.Input(4), layer, layer])
    assert not np.array_equal(network.parameters["0.weight"], network.parameters["1.weight"])


def test_every_instruction_set_begins_the_same(isa):
    # The digest stands for the whole chain: random numbers, initializers, rounding, names.
    layers = [
        fn.Input(9),
        fn.Dense(33, "relu"),
        fn.LayerNorm(),
        fn.Dense(17, "tanh", "orthogonal"),
        fn.Dense(5, "selu"),
        fn.Dense(3),
    ]
    assert fn.Network(layers, seed=2**63).digest() == DIGEST


DIGEST = "bfec61aed07bb1f8c67b721e2f797ca828b7573bfb75b8ad2253affce794e4e8"
