"""The command ``fastnn train``: on a built-in data set, or on a table in a file."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from fastnn._readers import delimited
from fastnn.cli import checkpoints, display, fitting, opening, run
from fastnn.cli.built_in.datasets import DATASETS
from fastnn.cli.failures import INTERRUPTED, Failure, RunFailure, reason
from fastnn.cli.fitting import Result
from fastnn.cli.folder import claimed
from fastnn.cli.hyperparameters import Hyperparameters, flag
from fastnn.cli.options import GroupedCommand, Name
from fastnn.cli.progress import ShowProgress
from fastnn.cli.run import Run
from fastnn.cli.sources import Division
from fastnn.cli.tables.files import is_table
from fastnn.cli.tables.options import TableOptions, batch_size, with_defaults
from fastnn.cli.train_options import training_options
from fastnn.cli.writing import write
from fastnn.errors import DivergedError

ENDINGS = f"{', '.join(delimited.TABLE_ENDINGS[:-1])} or {delimited.TABLE_ENDINGS[-1]}"


class SourceName(Name):
    """The name of a built-in data set, or a table in a file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if is_table(text) or os.path.exists(text) or any(sign in text for sign in "./\\"):
            return value  # whose error says what a table is
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message}, nor a table in a file, which ends in {ENDINGS}", param, ctx)

    def get_missing_message(self, *_args: Any, **_keywords: Any) -> str:
        return f"Expected a table in a file, which ends in {ENDINGS}, or a built-in data set: {', '.join(DATASETS)}"


@click.command(cls=GroupedCommand, short_help="Train on a table in a file, or on a built-in data set.")
@click.argument("dataset", type=SourceName(tuple(DATASETS)), metavar="DATA")
@training_options
@click.pass_context
def train(
    ctx: click.Context,
    dataset: str,
    output: Path | None,
    quiet: bool,
    checkpoint_every: dict[str, Any] | None,
    resume: bool,
    **given: Any,
) -> None:
    """Train a network and test it on rows held out.

    DATA is a table in a file (.csv, .tsv, .txt, these with .gz, .parquet, .arrow), of which a column is predicted from
    the others, or the name of a built-in data set: digits, 1,797 handwritten digits of 8×8 pixels (UCI).

    Writes model.safetensors, record.json and learning_curve.png. `fastnn predict` applies the model, to a table as it
    is: what was done to the columns is in the model file.

    With --checkpoint-every it saves checkpoint.safetensors while it trains. If the run is interrupted, the
    same command with --resume continues from there, and ends with the same bits; then the checkpoint is removed.
    """
    by_hand = {name for name in given if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT}
    out = display.console(quiet)
    try:
        prepared = _prepared(ctx, dataset, given, by_hand)
        folder = output or Path("runs", prepared.source.name)
        ctx.with_resource(claimed(folder))
        prepared, saving = checkpoints.begin(prepared, folder, checkpoint_every, resume)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None
    prepared.source.show(out)
    display.show(out, display.network_table(prepared.trainer.network))
    display.show(out, display.hyperparameter_table(prepared.chosen.described()))
    try:
        with ShowProgress(out, prepared.chosen.epochs, prepared.validation_accuracy) as progress:
            result = fitting.fit(prepared, progress, saving)
        paths = write(folder, prepared, result)
        if saving is not None and not result.interrupted:
            saving.remove()
    except DivergedError as error:
        raise RunFailure(error) from None
    except OSError as error:
        raise Failure(reason(error)) from None
    _show_result(out, prepared, result, paths)
    if result.interrupted:
        click.echo("fastnn: interrupted; what was trained by then has been written", err=True)
        ctx.exit(INTERRUPTED)


def _prepared(ctx: click.Context, dataset: str, given: dict[str, Any], by_hand: set[str]) -> Run:
    """Make a run of what was chosen: ``given`` with defaults, of which some names were chosen ``by_hand``."""
    of_table = {field.name: given.pop(field.name) for field in dataclasses.fields(TableOptions)}
    on_table = dataset not in DATASETS
    if on_table:
        given = with_defaults(given, by_hand)
    else:
        for name in sorted(by_hand & of_table.keys()):
            raise click.UsageError(f"{flag(name)} is for tables in files", ctx)
    chosen = Hyperparameters.of(given)
    try:
        chosen.check(by_hand)
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from None
    division = Division(chosen.test_fraction, chosen.validation_fraction, chosen.split_seed, chosen.dtype)
    source = opening.opened(dataset, TableOptions(**of_table), division, given["loss"])
    chosen = dataclasses.replace(chosen, loss=source.loss)
    for name in ("label_smoothing", "class_weight"):  # now that the loss is known
        if name in by_hand and name in chosen.unused:
            raise ValueError(f"{flag(name)} is for {chosen.unused[name]}; the loss is {chosen.loss}")
    if on_table and "batch_size" not in by_hand:
        chosen = dataclasses.replace(chosen, batch_size=batch_size(source.parts.sizes["train"]))
    return run.prepare(source, chosen)


def _show_result(out: Console, done: Run, result: Result, paths: dict[str, Path]) -> None:
    """Show what came of a run; in one line where the console is quiet."""
    source, digest = done.source, done.trainer.network.digest()
    summary = {
        **source.summary(result.scores),
        "training time": f"{result.seconds:.2f} s, {done.trainer.history.epochs} epochs",
        "best epoch": result.best_epoch,
        "digest": digest,
        **paths,
    }
    out.print()
    source.show_scores(out, result.scores)
    values = {name: value for name, value in summary.items() if value is not None}
    display.show(out, display.values_table("Result", values), whole=True)
    if out.quiet:
        click.echo(f"test {source.brief(result.scores)}, digest {digest}, {paths['model']}")
