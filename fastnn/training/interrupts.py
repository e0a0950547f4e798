"""Ctrl-C during a run."""

from __future__ import annotations

from types import FrameType, TracebackType
from typing import Any, Self

from fastnn._engine.training import Training


class Interrupts:
    """Ctrl-C during a run: the engine returns as soon as it can, and what Ctrl-C did before happens at a safe point.

    A second Ctrl-C, before that point, does not wait for it. Outside of the main thread nothing is changed.
    """

    def __init__(self, training: Training) -> None:
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
        """Do what Ctrl-C did before, if it was pressed: here it is safe."""
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
