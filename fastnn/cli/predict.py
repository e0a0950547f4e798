"""The command ``fastnn predict``: with a model of a table, or of rows of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
import numpy as np
from rich.markup import escape

from fastnn import data
from fastnn.cli import display, models, run, table_display, table_files, table_predict
from fastnn.cli.datasets import DATASETS, Failure, predictions_csv, read_rows, reason, write_predictions
from fastnn.network import Network
from fastnn.tables import TableModel
from fastnn.tables.model import METADATA

SHOWN_ROWS = 10
TABLE_OUTPUTS = (".csv", ".tsv", ".parquet", ".arrow")


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
def predict(model: str, rows: str | None, output: str | None, n_shown: int) -> None:
    """Predict with a model that `fastnn train` wrote.

    A model of a table takes a table (.csv, .tsv, .parquet, .arrow) with the columns that it was trained on, in any
    order, and writes .csv, .tsv, .parquet or .arrow: the label and the probability of each class, or the number
    predicted, row by row. Tables larger than memory are read and written in parts.

    Other models take a .npy or .csv file of raw features, as they were before training, or the name of a built-in data
    set: the rows that the model was not trained on, which is also the default. They write .csv or .npy.
    """
    network = models.load(model)
    if METADATA in network.metadata:
        _predict_table(models.table_model(network, model), rows, output, n_shown)
    else:
        _predict_rows(network, rows, output, n_shown)


def _predict_table(model: TableModel, path: str | None, output: str | None, n_shown: int) -> None:
    if path is None:
        raise click.UsageError("Missing argument '[DATA]': the table to predict")
    if output is not None and output != "-" and not output.lower().endswith(TABLE_OUTPUTS):
        raise Failure(f"--output must end in {', '.join(TABLE_OUTPUTS)}, or be - ; got {output}")
    notes = table_predict.Notes()
    out = display.console(stderr=output == "-")
    try:
        if output is None:
            rows, outputs, target = table_predict.joined(model, path, notes, max(1, n_shown))
            columns = table_predict.output_columns(model, outputs)
            display.show(out, table_display.predictions_table(rows[:n_shown], columns, target))
        else:
            _write_table(model, path, output, notes)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None
    for line in notes.lines():
        out.print(escape(line), soft_wrap=True)
    if output not in (None, "-"):
        out.print(f"{notes.rows:,} rows written to {escape(str(output))}")


def _write_table(model: TableModel, path: str, output: str, notes: table_predict.Notes) -> None:
    files = table_files.adapter()
    kinds = table_predict.output_kinds(model)

    def columns() -> Iterator[Mapping[str, np.ndarray]]:
        for batch in table_predict.batches(model, path, notes):
            yield table_predict.output_columns(model, batch.outputs)
        if not notes.rows:
            raise ValueError(f"{path}: the table has no rows")

    if output != "-":
        files.write(output, kinds, columns())
        return
    for number, batch in enumerate(columns()):
        click.echo(files.csv_text(kinds, batch, header=number == 0), nl=False)


def _predict_rows(network: Network, rows: str | None, output: str | None, n_shown: int) -> None:
    if output is not None and output != "-" and not output.lower().endswith((".csv", ".npy")):
        raise Failure(f"--output must end in .csv or .npy, or be - ; got {output}")
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
