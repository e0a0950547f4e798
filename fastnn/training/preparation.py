"""What `fastnn.Trainer` makes of its data arguments before anything changes: checked arrays, weights and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data
from fastnn._engine.environment import standard_environment
from fastnn._input import checks, interruptible
from fastnn.losses import BinaryCrossEntropy, CrossEntropy, Loss
from fastnn.metrics import METRICS, Accuracy, Metric, TopK

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastnn._engine.sparse import SparseMatrix


class Dataset:
    """Rows of the network's dtype, dense or sparse, targets as the loss has them, and float64 weights."""

    def __init__(self, X: np.ndarray | SparseMatrix, y: np.ndarray, weights: np.ndarray | None) -> None:
        self.X, self.y, self.weights = X, y, weights

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, index: np.ndarray) -> Dataset:
        """A copy of some rows."""
        X = interruptible.taken(self.X, index) if isinstance(self.X, np.ndarray) else self.X[index]
        return Dataset(X, self.y[index], None if self.weights is None else self.weights[index])


def dataset(
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    loss: Loss,
    n_features: int,
    n_outputs: int,
    dtype: np.dtype,
    prefix: str = "",
) -> Dataset:
    """Checked data; arrays of the right dtype are not copied."""
    rows = checks.features(X, n_features, dtype, f"{prefix}X")
    targets = loss.targets(y, n_outputs, dtype, f"{prefix}y")
    checks.same_rows(len(rows), len(targets), f"{prefix}y", f"{prefix}X")
    return Dataset(rows, targets, checks.sample_weight(sample_weight, len(rows), f"{prefix}sample_weight"))


def validation(given: Any) -> tuple[Any, Any, Any]:
    """The three parts of ``validation_data``; the weights may be left out."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise TypeError(f"validation_data must be (X, y) or (X, y, sample_weight); got {checks.described(given)}")
    return (*given, None) if len(given) == 2 else tuple(given)


def held_out(given: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """The rows to train on, and the rows to validate with."""
    train, held = data.split_rows(len(given), fraction, seed, argument="validation_fraction")
    training, validating = given.rows(train), given.rows(held)
    for part, name in ((training, "training"), (validating, "validation")):
        if part.weights is not None and not part.weights.any():
            raise ValueError(f"sample_weight must not be 0 in every row of the {name} part")
    return training, validating


def metrics(given: Any, loss: Loss, n_outputs: int) -> tuple[Metric, ...]:
    """The metrics that are not reported unasked, if all suit the loss."""
    listed = checks.listed(given, (str, Metric, type), "metrics")
    found = [checks.one_of(metric, Metric, METRICS, "metrics") for metric in listed]
    for metric in found:
        suits = loss.classifies if isinstance(metric, Accuracy) else isinstance(loss, CrossEntropy)
        if metric.classifies and not suits:
            raise ValueError(f"the metric {metric.name!r} is for classes; the loss is {loss.kind!r}")
        if not metric.classifies and (loss.classifies or loss._n_targets(n_outputs) != n_outputs):
            raise ValueError(f"the metric {metric.name!r} is for one number a target; the loss is {loss!r}")
        if isinstance(metric, TopK) and metric.k > n_outputs:
            raise ValueError(f"the k of TopK must be at most the number of classes, {n_outputs}; got {metric.k}")
    kept = [metric for metric in found if not isinstance(metric, Accuracy)]
    names = [metric.name for metric in kept]
    if len(set(names)) < len(names):
        raise ValueError(f"metrics must not name one twice; got {', '.join(names)}")
    return tuple(kept)


# -------------------------------------------------------------- class weights


def class_weight(given: Any, loss: Loss, n_outputs: int) -> np.ndarray | str | None:
    """``class_weight`` as one float64 weight for each class; ``"balanced"`` and None stay."""
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
    """The weights n / (classes · rows of the class), as scikit-learn's "balanced"."""
    counts = np.bincount(_labels(targets), minlength=n_classes)
    with standard_environment():
        return len(targets) / (n_classes * np.maximum(counts, 1))


def folded(given: Dataset, weights_by_class: np.ndarray | None) -> Dataset:
    """The data with each row's weight multiplied by its class's."""
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


def _labels(targets: np.ndarray) -> np.ndarray:
    if targets.ndim == 1:
        return targets
    if targets.shape[1] != 1 or not ((targets == 0) | (targets == 1)).all():
        raise ValueError("class_weight needs y to hold class labels, not probabilities or one-hot rows")
    return targets[:, 0].astype(np.int64)
