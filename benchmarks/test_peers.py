"""Whether every system makes the same updates: from the same parameters, on the same data."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from benchmarks.peers import installed
from benchmarks.rungs import LEARNING_RATE, Rung
from benchmarks.worker import Worker


class SameRows(Rung):
    """A rung whose rows are all the same, so that their order does not matter."""

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        X, y = super().data()
        return np.repeat(X[:1], len(X), axis=0), np.repeat(y[:1], len(y))


RUNGS = {
    "classes": Rung("classes", (10, 24, 16, 5), 48, steps=1),
    "one logit": Rung("one logit", (10, 24, 1), 48, steps=1),
    "classes in batches": SameRows("classes in batches", (10, 24, 16, 5), 8, steps=8),
    "one logit in batches": SameRows("one logit in batches", (10, 24, 1), 8, steps=8),
}
ONE_ROW_A_STEP = Rung("one row a step", (10, 24, 1), 1, steps=32, optimizer="sgd")
FROM_ANY_PARAMETERS = [name for name in installed() if name != "scikit-learn"]  # which draws them itself


def expected(rung: Rung, parameters: list[np.ndarray], updates: int) -> list[np.ndarray]:
    """Return the parameters after so many updates, in float64, batch after batch."""
    parameters = [values.astype(float) for values in parameters]
    means, squares = ([np.zeros_like(each) for each in parameters] for _ in range(2))
    X, y = rung.data()
    for step in range(1, updates + 1):
        rows = slice((step - 1) * rung.batch % rung.rows, (step - 1) * rung.batch % rung.rows + rung.batch)
        found = gradients(parameters, X[rows].astype(float), y[rows], rung.is_binary)
        for p, g, m, v in zip(parameters, found, means, squares, strict=True):
            if rung.optimizer == "sgd":
                p -= LEARNING_RATE * g
                continue
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= LEARNING_RATE * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return parameters


def gradients(parameters: list[np.ndarray], X: np.ndarray, y: np.ndarray, is_binary: bool) -> list[np.ndarray]:
    """Backpropagate the mean cross-entropy."""
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


def assert_same_way(before: list[np.ndarray], found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """Compare to a hundredth of the way: TensorFlow adds Adam's epsilon elsewhere, and SGD's order matters a little."""
    for first, last, goal in zip(before, found, wanted, strict=True):
        np.testing.assert_allclose(last, goal, rtol=0, atol=1e-2 * np.abs(goal - first).max())


@pytest.mark.parametrize("system", FROM_ANY_PARAMETERS)
@pytest.mark.parametrize("name", RUNGS)
def test_makes_the_same_updates(name: str, system: str) -> None:
    rung = RUNGS[name]
    with closing(Worker(system, 1)) as worker:
        worker.ask("set_up", rung)
        worker.ask("run", 3)
        wanted = expected(rung, rung.initial(), worker.ask("updates"))
        assert_same_way(rung.initial(), worker.ask("parameters"), wanted)


@pytest.mark.parametrize("system", FROM_ANY_PARAMETERS)
def test_an_epoch_has_every_row_once(system: str) -> None:
    """Train with so small a learning rate that a row left out shows, and the order hardly does."""
    with closing(Worker(system, 1)) as worker:
        worker.ask("set_up", ONE_ROW_A_STEP)
        before, updates = worker.ask("parameters"), worker.ask("updates")
        worker.ask("run", 1)
        assert worker.ask("updates") - updates == ONE_ROW_A_STEP.steps
        wanted = expected(ONE_ROW_A_STEP, before, ONE_ROW_A_STEP.steps)
        assert_same_way(before, worker.ask("parameters"), wanted)
