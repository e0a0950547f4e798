"""A table in parts: which rows go where, and what the training rows teach of the columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastnn import data
from fastnn.cli import objectives
from fastnn.cli.sources import Division, Parts, Rows
from fastnn.cli.tables.deciding import Decision, decide
from fastnn.cli.tables.files import in_file
from fastnn.cli.tables.options import QUANTILES, TableOptions
from fastnn.tables import Classes, Preprocessor, Quantity, Unused, cells
from fastnn.tables.cells import Cells
from fastnn.tables.texts import decided

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import Part


@dataclass(frozen=True)
class DividedTable:
    """A table in parts, with what was learnt from the part to train on.

    Attributes
    ----------
    preprocessor : Preprocessor
    target : Classes or Quantity
    loss : str
    parts : Parts
    n_without_target, first_without_target : int
        How many rows were left out because they have no target, and the number of the first in the file.
    fingerprints : dict of str to str
        Of the columns that are used.
    note : str
        How the texts of the target were read.
    """

    preprocessor: Preprocessor
    target: Classes | Quantity
    loss: str
    parts: Parts
    n_without_target: int
    first_without_target: int
    fingerprints: dict[str, str]
    note: str


def divide(path: str, part: Part, options: TableOptions, division: Division, loss: str | None) -> DividedTable:
    """Divide the rows that have a target, the test part first, and make matrices of them.

    Classes have the same shares in all parts. What is learnt from the table, is from the part to train on.

    Raises
    ------
    ValueError
        If the table does not suit the options; the message names file, column and row.
    """
    decision = decide(path, part, options, loss)
    loss = decision.loss
    kept = np.flatnonzero(decision.there)
    rows, column = part.rows[kept], decision.cells.take(kept)
    name = column.name
    with in_file(path, part.rows):
        read = read_columns(part, options, name)
    columns = {key: _taken(values, kept) for key, values in read.items()}
    columns |= {key: _taken(part.columns[key], kept) for key in options.ignore or ()}

    labels = None
    with in_file(path, rows):
        if decision.task == "classification":
            labels = Classes.fit(name, column).encode(column)
        else:
            Quantity.fit(name, column)
        numbers = _split_rows(len(rows), division, labels)
    train = numbers["train"]
    unused = _unused(part, options, read, name)
    preprocessor = Preprocessor(
        options.max_categories, options.min_rows, options.categorical or (), unused, options.missing, options.decimal
    )
    with in_file(path, rows[train]):
        preprocessor.fit({key: _taken(values, train) for key, values in columns.items()})
        target = _target(decision, column, train, options)
    made = {}
    for key, places in numbers.items():
        with in_file(path, rows[places]):
            X = preprocessor.transform({k: _taken(columns[k], places) for k in preprocessor.names}, division.dtype)
            own = column.take(places)
            values, y = target.values(own), target.encode(own)
            if isinstance(target, Classes):
                y = objectives.targets(objectives.named(loss), y, target.n_outputs)
            made[key] = Rows(X, y, values)
    return DividedTable(
        preprocessor,
        target,
        loss,
        Parts(made["train"], made.get("validation"), made["test"]),
        n_without_target=len(part.rows) - len(kept),
        first_without_target=int(part.rows[decision.there.argmin()]) if len(kept) < len(part.rows) else 0,
        fingerprints={
            **{key: fingerprint(read[key]) for key in preprocessor.names},
            name: fingerprint(decision.cells),
        },
        note=decision.cells.note,
    )


def read_columns(part: Part, options: TableOptions, target: str) -> dict[str, Cells | np.ndarray]:
    """Read the texts of all rows as what they are, in each column that may be learnt from.

    Raises
    ------
    CellError
        If a text may be one number or another, or a number is infinite.
    """
    result: dict[str, Cells | np.ndarray] = {}
    for key, values in part.columns.items():
        if key in (target, *(options.ignore or ())):
            continue
        kind = "text" if key in (options.categorical or ()) else ""
        found = decided(cells.cells(key, values), options.rules, kind)
        has_values = found.texts is not None or found.numbers is not None
        result[key] = found if has_values else values  # dates
    return result


def _taken(values: Cells | np.ndarray, rows: np.ndarray) -> Cells | np.ndarray:
    return values.take(rows) if isinstance(values, Cells) else values[rows]


def _split_rows(n: int, division: Division, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Draw the row numbers of each part, ascending."""
    seed = division.split_seed
    rest, test = data.split_rows(n, division.test_fraction, seed, labels, "--test-fraction")
    parts = {"train": rest, "test": test}
    if division.validation_fraction:
        strata = None if labels is None else labels[rest]
        a, b = data.split_rows(len(rest), division.validation_fraction, seed, strata, "--validation-fraction")
        parts |= {"train": rest[a], "validation": rest[b]}
    return parts


def _unused(
    part: Part, options: TableOptions, columns: Mapping[str, Cells | np.ndarray], target: str
) -> dict[str, Unused]:
    """Say which columns are known not to be used, and why."""
    chosen = {key: Unused(key, "chosen") for key in options.ignore or ()}
    mixed = {
        key: Unused(key, "mixed", found.odd.placed(int(part.rows[found.odd.row])))
        for key, found in columns.items()
        if isinstance(found, Cells) and found.odd is not None
    }
    unreadable = {key: Unused(key, "kind", kind) for key, kind in part.unreadable.items() if key != target}
    return unreadable | chosen | mixed


def _target(decision: Decision, column: Cells, train: np.ndarray, options: TableOptions) -> Classes | Quantity:
    """Learn from the training rows what the target is."""
    if decision.task == "classification":
        return Classes.fit(column.name, column, train)
    quantiles = (options.quantiles or QUANTILES) if decision.loss in objectives.WITH_QUANTILES else ()
    absolute = not quantiles and not objectives.takes_squares(decision.loss)
    return Quantity.fit(column.name, column.take(train), quantiles, absolute)


def _values(column: Cells) -> np.ndarray:
    """Return cells as an array of numbers, truth values, or Python objects and None."""
    if column.numbers is None:
        return cells.array(column.texts)
    if column.kind != "boolean":
        return column.numbers
    return cells.array([None if x != x else bool(x) for x in column.numbers.tolist()])


def fingerprint(column: Cells | np.ndarray) -> str:
    """Compute the SHA-256 of the values of a column, in whatever kind of file they are."""
    if isinstance(column, Cells):
        column = _values(column)
    if column.dtype.kind == "O" and not all(type(value) is bool for value in column):
        content = json.dumps(column.tolist(), default=str).encode()
    elif column.dtype.kind == "M":
        content = np.datetime_as_string(column).astype(str).tobytes()
    else:
        numbers = column.astype("<f8")
        content = np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes()
    return hashlib.sha256(content).hexdigest()
