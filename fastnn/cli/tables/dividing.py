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
from fastnn.cli.tables.deciding import Decision, decide, more
from fastnn.cli.tables.files import in_file
from fastnn.cli.tables.options import QUANTILES, TableOptions
from fastnn.tables import Classes, Numeric, Preprocessor, Quantity, Unused, cells
from fastnn.tables.encoders import Encoder

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import Mixed, Part


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
    without_zeros : tuple of str
        Columns that are used as numbers, though they have leading zeros.
    """

    preprocessor: Preprocessor
    target: Classes | Quantity
    loss: str
    parts: Parts
    n_without_target: int
    first_without_target: int
    fingerprints: dict[str, str]
    without_zeros: tuple[str, ...]


def divide(path: str, part: Part, options: TableOptions, division: Division, loss: str | None) -> DividedTable:
    """Divide the rows that have a target, the test part first, and make matrices of them.

    Classes have the same shares in all parts. What is learnt from the table, is from the part to train on; whether a
    column is an identifier is seen in all rows.

    Raises
    ------
    ValueError
        If the table does not suit the options; the message names file, column and row.
    """
    decided = decide(path, part, options, loss)
    name, loss = decided.name, decided.loss
    kept = np.flatnonzero(decided.there)
    rows, column = part.rows[kept], part.columns[name][kept]
    columns = {key: values[kept] for key, values in part.columns.items() if key != name}
    for key in options.categorical or ():
        if key in part.padded:
            columns[key] = part.padded[key][kept]

    labels = None
    with in_file(path, rows):
        if decided.task == "classification":
            column = part.padded[name][kept] if name in part.padded else column
            labels = Classes.fit(name, column).encode(column)
        else:
            Quantity.fit(name, column)
        numbers = _split_rows(len(rows), division, labels)
    train = numbers["train"]
    unused = _unused(part, options, decided.mixed, name)
    preprocessor = Preprocessor(
        options.max_categories, options.min_rows, options.categorical or (), unused, options.numeric or ()
    )
    with in_file(path, rows):
        preprocessor.fit(columns, train)
    with in_file(path, rows[train]):
        target = _target(decided, column, train, options)
    made = {}
    for key, places in numbers.items():
        with in_file(path, rows[places]):
            X = preprocessor.transform({k: columns[k][places] for k in preprocessor.names}, division.dtype)
            values = target.values(column[places])
            y = target.encode(column[places])
            if isinstance(target, Classes):
                y = objectives.targets(objectives.named(loss), y, target.n_outputs)
            made[key] = Rows(X, y, values)
    return DividedTable(
        preprocessor,
        target,
        loss,
        Parts(made["train"], made.get("validation"), made["test"]),
        n_without_target=len(part.rows) - len(kept),
        first_without_target=int(part.rows[decided.there.argmin()]) if len(kept) < len(part.rows) else 0,
        fingerprints={key: fingerprint(part.columns[key]) for key in (*preprocessor.names, name)},
        without_zeros=tuple(encoder.name for encoder in preprocessor.encoders if _loses_zeros(encoder, part)),
    )


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


def _unused(part: Part, options: TableOptions, mixed: Mapping[str, Mixed], target: str) -> dict[str, Unused]:
    """Say which columns are known not to be used, and why."""
    chosen = {key: Unused(key, "chosen") for key in options.ignore or ()}
    of_both = {
        key: Unused(key, "mixed", f"{found.text!r} in row {found.row}{more(found.cells)}")
        for key, found in mixed.items()
        if key != target and key not in chosen
    }
    unreadable = {key: Unused(key, "kind", kind) for key, kind in part.unreadable.items() if key != target}
    return unreadable | chosen | of_both


def _target(decided: Decision, column: np.ndarray, train: np.ndarray, options: TableOptions) -> Classes | Quantity:
    """Learn from the training rows what the target is."""
    if decided.task == "classification":
        return Classes.fit(decided.name, column, train)
    quantiles = (options.quantiles or QUANTILES) if decided.loss in objectives.WITH_QUANTILES else ()
    absolute = not quantiles and not objectives.takes_squares(decided.loss)
    return Quantity.fit(decided.name, column[train], quantiles, absolute)


def _loses_zeros(encoder: Encoder, part: Part) -> bool:
    return encoder.name in part.padded and isinstance(encoder, Numeric)


def fingerprint(column: np.ndarray) -> str:
    """Compute the SHA-256 of the values of a column, in whatever kind of file they are."""
    if column.dtype.kind == "M":
        content = json.dumps(cells.cells("", column).as_texts()).encode()
    elif column.dtype.kind == "O" and not all(value is None or type(value) is int for value in column):
        content = json.dumps(column.tolist(), default=str).encode()
    else:
        numbers = column.astype("<f8")
        content = np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes()
    return hashlib.sha256(content).hexdigest()
