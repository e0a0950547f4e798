"""Predictions and scores of a model for tables, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn._input import checks
from fastnn.cli.tables.files import in_file, kinds, open_table
from fastnn.tables import Classes, TableModel, cells

LABEL_KINDS = {"text": "text", "boolean": "boolean", "number": "number"}
OF_NUMBERS = {"i": "integer", "f": "number", "u": "text", "O": "text", "U": "text"}  # by the dtype; others lose digits


@dataclass
class Notes:
    """What is worth saying about a table that fits."""

    rows: int = 0
    unseen: dict[str, set[str]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        if self.ignored:
            yield f"not known to the model, ignored: {cells.quoted(list(self.ignored))}"
        for name, categories in self.unseen.items():
            n = len(categories)
            known = cells.quoted(sorted(categories), 4)
            yield f"column {name!r}: {n:,} {'category' if n == 1 else 'categories'} rare or unseen in training: {known}"


@dataclass(frozen=True)
class Batch:
    """Rows of a file with predictions, as `TableModel.outputs` gives them, and columns as they are in the file."""

    rows: np.ndarray
    outputs: np.ndarray
    target: np.ndarray | None
    kept: Mapping[str, Any] = field(default_factory=dict)


def batches(
    model: TableModel,
    path: str,
    notes: Notes,
    with_target: bool = False,
    head: int | None = None,
    keep: tuple[str, ...] = (),
    separator: str | None = None,
) -> Iterator[Batch]:
    """Predict the rows of a file, of which some columns are kept.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or does not fit the model; the message names column and row.
    """
    file = open_table(path, separator)
    name = model.target.name
    for other in keep:
        if other not in file.names:
            raise ValueError(f"{path}: no column is named {other!r}{checks.nearest(other, file.names)}, to be kept")
    model.preprocessor.check_columns(file.names, path)
    notes.ignored = tuple(
        other for other in model.preprocessor.extra_columns(file.names) if other != name and other not in keep
    )
    has_target = name in file.names
    wanted = kinds(model, with_target and has_target)
    for part in file.batches(wanted, head=head, keep=keep, old=model.preprocessor.is_old):
        columns = dict(part.columns)
        target = columns.pop(name) if with_target and has_target else None
        with in_file(path, part.rows):
            outputs = model.outputs(columns)
        notes.rows += len(part.rows)
        for column, categories in model.preprocessor.unseen_categories(columns).items():
            known = notes.unseen.setdefault(column, set())
            if len(known) < 10_000:  # a count is not worth more memory
                known |= categories
        yield Batch(part.rows, outputs, target, part.kept)


def joined(
    model: TableModel, path: str, notes: Notes, head: int, keep: tuple[str, ...] = (), separator: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, dict[str, list[Any]]]:
    """Predict the first ``head`` rows.

    Give their numbers in the file, predictions, the target, if it is there, and the columns to keep.
    """
    read = batches(model, path, notes, with_target=True, head=head, keep=keep, separator=separator)
    found = [batch for batch in read if len(batch.rows)]
    if not found:
        raise ValueError(f"{path}: the table has no rows")
    targets_found = [batch.target for batch in found if batch.target is not None]
    return (
        np.concatenate([batch.rows for batch in found]),
        np.concatenate([batch.outputs for batch in found]),
        np.concatenate(targets_found) if targets_found else None,
        {name: [value for batch in found for value in batch.kept[name]] for name in keep},
    )


def output_kinds(model: TableModel) -> dict[str, str]:
    """Name the columns that predictions are written as, and what they hold."""
    target = model.target
    if isinstance(target, Classes):
        kind = LABEL_KINDS[target.kind]
        if kind == "number":
            kind = OF_NUMBERS[target.decode(np.zeros(1, dtype=np.int64)).dtype.kind]
        return {"label": kind, **{f"probability_{label}": "number" for label in target.labels}}
    quantiles = target.quantiles
    return {f"quantile_{q:g}": "number" for q in quantiles} or {"prediction": "number"}


def output_columns(model: TableModel, outputs: np.ndarray) -> Mapping[str, np.ndarray]:
    """Give predictions as the columns that `output_kinds` names."""
    names = list(output_kinds(model))
    if isinstance(model.target, Classes):
        label = model.target.decode(outputs.argmax(axis=1))
        label = label.astype(str) if label.dtype.kind in "uO" else label
        return {"label": label, **dict(zip(names[1:], np.ascontiguousarray(outputs.T), strict=True))}
    return dict(zip(names, np.ascontiguousarray(outputs.T), strict=True))


def evaluated(
    model: TableModel, path: str, notes: Notes, separator: str | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Predict all rows that have a target; give the values of it, the predictions, and how many rows have none."""
    name = model.target.name
    values, outputs, missing = [], [], 0
    for batch in batches(model, path, notes, with_target=True, separator=separator):
        if batch.target is None:
            raise ValueError(f"{path}: no column is named {name!r}, which the model predicts")
        with in_file(path, batch.rows):
            there = model.target.present(batch.target)
        missing += int(np.count_nonzero(~there))
        if there.any():
            with in_file(path, batch.rows[there]):
                values.append(model.target.values(batch.target[there]))
            outputs.append(batch.outputs[there])
    if not values:
        raise ValueError(f"{path}: no row has a value of {name!r}")
    return np.concatenate(values), np.concatenate(outputs), missing
