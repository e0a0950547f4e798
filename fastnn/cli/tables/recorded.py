"""The table of a run, from its record and the file."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastnn._input import checks
from fastnn.cli import objectives
from fastnn.cli.failures import Failure, reason
from fastnn.cli.sources import Division
from fastnn.cli.tables import dividing
from fastnn.cli.tables.files import open_table
from fastnn.cli.tables.options import TableOptions
from fastnn.cli.tables.source import EXACT_NAMES, Table
from fastnn.tables import cells
from fastnn.tables.cells import quoted

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import Part


def is_recorded(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is of a run on a table in a file."""
    return isinstance(record["data"].get("table"), Mapping)


def recorded(path: str, record: Mapping[str, Any], table: str | None) -> Table:
    """Read the table of a run, in the same parts.

    Parameters
    ----------
    path : str
        Of the record.
    record : mapping
    table : str, optional
        The file, if it is another than the record names.

    Raises
    ------
    KeyError
        If the record lacks an entry.
    TypeError, ValueError
        If one is wrong.
    Failure
        If the file is not there, or its values are others.
    """
    given = record["data"]
    options = dict(given["table"])
    loss = checks.choice(options.pop("loss"), [name for known in objectives.TASKS.values() for name in known], "loss")
    for name in ("categorical", "numeric", "ignore", "quantiles"):
        if name in options:
            options[name] = tuple(options[name])
    division = Division.recorded(record)
    expected, named = dict(given["columns"]), str(given["file"])
    is_exact = given.get("names") == EXACT_NAMES
    chosen = TableOptions(**options)
    try:
        file = open_table(_found(path, named, table))
        part = file.read()
        found = {name: dividing.fingerprint(part.columns[name]) for name in expected if name in part.columns}
        changed = [name for name in expected if found.get(name) != expected[name]]
        if changed:
            raise ValueError(
                f"{file.path}: not the table of {path!r}: other values in {quoted(changed)}, by their fingerprints"
                + (f", or other rows: it has {len(part.rows):,}" if len(changed) == len(expected) else "")
            )
        part = _of_run(part, expected, is_exact)
        return Table(file, part, _of_columns(chosen, part), division, loss)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None


def _of_run(part: Part, names: Collection[str], is_exact: bool) -> Part:
    """Return the columns that a run has used; of one that knew no exact names, with numbers in float64."""
    columns = {name: values for name, values in part.columns.items() if name in names}
    mixed = {name: found for name, found in part.mixed.items() if name in names}
    if is_exact:
        return replace(part, columns=columns, mixed=mixed, unreadable={})
    for name, values in columns.items():
        column = cells.cells(name, values)
        if column.kind == "number" and column.numbers is not None:
            columns[name] = column.numbers
    return replace(part, columns=columns, mixed=mixed, unreadable={}, padded={})


def _of_columns(chosen: TableOptions, part: Part) -> TableOptions:
    """Return the options of a run for the columns that it has used: those that are numbers stay numbers."""
    categorical = tuple(name for name in chosen.categorical or () if name in part.columns)
    numeric = tuple(
        name
        for name, values in part.columns.items()
        if name not in (*categorical, chosen.target) and cells.cells(name, values).kind == "number"
    )
    return replace(chosen, categorical=categorical, numeric=numeric, ignore=None)


def _found(path: str, named: str, table: str | None) -> str:
    """Find the file: the one given; otherwise the one that the record names, or one of that name beside the record."""
    if table is not None:
        return table
    beside = os.path.join(os.path.dirname(path), os.path.basename(named))
    if not os.path.exists(named) and os.path.exists(beside):
        return beside
    if not os.path.exists(named):
        raise ValueError(f"{named}: No such file; name the table with --data")
    return named
