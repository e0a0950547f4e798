"""Metrics: how good outputs are, on data that was not trained on.

Training itself reports loss and accuracy; metrics are for validation data and `fastnn.Trainer.evaluate`.

Reproducibility
---------------
Sums are those of the numerics contract, over results of correctly rounded elementwise operations in float64: the values
are the same on every machine. In a metric of your own, NumPy's sums and means do not promise that;
`fastnn.metrics.mean` does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._engine.random import lane_sum
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Metric(Description):
    """The base of every metric."""

    #: The default column of `fastnn.History`, after ``"val_"``.
    name: str
    #: What is better; decides the default mode of early stopping.
    maximise: ClassVar[bool] = False
    #: Whether it is for classes or for numbers.
    classifies: ClassVar[bool] = False

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the value.

        Parameters
        ----------
        outputs : ndarray, shape (n, k)
            What the network predicts.
        targets : ndarray, shape (n,) of int or (n, k)
            Labels or values, checked by the loss.
        weights : float64 ndarray, shape (n,), optional
        """
        raise NotImplementedError


@description
class Accuracy(Metric):
    """The share of rows (several labels at once: of labels) that are right. Every classifier reports it unasked."""

    name: ClassVar[str] = "accuracy"  # type: ignore[misc]
    maximise = True
    classifies = True

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        if checks.matrix(outputs, "outputs").shape[1] == 1:
            raise ValueError("one output does not tell logits from probabilities: its accuracy is in Trainer.evaluate")
        return TopK(1)(outputs, targets, weights)


@description
class TopK(Metric):
    """The share of rows whose class is among the k largest outputs; of equal outputs the earlier comes first.

    Parameters
    ----------
    k : int, default 5
    """

    k: int = 5
    maximise = True
    classifies = True

    def __post_init__(self) -> None:
        self._set(k=checks.integer(self.k, "k"))

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"top_{self.k}"

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        outputs, targets, weights = _checked(outputs, targets, weights)
        labels = checks.places(targets, outputs.shape[1], "targets") if targets.ndim == 1 else targets.argmax(axis=1)
        own = outputs[np.arange(len(labels)), labels][:, None]
        ahead = np.count_nonzero(outputs > own, axis=1)
        earlier = np.arange(outputs.shape[1]) < labels[:, None]
        ahead += np.count_nonzero((outputs == own) & earlier, axis=1)
        return _mean((ahead < self.k).astype(np.float64), weights)


@description
class MeanAbsoluteError(Metric):
    """The mean of ``|output - y|``."""

    name: ClassVar[str] = "mae"  # type: ignore[misc]

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        errors, _, weights = _errors(outputs, targets, weights)
        return _mean_over_columns(np.abs(errors), weights)


@description
class RootMeanSquaredError(Metric):
    """The root of the mean of (output - y)²."""

    name: ClassVar[str] = "rmse"  # type: ignore[misc]

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        errors, _, weights = _errors(outputs, targets, weights)
        return math.sqrt(_mean_over_columns(errors * errors, weights))


@description
class R2(Metric):
    """The coefficient of determination, the mean over the outputs: 1 is perfect, 0 as good as the mean of y.

    As ``sklearn.metrics.r2_score``: a constant y gives 1 if it is met exactly, otherwise 0.
    """

    name: ClassVar[str] = "r2"  # type: ignore[misc]
    maximise = True

    def __call__(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        errors, targets, weights = _errors(outputs, targets, weights)
        values = np.empty(errors.shape[1])
        for column in range(errors.shape[1]):
            y = targets[:, column].astype(np.float64)
            centred = y - _mean(y, weights)
            spread = _mean(centred * centred, weights)
            left = _mean(errors[:, column] * errors[:, column], weights)
            if spread == 0.0:
                values[column] = float(left == 0.0)
            else:
                values[column] = 1.0 - left / spread
        return lane_sum(values) / len(values)


def mean(values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Compute the mean of a vector by the sums of the numerics contract: for metrics of your own.

    Parameters
    ----------
    values : array-like, shape (n,)
        Real numbers, taken as float64.
    weights : array-like, shape (n,), optional
        At least 0, not all 0.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If ``values`` or ``weights`` are not real numbers.
    ValueError
        If they have other shapes, or weights are below 0 or all 0.
    """
    array = checks.numeric(values, "values")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"values must have shape (n,), n at least 1; got shape {array.shape}")
    with standard_environment():
        return _mean(array.astype(np.float64), checks.sample_weight(weights, len(array), "weights"))


METRICS: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "top_k": TopK,
    "mae": MeanAbsoluteError,
    "rmse": RootMeanSquaredError,
    "r2": R2,
}
_MAXIMISED = ("accuracy", "top_", "r2", "score")


def is_maximised(column: str) -> bool:
    """Return whether more is better in a column of the history."""
    return column.removeprefix("val_").startswith(_MAXIMISED)


_Checked = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def _checked(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> _Checked:
    """Return outputs (n, k), targets (n,) or (n, k), and weights (n,)."""
    outputs, targets = checks.matrix(outputs, "outputs"), checks.numeric(targets, "targets")
    if targets.shape not in (outputs.shape, outputs.shape[:1]):
        raise ValueError(
            f"targets must have the shape of outputs, {outputs.shape}, or one label a row; got shape {targets.shape}"
        )
    return outputs, targets, checks.sample_weight(weights, len(outputs), "weights")


def _errors(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> _Checked:
    outputs, targets, weights = _checked(outputs, targets, weights)
    if outputs.shape != targets.shape:
        raise ValueError(f"targets must have the shape of outputs, {outputs.shape}; got shape {targets.shape}")
    return outputs.astype(np.float64) - targets, targets, weights


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the mean of float64 values, by weights that have been checked."""
    values = np.ascontiguousarray(values)
    if weights is None:
        return lane_sum(values) / len(values)
    return lane_sum(values * weights) / lane_sum(weights)


def _mean_over_columns(values: np.ndarray, weights: np.ndarray | None) -> float:
    columns = np.array([_mean(values[:, column], weights) for column in range(values.shape[1])])
    return lane_sum(columns) / len(columns)
