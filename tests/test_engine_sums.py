"""Sums within a network: of values in the order of the operands, of deltas from the last reader to the first."""

import itertools

import numpy as np
import pytest
from engine_oracle import (
    MSE,
    SGD,
    activation,
    add,
    dense,
    dropout,
    dropout_masks,
    empty_model,
    make_model,
    net,
    outputs_of,
    parameters_of,
    reading,
    regression,
)

from fastnn._engine.training import Training

WIDTH = 37


def model_of(described, dtype, diagonals):
    """Dense operations from op 1 on multiply each unit by a number of its own; those are very different in size."""
    model, _ = make_model(described, dtype)
    rng = np.random.default_rng(3)
    for operation in diagonals:
        factors = rng.normal(size=WIDTH) * 10.0 ** rng.uniform(-2, 2, WIDTH)
        model.write(operation, "weight", np.diag(factors).astype(dtype))
    return model


def chain(terms):
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def assert_in_this_order(found, terms):
    """To the last bit; of another order some of the sums would not be the same."""
    assert found.tobytes() == chain(terms).tobytes()
    for order in itertools.permutations(range(len(terms))):
        if order[2:] != tuple(range(2, len(terms))):  # the first two may change places
            assert found.tobytes() != chain([terms[i] for i in order]).tobytes()


@pytest.mark.parametrize("inputs", [(1, 2, 3, 4), (3, 1, 4, 2)])
def test_values_are_added_in_the_order_of_the_operands(isa, dtype, inputs):
    branches = [reading(dense(WIDTH), 0) for _ in range(4)]
    model, _ = make_model(net(5, *branches, add(*inputs)), dtype)
    X, _ = regression(model, 3)
    terms = []
    for operation in range(4):
        alone = empty_model(net(5, dense(WIDTH)), dtype)
        for kind in ("weight", "bias"):
            alone.write(0, kind, model.read(operation, kind))
        terms.append(outputs_of(alone, X))
    found = outputs_of(model, X)
    assert found.tobytes() == chain([terms[value - 1] for value in inputs]).tobytes()
    assert found.tobytes() != chain([terms[value - 1] for value in inputs[::-1]]).tobytes()


def gradient_of_one_row(model, threads):
    """Of one row, a bias's gradient is its operation's delta."""
    X, y = regression(model, 1)
    return Training(model, MSE, SGD, 5, threads).gradient(X, y, None)[1]


@pytest.mark.parametrize("threads", [1, 2])
def test_deltas_of_dense_readers_are_added_from_the_last_to_the_first(isa, dtype, threads):
    described = net(5, dense(WIDTH), *[reading(dense(WIDTH), 1) for _ in range(3)], add(2, 3, 4))
    model = model_of(described, dtype, (1, 2, 3))
    gradients = gradient_of_one_row(model, threads)
    delta = gradients[1, "bias"]
    handed = {k: np.diag(model.read(k, "weight")) * delta for k in (1, 2, 3)}
    assert_in_this_order(gradients[0, "bias"], [handed[3], handed[2], handed[1]])


@pytest.mark.parametrize("inputs", [(2, 3, 1), (1, 2, 3), (3, 1, 2)])
def test_an_add_hands_on_before_what_lies_below_it(isa, dtype, inputs):
    """Whichever of its operands gets its delta without a copy."""
    described = net(5, dense(WIDTH), dense(WIDTH), reading(activation("relu"), 1), add(*inputs))
    model = model_of(described, dtype, (1,))
    gradients = gradient_of_one_row(model, 1)
    delta = gradients[1, "bias"]
    below = empty_model(net(5, dense(WIDTH)), dtype)
    for kind in ("weight", "bias"):
        below.write(0, kind, model.read(0, kind))
    y = outputs_of(below, regression(model, 1)[0])[0]
    through_relu = np.where(y > 0, delta, 0).astype(dtype)
    terms = [delta, through_relu, np.diag(model.read(1, "weight")) * delta]
    assert gradients[0, "bias"].tobytes() == chain(terms).tobytes()
    assert gradients[0, "bias"].tobytes() != chain([terms[2], terms[1], terms[0]]).tobytes()


def test_dropout_adds_what_it_hands_on(isa, dtype):
    described = net(5, dense(WIDTH), reading(dense(WIDTH), 1), reading(dropout(0.5), 1), reading(dense(WIDTH), 1))
    described.operations.append(add(2, 3, 4))
    model = model_of(described, dtype, (1, 3))
    gradients = gradient_of_one_row(model, 1)
    delta = gradients[1, "bias"]
    mask = dropout_masks(described, 0, [0])[2][0].astype(dtype)
    terms = [np.diag(model.read(3, "weight")) * delta, delta * mask, np.diag(model.read(1, "weight")) * delta]
    assert_in_this_order(gradients[0, "bias"], terms)


@pytest.mark.parametrize("times", [2, 3, 5])
def test_a_value_added_to_itself(isa, dtype, times):
    model, _ = make_model(net(5, dense(WIDTH), add(*[1] * times), dense(WIDTH)), dtype)
    model.write(2, "weight", np.eye(WIDTH, dtype=dtype))
    gradients = gradient_of_one_row(model, 1)
    assert gradients[0, "bias"].tobytes() == chain([gradients[2, "bias"]] * times).tobytes()


def test_a_value_that_nothing_trained_has_written_gets_no_delta(isa, dtype):
    """The inputs, and what is computed of them alone: to leave it out changes no other gradient."""
    plain = net(6, dense(6), reading(activation("tanh"), 0), add(1, 2), dense(2))
    model, oracle = make_model(plain, dtype)
    X, y = regression(model, 40)
    _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
    assert gradients.keys() == parameters_of(model).keys() == {(0, "weight"), (0, "bias"), (3, "weight"), (3, "bias")}
    expected = oracle.backward(2 / y.size * (oracle.forward(X) - y))
    for key, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[key], rtol=1e-4, atol=1e-6)
