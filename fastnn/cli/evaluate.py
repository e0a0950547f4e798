"""The command ``fastnn evaluate``: how good a model is on a table."""

from __future__ import annotations

import json

import click
from rich.markup import escape

from fastnn.cli import display, models
from fastnn.cli.failures import Failure, reason
from fastnn.cli.options import Separator
from fastnn.cli.tables import batches
from fastnn.cli.tables import display as table_display
from fastnn.cli.tables.scores import scored
from fastnn.tables import Classes


@click.command(short_help="Score a model of a table on another table.")
@click.argument("model", metavar="MODEL")
@click.argument("table", metavar="TABLE")
@click.option("--separator", type=Separator(), metavar="CHARACTER", help="Between the cells of a text file. [found]")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def evaluate(model: str, table: str, separator: str | None, as_json: bool) -> None:
    """Score a model that `fastnn train` wrote for a table on another table.

    TABLE (.csv, .tsv, .parquet, .arrow) has the columns that the model takes, in any order, and the one that it
    predicts. The baseline is what the training rows suggest without a look at the others.
    """
    loaded = models.table_model(models.load(model), model)
    notes = batches.Notes()
    try:
        values, outputs, missing = batches.evaluated(loaded, table, notes, separator)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None
    scores = scored(loaded.target, values, outputs)
    if as_json:
        click.echo(json.dumps({"rows": len(values), "model": scores.model, "baseline": scores.baseline}))
        return
    out = display.console()
    without = f", {missing:,} more without {escape(loaded.target.name)}" if missing else ""
    out.print(f"[bold]{escape(table)}[/]: {len(values):,} rows{without}")
    for line in notes.lines():
        out.print(escape(line))
    out.print()
    baseline = "majority class" if isinstance(loaded.target, Classes) else "of the training rows"
    table_display.show_scores(out, scores, loaded.target, baseline, len(values), "rows")
