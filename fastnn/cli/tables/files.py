"""Tables in files, for the commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from fastnn._readers import delimited
from fastnn.cli.failures import Failure
from fastnn.tables import Boolean, Categorical, CellError, Classes, Numeric, TableModel
from fastnn.tables.encoders import is_canonical
from fastnn.tables.number_formats import NumberFormat

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import TableFile


def is_table(path: str) -> bool:
    """Tell whether a name is that of a table in a file."""
    return path.lower().endswith(delimited.TABLE_ENDINGS)


def adapter() -> ModuleType:
    """Import the module that reads files, `fastnn._readers.polars_tables`.

    Raises
    ------
    Failure
        If polars is not installed.
    """
    try:
        from fastnn._readers import polars_tables
    except ImportError as error:
        raise Failure(error) from None
    return polars_tables


def writer() -> ModuleType:
    """Import the module that writes files, `fastnn._readers.polars_writing`.

    Raises
    ------
    Failure
        If polars is not installed.
    """
    adapter()
    from fastnn._readers import polars_writing

    return polars_writing


def open_table(path: str, separator: str | None = None) -> TableFile:
    """Open a table in a file; the separator of a text file is found, unless it is told.

    Raises
    ------
    Failure
        If polars is not installed.
    OSError, ValueError
        If the file cannot be read, or is no table.
    """
    return adapter().TableFile(path, separator)


@contextlib.contextmanager
def in_file(path: str, rows: np.ndarray) -> Iterator[None]:
    """Name the row of the file where an error names that of an array."""
    try:
        yield
    except CellError as error:
        number = int(rows[error.row]) if error.row < len(rows) else error.row
        raise ValueError(f"{path}: column {error.column!r}, row {number}: {error.problem}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def kinds(model: TableModel, with_target: bool) -> dict[str, str | NumberFormat]:
    """Say what the columns that a model takes must hold, by name, as `TableFile.batches` takes it."""
    result: dict[str, str | NumberFormat] = {}
    for encoder in model.preprocessor.encoders:
        if isinstance(encoder, Categorical):
            result[encoder.name] = "name" if all(map(is_canonical, encoder.categories)) else "text"
        else:
            kind: str | NumberFormat = "text"  # dates
            if isinstance(encoder, Boolean):
                kind = "boolean"
            elif isinstance(encoder, Numeric):
                kind = "number" if model.preprocessor.is_old else encoder.format or NumberFormat()
            result[encoder.name] = kind
    if with_target:
        target = model.target
        if isinstance(target, Classes):
            result[target.name] = "text" if target.kind == "text" else "name"
        else:
            result[target.name] = "number" if model.preprocessor.is_old else target.format or NumberFormat()
    return result
