"""Losses and parameters that leave the finite range."""

import numpy as np
import pytest
from engine_branches import BRANCHES
from engine_oracle import (
    ADAM,
    MSE,
    NETWORKS,
    SGD,
    activation,
    add,
    bits_of,
    dense,
    make_model,
    net,
    parameters_of,
    rates,
    reading,
    regression,
    same_state,
)

import fastnn as fn
from fastnn._engine.training import Diverged, Training


def finite(model):
    return all(np.isfinite(array).all() for array in parameters_of(model).values())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_huge_learning_rate_diverges(isa, dtype, threads):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, 157)
    training = Training(model, MSE, SGD, 0, threads)
    training.run(X, y, None, None, 20, rates(2), 100)
    before = bits_of(model)
    with pytest.raises(Diverged) as caught:
        training.run(X, y, None, None, 20, rates(6, 1e30), 100)
    assert isinstance(caught.value, FloatingPointError)
    step = caught.value.step
    assert 3 <= step <= 8
    assert f"step {step}" in str(caught.value)
    assert finite(model)
    assert bits_of(model) != before
    # The loss is found before the update, a parameter after it.
    assert training.steps == (step - 1 if caught.value.what == "the loss" else step)
    assert training.position == 20 * training.steps


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_infinite_loss_diverges_before_the_update(isa, threads):
    model, _ = make_model(NETWORKS["relu"], "float64")
    X, y = regression(model, 50)
    y[33] = 1e200  # its square overflows
    training = Training(model, MSE, ADAM, 0, threads)
    training.run(X, y, None, None, 10, rates(3), 100)
    before, state = bits_of(model), training.get_state()
    assert training.steps == 3
    with pytest.raises(Diverged, match="the loss is not finite at step 4") as caught:
        training.run(X, y, None, None, 10, rates(2), 100)
    assert caught.value.step == 4
    with pytest.raises(Diverged, match="step 4"):
        training.step(X[30:40], y[30:40], None, 0.1)
    with pytest.raises(Diverged, match="step 4"):
        training.gradient(X[30:40], y[30:40], None)
    assert bits_of(model) == before
    same_state(training.get_state(), state)
    y[33] = 0  # good data go on
    training.run(X, y, None, None, 10, rates(2), 100)
    assert training.position == 50


def test_an_infinite_loss_in_a_late_chunk_diverges_before_the_update(dtype):
    model, _ = make_model(net(2, dense(2)), dtype)
    model.write(0, "weight", np.full((2, 2), np.finfo(dtype).max, dtype))
    X, y = regression(model, 5000)
    X[:4990] = 0
    before = bits_of(model)
    with pytest.raises(Diverged, match="the loss is not finite at step 1"):
        Training(model, MSE, fn.SGD(clip_norm=1.0).specification()).step(4 * X, y, None, 0.1)
    assert bits_of(model) == before


def test_a_parameter_that_would_overflow_keeps_its_value(dtype):
    model, _ = make_model(net(2, dense(1)), dtype)
    largest = np.finfo(dtype).max
    X, y = np.array([[1, 0]], dtype), np.array([[0]], dtype)
    weight = np.array([[1, 2]], dtype)
    model.write(0, "weight", weight)
    training = Training(model, MSE, SGD)
    rate = float(largest)
    with pytest.raises(Diverged, match="a parameter is not finite at step 1"):
        training.step(100 * X, y, None, rate)
    assert finite(model)
    np.testing.assert_array_equal(model.read(0, "weight"), weight)


@pytest.mark.parametrize("operation", [0, 1, 3, 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_operation_of_a_branch_whose_outputs_diverge_is_named(isa, dtype, operation, threads):
    """The first one, though its infinities reach others."""
    model, _ = make_model(BRANCHES["two branches"], dtype)
    X, y = regression(model, 30)
    shape = model.read(operation, "weight").shape
    model.write(operation, "weight", np.full(shape, np.finfo(dtype).max, dtype))
    before = bits_of(model)
    with pytest.raises(Diverged, match="the loss is not finite at step 1") as caught:
        Training(model, MSE, SGD, 0, threads).step(4 + abs(X), y, None, 0.1)
    assert caught.value.operation == operation
    assert bits_of(model) == before


def test_a_sum_that_overflows_is_named(dtype):
    """Though both of its operands are finite."""
    model, _ = make_model(net(2, dense(2), reading(dense(2), 0), add(1, 2), activation("tanh"), dense(1)), dtype)
    for operation in (0, 1):
        model.write(operation, "weight", np.zeros((2, 2), dtype))
        model.write(operation, "bias", np.full(2, 0.75 * np.finfo(dtype).max, dtype))
    model.write(4, "bias", np.array([np.inf], dtype))
    X, y = regression(model, 5)
    with pytest.raises(Diverged) as caught:
        Training(model, MSE, SGD).step(X, y, None, 0.1)
    assert caught.value.operation == 2


@pytest.mark.parametrize("branch", [0, 1])
def test_the_operation_of_a_branch_whose_parameter_diverges_is_named(dtype, branch):
    model, _ = make_model(net(2, dense(2), reading(dense(2), 0), add(1, 2)), dtype)
    X, y = regression(model, 5)
    groups = {(1 - branch, kind): {"learning_rate": 0} for kind in ("weight", "bias")}
    before = parameters_of(model)
    with pytest.raises(Diverged, match="a parameter is not finite at step 1") as caught:
        Training(model, MSE, SGD, groups=groups).step(1e5 * X, y, None, float(np.finfo(dtype).max))
    assert caught.value.operation == branch
    for key, array in parameters_of(model).items():
        assert np.isfinite(array).all()
        assert key[0] == branch or array.tobytes() == before[key].tobytes()
