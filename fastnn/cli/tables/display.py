"""What the commands show of tables: their columns, what becomes of them, and how good predictions are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fastnn.cli import display
from fastnn.cli.sources import Scores
from fastnn.cli.tables.dividing import DividedTable
from fastnn.tables import Classes, Preprocessor, Quantity
from fastnn.tables.scores import MAXIMISED

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import TableFile

MOST_COLUMNS = 40  # in a list
MOST_SHOWN = 6  # probabilities of a row
MOST_CLASSES = 12  # in a confusion table


def show_table(out: Console, file: TableFile, divided: DividedTable) -> None:
    """Show the table, its columns and its target."""
    separator = {";": "; separated by semicolons", "|": "; separated by bars"}.get(file.separator or "", "")
    out.print(f"[bold]{escape(file.path)}[/]: {divided.parts.sizes_text}{separator}")
    if divided.n_without_target:
        n, row = divided.n_without_target, divided.first_without_target
        which = f"row {row}" if n == 1 else f"{n:,} rows, the first of them row {row},"
        out.print(f"left out: {which} without {escape(divided.target.name)}")
    out.print()
    note = {"cells": divided.note} if divided.note else {}
    display.show(out, display.values_table("Target", target_values(divided.target) | note))
    show_columns(out, divided.preprocessor)


def target_values(target: Classes | Quantity | Any) -> dict[str, Any]:
    """Say in words what a target is."""
    if isinstance(target, Classes):
        total = sum(target.counts)
        shares = [
            f"{label} ({100 * count / total:.3g} %)" for label, count in zip(target.labels, target.counts, strict=True)
        ]
        more = [f"and {len(shares) - MOST_CLASSES} more"] if len(shares) > MOST_CLASSES else []
        return {
            "column": target.name,
            "task": f"classification, {len(target.labels)} classes",
            "classes": ", ".join(shares[:MOST_CLASSES] + more),
        }
    if target.rate:
        return {"column": target.name, "task": "regression of counts, by their rate", "mean": f"{target.scale:.6g}"}
    values = {
        "column": target.name,
        "task": "regression" + (" of log(1 + y)" if target.log else ""),
        "mean": f"{target.mean:.6g}",
        "deviation": f"{target.scale:.6g}",
    }
    return values | ({"quantiles": target.quantiles} if target.quantiles else {})


def show_columns(out: Console, preprocessor: Preprocessor) -> None:
    """Show what becomes of each column, and which are not used."""
    used, unused = preprocessor.encoders, preprocessor.unused_columns
    table = display.table("Columns", show_footer=True)
    table.add_column("column", "total", overflow="fold")
    table.add_column("used as", "")
    table.add_column("", "", overflow="fold")
    table.add_column("features", f"{len(preprocessor.features)}", justify="right")
    for encoder in used[:MOST_COLUMNS]:
        table.add_row(escape(encoder.name), encoder.used_as, escape(encoder.explanation), str(len(encoder.features)))
    if len(used) > MOST_COLUMNS:
        table.add_row(f"and {len(used) - MOST_COLUMNS} more", "", "", "")
    display.show(out, table)
    for title, said in (
        ("How cells were read", preprocessor.notes),
        ("Not used", {column.name: column.explanation for column in unused}),
    ):
        if said:
            display.show(out, _said_table(title, said))


def _said_table(title: str, said: Mapping[str, str]) -> Table:
    """Say something of some columns."""
    table = display.table(title, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, text in list(said.items())[:MOST_COLUMNS]:
        table.add_row(escape(name), escape(text))
    if len(said) > MOST_COLUMNS:
        table.add_row(f"and {len(said) - MOST_COLUMNS} more", "")
    return table


def show_scores(
    out: Console, scores: Scores, target: Classes | Quantity | Any, baseline: str, n_rows: int, what: str
) -> None:
    """Show scores beside those of the baseline, the better ones bold; for few classes the confusion of them."""
    if isinstance(target, Classes) and scores.confusion is not None and len(scores.confusion) <= MOST_CLASSES:
        display.show_confusion(out, scores.confusion, target.labels)
    table = display.table(f"Scores on {n_rows:,} {what}")
    table.add_column("", style="dim")
    table.add_column("model", justify="right")
    table.add_column(f"baseline ({baseline})", justify="right")
    for name, value in scores.model.items():
        other = scores.baseline[name]
        is_better = value > other if name in MAXIMISED else value < other
        shown = f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"
        cell = f"[bold green]{shown}[/]" if is_better and not name.startswith("coverage") else shown
        table.add_row(label(name), cell, f"{other:.4f}" if abs(other) < 1000 else f"{other:.6g}")
    display.show(out, table)


def label(score: str) -> str:
    """Write the name of a score as people do."""
    special = {
        "poisson_deviance": "Poisson deviance",
        "roc_auc": "ROC AUC",
        "macro_f1": "macro F1",
        "log_loss": "log-loss",
        "r2": "R²",
    }
    upper = {"rmse": "RMSE", "mae": "MAE"}
    return special.get(score) or upper.get(score) or score.replace("_", " ")


def predictions_table(
    rows: np.ndarray, columns: Mapping[str, np.ndarray], true: np.ndarray | None, kept: Mapping[str, list[Any]]
) -> Table:
    """Show rows of predictions, columns that are kept in front, with the true values where they are known."""
    table = display.table(f"Predictions, the first {len(rows):,} rows")
    table.add_column("row", justify="right", style="dim")
    if len(columns) > MOST_SHOWN + 1:
        probabilities = np.stack([values for name, values in columns.items() if name != "label"])
        columns = {"label": columns["label"], "probability": probabilities.max(axis=0)}
    for name in kept:
        table.add_column(escape(name), overflow="fold")
    names = list(columns)
    for name in names:
        table.add_column(escape(name.replace("_", " ")), justify="right")
    if true is not None:
        table.add_column("true", justify="right")
    for place, row in enumerate(rows.tolist()):
        cells = [
            f"{columns[name][place]:.4f}" if name.startswith("probability") else escape(_cell(columns[name][place]))
            for name in names
        ]
        label = cells[0]
        cells[:0] = [escape(_cell(values[place])) for values in kept.values()]
        if true is not None:
            known = _cell(true[place])
            wrong = names[0] == "label" and known != label and not _is_missing(true[place])
            cells.append(f"[bold red]{escape(known)} ✗[/]" if wrong else escape(known))
        table.add_row(str(row), *cells)
    return table


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value) or (isinstance(value, str) and not value.strip())


def _cell(value: Any) -> str:
    if _is_missing(value):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
