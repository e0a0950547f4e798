"""Loss, accuracy and metrics on data, without training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fastnn._engine import random
from fastnn._engine.environment import standard_environment
from fastnn._input import memory_maps
from fastnn.training.datasets import Dataset

if TYPE_CHECKING:
    from fastnn.training.state import Run


def evaluate(run: Run, data: Dataset, check: Callable[[], None] | None = None) -> dict[str, float]:
    """Compute loss, accuracy and metrics over ``data``.

    Taken in blocks whose size follows from the network alone, so that the sums are the same everywhere; between them
    ``check`` is called, so that Ctrl-C is heard.
    """
    with standard_environment():
        return _evaluate(run, data, check)


def _evaluate(run: Run, data: Dataset, check: Callable[[], None] | None) -> dict[str, float]:
    network = run.network
    n, block = len(data), network.plan.block_rows
    file = memory_maps.mapped_file(data.X)
    outputs = np.empty((n, network.n_outputs), network.plan.dtype) if run.metrics else None
    losses, hits, weights = np.zeros((3, -(-n // block)))
    for number, start in enumerate(range(0, n, block)):
        rows = slice(start, min(start + block, n))
        part = None if data.weights is None else data.weights[rows]
        out = None if outputs is None else outputs[rows]
        losses[number], hits[number] = run.state.training.evaluate(data.X[rows], data.y[rows], part, out)
        weights[number] = rows.stop - start if part is None else random.lane_sum(part)
        memory_maps.give_back(file)
        if check is not None:
            check()
    total = random.lane_sum(weights)
    values = {"loss": _joined(losses, weights, total)}
    if run.loss.classifies:
        values["accuracy"] = _joined(hits, weights, total)
    for metric in run.metrics:
        values[metric.name] = metric(run.loss.predictions(outputs), data.y, data.weights)  # type: ignore[arg-type]
    return values


def _joined(means: np.ndarray, weights: np.ndarray, total: float) -> float:
    return float(means[0]) if len(means) == 1 else random.lane_sum(means * weights) / total
