"""The options of ``fastnn train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fastnn.cli import objectives
from fastnn.cli.building import SCHEDULES
from fastnn.cli.hyperparameters import HIDDEN_ACTIVATIONS, MOMENTA
from fastnn.cli.options import (
    ClassWeights,
    Interval,
    Name,
    Names,
    Number,
    Quantiles,
    Separator,
    Units,
    Word,
    Words,
    group,
)
from fastnn.optimizers import OPTIMIZERS

TASKS = tuple(objectives.TASKS)

in_table = group("Table")
in_network = group("Network")
in_training = group("Training")
in_schedule = group("Learning-rate schedule")
in_data = group("Data and seeds")
in_output = group("Running and output")

OPTIONS = (
    in_table("--target", metavar="NAME", without="the last column", help="Column to predict."),
    in_table(
        "--task", type=Name(tuple(objectives.TASKS)), without="by the target", help=f"{' or '.join(objectives.TASKS)}."
    ),
    in_table(
        "--categorical",
        type=Names(),
        metavar="NAME,NAME…",
        without="texts",
        help="Columns of numbers that are categories.",
    ),
    in_table(
        "--numeric",
        type=Names(),
        metavar="NAME,NAME…",
        without="all but ids",
        help="Columns that are numbers, whatever they look like.",
    ),
    in_table("--ignore", type=Names(), metavar="NAME,NAME…", without="none", help="Columns to leave out."),
    in_table(
        "--max-categories",
        type=click.IntRange(1),
        metavar="N",
        default=50,
        help="Of a column; the most frequent stay apart.",
    ),
    in_table("--min-rows", type=click.IntRange(1), metavar="N", default=5, help="Categories of fewer rows are joined."),
    in_table(
        "--separator",
        type=Separator(),
        metavar="CHARACTER",
        without="found",
        help="Between the cells of a text file: , ; | tab space.",
    ),
    in_table("--log-target", is_flag=True, default=None, help="Learn log(1 + y) of a target y of at least 0."),
    in_table(
        "--missing",
        type=Words(),
        metavar="WORD,…|none",
        without="NA, None, ? …; not in texts",
        help="What means a missing cell, beside the empty one.",
    ),
    in_table(
        "--decimal",
        type=Name((".", ",")),
        metavar=".|,",
        without="by the column",
        help="Decimal sign where cells such as 5,361 leave it open.",
    ),
    in_network(
        "--hidden",
        type=Units(),
        metavar="N,N…|none",
        default="256",
        without="256; tables 64,64",
        help="Units of each hidden layer.",
    ),
    in_network(
        "--activation",
        type=Name(HIDDEN_ACTIVATIONS),
        default="relu",
        help=f"Of the hidden layers: {', '.join(HIDDEN_ACTIVATIONS)}.",
    ),
    in_network(
        "--dropout",
        metavar="X",
        type=Number(high=1.0, below=True),
        default=0.3,
        without="0.3; tables 0.2",
        help="Share of hidden units dropped while training.",
    ),
    in_network("--layer-norm", is_flag=True, help="Layer normalisation before each activation."),
    in_network("--rms-norm", is_flag=True, default=None, help="RMS normalisation instead."),
    in_network("--dtype", type=Name(("float32", "float64")), default="float32", help="float32 or float64."),
    in_training(
        "--loss",
        type=Name(objectives.ALL),
        without="cross_entropy; tables by task",
        help=f"{', '.join(objectives.OF_LABELS)}; tables also {', '.join(objectives.OF_TABLES)}.",
    ),
    in_training(
        "--quantiles",
        type=Quantiles(),
        metavar="Q,Q…",
        without="0.1,0.5,0.9",
        help=f"{', '.join(objectives.WITH_QUANTILES)}: which quantiles are predicted.",
    ),
    in_training(
        "--label-smoothing",
        metavar="X",
        type=Number(high=1.0, below=True),
        default=0.0,
        help="Share of each target spread over all classes.",
    ),
    in_training(
        "--class-weight",
        type=ClassWeights(),
        metavar="NAME=X,…|balanced",
        without="all alike",
        help="How much rows of a class count; balanced: classes count alike however many rows they have.",
    ),
    in_training(
        "--optimizer",
        type=Name(tuple(OPTIMIZERS)),
        default="adamw",
        help=f"{', '.join(OPTIMIZERS)}.",
    ),
    in_training(
        "--learning-rate",
        metavar="X",
        type=Number(above=True),
        without="by optimizer; 0.003 for adamw, tables 0.001",
        help="The first or, where it rises, the highest.",
    ),
    in_training(
        "--momentum",
        metavar="X",
        type=Number(high=1.0, below=True),
        without=", ".join(f"{value:g} for {name}" for name, value in MOMENTA.items()),
        help=f"Of {' and '.join(MOMENTA)}.",
    ),
    in_training(
        "--weight-decay",
        metavar="X",
        type=Number(),
        default=0.01,
        help="Of weights only, decoupled, with every optimizer: adam with it is adamw; 0: none.",
    ),
    in_training(
        "--clip-norm", metavar="X", type=Number(above=True), without="off", help="Largest norm of the whole gradient."
    ),
    in_training(
        "--batch-size",
        type=Word("full"),
        metavar="N|full",
        default="64",
        without="64; tables by rows",
        help="Rows of a step; full: all of them.",
    ),
    in_training(
        "--epochs",
        type=click.IntRange(1),
        metavar="N",
        default=60,
        without="60; tables 100",
        help="Passes over the training data.",
    ),
    in_training(
        "--patience",
        type=click.IntRange(1),
        metavar="N",
        without="off; tables 20",
        help="Stop after N epochs without a better validation loss, and keep the best parameters.",
    ),
    in_schedule("--schedule", type=Name(SCHEDULES), default="cosine", help=f"{', '.join(SCHEDULES)}."),
    in_schedule("--warmup", type=click.IntRange(0), metavar="N", default=0, help="Epochs of linear warm-up in front."),
    in_schedule("--decay-every", type=click.IntRange(1), metavar="N", default=20, help="step: epochs between decays."),
    in_schedule(
        "--decay-factor",
        metavar="X",
        type=Number(high=1.0, above=True),
        without="0.1; exponential 0.95",
        help="step, exponential, plateau: what a decay multiplies by.",
    ),
    in_schedule(
        "--plateau-patience",
        type=click.IntRange(0),
        metavar="N",
        default=5,
        help="plateau: epochs to wait for a better loss.",
    ),
    in_data(
        "--test-fraction",
        metavar="X",
        type=Number(high=1.0, above=True, below=True),
        default=0.2,
        help="Share of the data held out for the final test.",
    ),
    in_data(
        "--validation-fraction",
        metavar="X",
        type=Number(high=1.0, below=True),
        default=0.1,
        without="0.1; tables 0.2",
        help="Share of the rest to validate each epoch with; 0: none.",
    ),
    in_data(
        "--seed",
        type=click.IntRange(0, 2**64 - 1),
        metavar="N",
        default=0,
        help="Decides the run: initial parameters, shuffling, dropout, split.",
    ),
    in_data(
        "--split-seed",
        type=click.IntRange(0, 2**64 - 1),
        metavar="N",
        without="the seed",
        help="Decides the split instead.",
    ),
    in_output(
        "--threads",
        type=Word("auto"),
        metavar="N|auto",
        default="auto",
        help="At most so many; the result is the same.",
    ),
    in_output(
        "--output",
        "-o",
        type=click.Path(file_okay=False, path_type=Path),
        without="runs/DATASET",
        metavar="FOLDER",
        help="Where model, record and picture go.",
    ),
    in_output(
        "--checkpoint-every",
        type=Interval(),
        metavar="TIME",
        without="never",
        help="Save the run so often while it trains: 90, 30s, 5m, 2h, 10epochs.",
    ),
    in_output("--resume", is_flag=True, help="Resume an interrupted run from its checkpoint."),
    in_output("--quiet", "-q", is_flag=True, help="Print one line at the end."),
)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, in the order of the help page."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
