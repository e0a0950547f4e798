"""What can watch and steer a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import _check, metrics
from fastnn._engine.environment import standard_environment

if TYPE_CHECKING:
    from fastnn.training import Trainer


class Callback:
    """The base of every callback; override what you need. Epochs and steps (updates) count from 1.

    ``trainer.stop()`` ends the run: from `on_epoch_end` after that epoch, from `on_step_end` after that step, in which
    case the next ``fit`` finishes the epoch first. ``trainer.save(path)`` works anywhere. A callback that overrides
    `on_step_end` makes the run come back to Python after every update.
    """

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Before the first update of a ``fit``; its arguments have been checked."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Before the first update of an epoch; not when an epoch that was interrupted goes on."""

    def on_step_end(self, trainer: Trainer, step: int) -> None:
        """After update number ``step`` of the trainer."""

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: Mapping[str, float]) -> None:
        """After an epoch; ``values`` is its row of the history."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """When a ``fit`` ends in order: epochs done, time used up or stopped; not by an exception or Ctrl-C."""

    def get_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What ``trainer.save`` is to keep of the callback: values that JSON can hold, and arrays of numbers by name.

        Override it, and `set_state`, in a callback whose doing depends on what it has seen.
        """
        return {}, {}

    def set_state(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Takes back what `get_state` gave: before the first ``fit`` after ``Trainer.load`` begins.

        The callbacks are passed to that ``fit`` anew. Each gets the state of the one of the same class; of several of a
        class, the first gets the first one's, and so on.
        """


class LambdaCallback(Callback):
    """A callback of functions, each called with the arguments of the method of its name.

    Parameters
    ----------
    on_fit_begin, on_epoch_begin, on_step_end, on_epoch_end, on_fit_end : callable, optional

    Examples
    --------
    >>> fn.LambdaCallback(on_epoch_end=lambda trainer, epoch, values: print(epoch, values["loss"]))
    """

    def __init__(
        self,
        *,
        on_fit_begin: Callable[[Trainer], Any] | None = None,
        on_epoch_begin: Callable[[Trainer, int], Any] | None = None,
        on_step_end: Callable[[Trainer, int], Any] | None = None,
        on_epoch_end: Callable[[Trainer, int, Mapping[str, float]], Any] | None = None,
        on_fit_end: Callable[[Trainer], Any] | None = None,
    ) -> None:
        given = {
            "on_fit_begin": on_fit_begin,
            "on_epoch_begin": on_epoch_begin,
            "on_step_end": on_step_end,
            "on_epoch_end": on_epoch_end,
            "on_fit_end": on_fit_end,
        }
        for name, function in given.items():
            if function is not None:
                if not callable(function):
                    raise TypeError(f"{name} must be a function; got {_check.described(function)}")
                setattr(self, name, function)


class EarlyStopping(Callback):
    """Ends a run that has stopped getting better, and puts the best parameters back.

    Parameters
    ----------
    patience : int, default 5
        Epochs in a row without an improvement after which the run ends.
    monitor : str, optional
        A column of the history; by default ``"val_loss"``, or ``"loss"`` without validation data.
    min_delta : float, default 0.0
        What counts as an improvement: more than this.
    restore_best : bool, default True
        Whether the network has the parameters of the best epoch when a ``fit`` has ended in order.
    mode : {"auto", "min", "max"}
        What is better; ``"auto"``: smaller, except for accuracies, top-k and R².

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
    A run that ended for another reason goes on with the same bits as an unbroken one when the same callback is passed
    again (after ``Trainer.load``: a new one with the same arguments): it keeps the last parameters too, and puts them
    back first, unless the network was changed meanwhile. After it has stopped a run, the next ``fit`` goes on from the
    best parameters and counts anew. If Ctrl-C, or a save, came between its decision to stop and the end of that
    ``fit``, the next one ends at once with the best parameters, as the unbroken run would have.
    """

    def __init__(
        self,
        patience: int = 5,
        monitor: str | None = None,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str = "auto",
    ) -> None:
        if monitor is not None and not isinstance(monitor, str):
            raise TypeError(f"monitor must be a column of the history; got {_check.described(monitor)}")
        self.patience = _check.integer(patience, "patience")
        self.monitor = monitor
        self.min_delta = _check.number(min_delta, "min_delta", 0.0)
        self.restore_best = _check.boolean(restore_best, "restore_best")
        self.mode = _check.choice(mode, ("auto", "min", "max"), "mode")
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
        if self.stopped and self._ended:
            self._begin()
        elif self.stopped:
            trainer.stop()
        elif self._last_parameters and _same(trainer.network.parameters, self._best_parameters):
            trainer.network.parameters.update(self._last_parameters)
        self._last_parameters = {}

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: Mapping[str, float]) -> None:
        column = monitored(self.monitor, values)
        maximise = self.mode == "max" or (self.mode == "auto" and metrics.is_maximised(column))
        sign = -1.0 if maximise else 1.0
        best = math.inf if self.best is None else sign * self.best
        with standard_environment():
            enough = best - self.min_delta
        if sign * values[column] < enough:
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
        self.best, self.best_epoch = values["best"], values["best_epoch"]
        self.wait, self.stopped, self._ended = values["wait"], values["stopped"], values["ended"]
        self._best_parameters = {name[5:]: array for name, array in arrays.items() if name.startswith("best:")}
        self._last_parameters = {name[5:]: array for name, array in arrays.items() if name.startswith("last:")}

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(patience={self.patience}, monitor={self.monitor!r}, min_delta={self.min_delta}, "
            f"restore_best={self.restore_best}, mode={self.mode!r})"
        )


def monitored(column: str | None, values: Collection[str]) -> str:
    """The column of the history that a callback or schedule watches."""
    if column is None:
        return "val_loss" if "val_loss" in values else "loss"
    if column not in values:
        raise ValueError(f"monitor must be a column of the history, {', '.join(values)}; got {column!r}")
    return column


def _same(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in b)
