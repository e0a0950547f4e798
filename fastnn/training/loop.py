"""The loop of a training run: epochs of slices of the engine's time, between which Python gets its say."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from fastnn._engine import random
from fastnn._engine.environment import standard_environment
from fastnn._engine.training import Diverged
from fastnn._input import memory_maps
from fastnn.training.arguments import FitArguments
from fastnn.training.divergence import diverged_error
from fastnn.training.evaluation import evaluate
from fastnn.training.events import Event, keyed, overrides
from fastnn.training.interrupts import Interrupts
from fastnn.training.progress import Progress

if TYPE_CHECKING:
    from fastnn.training.state import Run

SLICE_SECONDS = 0.05  # the longest stay in the engine: how soon Ctrl-C and progress bars are served


class Loop:
    """One call of ``fit``: everything has been checked.

    Parameters
    ----------
    run : Run
        The trainer, whose state it changes.
    given : FitArguments
    """

    def __init__(self, run: Run, given: FitArguments) -> None:
        self.trainer: Any = run  # as callbacks know it
        self.settings, self.state, self.training = run, run.state, run.state.training
        self.data, self.validation, self.batch_size = given.data, given.validation, given.batch_size
        self.callbacks, self.last, self.bar = given.callbacks, given.last, given.progress
        self.file = memory_maps.mapped_file(self.data.X)
        self.by_step = any(overrides(callback, "on_step_end") for callback in self.callbacks)
        self.pausing = [callback for callback in self.callbacks if overrides(callback, "on_pause")]
        self.deadline = math.inf if given.max_seconds is None else time.monotonic() + given.max_seconds
        self.steps_per_epoch = -(-len(self.data) // self.batch_size)

    def run(self) -> None:
        """Complete the epochs up to the last one wanted, or stop before."""
        trainer, history = self.trainer, self.state.history
        with (
            Interrupts(self.training) as self.interrupts,
            Progress(self.bar, self.state, self.last, self.batch_size, self.steps_per_epoch) as self.progress,
        ):
            for callback in self.callbacks:
                callback.on_fit_begin(trainer)
            self.tell_untold()
            while history.epochs < self.last and not self.is_over():
                self.train()
                if self.training.position < len(self.data):
                    break
                self.end_epoch()
            for callback in self.callbacks:
                callback.on_fit_end(trainer)

    def tell(self, name: str, *arguments: Any) -> None:
        """Call a method of every callback."""
        if self.callbacks:
            self.state.untold = Event(name, arguments, self.callbacks)
            self.state.untold.tell(self.trainer)

    def tell_untold(self) -> None:
        """Tell callbacks, which have all begun, what they have yet to hear; a file has no say any more."""
        self.state.callback_states = {}
        if self.state.untold is not None:
            self.state.untold.narrow_to(dict(keyed(self.callbacks)))
            self.state.untold.tell(self.trainer)

    def is_over(self) -> bool:
        """Tell whether the run was asked to stop, or its time is up."""
        return self.state.is_stopping or time.monotonic() >= self.deadline

    def train(self) -> None:
        """Train through the rest of the epoch, or as much of it as there is time for."""
        settings, state, training, data = self.settings, self.state, self.training, self.data
        n = len(data)
        is_new, state.epoch_rows = not state.epoch_rows, n
        epoch, order = state.history.epochs, None
        if is_new:
            self.tell("on_epoch_begin", epoch + 1)
        if settings.shuffle:
            order = random.permutation(n, settings.seed, epoch, self.interrupts.check)
        first = training.steps
        rates = state.rates(first, first + -(-(n - training.position) // self.batch_size))
        while training.position < n and not self.is_over():
            done = training.steps - first
            ahead = rates[done : done + 1] if self.by_step else rates[done:]
            seconds = min(SLICE_SECONDS, max(0.0, self.deadline - time.monotonic()))
            try:
                training.run(data.X, data.y, data.weights, order, self.batch_size, ahead, seconds)
            except Diverged as error:
                raise diverged_error(settings, error) from None
            if self.by_step and training.steps > first + done:
                self.tell("on_step_end", training.steps)
            memory_maps.give_back(self.file)
            if training.position < n:
                for callback in self.pausing:
                    callback.on_pause(self.trainer)
            self.progress.update()
            self.interrupts.check()

    def end_epoch(self) -> None:
        """Validate, record the epoch and tell the callbacks. Until it is recorded the epoch counts as unfinished."""
        settings, state, training = self.settings, self.state, self.training
        loss_sum, hit_sum, weight_sum = training.sums
        with standard_environment():
            values = {"loss": loss_sum / weight_sum}
            if not math.isfinite(values["loss"]):  # though the losses of all batches were
                raise diverged_error(settings, Diverged(training.steps, "the loss", -1))
            if settings.loss.classifies:
                values["accuracy"] = hit_sum / weight_sum
        values["learning_rate"] = float(state.rates(training.steps - 1, training.steps)[0])
        if self.validation is not None:
            found = evaluate(settings, self.validation, self.interrupts.check)
            values |= {f"val_{name}": value for name, value in found.items()}
        state.end_epoch()
        state.record(values)
        self.tell("on_epoch_end", state.history.epochs, values)
        self.progress.end_epoch(values)
        self.interrupts.check()
