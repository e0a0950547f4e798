"""The loop of a training run: epochs of slices of the engine's time, between which Python gets its say."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastnn._engine import random
from fastnn._engine.environment import standard_environment
from fastnn._engine.training import Diverged
from fastnn._input import checks, memory_maps
from fastnn.callbacks import Callback
from fastnn.training.preparation import Dataset

if TYPE_CHECKING:
    from fastnn.training import Trainer

SLICE_SECONDS = 0.05  # the longest stay in the engine: how soon Ctrl-C and progress bars are served


class Event:
    """A call that every callback gets, and who has yet to get it.

    A save by one of them, or an exception, comes before the others have heard: the next ``fit`` tells those first.

    Parameters
    ----------
    name : str
        The method.
    arguments : sequence
        After the trainer.
    waiting : iterable of Callback or str
        From a file, the keys that their states have there.
    """

    def __init__(self, name: str, arguments: Sequence[Any], waiting: Iterable[Callback | str]) -> None:
        self.name = name
        self.arguments = arguments
        self.waiting = list(waiting)

    def tell(self, trainer: Trainer) -> None:
        while self.waiting:
            callback: Any = self.waiting.pop(0)
            getattr(callback, self.name)(trainer, *self.arguments)

    def meet(self, named: Mapping[str, Callback]) -> None:
        """These callbacks are there now, by key; others will not hear of it."""
        waiting = [named.get(item) if isinstance(item, str) else item for item in self.waiting]
        self.waiting = [callback for callback in named.values() if any(callback is item for item in waiting)]


class Loop:
    """One call of ``fit``: everything has been checked."""

    def __init__(
        self,
        trainer: Trainer,
        data: Dataset,
        validation: Dataset | None,
        batch_size: int,
        callbacks: Sequence[Callback],
        max_seconds: float | None,
    ) -> None:
        self.trainer = trainer
        self.training = trainer._training
        self.data = data
        self.validation = validation
        self.batch_size = batch_size
        self.callbacks = callbacks
        self.file = memory_maps.mapped_file(data.X)
        self.by_step = any(_overrides(callback, "on_step_end") for callback in callbacks)
        self.pausing = [callback for callback in callbacks if _overrides(callback, "on_pause")]
        self.deadline = math.inf if max_seconds is None else time.monotonic() + max_seconds
        self.steps_per_epoch = -(-len(data) // batch_size)

    def run(self, last: int, progress: bool | str) -> None:
        """Completes the epochs up to number ``last``, or stops before."""
        trainer = self.trainer
        with Interrupts(self.training) as self.interrupts, Progress(progress, self, last) as self.progress:
            for callback in self.callbacks:
                callback.on_fit_begin(trainer)
            trainer._tell_untold(self.callbacks)
            while trainer.epoch < last and not self.is_over():
                self.train()
                if self.training.position < len(self.data):
                    break
                self.end_epoch()
            for callback in self.callbacks:
                callback.on_fit_end(trainer)

    def tell(self, name: str, *arguments: Any) -> None:
        """Calls a method of every callback."""
        if self.callbacks:
            self.trainer._untold = Event(name, arguments, self.callbacks)
            self.trainer._untold.tell(self.trainer)

    def is_over(self) -> bool:
        """Whether the run was asked to stop, or its time is up."""
        return self.trainer._stopping or time.monotonic() >= self.deadline

    def train(self) -> None:
        """The rest of the epoch, or as much of it as there is time for."""
        trainer, training, data = self.trainer, self.training, self.data
        n = len(data)
        is_new, trainer._epoch_rows = not trainer._epoch_rows, n
        if is_new:
            self.tell("on_epoch_begin", trainer.epoch + 1)
        order = random.permutation(n, trainer.seed, trainer.epoch, self.interrupts.check) if trainer.shuffle else None
        first = training.steps
        rates = trainer._rates(first, first + -(-(n - training.position) // self.batch_size))
        while training.position < n and not self.is_over():
            done = training.steps - first
            ahead = rates[done : done + 1] if self.by_step else rates[done:]
            seconds = min(SLICE_SECONDS, max(0.0, self.deadline - time.monotonic()))
            try:
                training.run(data.X, data.y, data.weights, order, self.batch_size, ahead, seconds)
            except Diverged as error:
                raise trainer._diverged(error) from None
            if self.by_step and training.steps > first + done:
                self.tell("on_step_end", training.steps)
            memory_maps.give_back(self.file)
            if training.position < n:
                for callback in self.pausing:
                    callback.on_pause(trainer)
            self.progress.update()
            self.interrupts.check()

    def end_epoch(self) -> None:
        """Validates, records the epoch and tells the callbacks. Until it is recorded the epoch counts as unfinished."""
        trainer, training = self.trainer, self.training
        loss_sum, hit_sum, weight_sum = training.sums
        with standard_environment():
            values = {"loss": loss_sum / weight_sum}
            if not math.isfinite(values["loss"]):  # though the losses of all batches were
                raise trainer._diverged(Diverged(training.steps, "the loss", -1))
            if trainer.loss.classifies:
                values["accuracy"] = hit_sum / weight_sum
        values["learning_rate"] = float(trainer._rates(training.steps - 1, training.steps)[0])
        if self.validation is not None:
            found = evaluate(trainer, self.validation, self.interrupts)
            values |= {f"val_{name}": value for name, value in found.items()}
        training.end_epoch()
        trainer._epoch_rows = 0
        trainer._record(values)
        self.tell("on_epoch_end", trainer.epoch, values)
        self.progress.end_epoch(values)
        self.interrupts.check()


def evaluate(trainer: Trainer, data: Dataset, interrupts: Interrupts | None = None) -> dict[str, float]:
    """Loss, accuracy and metrics over ``data``.

    Taken in blocks whose size follows from the network alone, so that Ctrl-C is heard and the sums are the same
    everywhere.
    """
    with standard_environment():
        return _evaluate(trainer, data, interrupts)


def _evaluate(trainer: Trainer, data: Dataset, interrupts: Interrupts | None) -> dict[str, float]:
    network = trainer.network
    n, block = len(data), network._rows_per_block
    file = memory_maps.mapped_file(data.X)
    outputs = np.empty((n, network.n_outputs), network._np_dtype) if trainer.metrics else None
    losses, hits, weights = np.zeros((3, -(-n // block)))
    for number, start in enumerate(range(0, n, block)):
        rows = slice(start, min(start + block, n))
        part = None if data.weights is None else data.weights[rows]
        out = None if outputs is None else outputs[rows]
        losses[number], hits[number] = trainer._training.evaluate(data.X[rows], data.y[rows], part, out)
        weights[number] = rows.stop - start if part is None else random.lane_sum(part)
        memory_maps.give_back(file)
        if interrupts is not None:
            interrupts.check()
    total = random.lane_sum(weights)
    values = {"loss": _joined(losses, weights, total)}
    if trainer.loss.classifies:
        values["accuracy"] = _joined(hits, weights, total)
    for metric in trainer.metrics:
        values[metric.name] = metric(trainer.loss.predictions(outputs), data.y, data.weights)  # type: ignore[arg-type]
    return values


def _joined(means: np.ndarray, weights: np.ndarray, total: float) -> float:
    return float(means[0]) if len(means) == 1 else random.lane_sum(means * weights) / total


def _overrides(callback: Callback, name: str) -> bool:
    return getattr(type(callback), name) is not getattr(Callback, name) or name in vars(callback)


class Interrupts:
    """Ctrl-C during a run: the engine returns as soon as it can, and what Ctrl-C did before happens at a safe point.

    A second Ctrl-C, before that point, does not wait for it. Outside of the main thread nothing is changed.
    """

    def __init__(self, training: Any) -> None:
        self.training = training
        self.caught: tuple[int, FrameType | None] | None = None
        self.outer: Any = None

    def __enter__(self) -> Self:
        import signal
        import threading  # here, as `import fastnn` does without both

        if threading.current_thread() is threading.main_thread():
            outer = signal.getsignal(signal.SIGINT)
            if callable(outer):  # neither ignored, nor the system's, nor another program's
                self.outer = outer
                signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.caught is not None:
            self.outer(number, frame)
        self.caught = number, frame
        self.training.interrupt()

    def check(self) -> None:
        """The safe point."""
        if self.caught is not None:
            caught, self.caught = self.caught, None
            self.outer(*caught)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.outer is not None:
            import signal

            signal.signal(signal.SIGINT, self.outer)
            if kind is None:
                self.check()


class Progress:
    """A bar by tqdm, in terminals and notebooks, that counts updates; or nothing."""

    def __init__(self, wanted: bool | str, loop: Loop, last_epoch: int) -> None:
        self.loop = loop
        self.last_epoch = last_epoch
        self.bar: Any = None
        if wanted is False:
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            if wanted == "auto":
                return
            raise ImportError("progress needs tqdm: pip install 'fastnn[progress]'") from None
        trainer = loop.trainer
        done = -(-trainer._training.position // loop.batch_size)
        total = max(0, last_epoch - trainer.epoch) * loop.steps_per_epoch - done
        self.first = trainer._training.steps
        # disable=None: no bar where the output is not a terminal
        self.bar = tqdm(total=total, unit="step", disable=None if wanted == "auto" else False)
        self.bar.set_description(self.title(trainer.epoch + 1), refresh=False)

    def title(self, epoch: int) -> str:
        return f"epoch {min(epoch, self.last_epoch)}/{self.last_epoch}"

    def update(self) -> None:
        if self.bar is not None:
            self.bar.update(self.loop.training.steps - self.first - self.bar.n)

    def end_epoch(self, values: dict[str, float]) -> None:
        if self.bar is not None:
            shown = {name: f"{value:.4g}" for name, value in values.items() if name != "learning_rate"}
            self.bar.set_postfix(shown, refresh=False)
            self.bar.set_description(self.title(self.loop.trainer.epoch + 1), refresh=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


def checked_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """``callbacks`` as a tuple; one callback stands for itself."""
    given = checks.listed(callbacks, (Callback, type), "callbacks")
    for callback in given:
        if not isinstance(callback, Callback):
            hint = f": write {callback.__name__}(...)" if isinstance(callback, type) else ""
            raise TypeError(f"callbacks must hold fastnn.Callback objects; got {checks.described(callback)}{hint}")
    return given
