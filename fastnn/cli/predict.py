"""The command ``fastnn predict``: with a model of a table, or of rows of features."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

import click
from rich.markup import escape
from rich.table import Table

from fastnn.cli import display, models
from fastnn.cli.built_in.predictions import FeaturePredictions
from fastnn.cli.failures import Failure, reason
from fastnn.cli.options import Names, Separator
from fastnn.cli.tables.predictions import TablePredictions

SHOWN_ROWS = 10


class Predictions(Protocol):
    """What a model says of rows. They are read when they are asked for, and counted and noted then."""

    endings: tuple[str, ...]
    endings_text: str

    @property
    def n_rows(self) -> int:
        """How many rows there were."""

    def table(self, n_rows: int) -> Table:
        """Show the first rows."""

    def texts(self) -> Iterator[str]:
        """Write all rows as CSV, part by part."""

    def write(self, path: str) -> None:
        """Write all rows to a file, by its ending, which is one of `endings`."""

    def notes(self) -> Iterator[str]:
        """Say what is worth saying about the rows."""

    def verdict(self) -> str | None:
        """Say how good the predictions are, where that is known."""


@click.command(short_help="Predict with a model that train wrote.")
@click.argument("model", metavar="MODEL")
@click.argument("rows", metavar="[DATA]", required=False)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    help="Write all rows there instead of showing some; - is CSV on stdout.",
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
@click.option(
    "--keep",
    type=Names(),
    multiple=True,
    metavar="NAME,NAME…",
    help="Columns of the table, such as an id, that go in front of the predictions as they are.",
)
@click.option("--separator", type=Separator(), metavar="CHARACTER", help="Between the cells of a text file. [found]")
@click.pass_context
def predict(
    ctx: click.Context,
    model: str,
    rows: str | None,
    output: str | None,
    n_shown: int,
    keep: tuple[tuple[str, ...], ...],
    separator: str | None,
) -> None:
    """Predict with a model that `fastnn train` wrote.

    A model of a table takes a table (.csv, .tsv, .parquet, .arrow) with the columns that it was trained on, in any
    order, and writes .csv, .tsv, .parquet or .arrow: the label and the probability of each class, or the number
    predicted, row by row. Tables larger than memory are read and written in parts.

    Other models take a .npy or .csv file of raw features, as they were before training, or the name of a built-in data
    set: the rows that the model was not trained on, which is also the default. They write .csv or .npy.
    """
    if output is not None and ctx.get_parameter_source("n_shown") is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--rows is for rows that are shown; --output writes all of them", ctx)
    predictions = _predictions(model, rows, tuple(dict.fromkeys(name for names in keep for name in names)), separator)
    if output not in (None, "-") and not str(output).lower().endswith(predictions.endings):
        raise Failure(f"--output must end in {predictions.endings_text}, or be - ; got {output}")
    if rows is not None and output is not None and os.path.realpath(rows) == os.path.realpath(output):
        raise Failure(f"--output must be another file than the one that is predicted; got {output}")
    out = display.console(stderr=output == "-")
    try:
        if output is None:
            display.show(out, predictions.table(n_shown))
        elif output == "-":
            for text in predictions.texts():
                click.echo(text, nl=False)
        else:
            predictions.write(output)
    except BrokenPipeError:
        raise  # whoever reads has had enough
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None
    for line in predictions.notes():
        out.print(escape(line))
    if output == "-":
        return
    if output is not None:
        out.print(f"{predictions.n_rows:,} rows written to {escape(output)}")
    verdict = predictions.verdict()
    if verdict is not None:
        out.print(escape(verdict))


def _predictions(path: str, rows: str | None, keep: tuple[str, ...], separator: str | None) -> Predictions:
    network = models.load(path)
    if not models.is_of_table(network):
        for option, given in (("--keep", keep), ("--separator", separator)):
            if given:
                raise click.UsageError(f"{option} is for models of tables; {path} takes rows of numbers")
        return FeaturePredictions(network, rows)
    model = models.table_model(network, path)
    if rows is None:
        raise click.UsageError("Missing argument '[DATA]': the table to predict")
    return TablePredictions(model, rows, keep, separator)
