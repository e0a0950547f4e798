"""`Training.evaluate`, and rows of weight zero."""

import numpy as np
import oracles
import pytest
from engine_oracle import (
    CROSS_ENTROPY,
    DROPOUT,
    MSE,
    NETWORKS,
    SGD,
    assert_close,
    layouts,
    make_model,
    outputs_of,
    regression,
)

from fastnn._engine.training import Training


@pytest.mark.parametrize("n", [1, 128, 129, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_evaluate(isa, dtype, n, weighted):
    model, oracle = make_model(DROPOUT, dtype)
    X, _ = regression(model, n)
    rng = np.random.default_rng(3)
    labels, weights = rng.integers(0, 3, n), rng.uniform(0.1, 3, n) if weighted else None
    out = np.full((n, 3), np.nan, dtype)
    loss, hits = Training(model, CROSS_ENTROPY, SGD).evaluate(X, labels, weights, out)
    row_losses, _, row_hits = oracles.loss("cross_entropy", oracle.forward(X), labels=labels, weights=weights)
    total = n if weights is None else weights.sum()
    assert_close(loss, row_losses.sum() / total, dtype)
    np.testing.assert_allclose(hits, row_hits.sum() / total, rtol=1e-12)
    assert out.tobytes() == outputs_of(model, X).tobytes()


def test_evaluate_does_not_depend_on_threads_or_strides(isa, dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 300)
    results = set()
    for threads in (1, 2, 3, 7):
        training = Training(model, MSE, SGD, threads=threads)
        for (name, X_view), y_view in zip(layouts(X, np.nan).items(), layouts(y, np.nan).values(), strict=True):
            if "repeated" not in name:
                out = layouts(np.zeros_like(y), 7)[name]
                results.add((training.evaluate(X_view, y_view, None, out), out.tobytes()))
    assert len(results) == 1


def test_evaluate_gives_the_outputs_that_predict_gives(isa, dtype):
    """Softmax applied, though the loss is computed from the values before it."""
    for network in ("softmax", "softmax apart"):
        model, _ = make_model(NETWORKS[network], dtype)
        X, _ = regression(model, 140)
        out = np.empty((140, 5), dtype)
        labels = np.random.default_rng(0).integers(0, 5, 140)
        training = Training(model, CROSS_ENTROPY, SGD)
        loss, _ = training.evaluate(X, labels, None, out)
        assert out.tobytes() == outputs_of(model, X).tobytes()
        np.testing.assert_allclose(out.sum(1), 1, rtol=1e-5)
        assert_close(loss, -np.log(out[np.arange(140), labels].astype(np.float64)).mean(), dtype)


def test_evaluate_and_gradient_agree_on_the_loss(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 200)
    training = Training(model, MSE, SGD)
    assert training.evaluate(X, y, None)[0] == training.gradient(X, y, None)[0]


def test_evaluate_of_weights_that_are_zero(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 20)
    assert Training(model, MSE, SGD).evaluate(X, y, np.zeros(20)) == (0, 0)


def test_rows_of_weight_zero_count_for_nothing(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 64)
    weights = (np.arange(64) < 40) * 1.0
    training = Training(model, MSE, SGD)
    loss, gradients = training.gradient(X, y, weights)
    fewer_loss, fewer = training.gradient(X[:40], y[:40], None)
    assert_close(loss, fewer_loss, dtype)
    for key, gradient in gradients.items():
        assert_close(gradient, fewer[key], dtype)
