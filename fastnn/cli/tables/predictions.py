"""Predictions of a model for a table in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from fastnn.cli.failures import Failure
from fastnn.cli.tables import batches, display, files
from fastnn.tables import TableModel


class TablePredictions:
    """What a model says of a table; however large that is, it is read and written in parts.

    Parameters
    ----------
    model : TableModel
    path : str
        Of the table.
    keep : tuple of str
        Columns of the table that go in front of the predictions, as they are in the file.
    separator : str, optional
        Of a text file.
    """

    endings: tuple[str, ...] = (".csv", ".tsv", ".parquet", ".arrow")
    endings_text = ", ".join(endings)

    def __init__(self, model: TableModel, path: str, keep: tuple[str, ...] = (), separator: str | None = None) -> None:
        self.model, self.path, self.keep, self.separator = model, path, keep, separator
        own = batches.output_kinds(model)
        for name in keep:
            if name in own:
                raise Failure(f"--keep cannot keep {name!r}: a column of the predictions has that name")
        self.seen = batches.Notes()

    @property
    def n_rows(self) -> int:
        """How many rows have been predicted."""
        return self.seen.rows

    def table(self, n_rows: int) -> Table:
        """Show the first rows, with the true values where they are known."""
        head = max(1, n_rows)
        rows, outputs, target, kept = batches.joined(self.model, self.path, self.seen, head, self.keep, self.separator)
        columns = batches.output_columns(self.model, outputs)
        return display.predictions_table(rows[:n_rows], columns, target, kept)

    def texts(self) -> Iterator[str]:
        """Write all rows as CSV, part by part."""
        to_text, kinds = files.writer().csv_text, self._kinds()
        for number, columns in enumerate(self._columns()):
            yield to_text(kinds, columns, header=number == 0)

    def write(self, path: str) -> None:
        """Write all rows to a table."""
        files.writer().write(path, self._kinds(), self._columns())

    def notes(self) -> Iterator[str]:
        """Say what is worth saying about the rows."""
        return self.seen.lines()

    def verdict(self) -> str | None:
        """Say how good the predictions are: ``fastnn evaluate`` does that."""
        return None

    def _kinds(self) -> dict[str, Any]:
        """Say what the columns hold that are written; those that are kept have the types of the file."""
        if not self.keep:
            return batches.output_kinds(self.model)
        return files.open_table(self.path, self.separator).types(self.keep) | batches.output_kinds(self.model)

    def _columns(self) -> Iterator[Mapping[str, Any]]:
        for batch in batches.batches(self.model, self.path, self.seen, keep=self.keep, separator=self.separator):
            yield {**batch.kept, **batches.output_columns(self.model, batch.outputs)}
        if not self.n_rows:
            raise ValueError(f"{self.path}: the table has no rows")
