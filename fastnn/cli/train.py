"""The command ``fastnn train``: on a built-in data set, or on a table in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from fastnn.cli import checkpoints, display, run, table_train
from fastnn.cli.datasets import DATASETS, Failure, RunFailure, is_table, reason
from fastnn.cli.folder import claimed
from fastnn.cli.options import GroupedCommand, Name
from fastnn.cli.table_run import DEFAULTS, LEARNING_RATES, TableOptions
from fastnn.cli.train_options import training_options
from fastnn.cli.verify import INTERRUPTED
from fastnn.errors import DivergedError


class Source(Name):
    """The name of a built-in data set, or a table in a file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_table(str(value)) or os.path.isfile(value) else super().convert(value, param, ctx)


@click.command(cls=GroupedCommand, short_help="Train on a table in a file, or on a built-in data set.")
@click.argument("dataset", type=Source(tuple(DATASETS)), metavar="DATA")
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

    DATA is a table (.csv, .tsv, .parquet, .arrow), of which a column is predicted from the others, or the name of a
    built-in data set: digits, 1,797 handwritten digits of 8×8 pixels (UCI).

    Writes model.safetensors, record.json and learning_curve.png. `fastnn predict` applies the model, to a table as it
    is: what was done to the columns is in the model file.

    With --checkpoint-every it saves checkpoint.safetensors while it trains. Should the run be broken off, the same
    command with --resume goes on from there, and ends with the same bits; then the checkpoint is removed.
    """
    chosen_by_hand = {
        name for name in given if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    }
    table = {name: given.pop(name) for name in list(given) if name in TableOptions.__dataclass_fields__}
    if dataset in DATASETS:
        for name in sorted(chosen_by_hand & table.keys()):
            raise click.UsageError(f"--{name.replace('_', '-')} is for tables in files", ctx)
    else:
        defaults = {name: value for name, value in DEFAULTS.items() if name not in chosen_by_hand}
        if given["validation_fraction"] == 0.0 and "validation_fraction" in chosen_by_hand:
            defaults.pop("patience", None)  # the training loss says little about when to stop
        given |= defaults
        if given["learning_rate"] is None:
            given["learning_rate"] = LEARNING_RATES.get(given["optimizer"])
    is_loss_open = given["loss"] is None
    chosen = run.Hyperparameters.of(given)
    for name, use in chosen.unused.items():
        if name in chosen_by_hand:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {use}", ctx)
    folder = output or Path("runs", dataset if dataset in DATASETS else Path(dataset).stem)
    out = display.console(quiet)
    if dataset in DATASETS:
        interrupted = _on_built_in(dataset, chosen, folder, checkpoint_every, resume, out)
    else:
        loss = None if is_loss_open else chosen.loss
        by_rows = "batch_size" not in chosen_by_hand
        interrupted = table_train.train(
            dataset, TableOptions(**table), chosen, loss, by_rows, folder, checkpoint_every, resume, out
        )
    if interrupted:
        click.echo("fastnn: interrupted; what was trained by then has been written", err=True)
        ctx.exit(INTERRUPTED)


def _on_built_in(
    dataset: str,
    chosen: run.Hyperparameters,
    folder: Path,
    checkpoint_every: dict[str, Any] | None,
    resume: bool,
    out: display.Console,
) -> bool:
    """Trains on a built-in data set; whether Ctrl-C ended that."""
    source = DATASETS[dataset]
    try:
        click.get_current_context().with_resource(claimed(folder))
        prepared, saving = checkpoints.begin(run.prepare(source, chosen), folder, checkpoint_every, resume)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None
    network = prepared.trainer.network
    sizes = ", ".join(f"{count:,} {part}" for part, count in prepared.sizes.items())
    out.print(f"[bold]{escape(source.title)}[/]: {sizes}\n")
    display.show(out, display.network_table(network))
    display.show(out, display.hyperparameter_table(chosen.described()))
    try:
        with display.ShowProgress(out, chosen.epochs, prepared.validation_accuracy) as progress:
            result = run.fit(prepared, [progress], saving)
        paths = run.write(folder, prepared, result)
        if saving is not None and not result.interrupted:
            saving.remove()
    except DivergedError as error:
        raise RunFailure(error) from None
    except OSError as error:
        raise Failure(reason(error)) from None

    summary = {
        "test accuracy": f"{display.percent(result.test_accuracy)} of {prepared.sizes['test']} rows held out",
        "training time": f"{result.seconds:.2f} s, {prepared.trainer.history.epochs} epochs",
        "best epoch": result.best_epoch,
        "digest": network.digest(),
        **paths,
    }
    out.print()
    display.show(out, display.confusion_table(result.confusion, source.classes))
    display.show(
        out, display.values_table("Result", {name: value for name, value in summary.items() if value is not None})
    )
    if out.quiet:
        click.echo(
            f"test accuracy {display.percent(result.test_accuracy)}, digest {network.digest()}, {paths['model']}"
        )
    return result.interrupted
