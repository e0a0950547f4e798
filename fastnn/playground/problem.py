"""Settings made into rows, layers and a loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

import fastnn as fn
from fastnn.layers import Layer
from fastnn.playground.data_sets import DATA_SETS
from fastnn.playground.settings import Settings
from fastnn.playground.tables import Table

if TYPE_CHECKING:
    from fastnn._input.names import LossName


@dataclass(frozen=True, eq=False)
class Problem:
    """What is trained on, and what for.

    Attributes
    ----------
    train, held_out : (X, y)
        float32 rows of two features, and targets as the loss takes them.
    loss : str
    classes : tuple of str
        Empty for a regression.
    names : tuple of str
        Of the features and the target.
    scaler : Standardizer or None
        Of the features of a table.
    """

    train: tuple[np.ndarray, np.ndarray]
    held_out: tuple[np.ndarray, np.ndarray]
    loss: LossName
    classes: tuple[str, ...]
    names: tuple[str, ...]
    scaler: fn.data.Standardizer | None

    @property
    def n_outputs(self) -> int:
        """One, or one for each of three classes or more."""
        return len(self.classes) if len(self.classes) > 2 else 1


def problem(settings: Settings, table: Table | None) -> Problem:
    """Make the rows of a run.

    Raises
    ------
    ValueError
        If the table is too small for the share that is held out.
    """
    if table is None:
        rng = np.random.default_rng(settings.seed)
        X, y = DATA_SETS[settings.data](settings.points, settings.noise, rng)
        names: tuple[str, ...] = ("x₁", "x₂", "class")
        classes: tuple[str, ...] = ("0", "1")
    else:
        X, y, names, classes = table.X, table.targets, table.columns, table.classes
    X, X_out, y, y_out = fn.data.split(X, y, settings.held_out, settings.seed, stratify=bool(classes))
    scaler = None
    if table is not None:
        scaler = fn.data.Standardizer().fit(X)
        X, X_out = scaler.transform(X), scaler.transform(X_out)
        if not classes:
            target_scaler = fn.data.Standardizer().fit(y[:, None])
            y, y_out = target_scaler.transform(y[:, None]), target_scaler.transform(y_out[:, None])
    loss: LossName = "mean_squared" if not classes else "binary_cross_entropy" if len(classes) == 2 else "cross_entropy"
    return Problem((X, y), (X_out, y_out), loss, classes, names, scaler)


def layers(settings: Settings, n_outputs: int, *, dropout: bool = True) -> list[Layer]:
    """Return the layers of a run; ``dropout``: those that drop out too."""
    result: list[Layer] = [fn.Input(2)]
    for units in settings.layers:
        result.append(fn.Dense(units, settings.activation))
        if settings.dropout and dropout:
            result.append(fn.Dropout(settings.dropout))
    return [*result, fn.Dense(n_outputs)]


def batch_size(settings: Settings) -> int | Literal["full"]:
    """Return the batch size as `fastnn.Trainer` takes it."""
    return settings.batch_size if settings.batch == "mini" else 1 if settings.batch == "single" else "full"


def updates_per_epoch(settings: Settings, n: int) -> int:
    """Return how many updates an epoch of ``n`` rows has."""
    size = batch_size(settings)
    return 1 if isinstance(size, str) else -(-n // size)


def plane(rows: Sequence[np.ndarray]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of each axis: all rows, and a margin."""
    points = np.concatenate(rows)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * np.where(high > low, high - low, 1.0)
    return (float(low[0] - margin[0]), float(high[0] + margin[0])), (
        float(low[1] - margin[1]),
        float(high[1] + margin[1]),
    )
