"""The rows of a fit: their weights, and those that are held out."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array

from fastnn.sklearn._parameters import Settings


def row_weights(sample_weight: Any, n: int) -> np.ndarray | None:
    """Return the weights of n rows as float64; a number is the weight of each."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Number):
        sample_weight = np.full(n, float(sample_weight))  # type: ignore[arg-type]
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, order="C", input_name="sample_weight")
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    if weights.shape != (n,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n,)}!")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def product(weights: np.ndarray | None, others: np.ndarray | None) -> np.ndarray | None:
    """Return the products of two sets of weights, of which there may be none."""
    if weights is None or others is None:
        return others if weights is None else weights
    return weights * others


def held_out(
    settings: Settings, seed: int, strata: np.ndarray | None, weights: np.ndarray | None, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of n rows to train on, and which to stop on by ``early_stopping``."""
    train, held = train_test_split(
        np.arange(n),
        random_state=np.random.RandomState(seed % 2**32),
        test_size=settings.validation_fraction,
        stratify=strata,
    )
    if len(held) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    if weights is not None:
        for rows, part in ((held, "holds out"), (train, "leaves to train on")):
            if not weights[rows].any():
                raise ValueError(
                    f"sample_weight must contain at least one non-zero number among the {len(rows)} of {n} rows that "
                    f"early_stopping {part} (validation_fraction={settings.validation_fraction}); with another "
                    "random_state they are other rows, and X_val and y_val are rows of your choice"
                )
    return train, held
