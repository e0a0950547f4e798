"""A single step: the forms of targets that it takes, and those that it refuses."""

import numpy as np
import pytest
from suited import NUMERIC

import fastnn as fn


@pytest.mark.parametrize("loss", fn.losses.LOSSES)
def test_step_refuses_bad_targets_of_the_right_dtype(loss, dtype):
    """A quick look accepts good targets; every bad one has to fall through to the error that names its place."""
    trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(3)], seed=0, dtype=dtype), loss)
    X, good = np.ones((4, 2), dtype), np.array([[0.0, 1, 0]] * 4, dtype)
    bad = [np.nan, np.inf, -np.inf]
    bad += [-1.0] if trainer.loss.upper is not None else []
    bad += [np.nextafter(np.array(1, dtype), np.array(2, dtype)), 2.0] if trainer.loss.upper == 1 else []
    expected = trainer.step(X, good)
    assert np.isfinite(expected)
    for value in bad:
        y = good.copy()
        y[2, 1] = value
        before = trainer.network.digest()
        with pytest.raises(ValueError, match=r"y must be .* row 2, column 1"):
            trainer.step(X, y)
        assert trainer.network.digest() == before
    trainer.step(X, -0.0 * good)  # a negative zero is a zero


@pytest.mark.parametrize("loss", NUMERIC)
def test_step_takes_targets_of_every_usual_form(loss, dtype):
    """Labels as whole numbers and targets without a column: the update of the same numbers as an (n, 1) array."""
    X, labels = np.linspace(-1, 1, 10).reshape(5, 2).astype(dtype), np.array([1, 0, 0, 1, 1])
    column = labels.astype(dtype)[:, None]
    forms = [column, column[:, 0], labels, labels[:, None], labels.astype(bool), labels.tolist()]
    forms += [np.repeat(column[:, 0], 3)[::3], np.repeat(labels, 3)[::3]]
    digests = set()
    for y in forms:
        trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(1)], seed=0, dtype=dtype), loss)
        trainer.step(X, y)
        digests.add(trainer.network.digest())
    assert len(digests) == 1
    for value in [-1, 2] if trainer.loss.upper == 1 else []:
        labels[3] = value
        with pytest.raises(ValueError, match=r"y must be from 0 to 1 .* row 3"):
            trainer.step(X, labels)
