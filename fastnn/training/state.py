"""How a run stands: one object that the loop changes, callbacks see through the trainer, and checkpoints pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._engine.training import Training
from fastnn.callbacks import Callback, monitored
from fastnn.history import History
from fastnn.losses import Loss
from fastnn.network import Network
from fastnn.optimizers import Optimizer
from fastnn.schedules import Constant, ReduceOnPlateau, Schedule
from fastnn.training.events import Event, keyed
from fastnn.training.plateau import PlateauState

if TYPE_CHECKING:
    from typing import Protocol

    from fastnn.metrics import Metric

    class Run(Protocol):
        """What trains what, and how it stands: a `fastnn.Trainer`, as the modules below it see it."""

        network: Network
        loss: Loss
        optimizer: Optimizer
        batch_size: int | str
        seed: int
        threads: int | str
        shuffle: bool
        metrics: tuple[Metric, ...]
        class_weight: np.ndarray | str | None
        state: RunState


class RunState:
    """All that changes while a trainer trains, but for the parameters of its network.

    Parameters
    ----------
    network, loss, optimizer, seed, threads, class_weight
        The trainer's.

    Attributes
    ----------
    training : Training
        The engine's: the optimizer's state, the number of updates, the place in the epoch and its sums.
    schedule : Schedule
        Of the learning rate.
    constant_rate : float or None
        The learning rate, where it is the same throughout.
    weight_by_class : ndarray or None
        One weight a class, once known: "balanced" waits for the first targets.
    history : History
        Of all epochs so far.
    columns : tuple of str
        Those of the history that an epoch of the latest fit fills.
    max_epochs : int or None
        As given to the latest fit.
    epoch_rows : int
        Of the epoch under way; 0 if there is none.
    plateau : PlateauState or None
    callbacks : tuple of Callback
        Of the latest fit.
    untold : Event or None
        An event that some of them have yet to hear of.
    callback_states : dict
        From a file, until the next fit: by key, what `Callback.get_state` gave.
    is_fitting, is_stopping : bool
        Whether a fit is under way, and has been asked to stop.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Optimizer,
        seed: int,
        threads: int | str,
        class_weight: np.ndarray | str | None,
    ) -> None:
        most = 0 if isinstance(threads, str) else threads
        self.training = Training(network.model, loss.specification(), optimizer.specification(), seed, most)
        self.weight_by_class = class_weight if isinstance(class_weight, np.ndarray) else None
        self.history = History()
        self.columns: tuple[str, ...] = ()
        self.max_epochs: int | None = None
        self.epoch_rows = 0
        self.follow(optimizer.schedule)
        plateau = self.schedule.plateau
        self.plateau = PlateauState.of(plateau) if isinstance(plateau, ReduceOnPlateau) else None
        self.callbacks: tuple[Callback, ...] = ()
        self.untold: Event | None = None
        self.callback_states: dict[str, Any] = {}
        self.is_fitting = self.is_stopping = False

    def follow(self, schedule: Schedule) -> None:
        """Take the learning rates of ``schedule`` from now on."""
        self.schedule = schedule
        self.constant_rate: Any = schedule.learning_rate if isinstance(schedule, Constant) else None

    def scale_momentum(self, rate: float) -> None:
        """Let what SGD has gathered at the present learning rate go on at that rate, when the rate becomes ``rate``."""
        gathered, steps = self.training.get_state(), self.training.steps
        with standard_environment():
            before = float(self.rates(steps, steps + 1)[0])
            for name in gathered:
                if name.endswith(".state0"):
                    gathered[name] *= before / rate
        self.training.set_state(gathered)

    def rates(self, start: int, stop: int) -> np.ndarray:
        """Compute the learning rates of the updates [start, stop) of the epoch under way."""
        if self.constant_rate is not None:
            return np.full(stop - start, self.constant_rate)
        reduced = 0.0 if self.plateau is None else self.plateau.learning_rate
        return self.schedule.of_steps(start, stop, self.history.epochs, reduced)

    def record(self, values: Mapping[str, float]) -> None:
        """Add a completed epoch to the history."""
        self.history.append(values)
        if self.plateau is not None:
            with standard_environment():
                self.plateau.update(values[monitored(self.plateau.schedule.monitor, values)])

    def give_states(self, callbacks: tuple[Callback, ...]) -> None:
        """Hand what a file held about callbacks to the first ones of the same class."""
        for key, callback in keyed(callbacks):
            if key in self.callback_states:
                callback.set_state(*self.callback_states[key])

    def end_epoch(self) -> None:
        """Let no epoch be under way: the next update begins one."""
        self.training.end_epoch()
        self.epoch_rows = 0
