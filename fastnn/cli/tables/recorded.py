"""The table of a run, from its record and the file."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._input import checks
from fastnn.cli import objectives
from fastnn.cli.failures import Failure, reason
from fastnn.cli.sources import Division
from fastnn.cli.tables import dividing
from fastnn.cli.tables.deciding import as_target
from fastnn.cli.tables.files import adapter, in_file, open_table
from fastnn.cli.tables.options import TableOptions
from fastnn.cli.tables.source import Table
from fastnn.tables import cells, number_formats
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
    is_old = "missing" not in options  # before there was a choice
    for name in ("categorical", "numeric", "ignore", "quantiles", "missing"):
        if options.get(name) is not None:
            options[name] = tuple(options[name])
    division = Division.recorded(record)
    expected, _ = dict(given["columns"]), given["file"]  # which a whole record has
    try:
        file = open_table(_found(path, given, table), options.get("separator"))
        if is_old:
            options["missing"] = adapter().OLD_MISSING if file.separator is not None else ()
            options["decimal"] = "," if file.separator not in (None, ",") else None
        chosen = TableOptions(**options)
        part = _of_run(file.read(chosen.rules.format), expected)
        if is_old:
            part = _as_before(part, file.separator is not None)
        chosen = _of_columns(chosen, part)
        target = str(options["target"])
        task = next(task for task, known in objectives.TASKS.items() if loss in known)
        with in_file(file.path, part.rows):
            read = dividing.read_columns(part, chosen, target)
            if target in part.columns:
                read[target] = as_target(part, target, task, chosen.rules)
        found = {name: dividing.fingerprint(read[name]) for name in expected if name in read}
        changed = [name for name in expected if found.get(name) != expected[name]]
        if changed:
            raise ValueError(
                f"{file.path}: not the table of {path!r}: other values in {quoted(changed)}, by their fingerprints"
                + (f", or other rows: it has {len(part.rows):,}" if len(changed) == len(expected) else "")
            )
        return Table(file, part, chosen, division, loss)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None


def _of_run(part: Part, names: Collection[str]) -> Part:
    """Return the columns that a run has used."""
    columns = {name: values for name, values in part.columns.items() if name in names}
    return replace(part, columns=columns, unreadable={})


def _as_before(part: Part, is_text_file: bool) -> Part:
    """Return columns as they were read before words for missing cells could be chosen.

    Whole numbers were rounded to float64; a text file knew no codes, and texts in other files were never numbers.
    """
    columns: dict[str, Any] = {}
    for name, values in part.columns.items():
        column = cells.cells(name, values)
        if column.kind == "number":
            columns[name] = column.numbers
        elif column.kind == "text" and column.texts is not None:
            columns[name] = _numbers_before(column.texts) if is_text_file else None
            if columns[name] is None:
                columns[name] = values if is_text_file else replace(column, is_named=True)
        else:
            columns[name] = values
    return replace(part, columns=columns)


def _numbers_before(texts: list[str | None]) -> np.ndarray | None:
    """Return texts as numbers, if all were."""
    present = [None if text in adapter().OLD_MISSING else text for text in texts]
    numbers = number_formats.plain([text for text in present if text is not None])
    if not numbers:
        return None
    rest = iter(numbers)
    return np.array([np.nan if text is None else next(rest) for text in present])


def _of_columns(chosen: TableOptions, part: Part) -> TableOptions:
    """Return the options of a run for the columns that it has used: those that are numbers stay numbers."""
    categorical = tuple(name for name in chosen.categorical or () if name in part.columns)
    numbers = [name for name, values in part.columns.items() if cells.cells(name, values).kind == "number"]
    numeric = tuple(
        name
        for name in part.columns
        if name not in (*categorical, chosen.target) and name in (*numbers, *(chosen.numeric or ()))
    )
    return replace(chosen, categorical=categorical, numeric=numeric, ignore=None)


def _found(path: str, data: Mapping[str, Any], table: str | None) -> str:
    """Find the file: the one given; otherwise the one that the record names.

    A record that has moved may have moved with its table: then that is beside it, or where it was as seen from one of
    the folders above.
    """
    if table is not None:
        return table
    named = str(data["file"])
    above = [Path(path).absolute().parent, *Path(path).absolute().parent.parents]
    places = [*([str(data["path"])] if "path" in data else []), *(str(folder / named) for folder in above), named]
    places.append(str(above[0] / Path(named).name))
    for place in places:
        if os.path.exists(place):
            return place
    raise ValueError(f"{named}: No such file; name the table with --data")
