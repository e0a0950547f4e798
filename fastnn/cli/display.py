"""What the commands show: tables and the progress of a run, in colour on a terminal, as plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fastnn import callbacks
from fastnn._verify import Report
from fastnn.losses import CrossEntropy
from fastnn.network import Network

PLAIN_WIDTH = 100
LINES = 10  # of progress in a run


def console(quiet: bool = False, stderr: bool = False) -> Console:
    """A console on the present stdout, or stderr; without control codes where that is no terminal."""
    result = Console(file=sys.stderr if stderr else sys.stdout, highlight=False, quiet=quiet, emoji=False)
    if not result.is_terminal:
        result.width = PLAIN_WIDTH
    return result


def _table(title: str, **keywords: Any) -> Table:
    return Table(
        title=title,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        header_style="dim",
        footer_style="bold",
        **keywords,
    )


def show(out: Console, table: Table) -> None:
    """Prints a table under its title, indented, with space below; a long title does not wrap to the table's width."""
    title, table.title = table.title, None
    out.print(f" [bold]{title}[/]")
    out.print(Padding(table, (0, 0, 1, 1), expand=False))


def network_table(network: Network) -> Table:
    """Layers, output shapes and parameter counts."""
    table = _table("Network", show_footer=True)
    table.add_column("layer", "total")
    table.add_column("output shape", "")
    table.add_column("parameters", f"{network.n_parameters:,}", justify="right")
    for row in network.plan.rows:
        size = f"{row.n_parameters:,}" if row.n_parameters else "–"
        table.add_row(repr(row.layer), f"(n, {row.units})", size)
    return table


def values_table(title: str, values: Mapping[str, Any]) -> Table:
    """Names and values."""
    table = _table(title, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, escape(shown(value)))
    return table


def comparison_table(title: str, recorded: Mapping[str, Any], here: Mapping[str, Any]) -> Table:
    """Names, and two values of each; those that differ stand out."""
    table = _table(title)
    table.add_column("", style="dim")
    table.add_column("recorded", overflow="fold")
    table.add_column("here", overflow="fold")
    for name, value in here.items():
        cells = escape(shown(recorded.get(name, "–"))), escape(shown(value))
        style = "" if cells[0] == cells[1] else "bold"
        table.add_row(name.replace("_", " "), cells[0], f"[{style}]{cells[1]}[/]" if style else cells[1])
    return table


def hyperparameter_table(values: Mapping[str, Any]) -> Table:
    """Names and values, two pairs a row."""
    table = _table("Hyperparameters", show_header=False)
    for _ in range(2):
        table.add_column(style="dim")
        table.add_column(min_width=14)
    pairs = [(name.replace("_", " "), shown(value)) for name, value in values.items()]
    half = (len(pairs) + 1) // 2
    for left, right in zip(pairs[:half], [*pairs[half:], ("", "")], strict=False):
        table.add_row(*left, *right)
    return table


def shown(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """A share in per cent with two places."""
    return f"{100 * share:.2f} %"


def confusion_table(counts: np.ndarray, classes: tuple[str, ...] | list[str]) -> Table:
    """Counts of rows by true class (rows) and predicted class (columns); the diagonal is right."""
    table = _table("Confusion (rows: true, columns: predicted)")
    table.add_column("", style="bold")
    for name in classes:
        table.add_column(name, justify="right", min_width=3)
    table.add_column("right", justify="right")
    for i, name in enumerate(classes):
        cells = []
        for j, count in enumerate(counts[i]):
            style = "green" if i == j else "bold red"
            cells.append(f"[{style}]{count}[/]" if count else "[dim]·[/]")
        total = int(counts[i].sum())
        table.add_row(name, *cells, f"{counts[i, i]}/{total}")
    return table


def verification_table(report: Report) -> Table:
    """For each family of goldens, whether they hold on each instruction set."""
    table = _table("Golden digests")
    table.add_column("")
    table.add_column("digests", justify="right")
    for isa in report.isas:
        table.add_column(isa, justify="right")
    for family, goldens, differing in report.rows():
        cells = [f"[bold red]{count} differ[/]" if count else "[green]ok[/]" for count in differing]
        table.add_row(family, str(goldens), *cells)
    return table


class ShowProgress(callbacks.Callback):
    """A bar with the latest loss and accuracy, and a line for about every tenth epoch; a context manager.

    Parameters
    ----------
    out : rich.console.Console
    epochs : int
        Of the whole run.
    validation_accuracy : callable, optional
        Gives the accuracy on the validation data, where training does not: for all losses but cross-entropy.
    """

    def __init__(
        self, out: Console, epochs: int, validation_accuracy: Callable[[], float | None] = lambda: None
    ) -> None:
        self.out = out
        self.validation_accuracy = validation_accuracy
        self.epochs = epochs
        self.every = max(1, -(-epochs // LINES))
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"),
            TimeElapsedColumn(),
            console=out,
            disable=not out.is_terminal or out.quiet,
        )
        self.task = self.progress.add_task("training", total=epochs, values="")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def on_fit_begin(self, trainer: Any) -> None:
        self.progress.update(self.task, completed=trainer.epoch)

    def on_epoch_end(self, trainer: Any, epoch: int, values: Mapping[str, float]) -> None:
        figures = {"loss": values["loss"]}
        if isinstance(trainer.loss, CrossEntropy):
            figures["accuracy"] = values["accuracy"]
        if "val_loss" in values:
            figures["val loss"] = values["val_loss"]
            accuracy = (
                values.get("val_accuracy") if isinstance(trainer.loss, CrossEntropy) else self.validation_accuracy()
            )
            if accuracy is not None:
                figures["val accuracy"] = accuracy
        text = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        short = "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if name != "val loss")
        self.progress.update(self.task, completed=epoch, values=short)
        if epoch == 1 or epoch % self.every == 0 or epoch == self.epochs:
            self.out.print(f"  epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}  {text}")


def prediction_table(rows: int, labels: list[str], outputs: np.ndarray, true: list[str] | None) -> Table:
    """The first ``rows`` predictions, with how sure the network is, and the true labels where they are known."""
    rows = min(rows, len(labels))
    table = _table(f"Predictions, {rows:,} of {len(labels):,} rows")
    table.add_column("row", justify="right", style="dim")
    table.add_column("label", justify="right")
    table.add_column("output", justify="right")
    if true is not None:
        table.add_column("true", justify="right")
    for row in range(rows):
        cells = [str(row), labels[row], f"{outputs[row].max():.4f}"]
        if true is not None:
            wrong = true[row] != labels[row]
            cells.append(f"[bold red]{true[row]} ✗[/]" if wrong else f"{true[row]}  ")
        table.add_row(*cells)
    return table
