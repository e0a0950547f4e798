"""Ctrl-C at every line of fastnn that a run goes through: a KeyboardInterrupt, and then the unbroken bits.

python -m faults.lines 1, in this folder's parent; 10: at every tenth line
"""

import json
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import fastnn as fn
from faults import jobs

PACKAGE = os.path.dirname(fn.__file__)
EPOCHS = 3


class Run:
    """A short run, loaded from a file in its first epoch, so that it goes through what resumed runs do."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "begun"
        if not self.path.exists():
            trainer = self._new()
            stop = fn.LambdaCallback(on_step_end=lambda trainer, step: trainer.stop())
            trainer.fit(*jobs.data(), validation_fraction=0.2, callbacks=stop)
            trainer.save(self.path)
        self.trainer = fn.Trainer.load(self.path)
        self.callbacks = [fn.EarlyStopping(1, "val_loss"), fn.Checkpoint(folder / "run", steps=2)]

    def _new(self):
        usual = jobs.new_trainer()
        return fn.Trainer(usual.network, "cross_entropy", usual.optimizer, batch_size=150, seed=5)

    def finish(self):
        """The rest of the run; where early stopping has ended it before, nothing is left to do."""
        stopping = self.callbacks[0]
        if not stopping._ended:
            epochs = EPOCHS - self.trainer.epoch
            self.trainer.fit(*jobs.data(), epochs, validation_fraction=0.2, callbacks=self.callbacks)
        return self.trainer.network.digest(), dict(self.trainer.history), stopping.best_epoch


class Press:
    """Presses Ctrl-C once, before line number ``at`` of those that run."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.lines = 0
        self.where = ""

    def trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                self.where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self.trace

    def __enter__(self):
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_):
        sys.settrace(None)


def interrupts_at_lines(folder: Path, every: int) -> Counter:
    """Presses Ctrl-C once in each of many runs, at every so many lines; counts what came of it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    counts = Counter()
    expected = Run(folder).finish()
    with Press(None) as press:
        run = Run(folder)
        skipped = press.lines
        run.finish()
    for at in range(skipped + 1, press.lines + 1, every):
        with Press(at) as pressed:
            try:
                run = Run(folder)
                run.finish()
                counts["not interrupted"] += 1
            except KeyboardInterrupt:
                counts["interrupted"] += 1
        try:
            found = run.finish()
        except Exception as error:
            raise AssertionError(f"after Ctrl-C at {pressed.where}, the run could not go on") from error
        assert found == expected, f"after Ctrl-C at {pressed.where}, the run ended with other bits"
    return counts


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(interrupts_at_lines(Path(folder), int(sys.argv[1]))))
