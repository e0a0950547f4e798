"""What `fastnn.Trainer` makes of its arguments before anything changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fastnn._engine.random import MAX_SHUFFLED
from fastnn._input import checks
from fastnn.callbacks import Callback, monitored
from fastnn.losses import CrossEntropy, Loss
from fastnn.metrics import METRICS, Accuracy, Metric, TopK
from fastnn.training import class_weights, datasets
from fastnn.training.events import checked_callbacks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastnn.training.state import Run


def batch_size(given: Any) -> int | str:
    """Return ``batch_size`` as a number of rows, or ``"full"``."""
    if isinstance(given, str):
        return checks.choice(given, ("full",), "batch_size")
    return checks.integer(given, "batch_size")


def metrics(given: Any, loss: Loss, n_outputs: int) -> tuple[Metric, ...]:
    """Return the metrics that are not reported unasked, if all suit the loss."""
    listed = checks.listed(given, (str, Metric, type), "metrics")
    found = [checks.one_of(metric, Metric, METRICS, "metrics") for metric in listed]
    for metric in found:
        suits = loss.classifies if isinstance(metric, Accuracy) else isinstance(loss, CrossEntropy)
        if metric.classifies and not suits:
            raise ValueError(f"the metric {metric.name!r} is for classes; the loss is {loss.kind!r}")
        if not metric.classifies and (loss.classifies or loss.n_targets(n_outputs) != n_outputs):
            raise ValueError(f"the metric {metric.name!r} is for one number a target; the loss is {loss!r}")
        if isinstance(metric, TopK) and metric.k > n_outputs:
            raise ValueError(f"the k of TopK must be at most the number of classes, {n_outputs}; got {metric.k}")
    kept = [metric for metric in found if not isinstance(metric, Accuracy)]
    names = [metric.name for metric in kept]
    if len(set(names)) < len(names):
        raise ValueError(f"metrics must not name one twice; got {', '.join(names)}")
    return tuple(kept)


class FitArguments:
    """The arguments of a `fastnn.Trainer.fit`, checked; nothing has changed yet.

    Attributes
    ----------
    last : int
        The number of the epoch at which the fit ends.
    max_epochs : int or None
    callbacks : tuple of Callback
    progress : bool or "auto"
    max_seconds : float or None
    data : Dataset
        With the weights of classes in the rows'.
    validation : Dataset or None
    batch_size : int
        Rows of a batch.
    columns : tuple of str
        Of the history.
    weight_by_class : ndarray or None
    """

    def __init__(
        self,
        run: Run,
        X: ArrayLike,
        y: ArrayLike,
        epochs: int | None,
        max_epochs: int | None,
        sample_weight: ArrayLike | None,
        validation_data: Sequence[ArrayLike] | None,
        validation_fraction: float | None,
        callbacks: Iterable[Callback] | Callback,
        progress: bool | str,
        max_seconds: float | None,
    ) -> None:
        self.max_epochs = None if max_epochs is None else checks.integer(max_epochs, "max_epochs", 0)
        self.last = _last_epoch(epochs, self.max_epochs, run.state.history.epochs)
        self.callbacks = checked_callbacks(callbacks)
        self.progress = progress if isinstance(progress, bool) else checks.choice(progress, ("auto",), "progress")
        if max_seconds is not None:
            max_seconds = checks.number(max_seconds, "max_seconds", 0.0, above=True)
        self.max_seconds = max_seconds
        if validation_data is not None and validation_fraction is not None:
            raise ValueError("validation_data and validation_fraction exclude each other; got both")
        data = datasets.dataset(run.network, run.loss, X, y, sample_weight)
        self.validation: datasets.Dataset | None = None
        if validation_data is not None:
            given = datasets.validation(validation_data)
            self.validation = datasets.dataset(run.network, run.loss, *given, "validation ")
        elif validation_fraction is not None:
            data, self.validation = datasets.held_out(data, validation_fraction, run.seed)
        self.batch_size = _rows_of_a_batch(run, len(data))
        self.columns = _columns(run, self.validation is not None)
        if run.state.plateau is not None:
            monitored(run.state.plateau.schedule.monitor, self.columns)
        self.weight_by_class = run.state.weight_by_class
        if isinstance(run.class_weight, str):
            self.weight_by_class = class_weights.balanced(data.y, max(2, run.network.n_outputs))
        self.data = class_weights.weighted(data, self.weight_by_class)


def _last_epoch(epochs: Any, max_epochs: int | None, done: int) -> int:
    """Return the number of epochs in all after which a fit ends, ``done`` having been completed before."""
    if max_epochs is None:
        return done + (1 if epochs is None else checks.integer(epochs, "epochs", 0))
    if epochs is not None:
        raise ValueError(f"epochs and max_epochs exclude each other; got {epochs!r} and {max_epochs}")
    return max_epochs


def _rows_of_a_batch(run: Run, n: int) -> int:
    """Return how many rows a batch has, if ``n`` rows can be trained on now."""
    if run.state.training.position and n != run.state.epoch_rows:
        raise ValueError(f"X must be the {run.state.epoch_rows} rows of the epoch that is under way; got {n} rows")
    if run.shuffle and n > MAX_SHUFFLED:
        raise ValueError(
            f"X must have at most {MAX_SHUFFLED:,} rows to be shuffled; got {n:,} (shuffle=False takes more)"
        )
    if isinstance(run.batch_size, str):
        return n
    return min(run.batch_size, n)


def _columns(run: Run, validates: bool) -> tuple[str, ...]:
    """Return the columns of the history that an epoch fills."""
    names = ["loss", "accuracy"] if run.loss.classifies else ["loss"]
    found = [*names, *(metric.name for metric in run.metrics)]
    return (*names, "learning_rate", *(f"val_{name}" for name in found if validates))
