"""How good predictions of a table's target are."""

from __future__ import annotations

import numpy as np

from fastnn.cli.sources import Scores
from fastnn.tables import Classes, Quantity


def scored(target: Classes | Quantity, values: np.ndarray, predicted: np.ndarray) -> Scores:
    """Score predictions, as `fastnn.tables.TableModel.outputs` gives them, beside a guess without a look at them."""
    confusion = None
    if isinstance(target, Classes):
        n = target.n_outputs
        confusion = np.bincount(values * n + predicted.argmax(axis=1), minlength=n * n).reshape(n, n)
    baseline = target.scores(values, target.baseline(len(values)))
    return Scores(target.scores(values, predicted), baseline, confusion)
