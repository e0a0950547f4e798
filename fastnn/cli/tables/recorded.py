"""The table of a run, from its record and the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fastnn._input import checks
from fastnn.cli import objectives
from fastnn.cli.failures import Failure, reason
from fastnn.cli.sources import Division
from fastnn.cli.tables import dividing
from fastnn.cli.tables.deciding import as_target
from fastnn.cli.tables.files import adapter, in_file, open_table
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
    is_old = "missing" not in options  # before there was a choice
    for name in ("categorical", "ignore", "quantiles", "missing"):
        if options.get(name) is not None:
            options[name] = tuple(options[name])
    division = Division.recorded(record)
    expected, named = dict(given["columns"]), str(given["file"])
    try:
        file = open_table(_found(path, named, table))
        if is_old:
            options["missing"] = adapter().OLD_MISSING if file.separator is not None else ()
            options["decimal"] = "," if file.separator not in (None, ",") else None
        chosen = TableOptions(**options)
        part = file.read(chosen.rules.format)
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
