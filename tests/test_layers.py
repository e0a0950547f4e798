"""Layers: how they are described, what they compute, and what they refuse."""

import dataclasses
import inspect
import re

import numpy as np
import pytest

import fastnn as fn


def test_descriptions_compare_print_and_hash_by_value():
    assert fn.Dense(8, "relu") == fn.Dense(8, fn.Activation("relu"))
    assert fn.Dense(8, "relu") != fn.Dense(8, "tanh")
    assert fn.Dense(8) != fn.LayerNorm()
    assert len({fn.Dropout(0.5), fn.Dropout(0.5), fn.Dropout(0.25)}) == 2
    assert repr(fn.Dense(8, "relu")) == "Dense(8, 'relu')"
    assert repr(fn.Dense(8)) == "Dense(8)"
    assert repr(fn.Dense(8, fn.Activation("elu", 0.5))) == "Dense(8, Activation('elu', alpha=0.5))"
    assert repr(fn.LayerNorm(1e-3)) == "LayerNorm(epsilon=0.001)"


@pytest.mark.parametrize(
    "layer",
    [
        fn.Input(3),
        fn.Dense(8, "relu"),
        fn.Dense(8, fn.Activation("elu", 0.5), fn.initializers.Constant(0.25), "he_normal"),
        fn.Activation("leaky_relu", alpha=0.2),
        fn.Dropout(0.5),
        fn.LayerNorm(),
    ],
)
def test_repr_is_the_call_that_makes_the_layer(layer):
    names = vars(fn) | vars(fn.initializers)
    assert eval(repr(layer), names) == layer


def test_descriptions_are_frozen():
    layer = fn.Dense(8)
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.units = 9
    with pytest.raises(dataclasses.FrozenInstanceError):
        del layer.units
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.unit = 9
    assert layer.units == 8
    assert dataclasses.replace(layer, units=9) == fn.Dense(9)


@pytest.mark.parametrize("name", [None, "linear", "identity"])
def test_names_of_the_identity(name):
    assert fn.Dense(3, name) == fn.Dense(3)


def test_softmax_at_the_end(rng, dtype):
    network = fn.Network([fn.Input(5), fn.Dense(4, "softmax")], dtype=dtype)
    X = (10 * rng.normal(size=(9, 5))).astype(dtype)
    sums = X @ network.parameters["0.weight"].T + network.parameters["0.bias"]
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    np.testing.assert_allclose(network.predict(X), powers / powers.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-7)
    apart = fn.Network([fn.Input(5), fn.Dense(4), fn.Activation("softmax")], dtype=dtype)
    np.testing.assert_array_equal(network.predict(X), apart.predict(X))


def test_dropout_scales_what_it_keeps_and_is_off_in_predict(rng):
    network = fn.Network([fn.Input(50), fn.Dropout(0.4), fn.Dense(1, weight_initializer=fn.initializers.Constant(1.0))])
    X = np.ones((400, 50), dtype=np.float32)
    np.testing.assert_array_equal(network.predict(X), np.full((400, 1), 50.0, dtype=np.float32))
    trainer = fn.Trainer(network, "mean_squared", fn.SGD(1e-9), seed=1)
    # The mean square of a sum of 50 masks, each 1 / 0.6 with probability 0.6: variance 50 · 0.4 / 0.6.
    loss = trainer.step(X, np.full(400, 50.0))
    assert 25 < loss < 43
    assert trainer.step(X, np.full(400, 50.0)) != loss, "each update draws masks of its own"


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: fn.Dense(0), ValueError, ["units", "at least 1", "got 0"]),
        (lambda: fn.Dense(2.5), TypeError, ["units", "integer", "2.5"]),
        (lambda: fn.Dense(True), TypeError, ["units", "integer", "True"]),
        (lambda: fn.Input("4"), TypeError, ["features", "integer", "'4'"]),
        (lambda: fn.Dense(4, "rleu"), ValueError, ["activation", "'gelu'", "got 'rleu'", "did you mean 'relu'"]),
        (lambda: fn.Dense(4, 3), TypeError, ["activation", "'relu'", "got int 3"]),
        (lambda: fn.Activation("relu", 0.1), ValueError, ["alpha", "'leaky_relu', 'elu'", "'relu'"]),
        (lambda: fn.Activation("elu", -1.0), ValueError, ["alpha", "at least 0", "-1.0"]),
        (lambda: fn.Dropout(1.0), ValueError, ["rate", "below 1", "1.0"]),
        (lambda: fn.Dropout(-0.1), ValueError, ["rate", "at least 0", "-0.1"]),
        (lambda: fn.Dropout("a"), TypeError, ["rate", "number", "'a'"]),
        (lambda: fn.LayerNorm(0), ValueError, ["epsilon", "above 0"]),
        (lambda: fn.LayerNorm(float("nan")), ValueError, ["epsilon", "finite", "nan"]),
        (lambda: fn.Dense(4, weight_initializer="he"), ValueError, ["weight_initializer", "'he_normal'", "got 'he'"]),
        (lambda: fn.Dense(4, bias_initializer="orthogonal"), ValueError, ["bias_initializer", "vector"]),
        (lambda: fn.Dense(4, weight_initializer=fn.initializers.HeNormal), TypeError, ["class", "HeNormal(...)"]),
    ],
)
def test_bad_arguments(make, error, fragments):
    with pytest.raises(error) as caught:
        make()
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_descriptions_are_called_like_functions():
    assert str(inspect.signature(fn.Adam)).startswith(
        "(learning_rate: 'float | Schedule' = 0.001, beta1: 'float' = 0.9"
    )
    assert inspect.signature(fn.SGD).parameters["clip_norm"].kind is inspect.Parameter.KEYWORD_ONLY
    assert fn.Dense(3, weight_initializer="zeros") == fn.Dense(units=3, weight_initializer="zeros")
    for call, fragment in (
        (lambda: fn.Dense(), "Dense() is missing the argument 'units'"),
        (lambda: fn.Dense(1, units=2), "Dense() got multiple values for argument 'units'"),
        (lambda: fn.Input(1, 2), "Input() takes at most 1 positional arguments; got 2"),
        (lambda: fn.Adam(0.1, 0.9, 0.99, 1e-8, False, 0.1), "Adam() takes at most 5 positional arguments; got 6"),
        (lambda: fn.Adam(learning_rte=0.1), "Adam() got an unexpected argument 'learning_rte' (did you mean"),
    ):
        with pytest.raises(TypeError, match=re.escape(fragment)):
            call()
