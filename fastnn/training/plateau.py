"""How far a `fastnn.ReduceOnPlateau` has come in a run."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fastnn._input import checks
from fastnn.metrics import is_maximised
from fastnn.schedules import ReduceOnPlateau


class PlateauState:
    """How a `ReduceOnPlateau` stands: a function of the values it has been fed, one an epoch."""

    def __init__(self, schedule: ReduceOnPlateau, maximise: bool) -> None:
        self.schedule = schedule
        self.sign = -1.0 if maximise else 1.0
        self.learning_rate = schedule.learning_rate
        self.best = math.inf
        self.bad_epochs = 0
        self.cooling = 0

    @classmethod
    def of(cls, schedule: ReduceOnPlateau) -> PlateauState:
        """Begin where nothing has been fed yet; what is better is as the schedule's ``mode`` and column have it."""
        by_column = schedule.mode == "auto" and is_maximised(schedule.monitor or "loss")
        return cls(schedule, schedule.mode == "max" or by_column)

    def get_state(self) -> dict[str, float]:
        """Return what changes, for a file."""
        return {name: getattr(self, name) for name in ("learning_rate", "best", "bad_epochs", "cooling")}

    def set_state(self, state: Mapping[str, float]) -> None:
        """Take back what `get_state` gave."""
        state = checks.mapping(state, "the state of ReduceOnPlateau")
        best = state["best"]
        if type(best) not in (int, float):  # it may be infinite
            raise TypeError(f"best must be a number; got {checks.described(best)}")
        counts = [checks.integer(state[name], name, 0) for name in ("bad_epochs", "cooling")]
        self.learning_rate, self.best = checks.number(state["learning_rate"], "learning_rate", 0.0), float(best)
        self.bad_epochs, self.cooling = counts

    def update(self, value: float) -> None:
        """Take in the value of one more epoch."""
        schedule = self.schedule
        value *= self.sign
        if value < self.best - schedule.min_delta:
            self.best = value
            self.bad_epochs = 0
        else:
            self.bad_epochs += 1
        if self.cooling > 0:
            self.cooling -= 1
            self.bad_epochs = 0
        if self.bad_epochs > schedule.patience:
            self.learning_rate = max(self.learning_rate * schedule.factor, schedule.minimum)
            self.cooling = schedule.cooldown
            self.bad_epochs = 0
