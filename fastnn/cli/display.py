"""What the commands show: tables, in colour on a terminal, as plain text elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table

from fastnn._verify import Report
from fastnn.network import Network

PLAIN_WIDTH = 100  # where there is no terminal, and COLUMNS does not say


class _Table(Table):
    """A table that breaks long words rather than cutting them off."""

    def add_column(self, *args: Any, overflow: Any = "fold", **keywords: Any) -> None:
        super().add_column(*args, overflow=overflow, **keywords)


def console(quiet: bool = False, stderr: bool = False) -> Console:
    """Open a console on the present stdout, or stderr; without control codes where that is no terminal.

    Lines are not wrapped, so that they can be searched and copied; tables are.
    """
    file = sys.stderr if stderr else sys.stdout
    result = Console(file=file, highlight=False, quiet=quiet, emoji=False, soft_wrap=True)
    if not result.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        result.width = PLAIN_WIDTH
    return result


def table(title: str, **keywords: Any) -> Table:
    """Make an empty table in the style of all."""
    return _Table(
        title=title,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        header_style="dim",
        footer_style="bold",
        **keywords,
    )


def show(out: Console, table: Table, whole: bool = False) -> None:
    """Print a table under its title, indented, with space below; a long title does not wrap to the table's width.

    ``whole``: cells are not folded, however wide, so that digests and paths can be found and copied.
    """
    title, table.title = table.title, None
    padded = Padding(table, (0, 0, 1, 1), expand=False)
    out.print(f" [bold]{title}[/]")
    width = out.width
    if whole:
        out.width = max(width, _natural_width(out, padded))
    out.print(padded, soft_wrap=False)
    out.width = width


def network_table(network: Network) -> Table:
    """List layers, output shapes and parameter counts."""
    result = table("Network", show_footer=True)
    result.add_column("layer", "total")
    result.add_column("output shape", "")
    result.add_column("parameters", f"{network.n_parameters:,}", justify="right")
    for name, units, size in _layers(network):
        result.add_row(name, f"(n, {units})", f"{size:,}" if size else "–")
    return result


def _layers(network: Network) -> Iterator[tuple[str, int, int]]:
    """Go through the layers: what each is, its units and how many parameters it has."""
    return ((repr(row.layer), row.units, row.n_parameters) for row in network.plan.rows)


def values_table(title: str, values: Mapping[str, Any]) -> Table:
    """List names and values."""
    result = table(title, show_header=False)
    result.add_column(style="dim")
    result.add_column(overflow="fold")
    for name, value in values.items():
        result.add_row(name, escape(shown(value)))
    return result


def comparison_table(title: str, recorded: Mapping[str, Any], here: Mapping[str, Any]) -> Table:
    """List names, and two values of each; those that differ stand out."""
    result = table(title)
    result.add_column("", style="dim")
    result.add_column("recorded", overflow="fold")
    result.add_column("here", overflow="fold")
    for name, value in here.items():
        cells = escape(shown(recorded.get(name, "–"))), escape(shown(value))
        style = "" if cells[0] == cells[1] else "bold"
        result.add_row(name.replace("_", " "), cells[0], f"[{style}]{cells[1]}[/]" if style else cells[1])
    return result


def hyperparameter_table(values: Mapping[str, Any]) -> Table:
    """List names and values, two pairs a row."""
    result = table("Hyperparameters", show_header=False)
    for _ in range(2):
        result.add_column(style="dim")
        result.add_column(min_width=14)
    pairs = [(name.replace("_", " "), shown(value)) for name, value in values.items()]
    half = (len(pairs) + 1) // 2
    for left, right in zip(pairs[:half], [*pairs[half:], ("", "")], strict=False):
        result.add_row(*left, *right)
    return result


def shown(value: Any) -> str:
    """Write a value as a person would."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={shown(item)}" for name, item in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """Write a share in per cent with two places."""
    return f"{100 * share:.2f} %"


def show_confusion(out: Console, counts: np.ndarray, classes: Sequence[str]) -> None:
    """Show counts of rows by true class and predicted class: as a square, or class by class where that is too wide."""
    numbers = [str(number) for number in range(1, len(classes) + 1)]
    numbered = [f"{number} {name}" for number, name in zip(numbers, classes, strict=True)]
    for rows, columns in ((classes, classes), (numbered, numbers)):
        square = confusion_table(counts, rows, columns)
        if _fits(out, square):
            show(out, square)
            return
    show(out, _hits_table(counts, classes))


def _fits(out: Console, table: Table) -> bool:
    return _natural_width(out, Padding(table, (0, 0, 1, 1), expand=False)) <= out.width


def _natural_width(out: Console, padded: Padding) -> int:
    wide = out.options.update(width=10_000, max_width=10_000)
    return Measurement.get(out, wide, padded).maximum


def confusion_table(counts: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Table:
    """Make a square of counts by true class (rows) and predicted class (columns); the diagonal is right."""
    result = table("Confusion (rows: true, columns: predicted)")
    result.add_column("", style="bold")
    for name in columns:
        result.add_column(escape(name), justify="right", min_width=3)
    result.add_column("right", justify="right")
    for i, name in enumerate(rows):
        cells = []
        for j, count in enumerate(counts[i]):
            style = "green" if i == j else "bold red"
            cells.append(f"[{style}]{count}[/]" if count else "[dim]·[/]")
        result.add_row(escape(name), *cells, f"{counts[i, i]}/{int(counts[i].sum())}")
    return result


def _hits_table(counts: np.ndarray, classes: Sequence[str]) -> Table:
    """Make a list of classes: how many rows of each are right, and what the others are taken for."""
    result = table("Confusion")
    result.add_column("true", style="bold")
    result.add_column("right", justify="right")
    result.add_column("most often taken for")
    for i, name in enumerate(classes):
        wrong = counts[i].copy()
        wrong[i] = 0
        most = int(wrong.argmax())
        taken = f"{escape(classes[most])} ({wrong[most]})" if wrong[most] else "–"
        result.add_row(escape(name), f"{counts[i, i]}/{int(counts[i].sum())}", taken)
    return result


def verification_table(report: Report) -> Table:
    """Show for each family of goldens whether they hold on each instruction set."""
    result = table("Golden digests")
    result.add_column("")
    result.add_column("digests", justify="right")
    for isa in report.isas:
        result.add_column(isa, justify="right")
    for family, goldens, differing in report.rows():
        cells = [f"[bold red]{count} differ[/]" if count else "[green]ok[/]" for count in differing]
        result.add_row(family, str(goldens), *cells)
    return result
