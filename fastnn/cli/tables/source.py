"""A table in a file as the source of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from fastnn.cli import objectives
from fastnn.cli.sources import Division, Scores, Source
from fastnn.cli.tables import display, dividing
from fastnn.cli.tables.files import open_table
from fastnn.cli.tables.options import TableOptions
from fastnn.cli.tables.scores import scored
from fastnn.network import Network
from fastnn.tables import Classes, Quantity, TableModel
from fastnn.tables.model import METADATA

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import Part, TableFile


class Table(Source):
    """A table of which a column is predicted from the others.

    Parameters
    ----------
    file : TableFile
    part : Part
        All its rows.
    chosen : TableOptions
    division : Division
    loss : str or None
        None for a default that suits the target.

    Raises
    ------
    ValueError
        If the table does not suit the options.
    """

    def __init__(self, file: TableFile, part: Part, chosen: TableOptions, division: Division, loss: str | None) -> None:
        self.file, self.chosen, self.division = file, chosen, division
        self.name = Path(file.path).stem
        self.table = divided = dividing.divide(file.path, part, chosen, division, loss)
        self.target, self.parts, self.loss = divided.target, divided.parts, divided.loss
        self.n_outputs, self.fingerprints = divided.target.n_outputs, divided.fingerprints
        self.quantiles = divided.target.quantiles if isinstance(divided.target, Quantity) else ()
        self.classes = divided.target.labels if isinstance(divided.target, Classes) else ()

    def options(self) -> dict[str, Any]:
        task = "classification" if isinstance(self.target, Classes) else "regression"
        quantiles = {"quantiles": self.quantiles} if self.quantiles else {}
        return self.chosen.described() | {"target": self.target.name, "task": task} | quantiles

    def scores(self, network: Network) -> Scores:
        test = self.parts.test
        activation = objectives.activation(objectives.named(self.loss))
        return scored(self.target, test.values, self.target.predicted(network.predict(test.X), activation))

    def show(self, out: Console) -> None:
        display.show_table(out, self.file, self.table)

    def show_scores(self, out: Console, scores: Scores) -> None:
        display.show_scores(out, scores, self.target, self._baseline(), len(self.parts.test.X), "rows held out")

    def _baseline(self) -> str:
        """Name the guess without a look that `scores` compares with."""
        if isinstance(self.target, Classes):
            return "majority class"
        if self.quantiles:
            return "same quantiles"
        return "mean" if objectives.guesses_mean(self.loss) else "median"

    def summary(self, scores: Scores) -> dict[str, str]:
        return {}

    def brief(self, scores: Scores) -> str:
        name, value = next(iter(scores.model.items()))
        return f"{name.replace('_', ' ')} {value:.6g}"

    def metadata(self, network: Network, scores: Scores) -> dict[str, Any]:
        model = TableModel(self.table.preprocessor, network, self.target)
        trained_on = os.path.basename(self.file.path)
        return {"trained_on": trained_on, "test_scores": scores.model, METADATA: model.describe()}

    def described(self) -> dict[str, Any]:
        return {
            "file": self.file.path,
            "path": os.path.abspath(self.file.path),
            "columns": self.fingerprints,
            "table": {"missing": None} | self.chosen.described() | {"loss": self.loss, "target": self.target.name},
            **self.divided(),
            "classes": list(self.classes) or None,
        }

    def results(self, scores: Scores) -> dict[str, Any]:
        return {"test_scores": scores.model, "baseline_scores": scores.baseline}


def opened(path: str, chosen: TableOptions, division: Division, loss: str | None) -> Table:
    """Read a table to train on.

    Raises
    ------
    Failure
        If polars is not installed.
    OSError, ValueError
        If the file cannot be read, is no table, or does not suit the options.
    """
    file = open_table(path, chosen.separator)
    part = file.read(chosen.rules.format)
    if not len(part.rows):
        raise ValueError(f"{path}: the table has no rows")
    return Table(file, part, chosen, division, loss)
