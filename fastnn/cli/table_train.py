"""``fastnn train`` on a table: the steps, what is shown of them, and the files they leave."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from fastnn import records
from fastnn.cli import checkpoints, display, run, table_display, table_run
from fastnn.cli.datasets import Failure, RunFailure, reason
from fastnn.cli.folder import claimed
from fastnn.cli.run import Hyperparameters
from fastnn.cli.table_files import open_table
from fastnn.cli.table_run import Division, Scores, TableOptions, TableRun
from fastnn.errors import DivergedError
from fastnn.tables import Classes

BASELINES = {
    "cross_entropy": "majority class",
    "binary_cross_entropy": "majority class",
    "mean_squared": "mean",
    "mean_absolute": "median",
    "huber": "median",
    "pinball": "same quantiles",
}


def train(
    path: str,
    options: TableOptions,
    chosen: Hyperparameters,
    loss: str | None,
    batch_by_rows: bool,
    folder: Path,
    checkpoint_every: dict[str, Any] | None,
    resume: bool,
    out: Console,
) -> bool:
    """Trains on a table, shows and writes what came of it; whether Ctrl-C ended that.

    Raises
    ------
    Failure, RunFailure
    """
    try:
        file = open_table(path)
        part = file.read()
        if not len(part.rows):
            raise ValueError(f"{path}: the table has no rows")
        division = Division(chosen.test_fraction, chosen.validation_fraction, chosen.split_seed, chosen.dtype)
        parts = table_run.split(path, part, options, division, loss)
        if chosen.label_smoothing and parts.loss != "cross_entropy":
            raise ValueError(f"--label-smoothing is for the loss cross_entropy; the loss is {parts.loss}")
        size = table_run.batch_size(len(parts.train.y)) if batch_by_rows else chosen.batch_size
        chosen = dataclasses.replace(chosen, loss=parts.loss, batch_size=size)
        prepared = table_run.prepare(parts, chosen)
        click.get_current_context().with_resource(claimed(folder))
        described = prepared.described(options)
        prepared, saving = checkpoints.begin(prepared, folder, checkpoint_every, resume, described, parts.fingerprints)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None
    network = prepared.trainer.network
    table_display.show_table(out, path, file, parts)
    display.show(out, display.network_table(network))
    display.show(out, display.hyperparameter_table(chosen.described()))
    given = prepared.given()
    try:
        with display.ShowProgress(out, chosen.epochs) as progress:
            seconds, interrupted = run.timed_fit(
                prepared.trainer, chosen.epochs, {**given, "callbacks": [*prepared.stopping, progress]}, saving
            )
        scores = table_run.score(
            prepared.model,
            parts.test.values,
            parts.target.predicted(network.predict(parts.test.X), network.plan.output_activation),
        )
        paths = _write(folder, path, options, prepared, scores, seconds, interrupted)
        if saving is not None and not interrupted:
            saving.remove()
    except DivergedError as error:
        raise RunFailure(error) from None
    except OSError as error:
        raise Failure(reason(error)) from None

    summary: dict[str, Any] = {
        "training time": f"{seconds:.2f} s, {prepared.trainer.history.epochs} epochs",
        "best epoch": run.best_epoch(prepared.stopping),
        "digest": network.digest(),
        **paths,
    }
    out.print()
    table_display.show_scores(out, scores, parts.target, BASELINES[parts.loss], len(parts.test.y), "rows held out")
    display.show(
        out, display.values_table("Result", {name: value for name, value in summary.items() if value is not None})
    )
    if out.quiet:
        name, value = next(iter(scores.model.items()))
        click.echo(f"test {name.replace('_', ' ')} {value:.6g}, digest {network.digest()}, {paths['model']}")
    return interrupted


def _write(
    folder: Path,
    path: str,
    options: TableOptions,
    prepared: TableRun,
    scores: Scores,
    seconds: float,
    interrupted: bool,
) -> dict[str, Path]:
    """Writes model, record and, unless no epoch was completed, picture; gives their paths."""
    trainer, chosen, parts = prepared.trainer, prepared.chosen, prepared.parts
    paths = {"model": folder / "model.safetensors", "record": folder / "record.json"}
    trainer.network.metadata = {"trained_on": os.path.basename(path), "test_scores": scores.model}
    prepared.model.save(paths["model"])
    record = records.run_record(
        trainer,
        **prepared.given(),
        hyperparameters=chosen.described(),
        seeds={"split": chosen.split_seed},
        data={
            "file": path,
            "columns": parts.fingerprints,
            "table": options.described() | {"loss": parts.loss, "target": parts.target.name},
            "test_fraction": chosen.test_fraction,
            "validation_fraction": chosen.validation_fraction,
            "rows": parts.sizes,
            "classes": list(parts.target.labels) if isinstance(parts.target, Classes) else None,
        },
        results={
            "test_scores": scores.model,
            "baseline_scores": scores.baseline,
            "confusion": scores.confusion,
            "best_epoch": run.best_epoch(prepared.stopping),
            "seconds": seconds,
            "interrupted": interrupted,
        },
    )
    records.write(paths["record"], record)
    if trainer.history.epochs:
        paths["picture"] = folder / "learning_curve.png"
        run.draw(paths["picture"], trainer.history, *(["accuracy"] if parts.loss == "cross_entropy" else []))
    return paths
