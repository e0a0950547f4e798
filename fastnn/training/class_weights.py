"""Weights of classes, by which the weights of their rows are multiplied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn.losses import BinaryCrossEntropy, CrossEntropy, Loss
from fastnn.training.datasets import Dataset

if TYPE_CHECKING:
    from fastnn.training.state import Run


def class_weight(given: Any, loss: Loss, n_outputs: int) -> np.ndarray | str | None:
    """Return ``class_weight`` as one float64 weight for each class; ``"balanced"`` and None stay."""
    if given is None:
        return None
    n_classes = _n_classes(loss, n_outputs)
    if isinstance(given, str):
        return checks.choice(given, ("balanced",), "class_weight")
    if isinstance(given, Mapping):
        weights = np.ones(n_classes)
        for label, weight in given.items():
            weights[checks.integer(label, "a class of class_weight", 0, n_classes - 1)] = checks.number(
                weight, "class_weight", 0.0
            )
    else:
        array = checks.numeric(given, "class_weight")
        if array.shape != (n_classes,):
            raise ValueError(
                f"class_weight must hold one weight for each of {n_classes} classes; got shape {array.shape}"
            )
        weights = np.array([checks.number(weight, "class_weight", 0.0) for weight in array.tolist()])
    if not weights.any():
        raise ValueError("class_weight must not be 0 for every class")
    weights.flags.writeable = False  # it has been checked, and says what the run does
    return weights


def _n_classes(loss: Loss, n_outputs: int) -> int:
    if isinstance(loss, CrossEntropy):
        return n_outputs
    if isinstance(loss, BinaryCrossEntropy) and n_outputs == 1:
        return 2
    raise ValueError(
        f"class_weight is for the loss 'cross_entropy', or 'binary_cross_entropy' with one output; "
        f"got {loss.kind!r} with {n_outputs} outputs"
    )


def balanced(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Compute the weights n / (classes · rows of the class), as scikit-learn's "balanced"."""
    counts = np.bincount(_labels(targets), minlength=n_classes)
    with standard_environment():
        return len(targets) / (n_classes * np.maximum(counts, 1))


def weighted(given: Dataset, weights_by_class: np.ndarray | None) -> Dataset:
    """Return the data with each row's weight multiplied by its class's."""
    if weights_by_class is None:
        return given
    weights = weights_by_class[_labels(given.y)]
    with standard_environment():
        if given.weights is not None:
            with np.errstate(over="ignore"):
                weights = weights * given.weights
        if not weights.any():
            raise ValueError("class_weight and sample_weight must not make every row's weight 0")
        checks.weights_in_range(weights, "class_weight times sample_weight")
    return Dataset(given.X, given.y, weights)


def step_weights(run: Run, given: Dataset) -> np.ndarray | None:
    """Compute the weights of the rows of a single step."""
    if run.class_weight is not None and run.state.weight_by_class is None:
        raise ValueError(
            "class_weight='balanced' is known from the data of a fit; before one, pass the weights themselves"
        )
    return weighted(given, run.state.weight_by_class).weights


def _labels(targets: np.ndarray) -> np.ndarray:
    if targets.ndim == 1:
        return targets
    if targets.shape[1] != 1 or not ((targets == 0) | (targets == 1)).all():
        raise ValueError("class_weight needs y to hold class labels, not probabilities or one-hot rows")
    return targets[:, 0].astype(np.int64)
