"""How good predictions are: what fits classes, and what fits quantities.

Reproducibility
---------------
Sums are the numerics contract's, counts are whole numbers, and logarithms are `fastnn.elementary`'s: the same values
on every machine.
"""

from __future__ import annotations

import numpy as np

from fastnn import elementary, metrics
from fastnn._engine.environment import standard_environment
from fastnn._engine.random import lane_sum
from fastnn._input import checks

_SMALLEST = 1.0 / 2**52  # a probability of 0 counts as this in a logarithm

MAXIMISED = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "r2")


def of_classes(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return accuracy, balanced accuracy, macro F1, log-loss and, of two classes, the area under the ROC curve.

    As scikit-learn's functions of these names. The area is left out where all rows are of one class.

    Parameters
    ----------
    labels : int64 ndarray, shape (n,)
    probabilities : float64 ndarray, shape (n, n_classes)
    """
    probabilities = checks.matrix(probabilities, "probabilities")
    n, n_classes = probabilities.shape
    labels = checks.places(_column(labels, n, "labels"), n_classes, "labels")
    predicted = probabilities.argmax(axis=1)
    hits = np.bincount(labels[predicted == labels], minlength=n_classes)
    true = np.bincount(labels, minlength=n_classes)
    claimed = np.bincount(predicted, minlength=n_classes)
    present, named = true > 0, true + claimed > 0
    with standard_environment():
        own = np.clip(probabilities[np.arange(n), labels], _SMALLEST, 1.0)
        result = {
            "accuracy": np.count_nonzero(predicted == labels) / n,
            "balanced_accuracy": _mean(hits[present] / true[present]),
            "macro_f1": _mean(2.0 * hits[named] / (true + claimed)[named]),
            "log_loss": -_mean(elementary.log(np.ascontiguousarray(own))),
        }
        if n_classes == 2 and present.all():
            result["roc_auc"] = _area(probabilities[labels == 1, 1], probabilities[labels == 0, 1])
    return result


def of_quantities(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return the root of the mean squared error, mean absolute error and R²; float64 ndarrays of shape (n,)."""
    y = _column(y, None, "y")
    predicted = _column(predicted, len(y), "predicted")
    kinds = (metrics.RootMeanSquaredError(), metrics.MeanAbsoluteError(), metrics.R2())
    with standard_environment():
        return {metric.name: metric(predicted[:, None], y[:, None]) for metric in kinds}


def of_rates(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return the mean Poisson deviance, and what `of_quantities` gives, of counts and predicted rates.

    Parameters
    ----------
    y : float64 ndarray, shape (n,)
        At least 0.
    predicted : float64 ndarray, shape (n,)
        At least 0.
    """
    y = _column(y, None, "y")
    predicted = _column(predicted, len(y), "predicted")
    for numbers, argument in ((y, "y"), (predicted, "predicted")):
        if (numbers < 0).any():
            raise ValueError(f"{argument} must be at least 0; got {numbers.min():g}")
    with standard_environment():
        rates = np.maximum(predicted, _SMALLEST)
        ratios = elementary.log(np.where(y > 0, y, 1.0)) - elementary.log(np.where(y > 0, rates, 1.0))
        deviance = 2.0 * _mean(y * ratios - (y - rates))
    return {"poisson_deviance": deviance, **of_quantities(y, predicted)}


def of_quantiles(y: np.ndarray, predicted: np.ndarray, quantiles: tuple[float, ...]) -> dict[str, float]:
    """Return for each quantile its pinball loss and its coverage: the share of rows at or below the prediction.

    Parameters
    ----------
    y : float64 ndarray, shape (n,)
    predicted : float64 ndarray, shape (n, n_quantiles)
    quantiles : tuple of float
    """
    predicted = checks.matrix(predicted, "predicted")
    y = _column(y, len(predicted), "y")
    listed = [checks.number(q, "quantiles", 0.0, 1.0) for q in checks.listed(quantiles, (), "quantiles")]
    if len(listed) != predicted.shape[1]:
        raise ValueError(
            f"quantiles must name each of the {predicted.shape[1]} columns of predicted; got {len(listed)}"
        )
    result = {}
    with standard_environment():
        for column, q in enumerate(listed):
            errors = y - predicted[:, column]
            result[f"pinball_{q:g}"] = _mean(np.maximum(q * errors, (q - 1.0) * errors))
            result[f"coverage_{q:g}"] = np.count_nonzero(errors <= 0) / len(y)
    return result


def _column(value: np.ndarray, n: int | None, argument: str) -> np.ndarray:
    """Return real numbers of shape (n,), n at least 1."""
    array = checks.numeric(value, argument)
    if array.ndim != 1 or not len(array) or n not in (None, len(array)):
        raise ValueError(f"{argument} must have shape ({n or 'n'},), n at least 1; got shape {array.shape}")
    return array


def _mean(values: np.ndarray) -> float:
    return lane_sum(values) / len(values)


def _area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the share of pairs in which the positive row is ahead; a tie is half a pair; Mann and Whitney (1947)."""
    values, places = np.unique(np.concatenate([positive, negative]), return_inverse=True)
    above = np.bincount(places[: len(positive)], minlength=len(values)).tolist()
    below = np.bincount(places[len(positive) :], minlength=len(values)).tolist()
    twice = passed = 0  # whole numbers, exact however many rows
    for ahead, behind in zip(above, below, strict=True):
        twice += ahead * (2 * passed + behind)
        passed += behind
    return twice / (2 * len(positive) * len(negative))
