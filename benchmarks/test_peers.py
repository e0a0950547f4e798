"""Whether every system makes the same updates: from the same parameters, on the same data."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peers import installed
from benchmarks.rungs import LEARNING_RATE, Rung
from benchmarks.worker import Worker

RUNGS = {
    "classes": Rung("classes", (10, 24, 16, 5), 48, steps=1),
    "one logit": Rung("one logit", (10, 24, 1), 48, steps=1),
    "plain SGD": Rung("plain SGD", (10, 24, 1), 48, steps=1, optimizer="sgd"),
}
FROM_ANY_PARAMETERS = [name for name in installed() if name != "scikit-learn"]  # which draws them itself
STEPS = 20


def expected(rung: Rung) -> list[np.ndarray]:
    """The parameters after so many updates, in float64."""
    parameters = [values.astype(float) for values in rung.initial()]
    means, squares = ([np.zeros_like(each) for each in parameters] for _ in range(2))
    X, y = rung.data()
    for step in range(1, STEPS + 1):
        found = gradients(parameters, X.astype(float), y, rung.is_binary)
        for p, g, m, v in zip(parameters, found, means, squares, strict=True):
            if rung.optimizer == "sgd":
                p -= LEARNING_RATE * g
                continue
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= LEARNING_RATE * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return parameters


def gradients(parameters: list[np.ndarray], X: np.ndarray, y: np.ndarray, is_binary: bool) -> list[np.ndarray]:
    """Backpropagation of the mean cross-entropy."""
    activations = [X]
    for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        activations.append(np.maximum(activations[-1] @ weight.T + bias, 0))
    logits = activations[-1] @ parameters[-2].T + parameters[-1]
    if is_binary:
        delta = 1 / (1 + np.exp(-logits)) - y[:, None]
    else:
        delta = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(logits.shape[1])[y]
    delta /= len(X)
    found: list[np.ndarray] = []
    for weight, inputs in zip(parameters[-2::-2], reversed(activations), strict=True):
        found = [delta.T @ inputs, delta.sum(0), *found]
        delta = delta @ weight * (inputs > 0)
    return found


@pytest.mark.parametrize("system", FROM_ANY_PARAMETERS)
@pytest.mark.parametrize("name", RUNGS)
def test_makes_the_same_updates(name: str, system: str) -> None:
    rung = RUNGS[name]
    worker = Worker(system, 1)
    worker.ask("set_up", rung)
    worker.ask("run", STEPS - worker.ask("updates"))
    assert worker.ask("updates") == STEPS
    for first, found, wanted in zip(rung.initial(), worker.ask("parameters"), expected(rung), strict=True):
        way = np.abs(wanted - first).max()  # TensorFlow adds Adam's epsilon elsewhere
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-2 * way)
    worker.close()
