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
from fastnn.tables import Classes, Preprocessor, Quantity, Unused, cells, frames
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

    Classes have the same shares in all parts. What is learnt from the table, is from the part to train on; whether a
    column is an identifier is seen in all rows.

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
    columns = {key: values.take(kept) for key, values in read.items()}
    columns |= {key: cells.cells(key, frames.objects([None] * len(kept))) for key in options.ignore or ()}

    labels = None
    with in_file(path, rows):
        if decision.task == "classification":
            labels = Classes.fit(name, column).encode(column)
        else:
            Quantity.fit(name, column, log=bool(options.log_target), rate=loss in objectives.OF_COUNTS)
        numbers = _split_rows(len(rows), division, labels)
    train = numbers["train"]
    unused = _unused(part, options, read, name)
    preprocessor = Preprocessor(
        options.max_categories,
        options.min_rows,
        options.categorical or (),
        unused,
        options.numeric or (),
        options.missing,
        options.decimal,
    )
    with in_file(path, rows):
        preprocessor.fit(columns, train)
    with in_file(path, rows[train]):
        target = _target(decision, column, train, options)
    made = {}
    for key, places in numbers.items():
        with in_file(path, rows[places]):
            X = preprocessor.transform({k: columns[k].take(places) for k in preprocessor.names}, division.dtype)
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


def read_columns(part: Part, options: TableOptions, target: str) -> dict[str, Cells]:
    """Read the texts of all rows as what they are, in each column that may be learnt from.

    Raises
    ------
    CellError
        If a text may be one number or another, or a number is infinite.
    """
    result: dict[str, Cells] = {}
    for key, values in part.columns.items():
        if key in (target, *(options.ignore or ())):
            continue
        kind = "text" if key in (options.categorical or ()) else "number" if key in (options.numeric or ()) else ""
        result[key] = decided(cells.cells(key, values), options.rules, kind)
    return result


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


def _unused(part: Part, options: TableOptions, columns: Mapping[str, Cells], target: str) -> dict[str, Unused]:
    """Say which columns are known not to be used, and why."""
    chosen = {key: Unused(key, "chosen") for key in options.ignore or ()}
    mixed = {
        key: Unused(key, "mixed", found.odd.placed(int(part.rows[found.odd.row])))
        for key, found in columns.items()
        if found.odd is not None
    }
    unreadable = {key: Unused(key, "kind", kind) for key, kind in part.unreadable.items() if key != target}
    return unreadable | chosen | mixed


def _target(decision: Decision, column: Cells, train: np.ndarray, options: TableOptions) -> Classes | Quantity:
    """Learn from the training rows what the target is."""
    if decision.task == "classification":
        return Classes.fit(column.name, column, train)
    quantiles = (options.quantiles or QUANTILES) if decision.loss in objectives.WITH_QUANTILES else ()
    absolute = not quantiles and not objectives.guesses_mean(decision.loss)
    rate = decision.loss in objectives.OF_COUNTS
    log = bool(options.log_target)
    return Quantity.fit(column.name, column.take(train), quantiles, absolute, log=log, rate=rate)


def fingerprint(column: Cells) -> str:
    """Compute the SHA-256 of the values of a column, in whatever kind of file they are."""
    if column.numbers is None or column.kind == "text":
        content = json.dumps(column.as_texts()).encode()
    elif column.kind == "boolean" and np.isnan(column.numbers).any():
        content = json.dumps([None if x != x else bool(x) for x in column.numbers.tolist()]).encode()
    else:
        content = np.where(np.isnan(column.numbers), np.nan, column.numbers).astype("<f8").tobytes()
    return hashlib.sha256(content).hexdigest()
