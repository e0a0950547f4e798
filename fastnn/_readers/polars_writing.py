"""Tables written to files, CSV, TSV, Parquet and Arrow, by Polars."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from fastnn._storage import durable

_TYPES = {"text": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}


def write(path: str, kinds: Mapping[str, Any], batches: Iterable[Mapping[str, Any]]) -> None:
    """Write a table by the ending of ``path``, batch by batch; an existing file is replaced in one go.

    Parameters
    ----------
    path : str
        Ends in ``.csv``, ``.tsv``, ``.parquet`` or ``.arrow``.
    kinds : mapping of str to str
        For each column ``"text"``, ``"integer"``, ``"number"`` or ``"boolean"``; or a type of Polars.
    batches : iterable of mapping
        The columns of consecutive rows. An error it raises is passed on, and nothing is written.
    """
    raised: list[BaseException] = []

    def source(*_: Any) -> Iterator[pl.DataFrame]:
        try:
            for columns in batches:
                yield _frame(kinds, columns)
        except BaseException as error:
            raised.append(error)
            raise

    lazy = register_io_source(source, schema={name: _type(kind) for name, kind in kinds.items()})
    sinks: dict[str, Callable[[str], Any]] = {
        ".csv": lazy.sink_csv,
        ".tsv": lambda part: lazy.sink_csv(part, separator="\t"),
        ".parquet": lazy.sink_parquet,
        ".arrow": lazy.sink_ipc,
    }
    if not os.path.isdir(os.path.dirname(path) or "."):  # Polars would name the temporary file
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    with durable.replacing(path) as part:
        try:
            sinks[os.path.splitext(path)[1].lower()](part)
        except pl.exceptions.PolarsError as error:
            raise (raised[0] if raised else ValueError(f"{path}: {str(error).splitlines()[0]}")) from None


def csv_text(kinds: Mapping[str, Any], columns: Mapping[str, Any], header: bool) -> str:
    """Write rows as CSV."""
    return _frame(kinds, columns).write_csv(include_header=header)


def _frame(kinds: Mapping[str, Any], columns: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(name, columns[name], _type(kind)) for name, kind in kinds.items()})


def _type(kind: Any) -> Any:
    return _TYPES[kind] if isinstance(kind, str) else kind
