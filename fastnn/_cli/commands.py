"""The commands ``fastnn train``, ``fastnn predict`` and ``fastnn info``."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.markup import escape

from fastnn import _config, callbacks, data, layers, optimizers
from fastnn._cli import display, models, run
from fastnn._cli.datasets import DATASETS, Failure, predictions_csv, read_rows, reason, write_predictions
from fastnn._cli.options import GroupedCommand, Name, Number, Units, Word, group
from fastnn._version import __version__

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
INTERRUPTED = 130
SHOWN_ROWS = 10

in_network = group("Network")
in_training = group("Training")
in_schedule = group("Learning-rate schedule")
in_data = group("Data and seeds")
in_output = group("Running and output")


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, "-V", "--version", prog_name="fastnn", message="%(prog)s %(version)s")
def fastnn() -> None:
    """Neural networks on CPUs: fast for small and medium networks, and the same bits on every machine."""


@fastnn.command(cls=GroupedCommand)
@click.argument("dataset", type=Name(tuple(DATASETS)), metavar="DATASET")
@in_network("--hidden", type=Units(), default="128", help="Units of each hidden layer.")
@in_network("--activation", type=Name(run.HIDDEN_ACTIVATIONS), default="relu", help=f"Of the hidden layers: {', '.join(run.HIDDEN_ACTIVATIONS)}.")
@in_network("--dropout", type=Number(high=1.0, below=True), default=0.2, help="Share of hidden units dropped while training.")
@in_network("--layer-norm", is_flag=True, help="Layer normalisation before each activation.")
@in_network("--dtype", type=Name(("float32", "float64")), default="float32", help="float32 or float64.")
@in_training("--loss", type=Name(tuple(run.OUTPUTS)), default="cross_entropy", help=f"{', '.join(run.OUTPUTS)}.")
@in_training("--label-smoothing", type=Number(high=1.0, below=True), default=0.0, help="Share of each target spread over all classes.")
@in_training("--optimizer", type=Name(tuple(optimizers.OPTIMIZERS)), default="adamw", help=f"{', '.join(optimizers.OPTIMIZERS)}.")
@in_training("--learning-rate", type=Number(above=True), show_default="the optimizer's", help="Of the optimizer; the highest of the schedule.")
@in_training("--momentum", type=Number(high=1.0, below=True), show_default="0.9 for sgd, 0 for rmsprop", help="Of sgd and rmsprop.")
@in_training("--weight-decay", type=Number(), default=0.01, help="Decoupled; of weights only.")
@in_training("--clip-norm", type=Number(above=True), show_default="off", help="Largest norm of the whole gradient.")
@in_training("--batch-size", type=Word("full"), default="64", help="Rows of a step; full: all of them.")
@in_training("--epochs", type=click.IntRange(1), metavar="N", default=60, help="Passes over the training data.")
@in_training("--patience", type=click.IntRange(1), metavar="N", show_default="off", help="Stop after N epochs without a better validation loss, and keep the best parameters.")
@in_schedule("--schedule", type=Name(run.SCHEDULES), default="cosine", help=f"{', '.join(run.SCHEDULES)}.")
@in_schedule("--warmup", type=click.IntRange(0), metavar="N", default=0, help="Epochs of linear warm-up in front.")
@in_schedule("--decay-every", type=click.IntRange(1), metavar="N", default=20, help="step: epochs between decays.")
@in_schedule("--decay-factor", type=Number(high=1.0, above=True), show_default="0.1; exponential 0.95", help="step, exponential, plateau: what a decay multiplies by.")
@in_schedule("--plateau-patience", type=click.IntRange(0), metavar="N", default=5, help="plateau: epochs to wait for a better loss.")
@in_data("--test-fraction", type=Number(high=1.0, above=True, below=True), default=0.2, help="Share of the data held out for the final test.")
@in_data("--validation-fraction", type=Number(high=1.0, below=True), default=0.1, help="Share of the rest to validate each epoch with; 0: none.")
@in_data("--seed", type=click.IntRange(0, 2**64 - 1), metavar="N", default=0, help="Decides the run: initial parameters, shuffling, dropout, split.")
@in_data("--split-seed", type=click.IntRange(0, 2**64 - 1), metavar="N", show_default="the seed", help="Decides the split instead.")
@in_output("--threads", type=Word("auto"), default="auto", help="At most so many; the result is the same.")
@in_output("--output", "-o", type=click.Path(file_okay=False, path_type=Path), show_default="runs/DATASET", metavar="FOLDER", help="Where model, record and picture go.")
@in_output("--quiet", "-q", is_flag=True, help="Print one line at the end.")
@click.pass_context
def train(ctx: click.Context, dataset: str, output: Path | None, quiet: bool, **given: Any) -> None:
    """Train a classifier on a built-in data set and test it on rows held out.

    \b
    DATASET is one of
      digits    1,797 handwritten digits of 8×8 pixels (UCI)

    Writes model.safetensors, record.json and learning_curve.png.
    """
    chosen = run.Hyperparameters(**given)
    for name, use in chosen.unused.items():
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {use}", ctx)
    chosen = run.completed(chosen)
    source = DATASETS[dataset]
    folder = output or Path("runs", dataset)
    out = display.console(quiet)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        prepared = run.prepare(source, chosen)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None

    out.print(f"[bold]fastnn {__version__}[/]: {escape(source.title)}; {prepared.sizes}\n")
    out.print(display.network_table(prepared.network))
    out.print(display.hyperparameter_table(chosen.described()))
    try:
        with display.ShowProgress(out, chosen.epochs) as progress:
            result = run.fit(prepared, [progress])
    except FloatingPointError as error:
        raise Failure(error, 1) from None

    out.print()
    out.print(display.confusion_table(result.confusion, source.classes))
    out.print(display.values_table("Result", result.summary()))
    try:
        paths = run.write(folder, prepared, result)
    except OSError as error:
        raise Failure(reason(error)) from None
    out.print(display.values_table("Written", paths))
    if quiet:
        click.echo(f"test accuracy {display.percent(result.test_accuracy)}  digest {result.digest}  {paths['model']}")
    if result.interrupted:
        ctx.exit(INTERRUPTED)
