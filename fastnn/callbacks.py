"""What can watch and steer a run."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import metrics
from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._input.calls import Hinting, explained
from fastnn._storage import durable

if TYPE_CHECKING:
    from fastnn._input.names import ModeName
    from fastnn.training import Trainer


class Callback(Hinting):
    """The base of every callback; override what you need. Epochs and steps (updates) count from 1.

    ``trainer.stop()`` ends the run: from `on_epoch_end` after that epoch, from `on_step_end` after that step, in which
    case the next ``fit`` finishes the epoch first. ``trainer.save(path)`` works anywhere. A callback that overrides
    `on_step_end` makes the run come back to Python after every update.
    """

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Act before the first update of a ``fit``; its arguments have been checked."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Act before the first update of an epoch; not when an interrupted epoch is resumed."""

    def on_step_end(self, trainer: Trainer, step: int) -> None:
        """Act after update number ``step`` of the trainer."""

    def on_pause(self, trainer: Trainer) -> None:
        """Act some twenty times a second, within an epoch: where training comes back to Python anyway."""

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: Mapping[str, float]) -> None:
        """Act after an epoch; ``values`` is its row of the history."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Act when a ``fit`` ends in order: epochs done, time used up or stopped; not by an exception or Ctrl-C."""

    def get_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what ``trainer.save`` is to keep of the callback: values that JSON can hold, and arrays by name.

        Override it, and `set_state`, in a callback whose doing depends on what it has seen.
        """
        return {}, {}

    def set_state(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take back what `get_state` gave: before the first ``fit`` after ``Trainer.load`` begins.

        The callbacks are passed to that ``fit`` anew. Each gets the state of the one of the same class; of several of a
        class, the first gets the first one's, and so on.
        """


class LambdaCallback(Callback):
    """A callback of functions, each called with the arguments of the method of its name.

    Parameters
    ----------
    on_fit_begin, on_epoch_begin, on_step_end, on_pause, on_epoch_end, on_fit_end : callable, optional

    Examples
    --------
    >>> fn.LambdaCallback(on_epoch_end=lambda trainer, epoch, values: print(epoch, values["loss"]))
    """

    @explained
    def __init__(
        self,
        *,
        on_fit_begin: Callable[[Trainer], Any] | None = None,
        on_epoch_begin: Callable[[Trainer, int], Any] | None = None,
        on_step_end: Callable[[Trainer, int], Any] | None = None,
        on_pause: Callable[[Trainer], Any] | None = None,
        on_epoch_end: Callable[[Trainer, int, Mapping[str, float]], Any] | None = None,
        on_fit_end: Callable[[Trainer], Any] | None = None,
    ) -> None:
        given = {
            "on_fit_begin": on_fit_begin,
            "on_epoch_begin": on_epoch_begin,
            "on_step_end": on_step_end,
            "on_pause": on_pause,
            "on_epoch_end": on_epoch_end,
            "on_fit_end": on_fit_end,
        }
        for name, function in given.items():
            if function is not None:
                if not callable(function):
                    raise TypeError(f"{name} must be a function; got {checks.described(function)}")
                setattr(self, name, function)

    def __repr__(self) -> str:
        return f"LambdaCallback({', '.join(f'{name}={function!r}' for name, function in vars(self).items())})"


class EarlyStopping(Callback):
    """End a run that has stopped improving, and restore the best parameters.

    Parameters
    ----------
    patience : int, default 5
        Epochs in a row without an improvement after which the run ends.
    monitor : str, optional
        A column of the history; by default ``"val_loss"``, or ``"loss"`` without validation data.
    min_delta : float, default 0.0
        Smallest change that counts as an improvement: it must be larger than this.
    restore_best : bool, default True
        Whether the network gets the parameters of the best epoch when a ``fit`` ends without an error.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; ``"auto"``: smaller, except for accuracies, top-k and R².

    Attributes
    ----------
    best : float or None
        The best value of the column so far.
    best_epoch : int
        The epoch it came from; 0 before the first.
    wait : int
        Epochs since then.
    stopped : bool
        Whether it ended the run.

    Notes
    -----
    A run that ended for another reason can be resumed, with the bits of an uninterrupted one: pass the same callback
    again, or after ``Trainer.load`` a new one with the same arguments. The callback keeps the last parameters for that,
    and puts them back first, unless the network was changed meanwhile.

    Once it has stopped a run, the next ``fit`` for more ``epochs`` continues from the best parameters and counts anew.
    One with ``max_epochs`` ends at once, for it is the same run. If Ctrl-C or a save came between the decision to stop
    and the end of that ``fit``, the next one ends at once with the best parameters, as the uninterrupted run would
    have.
    """

    @explained
    def __init__(
        self,
        patience: int = 5,
        monitor: str | None = None,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: ModeName = "auto",
    ) -> None:
        if isinstance(patience, str):
            raise TypeError(f"patience must be an integer; got {patience!r}: the column is given by monitor=")
        _check_monitor(monitor)
        self.patience = checks.integer(patience, "patience")
        self.monitor = monitor
        self.min_delta = checks.number(min_delta, "min_delta", 0.0)
        self.restore_best = checks.boolean(restore_best, "restore_best")
        self.mode = checks.choice(mode, ("auto", "min", "max"), "mode")
        self._begin()

    def _begin(self) -> None:
        self.best: float | None = None
        self.best_epoch = 0
        self.wait = 0
        self.stopped = False
        self._ended = False  # whether the fit that it stopped has come to its end
        self._best_parameters: dict[str, np.ndarray] = {}
        self._last_parameters: dict[str, np.ndarray] = {}

    def on_fit_begin(self, trainer: Trainer) -> None:
        monitored(self.monitor, trainer.columns)
        if self.stopped and self._ended and trainer.max_epochs is None:
            self._begin()
        self._check_parameters(trainer)
        if self.stopped:
            trainer.stop()
        elif self._last_parameters and _same(trainer.network.parameters, self._best_parameters):
            trainer.network.parameters.update(self._last_parameters)
        self._last_parameters = {}

    def _check_parameters(self, trainer: Trainer) -> None:
        """Raise if the parameters kept are of another network, before an epoch is spent on what cannot end well."""
        shapes = trainer.network.plan.shapes
        for kept in (self._best_parameters, self._last_parameters):
            if kept and {name: array.shape for name, array in kept.items()} != shapes:
                raise ValueError(
                    "callbacks must hold an EarlyStopping of this network; got one that keeps another's parameters: "
                    "make a new one"
                )

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: Mapping[str, float]) -> None:
        column = monitored(self.monitor, values)
        if is_better(values[column], self.best, column, self.mode, self.min_delta):
            self.best, self.best_epoch, self.wait = values[column], epoch, 0
            if self.restore_best:
                self._best_parameters = dict(trainer.network.parameters)
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped = True
                trainer.stop()

    def on_fit_end(self, trainer: Trainer) -> None:
        self._ended = self.stopped
        if self._best_parameters:
            if not self.stopped:
                self._last_parameters = dict(trainer.network.parameters)
            trainer.network.parameters.update(self._best_parameters)

    def get_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        values = {name: getattr(self, name) for name in ("best", "best_epoch", "wait", "stopped")}
        values["ended"] = self._ended
        arrays = {f"best:{name}": array for name, array in self._best_parameters.items()}
        return values, arrays | {f"last:{name}": array for name, array in self._last_parameters.items()}

    def set_state(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        with _damage("EarlyStopping"):
            best = _best_of(values)
            best_epoch, wait = (checks.integer(values[name], name, 0) for name in ("best_epoch", "wait"))
            stopped, ended = (checks.boolean(values[name], name) for name in ("stopped", "ended"))
        self.best, self.best_epoch, self.wait, self.stopped, self._ended = best, best_epoch, wait, stopped, ended
        self._best_parameters = {name[5:]: array for name, array in arrays.items() if name.startswith("best:")}
        self._last_parameters = {name[5:]: array for name, array in arrays.items() if name.startswith("last:")}

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(patience={self.patience}, monitor={self.monitor!r}, min_delta={self.min_delta}, "
            f"restore_best={self.restore_best}, mode={self.mode!r})"
        )


class Checkpoint(Callback):
    """Save the trainer while it trains, so that a run that dies can be resumed with the same bits.

    Every save replaces the file whole and keeps the one before beside it (``.previous``). If the newer file is damaged,
    `fastnn.Trainer.load` reads the one before, with a warning.

    Parameters
    ----------
    path : path-like
        Of the file; its folder has to exist.
    epochs : int, optional
        Number of epochs between saves; 1 if no other interval is given.
    steps : int, optional
        Number of updates between saves.
    seconds : float, optional
        Time between saves, which may fall within an epoch.
    monitor : str, optional
        Save only after epochs in which this column of the history reaches a new best. Excludes the other intervals.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; ``"auto"``: smaller, except for accuracies, top-k and R².

    Attributes
    ----------
    best : float or None
        The best value of ``monitor`` so far.

    Notes
    -----
    Unless it monitors a column, it saves at the end of a ``fit`` as well. Place it last among the callbacks: the file
    does not hold what callbacks after it do at the same moment. A run resumed from the file tells these first.

    Examples
    --------
    >>> try:
    ...     trainer = fn.Trainer.load("run.safetensors")
    ... except FileNotFoundError:
    ...     trainer = new_trainer()
    >>> trainer.fit(X, y, max_epochs=100, callbacks=[fn.EarlyStopping(), fn.Checkpoint("run.safetensors", seconds=30)])
    """

    @explained
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        epochs: int | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        monitor: str | None = None,
        mode: ModeName = "auto",
    ) -> None:
        self.path = checks.path(path)
        _check_monitor(monitor)
        intervals = (epochs, steps, seconds)
        if monitor is not None and any(interval is not None for interval in intervals):
            raise ValueError("monitor saves after the best epochs, and excludes epochs, steps and seconds; got both")
        if all(interval is None for interval in intervals):
            epochs = 1
        self.epochs = None if epochs is None else checks.integer(epochs, "epochs")
        self.steps = None if steps is None else checks.integer(steps, "steps")
        self.seconds = None if seconds is None else checks.number(seconds, "seconds", 0.0, above=True)
        self.monitor = monitor
        self.mode = checks.choice(mode, ("auto", "min", "max"), "mode")
        self.best: float | None = None
        self._time = 0.0  # of the latest save
        if self.steps is not None:
            self.on_step_end = self._on_step_end  # type: ignore[method-assign]  # else training need not come back

    def on_fit_begin(self, trainer: Trainer) -> None:
        if self.monitor is not None:
            monitored(self.monitor, trainer.columns)
        folder = os.path.dirname(os.path.realpath(self.path))
        if not os.path.isdir(folder):
            raise FileNotFoundError(errno.ENOENT, "the folder of a Checkpoint must exist", folder)
        durable.remove_leftovers(self.path)
        self._time = time.monotonic()

    def _on_step_end(self, trainer: Trainer, step: int) -> None:
        if self.steps is not None and step % self.steps == 0:
            self._save(trainer)

    def on_pause(self, trainer: Trainer) -> None:
        if self.seconds is not None and time.monotonic() - self._time >= self.seconds:
            self._save(trainer)

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: Mapping[str, float]) -> None:
        if self.monitor is not None:
            if is_better(values[self.monitor], self.best, self.monitor, self.mode):
                self.best = values[self.monitor]
                self._save(trainer)
        elif self.epochs is not None and epoch % self.epochs == 0:
            self._save(trainer)
        else:
            self.on_pause(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.monitor is None:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        trainer.save(self.path, keep_previous=True)
        self._time = time.monotonic()

    def get_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"best": self.best}, {}

    def set_state(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        with _damage("Checkpoint"):
            self.best = _best_of(values)

    def __repr__(self) -> str:
        given = [f"{name}={getattr(self, name)!r}" for name in ("epochs", "steps", "seconds", "monitor")]
        shown = [text for text in given if not text.endswith("=None")]
        return f"Checkpoint({', '.join([repr(self.path), *shown])})"


def _check_monitor(monitor: Any) -> None:
    if monitor is not None and not isinstance(monitor, str):
        raise TypeError(f"monitor must be a column of the history; got {checks.described(monitor)}")


def is_better(value: float, best: float | None, column: str, mode: str, min_delta: float = 0.0) -> bool:
    """Return whether a value of the history is better than the best so far, if any, by more than ``min_delta``."""
    maximise = mode == "max" or (mode == "auto" and metrics.is_maximised(column))
    sign = -1.0 if maximise else 1.0
    with standard_environment():
        return sign * value < (math.inf if best is None else sign * best) - min_delta


def monitored(column: str | None, values: Collection[str]) -> str:
    """Return the column of the history that a callback or schedule watches."""
    if column is None:
        return "val_loss" if "val_loss" in values else "loss"
    if column not in values:
        is_of_validation = column.startswith("val_") and "val_loss" not in values
        hint = ": fit has no validation data" if is_of_validation else checks.hint(column, values, "monitor")
        raise ValueError(f"monitor must be a column of the history, {', '.join(values)}; got {column!r}{hint}")
    return column


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    """Raise errors about a state from a file in its terms."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the saved state of {name} is damaged: {error}") from None


def _best_of(values: Mapping[str, Any]) -> float | None:
    best = values["best"]
    if best is not None and type(best) not in (int, float):
        raise TypeError(f"best must be a number or None; got {checks.described(best)}")
    return best


def _same(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in b)
