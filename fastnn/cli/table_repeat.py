"""The data of a run on a table, from its record and the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fastnn._input import checks
from fastnn.cli import table_run
from fastnn.cli.datasets import Failure, reason
from fastnn.cli.table_files import open_table
from fastnn.cli.table_run import Division, Parts, TableOptions
from fastnn.tables.cells import quoted


def is_of_table(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a run on a table in a file."""
    return isinstance(record["data"].get("table"), Mapping)


def fit_data(path: str, record: Mapping[str, Any], table: str | None) -> tuple[Any, Any, Any]:
    """What the run was given: X, y and the validation data, if any; raises what `parts` does."""
    found = parts(path, record, table)
    validation = found.validation
    return found.train.X, found.train.y, validation and (validation.X, validation.y)


def parts(path: str, record: Mapping[str, Any], table: str | None) -> Parts:
    """The table of a run, in the same parts.

    Parameters
    ----------
    path : str
        Of the record.
    record : mapping
    table : str, optional
        The file, if it is another than the record names.

    Raises
    ------
    Failure
        If the file is not there, its values are others, or the record is damaged.
    """
    given = record["data"]
    try:
        options = dict(given["table"])
        loss = checks.choice(
            options.pop("loss"), [name for known in table_run.LOSSES.values() for name in known], "loss"
        )
        for name in ("categorical", "ignore", "quantiles"):
            if name in options:
                options[name] = tuple(options[name])
        division = Division(
            given["test_fraction"], given["validation_fraction"], record["seeds"]["split"], record["network"]["dtype"]
        )
        expected, named = dict(given["columns"]), str(given["file"])
        chosen = TableOptions(**options)
    except KeyError as error:
        raise Failure(f"{path!r} is damaged: it has no entry {error}") from None
    except (TypeError, ValueError) as error:
        raise Failure(f"{path!r} is damaged: {error}") from None
    try:
        file = open_table(_found(path, named, table))
        part = file.read()
        found = {name: table_run.fingerprint(part.columns[name]) for name in expected if name in part.columns}
        changed = [name for name in expected if found.get(name) != expected[name]]
        if changed:
            raise ValueError(
                f"{file.path}: not the table of {path!r}: other values in {quoted(changed)}, by their fingerprints"
                + (f", or other rows: it has {len(part.rows):,}" if len(changed) == len(expected) else "")
            )
        return table_run.split(file.path, part, chosen, division, loss)
    except (OSError, TypeError, ValueError) as error:
        raise Failure(reason(error)) from None


def _found(path: str, named: str, table: str | None) -> str:
    """The file: the one given; otherwise the one that the record names, or one of that name beside the record."""
    if table is not None:
        return table
    beside = os.path.join(os.path.dirname(path), os.path.basename(named))
    if not os.path.exists(named) and os.path.exists(beside):
        return beside
    if not os.path.exists(named):
        raise ValueError(f"{named}: No such file; name the table with --data")
    return named
