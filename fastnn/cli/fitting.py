"""A run of ``fastnn train``: training, and the test on the rows held out."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fastnn import callbacks
from fastnn.cli.checkpoints import RunCheckpoint
from fastnn.cli.run import Run
from fastnn.cli.sources import Scores


@dataclass(frozen=True)
class Result:
    """A run after its last step; ``interrupted`` by Ctrl-C or not."""

    seconds: float
    interrupted: bool
    best_epoch: int | None
    scores: Scores


def fit(run: Run, watching: callbacks.Callback, saving: RunCheckpoint | None = None) -> Result:
    """Train, and test on the rows held out. Ctrl-C ends the training; what is there by then is saved and tested.

    Raises
    ------
    DivergedError
        If the loss or a parameter becomes NaN or infinite.
    """
    given = run.given()
    given["callbacks"] = [*run.stopping, watching]
    if saving is not None:
        given["callbacks"].append(saving)  # last: so that it saves what the others did
    start, interrupted = time.perf_counter(), False
    try:
        run.trainer.fit(max_epochs=run.chosen.epochs, **given)
    except KeyboardInterrupt:
        interrupted = True
        if saving is not None:
            saving.save(run.trainer)
    seconds = time.perf_counter() - start if saving is None else saving.elapsed
    return Result(seconds, interrupted, run.best_epoch, run.source.scores(run.trainer.network))
