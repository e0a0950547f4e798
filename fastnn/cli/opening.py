"""Which source a run has: a built-in data set or a table in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn.cli.built_in import source as built_in
from fastnn.cli.built_in.datasets import DATASETS
from fastnn.cli.failures import damaged
from fastnn.cli.sources import Division, Source
from fastnn.cli.tables import recorded as recorded_tables
from fastnn.cli.tables import source as tables
from fastnn.cli.tables.options import TableOptions


def opened(name: str, options: TableOptions, division: Division, loss: str | None) -> Source:
    """Read the data set or the table ``name`` to train on; a loss that is None is chosen by the target.

    Raises
    ------
    Failure
        If a library is missing.
    OSError, ValueError
        If it cannot be read, or does not suit the options.
    """
    if name in DATASETS:
        return built_in.opened(name, division, loss)
    return tables.opened(name, options, division, loss)


def is_of_table(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is of a run on a table in a file."""
    return recorded_tables.is_recorded(record)


def is_known(record: Mapping[str, Any]) -> bool:
    """Tell whether a record says where its rows come from: a table in a file, or a data set that is built in."""
    return is_of_table(record) or built_in.is_recorded(record)


def recorded(path: str, record: Mapping[str, Any], table: str | None) -> Source:
    """Read what a run was trained on, in the same parts.

    Parameters
    ----------
    path : str
        Of the record.
    record : mapping
        One that `is_known`.
    table : str, optional
        The file, if it is another than the record names.

    Raises
    ------
    Incomplete
        If the record lacks an entry.
    Failure
        If one is wrong, or the table is not there or another.
    """
    with damaged(path):
        return recorded_tables.recorded(path, record, table) if is_of_table(record) else built_in.recorded(record)
