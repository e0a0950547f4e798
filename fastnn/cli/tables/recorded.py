"""The table of a run, from its record and the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastnn._input import checks
from fastnn.cli import objectives
from fastnn.cli.failures import Failure, reason
from fastnn.cli.sources import Division
from fastnn.cli.tables import dividing
from fastnn.cli.tables.files import open_table
from fastnn.cli.tables.options import TableOptions
from fastnn.cli.tables.source import Table
from fastnn.tables.cells import quoted


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
    for name in ("categorical", "ignore", "quantiles"):
        if name in options:
            options[name] = tuple(options[name])
    division = Division.recorded(record)
    expected, _ = dict(given["columns"]), given["file"]
    chosen = TableOptions(**options)
    try:
        file = open_table(_found(path, given, table), chosen.separator)
        part = file.read()
        found = {name: dividing.fingerprint(part.columns[name]) for name in expected if name in part.columns}
        changed = [name for name in expected if found.get(name) != expected[name]]
        if changed:
            raise ValueError(
                f"{file.path}: not the table of {path!r}: other values in {quoted(changed)}, by their fingerprints"
                + (f", or other rows: it has {len(part.rows):,}" if len(changed) == len(expected) else "")
            )
        return Table(file, part, chosen, division, loss)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None


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
