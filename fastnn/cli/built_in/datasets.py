"""The data sets that the commands know by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastnn import data


@dataclass(frozen=True)
class Dataset:
    """A data set for classification.

    Attributes
    ----------
    name, title : str
    load : callable
        Gives X, (n, n_features), and y, labels of shape (n,) that index ``classes``.
    divisor : float
        A power of two that brings the features to about 0 to 1, exactly.
    classes : tuple of str
    """

    name: str
    title: str
    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    divisor: float
    classes: tuple[str, ...]


DATASETS = {
    "digits": Dataset(
        "digits",
        "handwritten digits, 8×8 pixels (UCI)",
        data.load_digits,
        16.0,
        tuple(str(digit) for digit in range(10)),
    ),
}
