"""Checkpoints of ``fastnn train``: saving a run while it trains, and resuming an interrupted one."""

from __future__ import annotations

import dataclasses
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from fastnn import callbacks, data, records
from fastnn._storage import durable
from fastnn.cli.display import shown
from fastnn.cli.failures import Failure, reason
from fastnn.cli.run import Run
from fastnn.training import Trainer

NAME = "checkpoint.safetensors"
_RUN, _EVERY = "run", "checkpoint_every"  # what a checkpoint says beyond the trainer


class RunCheckpoint(callbacks.Checkpoint):
    """A checkpoint of a run of ``fastnn train``, which also knows how long all its parts have trained.

    Attributes
    ----------
    elapsed : float
        Seconds of training, of the parts before this one too.
    """

    def __init__(self, path: Path, every: Mapping[str, Any]) -> None:
        super().__init__(path, **every)
        self._before, self._start = 0.0, time.perf_counter()

    @property
    def elapsed(self) -> float:
        return self._before + time.perf_counter() - self._start

    def on_fit_begin(self, trainer: Trainer) -> None:
        super().on_fit_begin(trainer)
        self._start = time.perf_counter()

    def save(self, trainer: Trainer) -> None:
        """Save now, whatever the interval."""
        self._save(trainer)

    def remove(self) -> None:
        """Remove what was saved: the run has ended in order."""
        for path in (self.path, durable.previous(self.path)):
            if os.path.exists(path):
                os.remove(path)

    def get_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        values, arrays = super().get_state()
        return values | {"elapsed": self.elapsed}, arrays

    def set_state(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        super().set_state(values, arrays)
        self._before = values["elapsed"]


def begin(run: Run, folder: Path, every: Mapping[str, Any] | None, resume: bool) -> tuple[Run, RunCheckpoint | None]:
    """Put a run where it stood, if it is resumed, and make what saves it while it trains, if anything.

    Parameters
    ----------
    run : Run
        Before its first step.
    folder : Path
        Of the run.
    every : mapping, optional
        An interval, as `fastnn.Checkpoint` takes it. A resumed run keeps the one it had.
    resume : bool

    Raises
    ------
    Failure
        If the checkpoint is damaged, or that of another run; or if there is one of a run that should begin anew, which
        would be lost.
    """
    path, described = folder / NAME, _description(run)
    is_there = path.exists() or os.path.exists(durable.previous(path))
    if resume and is_there:
        trainer, said = _load(path, run.chosen.threads)
        _compare(path, said[_RUN], described)
        run = dataclasses.replace(run, trainer=trainer)
        every = said[_EVERY] if every is None else every
        click.echo(f"fastnn: resumes from {path}: {trainer.epoch} epochs, {trainer.steps:,} steps", err=True)
    elif resume:
        click.echo(f"fastnn: there is no {path}; the run starts from the beginning", err=True)
    elif is_there and every is not None:
        raise Failure(f"{path} is of a run that has not ended: add --resume to resume it, or remove the file")
    if every is None:
        return run, None
    run.trainer.network.metadata = {_RUN: described, _EVERY: dict(every)}
    return run, RunCheckpoint(path, every)


def _description(run: Run) -> dict[str, Any]:
    """Name what decides the bits of a run, by the option or the name that a person knows it by."""
    options = {**run.chosen.described(), **run.source.options()}
    del options["threads"]  # which decide nothing
    given = run.given()
    validation = given["validation_data"]
    return records.plain(
        {f"--{name.replace('_', '-')}": value for name, value in options.items()}
        | {f"values of the column {name!r}": value for name, value in run.source.fingerprints.items()}
        | {
            "rows to train on": data.fingerprint(given["X"], given["y"]),
            "rows to validate with": validation and data.fingerprint(*validation),
        }
    )


def _load(path: Path, threads: int | Literal["auto"]) -> tuple[Trainer, dict[str, Any]]:
    """Load the trainer of a checkpoint, and what the checkpoint says of the run."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            trainer = Trainer.load(path, threads)
        except (OSError, ValueError) as error:
            raise Failure(reason(error)) from None
    for warning in caught:
        click.echo(f"fastnn: {warning.message}", err=True)
    said = trainer.network.metadata
    if not all(isinstance(said.get(name), dict) for name in (_RUN, _EVERY)):
        raise Failure(f"{str(path)!r} is not a checkpoint of fastnn train")
    return trainer, said


def _compare(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to resume another run."""
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not differing:
        return
    options = [name for name in differing if name.startswith("--")]
    # Other options can make other rows of the same data: then they are the reason, and the rows only follow.
    found = [f"{name} was {_shown(before, name)}, is {_shown(now, name)}" for name in options] or [
        f"other {name}" for name in differing
    ]
    raise Failure(f"{path} is of another run: {'; '.join(found)}. Resume with the options and data that it had")


def _shown(values: Mapping[str, Any], name: str) -> str:
    return "not set" if values.get(name) is None else shown(values[name])
