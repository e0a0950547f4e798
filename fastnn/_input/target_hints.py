"""What an error about targets adds: how they, or the network, come to fit. Nothing where that is not plain."""

from __future__ import annotations

from typing import Any

import numpy as np

_NUMBERED = "np.unique(y, return_inverse=True)[1] numbers the classes from 0"
_MOST_CLASSES = 1000  # more are numbers rather than labels


def of_texts(y: Any, classifies: bool) -> str:
    """Hint at what makes numbers of texts."""
    array = np.asarray(y)
    if array.ndim != 1 or not all(isinstance(value, str) for value in array[:1].tolist()):
        return ""
    if classifies:
        return f": {_NUMBERED}; fn.sklearn.MLPClassifier takes texts"
    return ": np.asarray(y, dtype=float) reads numbers written as text"


def of_shape(array: np.ndarray, n_targets: int, outputs_each: int, classifies: bool) -> str:
    """Hint at the network that has as many outputs as rows have targets, each ``outputs_each``."""
    if array.ndim not in (1, 2) or not array.size:
        return ""
    if array.ndim == 1 and classifies:
        return ": labels of one class a row are for the loss 'cross_entropy'"
    columns = 1 if array.ndim == 1 else array.shape[1]
    if classifies and ((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all():
        return f": one-hot rows are for the loss 'cross_entropy' and a network that ends in fn.Dense({columns})"
    n_outputs = n_targets * outputs_each
    ends = "1 unit" if n_outputs == 1 else f"{n_outputs} units"
    return f": the network ends in {ends}; fn.Dense({columns * outputs_each}) would fit"


def of_two_classes(targets: np.ndarray) -> str:
    """Hint at the numbers of two classes, or at what is for more."""
    values = np.unique(targets)
    if len(values) == 2:
        return ": two classes are 0 and 1, np.unique(y, return_inverse=True)[1]"
    if 2 < len(values) < _MOST_CLASSES and (values == np.floor(values)).all():
        return ": more than two classes are for the loss 'cross_entropy', and as many outputs"
    return ""


def of_labels(array: np.ndarray) -> str:
    """Hint at what labels look like."""
    if array.ndim == 2 and array.shape[1] > 1:
        return f": the network would have to end in fn.Dense({array.shape[1]})"
    if array.ndim > 2:
        return ""
    if not np.isfinite(array).all():
        row = int((~np.isfinite(array)).reshape(-1).argmax())
        return f": {array.reshape(-1)[row]} in row {row} is no label"
    if (array == np.floor(array)).all():
        return ": y.astype(int) makes labels of whole numbers"
    return ": numbers are for the loss 'mean_squared'"


def of_numbering(labels: np.ndarray, n_outputs: int) -> str:
    """Hint at labels from 0, or at an output for each."""
    first, last = int(labels.min()), int(labels.max())
    if first == 1 and last == n_outputs:
        return ": classes are numbered from 0, y - 1"
    if first < 0 or last >= _MOST_CLASSES:
        return f": {_NUMBERED}" if len(np.unique(labels)) <= n_outputs else ""
    return f": {last + 1} classes take as many outputs, fn.Dense({last + 1}) at the end of the network"
