"""Classes across several calls of a classifier's ``fit`` and ``partial_fit``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import unique_labels


def of_all_calls(given: Any, known: np.ndarray | None) -> np.ndarray:
    """Return the classes of ``partial_fit``: those ``given`` in its first call, ``known`` in later ones."""
    if given is None:
        if known is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return known
    listed = unique_labels(given)
    if known is not None and not np.array_equal(known, listed):
        raise ValueError(f"`classes={given!r}` is not the same as on last call to partial_fit, was: {known!r}")
    return listed


def positions(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return where in ``classes`` each of ``y`` stands."""
    found = np.unique(y)
    if len(np.setdiff1d(found, classes)):
        raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has {found}.")
    return np.searchsorted(classes, y)


def check_same(y: np.ndarray, classes: np.ndarray) -> None:
    """Raise unless ``y`` has just these classes, as a warm start needs it."""
    found = np.unique(y)
    if not np.array_equal(found, classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
            f"got {classes}, `y` has {found}"
        )
