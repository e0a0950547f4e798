"""Tables of any library that hands them out by Arrow's protocol, read by pyarrow or Polars, whichever there is."""

from __future__ import annotations

from typing import Any


def columns(table: Any, argument: str) -> dict[str, Any]:
    """Return the columns of an object with ``__arrow_c_stream__``, by name.

    Raises
    ------
    ImportError
        If neither library is installed.
    TypeError
        If the stream is no table.
    """
    read = _reader(type(table).__name__)
    try:
        found = read(table)
    except Exception as error:
        raise TypeError(
            f"{argument} must be a table; got a {type(table).__name__}, whose Arrow stream is none: {error}"
        ) from None
    names = list(found.column_names if hasattr(found, "column_names") else found.columns)
    if len(set(names)) < len(names):
        raise ValueError(f"{argument} must have columns of different names; got {names}")
    return {name: found[name] for name in names}


def _reader(name: str) -> Any:
    """Return what makes a table of a stream."""
    try:
        import pyarrow  # type: ignore[import-untyped]
    except ImportError:
        pass
    else:
        return pyarrow.table
    try:
        import polars
    except ImportError:
        raise ImportError(f"a table of the kind {name} needs pyarrow or polars: pip install pyarrow") from None
    return polars.DataFrame
