"""The commands ``fastnn train``, ``reproduce``, ``predict`` and ``info``, and the group that ``verify`` joins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.markup import escape

from fastnn import data, optimizers
from fastnn._cli import display, models, repeat, run
from fastnn._cli.datasets import DATASETS, Failure, RunFailure, predictions_csv, read_rows, reason, write_predictions
from fastnn._cli.options import GroupedCommand, Name, Number, Units, Word, group
from fastnn._cli.plot import page
from fastnn._cli.verify import INTERRUPTED, verify
from fastnn._config import config
from fastnn._version import __version__
from fastnn.errors import DivergedError

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
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


@fastnn.command(cls=GroupedCommand, short_help="Train a classifier on a built-in data set.")
@click.argument("dataset", type=Name(tuple(DATASETS)), metavar="DATASET")
@in_network("--hidden", type=Units(), metavar="N,N…|none", default="256", help="Units of each hidden layer.")
@in_network(
    "--activation",
    type=Name(run.HIDDEN_ACTIVATIONS),
    default="relu",
    help=f"Of the hidden layers: {', '.join(run.HIDDEN_ACTIVATIONS)}.",
)
@in_network(
    "--dropout",
    metavar="X",
    type=Number(high=1.0, below=True),
    default=0.3,
    help="Share of hidden units dropped while training.",
)
@in_network("--layer-norm", is_flag=True, help="Layer normalisation before each activation.")
@in_network("--dtype", type=Name(("float32", "float64")), default="float32", help="float32 or float64.")
@in_training("--loss", type=Name(tuple(run.OUTPUTS)), default="cross_entropy", help=f"{', '.join(run.OUTPUTS)}.")
@in_training(
    "--label-smoothing",
    metavar="X",
    type=Number(high=1.0, below=True),
    default=0.0,
    help="Share of each target spread over all classes.",
)
@in_training(
    "--optimizer", type=Name(tuple(optimizers.OPTIMIZERS)), default="adamw", help=f"{', '.join(optimizers.OPTIMIZERS)}."
)
@in_training(
    "--learning-rate",
    metavar="X",
    type=Number(above=True),
    without="by optimizer; 0.003 for adamw",
    help="The first or, where it rises, the highest.",
)
@in_training(
    "--momentum",
    metavar="X",
    type=Number(high=1.0, below=True),
    without="0.9 for sgd, 0 for rmsprop",
    help="Of sgd and rmsprop.",
)
@in_training("--weight-decay", metavar="X", type=Number(), default=0.01, help="Decoupled; of weights only.")
@in_training(
    "--clip-norm", metavar="X", type=Number(above=True), without="off", help="Largest norm of the whole gradient."
)
@in_training(
    "--batch-size", type=Word("full"), metavar="N|full", default="64", help="Rows of a step; full: all of them."
)
@in_training("--epochs", type=click.IntRange(1), metavar="N", default=60, help="Passes over the training data.")
@in_training(
    "--patience",
    type=click.IntRange(1),
    metavar="N",
    without="off",
    help="Stop after N epochs without a better validation loss, and keep the best parameters.",
)
@in_schedule("--schedule", type=Name(run.SCHEDULES), default="cosine", help=f"{', '.join(run.SCHEDULES)}.")
@in_schedule("--warmup", type=click.IntRange(0), metavar="N", default=0, help="Epochs of linear warm-up in front.")
@in_schedule("--decay-every", type=click.IntRange(1), metavar="N", default=20, help="step: epochs between decays.")
@in_schedule(
    "--decay-factor",
    metavar="X",
    type=Number(high=1.0, above=True),
    without="0.1; exponential 0.95",
    help="step, exponential, plateau: what a decay multiplies by.",
)
@in_schedule(
    "--plateau-patience",
    type=click.IntRange(0),
    metavar="N",
    default=5,
    help="plateau: epochs to wait for a better loss.",
)
@in_data(
    "--test-fraction",
    metavar="X",
    type=Number(high=1.0, above=True, below=True),
    default=0.2,
    help="Share of the data held out for the final test.",
)
@in_data(
    "--validation-fraction",
    metavar="X",
    type=Number(high=1.0, below=True),
    default=0.1,
    help="Share of the rest to validate each epoch with; 0: none.",
)
@in_data(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    default=0,
    help="Decides the run: initial parameters, shuffling, dropout, split.",
)
@in_data(
    "--split-seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    without="the seed",
    help="Decides the split instead.",
)
@in_output(
    "--threads", type=Word("auto"), metavar="N|auto", default="auto", help="At most so many; the result is the same."
)
@in_output(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    without="runs/DATASET",
    metavar="FOLDER",
    help="Where model, record and picture go.",
)
@in_output("--quiet", "-q", is_flag=True, help="Print one line at the end.")
@click.pass_context
def train(ctx: click.Context, dataset: str, output: Path | None, quiet: bool, **given: Any) -> None:
    """Train a classifier on a built-in data set and test it on rows held out.

    DATASET is digits: 1,797 handwritten digits of 8×8 pixels (UCI).

    Writes model.safetensors, record.json and learning_curve.png.
    """
    chosen = run.Hyperparameters.of(given)
    for name, use in chosen.unused.items():
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {use}", ctx)
    source = DATASETS[dataset]
    folder = output or Path("runs", dataset)
    out = display.console(quiet)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        prepared = run.prepare(source, chosen)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None
    network = prepared.trainer.network
    sizes = ", ".join(f"{count:,} {part}" for part, count in prepared.sizes.items())
    out.print(f"[bold]{escape(source.title)}[/]: {sizes}\n")
    display.show(out, display.network_table(network))
    display.show(out, display.hyperparameter_table(chosen.described()))
    try:
        with display.ShowProgress(out, chosen.epochs, prepared.validation_accuracy) as progress:
            result = run.fit(prepared, [progress])
        paths = run.write(folder, prepared, result)
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
    if quiet:
        click.echo(
            f"test accuracy {display.percent(result.test_accuracy)}, digest {network.digest()}, {paths['model']}"
        )
    if result.interrupted:
        click.echo("fastnn: interrupted; what was trained by then has been written", err=True)
        ctx.exit(INTERRUPTED)


@fastnn.command(short_help="Repeat a run from its record and compare the bits.")
@click.argument("record", metavar="RECORD")
@click.option("--threads", type=Word("auto"), metavar="N|auto", default="auto", help="At most so many.")
@click.option("--quiet", "-q", is_flag=True, help="Print one line at the end.")
@click.pass_context
def reproduce(ctx: click.Context, record: str, threads: int | str, quiet: bool) -> None:
    """Repeat a run from its record alone and compare the bits.

    RECORD is the record.json that `fastnn train` wrote, here or on another machine. The exit status is 0 if the network
    trained anew has the digest that the record states, and 1 if it has another.
    """
    wanted = repeat.read(record)
    out = display.console(quiet)
    out.print(f"[bold]{escape(record)}[/]: {escape(repeat.title(wanted))}\n")
    epochs = repeat.epochs(wanted)
    try:
        with display.ShowProgress(out, epochs) as progress:
            result = repeat.reproduce(record, wanted, threads, [progress])
    except KeyboardInterrupt:
        click.echo("fastnn: interrupted", err=True)
        ctx.exit(INTERRUPTED)
    here = repeat.environment()
    out.print()
    display.show(out, display.network_table(result.trainer.network))
    display.show(out, display.comparison_table("Environment", wanted["environment"], here))
    outcome = {"expected digest": result.expected, "found digest": result.found, "same bits": result.is_same}
    if result.first_difference is not None:
        outcome["first difference"] = repeat.difference(result.first_difference)
    display.show(out, display.values_table("Result", outcome))
    if not result.is_same:
        raise RunFailure(repeat.failure(result, wanted["environment"], here))
    if quiet:
        click.echo(f"reproduced, digest {result.found}")


@fastnn.command(short_help="Predict with a model that train wrote.")
@click.argument("model", metavar="MODEL")
@click.argument("rows", metavar="[DATA]", required=False)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    help="Write all rows there (.csv or .npy; - is CSV on stdout) instead of showing some.",
)
@click.option(
    "--rows",
    "n_shown",
    type=click.IntRange(0),
    metavar="N",
    default=SHOWN_ROWS,
    show_default=True,
    help="Rows to show.",
)
def predict(model: str, rows: str | None, output: str | None, n_shown: int) -> None:
    """Predict with a model that `fastnn train` wrote.

    DATA is a .npy or .csv file of raw features, as they were before training, or the name of a built-in data set:
    the rows that the model was not trained on. That is also the default.
    """
    if output is not None and output != "-" and not output.lower().endswith((".csv", ".npy")):
        raise Failure(f"--output must end in .csv or .npy, or be - ; got {output}")
    network = models.load(model)
    metadata = network.metadata
    name = rows or str(metadata.get("data", "digits"))
    true = None
    if name in DATASETS:
        X, true, name = _held_out(name, metadata)
    else:
        X = read_rows(name)
    try:
        outputs = network.predict(run.scaled(X, metadata["divisor"], network.dtype))
    except (TypeError, ValueError) as error:
        raise Failure(f"{name}: {error}") from None
    classes = models.classes(network)
    labels = [classes[number] for number in outputs.argmax(axis=1)]

    if output == "-":
        click.echo(predictions_csv(labels, outputs, classes), nl=False)
        return
    out = display.console()
    if output is None:
        expected = None if true is None else [classes[number] for number in true]
        display.show(out, display.prediction_table(n_shown, labels, outputs, expected))
    else:
        try:
            write_predictions(output, labels, outputs, classes)
        except OSError as error:
            raise Failure(reason(error)) from None
        out.print(f"{len(labels):,} rows written to {escape(output)}")
    if true is not None:
        out.print(f"accuracy on {escape(name)}: {display.percent(float(np.mean(outputs.argmax(axis=1) == true)))}")


def _held_out(name: str, metadata: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows of a built-in data set that the model was not trained on, with labels, and what they are."""
    X, y = DATASETS[name].load()
    if metadata.get("data") != name:
        return X, y, f"all {len(y):,} rows of {name}"
    _, X, _, y = data.split(X, y, metadata["test_fraction"], metadata["split_seed"], stratify=True)
    return X, y, f"the {len(y):,} rows of {name} that were held out"


@fastnn.command(short_help="Show what is in a model file.")
@click.argument("model", metavar="MODEL")
def info(model: str) -> None:
    """Show what is in a model file: layers, parameters, digest, metadata."""
    network = models.load(model)
    out = display.console()
    out.print(f"[bold]{escape(model)}[/]: {os.path.getsize(model):,} bytes\n")
    display.show(out, display.network_table(network))
    values = {
        "dtype": network.dtype,
        "seed": network.seed,
        "digest": network.digest(),
        "numerics_version": config()["numerics version"],
        **network.metadata,
    }
    display.show(out, display.values_table("Model", {name.replace("_", " "): value for name, value in values.items()}))


fastnn.add_command(verify)
fastnn.add_command(page)
