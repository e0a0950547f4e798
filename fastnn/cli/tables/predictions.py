"""Predictions of a model for a table in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from rich.table import Table

from fastnn.cli.tables import batches, display, files
from fastnn.tables import TableModel


class TablePredictions:
    """What a model says of a table; however large that is, it is read and written in parts.

    Parameters
    ----------
    model : TableModel
    path : str
        Of the table.
    """

    endings: tuple[str, ...] = (".csv", ".tsv", ".parquet", ".arrow")
    endings_text = ", ".join(endings)

    def __init__(self, model: TableModel, path: str) -> None:
        self.model, self.path = model, path
        self.seen = batches.Notes()

    @property
    def n_rows(self) -> int:
        """How many rows have been predicted."""
        return self.seen.rows

    def table(self, n_rows: int) -> Table:
        """Show the first rows, with the true values where they are known."""
        rows, outputs, target = batches.joined(self.model, self.path, self.seen, max(1, n_rows))
        return display.predictions_table(rows[:n_rows], batches.output_columns(self.model, outputs), target)

    def texts(self) -> Iterator[str]:
        """Write all rows as CSV, part by part."""
        to_text, kinds = files.adapter().csv_text, batches.output_kinds(self.model)
        for number, columns in enumerate(self._columns()):
            yield to_text(kinds, columns, header=number == 0)

    def write(self, path: str) -> None:
        """Write all rows to a table."""
        files.adapter().write(path, batches.output_kinds(self.model), self._columns())

    def notes(self) -> Iterator[str]:
        """Say what is worth saying about the rows."""
        return self.seen.lines()

    def verdict(self) -> str | None:
        """Say how good the predictions are: ``fastnn evaluate`` does that."""
        return None

    def _columns(self) -> Iterator[Mapping[str, np.ndarray]]:
        for batch in batches.batches(self.model, self.path, self.seen):
            yield batches.output_columns(self.model, batch.outputs)
        if not self.n_rows:
            raise ValueError(f"{self.path}: the table has no rows")
