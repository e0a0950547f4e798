"""A table in parts: what is predicted, which rows go where, and what the training rows teach of the columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data
from fastnn._input import checks
from fastnn.cli import objectives
from fastnn.cli.sources import Division, Parts, Rows
from fastnn.cli.tables.files import in_file
from fastnn.cli.tables.options import QUANTILES, TableOptions
from fastnn.tables import Classes, Preprocessor, Quantity, Unused, cells, targets

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
    """

    preprocessor: Preprocessor
    target: Classes | Quantity
    loss: str
    parts: Parts
    n_without_target: int
    first_without_target: int
    fingerprints: dict[str, str]


def divide(path: str, part: Part, options: TableOptions, division: Division, loss: str | None) -> DividedTable:
    """Divide the rows that have a target, the test part first, and make matrices of them.

    Classes have the same shares in all parts. What is learnt from the table, is from the part to train on.

    Raises
    ------
    ValueError
        If the table does not suit the options; the message names file, column and row.
    """
    columns = dict(part.columns)
    name = _target_name(path, options, columns)
    _check_named(path, options, columns, name)
    column = columns.pop(name)
    mixed = {key: found for key, found in part.mixed.items() if key not in (options.categorical or ())}
    if name in mixed and options.task != "classification":
        found = mixed[name]
        raise ValueError(
            f"{path}: column {name!r}, row {found.row}: expected a number, as in most rows; got {found.text!r}"
            + _more(found.cells)
        )
    with in_file(path, part.rows):
        there = targets.present(name, column)
        task = options.task or _task_of(loss, options, name, column)
    loss = loss or _loss_of(task, options)
    _check_loss(loss, task, options, name)
    kept = np.flatnonzero(there)
    rows, column = part.rows[kept], column[kept]
    columns = {key: values[kept] for key, values in columns.items()}

    labels = None
    with in_file(path, rows):
        for key, values in columns.items():
            if values.dtype.kind == "f" and key not in (options.ignore or ()):
                cells.cells(key, values)  # the first infinite one, whichever part it will be in
        if task == "classification":
            labels = Classes.fit(name, column).encode(column)
        else:
            Quantity.fit(name, column)
        numbers = _split_rows(len(rows), division, labels)
    train = numbers["train"]
    unused = _unused(part, options, mixed, name)
    preprocessor = Preprocessor(options.max_categories, options.min_rows, options.categorical or (), unused)
    with in_file(path, rows[train]):
        preprocessor.fit({key: values[train] for key, values in columns.items()})
        target = _target(task, name, column, train, loss, options)
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
        n_without_target=len(there) - len(kept),
        first_without_target=int(part.rows[int((~there).argmax())]) if len(kept) < len(there) else 0,
        fingerprints={key: fingerprint(part.columns[key]) for key in (*preprocessor.names, name)},
    )


def _target_name(path: str, options: TableOptions, columns: Mapping[str, Any]) -> str:
    if options.target is None:
        return list(columns)[-1]
    if options.target not in columns:
        hint = checks.nearest(options.target, columns)
        raise ValueError(f"{path}: no column is named {options.target!r}{hint}; it has {cells.quoted(list(columns))}")
    return options.target


def _check_named(path: str, options: TableOptions, columns: Mapping[str, Any], target: str) -> None:
    """Refuse names in options that are not of columns to learn from."""
    for argument in ("categorical", "ignore"):
        for other in getattr(options, argument) or ():
            if other not in columns or other == target:
                what = "the target" if other == target else "no column of it"
                raise ValueError(f"{path}: --{argument} must name columns to learn from; {other!r} is {what}")


def _task_of(loss: str | None, options: TableOptions, name: str, column: np.ndarray) -> str:
    if loss is not None:
        return next((task for task, known in objectives.TASKS.items() if loss in known), "regression")
    if options.quantiles is not None:
        return "regression"
    return "classification" if targets.is_classes(name, column) else "regression"


def _loss_of(task: str, options: TableOptions) -> str:
    return objectives.DEFAULT_WITH_QUANTILES if options.quantiles is not None else objectives.DEFAULTS[task]


def _check_loss(loss: str, task: str, options: TableOptions, name: str) -> None:
    known = objectives.TASKS[task]
    if loss not in known:
        raise ValueError(f"--loss must be one of {', '.join(known)} for {task} of {name!r}; got {loss}")
    if options.quantiles is not None and loss not in objectives.WITH_QUANTILES:
        of_quantiles = ", ".join(objectives.WITH_QUANTILES)
        raise ValueError(f"--quantiles is for the loss {of_quantiles}; the loss is {loss}")


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
        key: Unused(key, "mixed", f"{found.text!r} in row {found.row}{_more(found.cells)}")
        for key, found in mixed.items()
        if key != target and key not in chosen
    }
    unreadable = {key: Unused(key, "kind", kind) for key, kind in part.unreadable.items() if key != target}
    return unreadable | chosen | of_both


def _target(
    task: str, name: str, column: np.ndarray, train: np.ndarray, loss: str, options: TableOptions
) -> Classes | Quantity:
    """Learn from the training rows what the target is."""
    if task == "classification":
        return Classes.fit(name, column, train)
    quantiles = (options.quantiles or QUANTILES) if loss in objectives.WITH_QUANTILES else ()
    absolute = not quantiles and not objectives.takes_squares(loss)
    return Quantity.fit(name, column[train], quantiles, absolute)


def fingerprint(column: np.ndarray) -> str:
    """Compute the SHA-256 of the values of a column, in whatever kind of file they are."""
    if column.dtype.kind == "O":
        content = json.dumps(column.tolist(), default=str).encode()
    elif column.dtype.kind == "M":
        content = np.datetime_as_string(column).astype(str).tobytes()
    else:
        numbers = column.astype("<f8")
        content = np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes()
    return hashlib.sha256(content).hexdigest()


def _more(cells: int) -> str:
    return f", and {cells - 1:,} more" if cells > 1 else ""
