"""Learning-rate schedules: the rate as a function of how many updates or epochs were made before.

Pass one as the ``learning_rate`` of an optimizer. ``unit`` says what a schedule counts: ``"step"`` (updates) or
``"epoch"``.

Reproducibility
---------------
A rate is a function of the schedule and the count alone, computed in float64 from correctly rounded operations and the
package's own exp, log and cos; powers are products. It is the same on every machine and after every interruption.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fastnn import elementary
from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description

if TYPE_CHECKING:
    from fastnn._input.names import ModeName, UnitName

UNITS = ("step", "epoch")


class Schedule(Description):
    """The base of every schedule."""

    learning_rate: float
    unit: UnitName

    def __post_init__(self) -> None:
        self._set(
            learning_rate=checks.number(self.learning_rate, "learning_rate", 0.0),
            unit=checks.choice(self.unit, UNITS, "unit"),
        )

    @property
    def initial(self) -> float:
        """The rate of the first update."""
        return float(self._between(0, 1)[0])

    def rates(self, start: int, stop: int) -> np.ndarray:
        """Return the learning rates at start, start + 1, …, stop - 1 updates or epochs, as float64."""
        start = checks.integer(start, "start", 0)
        return self._between(start, checks.integer(stop, "stop", start))

    def _between(self, start: int, stop: int) -> np.ndarray:
        """Return `rates` in every step of some runs."""
        with standard_environment():
            return self._rates(np.arange(start, stop, dtype=np.float64))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def of_steps(self, start: int, stop: int, epoch: int, reduced: float) -> np.ndarray:
        """Return the learning rates of the updates [start, stop), which lie in one epoch.

        Parameters
        ----------
        start, stop : int
            Updates before the first and before the one after the last.
        epoch : int
            Epochs completed before.
        reduced : float
            The rate that `ReduceOnPlateau` has come to, where one is in use.
        """
        if self.unit == "step":
            return self._between(start, stop)
        return np.full(stop - start, self._between(epoch, epoch + 1)[0])

    @property
    def plateau(self) -> ReduceOnPlateau | None:
        """The part of the schedule that watches a column of the history, if there is one."""
        return None


@description
class Constant(Schedule):
    """The same rate throughout."""

    learning_rate: float
    unit: ClassVar[UnitName] = "step"  # type: ignore[misc]

    def __post_init__(self) -> None:
        self._set(learning_rate=checks.number(self.learning_rate, "learning_rate", 0.0))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return np.full(t.shape, self.learning_rate)


@description
class Step(Schedule):
    """Multiplied by ``factor`` every ``every`` units. ``torch.optim.lr_scheduler.StepLR``.

    Parameters
    ----------
    learning_rate : float
    every : int
    factor : float, default 0.1
    unit : {"epoch", "step"}
    """

    learning_rate: float
    every: int
    factor: float = 0.1
    unit: UnitName = "epoch"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            every=checks.integer(self.every, "every"), factor=checks.number(self.factor, "factor", 0.0, 1.0, above=True)
        )

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return self.learning_rate * elementary.whole_powers(self.factor, t.astype(np.int64) // self.every)


@description
class Exponential(Schedule):
    """Multiplied by ``factor`` every unit. ``torch.optim.lr_scheduler.ExponentialLR``.

    Parameters
    ----------
    learning_rate : float
    factor : float
        Above 0, at most 1.
    unit : {"epoch", "step"}
    """

    learning_rate: float
    factor: float
    unit: UnitName = "epoch"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(factor=checks.number(self.factor, "factor", 0.0, 1.0, above=True))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return self.learning_rate * elementary.whole_powers(self.factor, t.astype(np.int64))


@description
class Cosine(Schedule):
    """Half a cosine from the rate down to ``minimum`` over ``steps`` units, ``minimum`` from there on.

    Loshchilov and Hutter, arXiv:1608.03983, without restarts; ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    Parameters
    ----------
    learning_rate : float
    steps : int
        In units.
    minimum : float, default 0.0
    unit : {"step", "epoch"}
    """

    learning_rate: float
    steps: int
    minimum: float = 0.0
    unit: UnitName = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            steps=checks.integer(self.steps, "steps"),
            minimum=checks.number(self.minimum, "minimum", 0.0, self.learning_rate),
        )

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return _annealed(self.learning_rate, self.minimum, np.minimum(t, self.steps) / self.steps)


@description
class OneCycle(Schedule):
    """A rise from ``learning_rate / start_divisor``, then a fall to that over ``end_divisor``, each half a cosine.

    Smith and Topin, arXiv:1708.07120; ``torch.optim.lr_scheduler.OneCycleLR``, the learning rate only. After ``steps``
    units the rate stays at its last value.

    Parameters
    ----------
    learning_rate : float
        The highest rate.
    steps : int
        In units, at least 2.
    warmup_fraction : float, default 0.3
        The share of the steps on the way up.
    start_divisor : float, default 25.0
        The first rate is ``learning_rate / start_divisor``.
    end_divisor : float, default 1e4
        The last rate is the first over this.
    unit : {"step", "epoch"}
    """

    learning_rate: float
    steps: int
    warmup_fraction: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4
    unit: UnitName = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            steps=checks.integer(self.steps, "steps", 2),
            warmup_fraction=checks.number(self.warmup_fraction, "warmup_fraction", 0.0, 1.0),
            start_divisor=checks.number(self.start_divisor, "start_divisor", 1.0),
            end_divisor=checks.number(self.end_divisor, "end_divisor", 1.0),
        )

    def _rates(self, t: np.ndarray) -> np.ndarray:
        first = self.learning_rate / self.start_divisor
        last = first / self.end_divisor
        # As in PyTorch the peak falls one unit early, and so may fall before the first unit.
        peak, end = self.warmup_fraction * self.steps - 1.0, self.steps - 1.0
        up = _annealed(first, self.learning_rate, np.clip(t / peak, 0.0, 1.0)) if peak > 0.0 else t
        down = t
        if end > peak:
            down = _annealed(self.learning_rate, last, np.clip((t - peak) / (end - peak), 0.0, 1.0))
        return np.where(t <= peak, up, down if end > peak else last)


@description
class InverseScaling(Schedule):
    """learning_rate / (t + 1)^power. ``learning_rate="invscaling"`` of scikit-learn's ``MLPClassifier``, t in units.

    Parameters
    ----------
    learning_rate : float
    power : float, default 0.5
        At least 0.
    unit : {"step", "epoch"}
    """

    learning_rate: float
    power: float = 0.5
    unit: UnitName = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(power=checks.number(self.power, "power", 0.0))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return self.learning_rate * elementary.exp(-self.power * elementary.log(t + 1.0))


@description
class ReduceOnPlateau(Schedule):
    """Multiplied by ``factor`` whenever a column of the history has stopped getting better.

    ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with an absolute threshold.

    Parameters
    ----------
    learning_rate : float
    factor : float, default 0.1
        Above 0 and below 1.
    patience : int, default 10
        Number of epochs without an improvement before the rate falls.
    min_delta : float, default 0.0
        Smallest change that counts as an improvement: it must be larger than this.
    cooldown : int, default 0
        Number of epochs after a reduction that are not counted.
    minimum : float, default 0.0
        The rate never goes below this.
    monitor : str, optional
        The column; by default ``"val_loss"``, or ``"loss"`` without validation data.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; ``"auto"``: smaller, except for accuracies, top-k and R².
    """

    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 0.0
    cooldown: int = 0
    minimum: float = 0.0
    monitor: str | None = None
    mode: ModeName = "auto"
    unit: ClassVar[UnitName] = "epoch"  # type: ignore[misc]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            factor=checks.number(self.factor, "factor", 0.0, 1.0, above=True, below=True),
            patience=checks.integer(self.patience, "patience", 0),
            min_delta=checks.number(self.min_delta, "min_delta", 0.0),
            cooldown=checks.integer(self.cooldown, "cooldown", 0),
            minimum=checks.number(self.minimum, "minimum", 0.0, self.learning_rate),
            mode=checks.choice(self.mode, ("auto", "min", "max"), "mode"),
        )
        if self.monitor is not None:
            checks.text(self.monitor, "monitor")

    @property
    def initial(self) -> float:
        return self.learning_rate

    @property
    def plateau(self) -> ReduceOnPlateau:
        return self

    def _between(self, start: int, stop: int) -> np.ndarray:
        raise ValueError("the rates of ReduceOnPlateau depend on the run: its history holds them")

    def of_steps(self, start: int, stop: int, epoch: int, reduced: float) -> np.ndarray:
        return np.full(stop - start, reduced)


@description
class Warmup(Schedule):
    """A linear warm-up from ``start`` to the first rate of a schedule, and then the schedule from its beginning.

    ``torch.optim.lr_scheduler.LinearLR`` and then the schedule. Goyal et al., arXiv:1706.02677.

    Parameters
    ----------
    schedule : Schedule or float
        The schedule after the warm-up; a number is a constant rate. If it counts in another unit, its own count runs on
        during the warm-up.
    steps : int
        Length of the warm-up in units.
    start : float, default 0.0
        The rate of the very first update.
    unit : {"step", "epoch"}
    """

    schedule: Schedule | float
    steps: int
    start: float = 0.0
    unit: UnitName = "step"

    def __post_init__(self) -> None:
        schedule = self.schedule
        if not isinstance(schedule, Schedule):
            schedule = Constant(checks.number(schedule, "schedule", 0.0))
        self._set(
            schedule=schedule,
            steps=checks.integer(self.steps, "steps"),
            start=checks.number(self.start, "start", 0.0),
            unit=checks.choice(self.unit, UNITS, "unit"),
        )

    @property
    def learning_rate(self) -> float:  # type: ignore[override]
        """The rate at the end of the warm-up."""
        return self._inner.initial

    @property
    def plateau(self) -> ReduceOnPlateau | None:
        return self._inner.plateau

    @property
    def _inner(self) -> Schedule:
        assert isinstance(self.schedule, Schedule)
        return self.schedule

    def _between(self, start: int, stop: int) -> np.ndarray:
        warm = self._warm(np.arange(start, min(stop, self.steps), dtype=np.float64))
        if stop <= self.steps:
            return warm
        inner = self._inner
        if inner.unit != self.unit and not isinstance(inner, Constant):
            raise ValueError(
                f"the warm-up counts in {self.unit}s and its schedule in {inner.unit}s: no one list holds both"
            )
        return np.concatenate([warm, inner.rates(max(start, self.steps) - self.steps, stop - self.steps)])

    def of_steps(self, start: int, stop: int, epoch: int, reduced: float) -> np.ndarray:
        if self.unit == "epoch":
            if epoch < self.steps:
                return np.full(stop - start, self._warm(np.array([float(epoch)]))[0])
            return self._inner.of_steps(start, stop, epoch - self.steps, reduced)
        warm = self._warm(np.arange(start, min(stop, self.steps), dtype=np.float64))
        if stop <= self.steps:
            return warm
        rest = self._inner.of_steps(max(start, self.steps) - self.steps, stop - self.steps, epoch, reduced)
        return np.concatenate([warm, rest])

    def _warm(self, t: np.ndarray) -> np.ndarray:
        with standard_environment():
            return self.start + (self.learning_rate - self.start) * (t / self.steps)


def _annealed(first: float, last: float, share: np.ndarray) -> np.ndarray:
    """Return values from ``first`` to ``last`` along half a cosine."""
    return last + (first - last) * 0.5 * (1.0 + elementary.cos(math.pi * share))


SCHEDULES: tuple[type[Schedule], ...] = (
    *(Constant, Step, Exponential, Cosine, OneCycle, InverseScaling),
    *(ReduceOnPlateau, Warmup),
)
