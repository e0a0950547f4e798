"""What a step of the engine's `Training` does with the gradient: clipping, penalties, and copies of the weights."""

import math

import numpy as np
import oracles
import pytest
from engine_oracle import MSE, NETWORKS, SGD, Oracle, assert_close, make_model, parameters_of, regression

import fastnn as fn
from fastnn._engine.training import Training
from fastnn.optimizers import OPTIMIZERS


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_follow_the_textbook(name, isa):
    """The numbers of each step too, of which the kernels are only told."""
    optimizer = OPTIMIZERS[name](decay_all=True)
    model, _ = make_model(NETWORKS["relu"], "float64")
    X, y = regression(model, 30)
    training = Training(model, MSE, optimizer.specification())
    textbook = {key: oracles.Optimizer(name, 0.01, **oracles.defaults(optimizer)) for key in parameters_of(model)}
    for _ in range(10):
        before = parameters_of(model)
        _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
        training.step(X, y, None, 0.01)
        for key, array in parameters_of(model).items():
            np.testing.assert_allclose(array, textbook[key].step(before[key], gradients[key]), 1e-10, 1e-11)


@pytest.mark.parametrize("n", [5, 200, 2600])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_clipping_by_norm(dtype, n, threads):
    """With chunks too: what is clipped is the gradient of the whole batch."""
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, n)
    before = parameters_of(model)
    _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
    norm = math.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients.values()))
    for limit in (0.5 * norm, 2 * norm):
        for key, array in before.items():
            model.write(*key, array)
        Training(model, MSE, fn.SGD(clip_norm=limit).specification(), threads=threads).step(X, y, None, 0.1)
        factor = min(1, limit / (norm + 1e-6))
        for key, array in parameters_of(model).items():
            assert_close(array, before[key] - 0.1 * factor * gradients[key], dtype)


def test_clipping_by_value(dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, 30)
    before = parameters_of(model)
    _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
    Training(model, MSE, fn.SGD(clip_value=0.01).specification()).step(X, y, None, 0.1)
    assert max(abs(g).max() for g in gradients.values()) > 0.01
    for key, array in parameters_of(model).items():
        assert_close(array, before[key] - 0.1 * np.clip(gradients[key], -0.01, 0.01), dtype)


def test_penalties_leave_biases_and_norms_alone_unless_asked(dtype):
    X, y = regression(make_model(NETWORKS["norms"], dtype)[0], 30)
    for decay_all in (False, True):
        model, _ = make_model(NETWORKS["norms"], dtype)
        before = parameters_of(model)
        _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
        optimizer = fn.SGD(l1=0.01, l2=0.02, weight_decay=0.03, decay_all=decay_all)
        Training(model, MSE, optimizer.specification()).step(X, y, None, 0.1)
        for (operation, kind), array in parameters_of(model).items():
            w, g = before[operation, kind].astype(np.float64), gradients[operation, kind]
            if decay_all or w.ndim == 2:
                g, w = g + 0.01 * np.sign(w) + 0.02 * w, w * (1 - 0.1 * 0.03)
            assert_close(array, w - 0.1 * g, dtype)


def test_updates_are_seen_by_forward_and_by_the_next_backward(isa, dtype):
    """The transposed copy of the weights follows: by training, and when somebody else writes."""
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, 30)
    training = Training(model, MSE, SGD)

    def check():
        oracle = Oracle(NETWORKS["relu"], parameters_of(model))
        _, deltas, _ = oracles.loss("mean_squared", oracle.forward(X), targets=y, scale=1 / 30)
        _, gradients = training.gradient(X, y, None)
        for key, expected in oracle.backward(deltas).items():
            assert_close(gradients[key], expected, dtype, 10)

    training.step(X, y, None, 0.1)
    check()
    model.write(1, "weight", -model.read(1, "weight"))
    check()
    other = Training(model, MSE, SGD)
    other.step(X, y, None, 0.1)
    check()
