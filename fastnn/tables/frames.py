"""Columns of any table: mappings, data frames of pandas and Polars, tables of Arrow, arrays with named fields.

No library is imported here but to read an object that only has Arrow's protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn._input import checks
from fastnn._input.arrays import has

EXACT = float(2**53)  # whole numbers below it are exact
_CATEGORIES = ("categor", "dictionary", "enum")  # how a dtype begins of which NumPy would be given something else
_UNREADABLE = {"list", "large_list", "fixed_size_list", "array", "struct", "map", "dense_union", "sparse_union"}
_UNREADABLE |= {"binary", "large_binary", "fixed_size_binary", "month_day_nano_interval"}


class UnreadableColumn(TypeError):
    """A column of lists and the like.

    Attributes
    ----------
    dtype : str
    """

    def __init__(self, name: str, dtype: str) -> None:
        super().__init__(f"column {name!r} must hold numbers, booleans, texts or dates; got dtype {dtype}")
        self.dtype = dtype


def columns(table: Any, argument: str = "table") -> dict[str, Any]:
    """Return the columns of a table by name, as they are.

    Raises
    ------
    TypeError
        If it is no table.
    ValueError
        If a name occurs twice, there is no column, or the columns are of unequal length.
    """
    found = _by_name(table, argument)
    if not found:
        raise ValueError(f"{argument} must have at least one column; got none")
    lengths: dict[str, int] = {}
    for name, values in found.items():
        if not isinstance(name, str):
            raise TypeError(f"{argument} must have column names that are strings; got {checks.described(name)}")
        try:
            lengths[name] = len(values)
        except TypeError:
            raise TypeError(
                f"{argument} must hold an array for each column; got {checks.described(values)} for {name!r}"
            ) from None
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise ValueError(
                f"{argument} must have columns of equal length; {first!r} has {lengths[first]} rows, {name!r} {length}"
            )
    return found


def _by_name(table: Any, argument: str) -> dict[Any, Any]:
    if isinstance(table, Mapping):
        return dict(table)
    if isinstance(table, np.ndarray) and table.dtype.names is not None:
        return {name: table[name] for name in table.dtype.names}
    if has(table, "collect", "collect_schema"):  # a LazyFrame
        table = table.collect()
    if has(table, "column_names", "column"):  # of pyarrow
        names, column = list(table.column_names), table.column
        _check_different(names, argument)
        return {name: column(place) for place, name in enumerate(names)}
    if has(table, "columns", "__getitem__"):
        names = list(table.columns)
        _check_different(names, argument)
        return {name: table[name] for name in names}
    if has(table, "__arrow_c_stream__"):
        from fastnn._readers import arrow_stream

        return arrow_stream.columns(table, argument)
    raise TypeError(
        f"{argument} must be a mapping of column names to arrays, or a DataFrame; got {checks.described(table)}"
    )


def _check_different(names: list[Any], argument: str) -> None:
    if len(set(names)) < len(names):
        twice = ", ".join(repr(str(name)) for name in dict.fromkeys(names) if names.count(name) > 1)
        raise ValueError(f"{argument} must have columns of different names; got more than one of {twice}")


def array(name: str, values: Any) -> tuple[np.ndarray, bool]:
    """Return the values of a column as an array, and whether its library calls them categories.

    Python objects remain what they are, and what is masked is None; whole numbers are never rounded.

    Raises
    ------
    UnreadableColumn
    """
    if has(values, "mask", "filled"):
        values = values.tolist()
    if isinstance(values, np.ndarray):
        return values, False
    if isinstance(values, (list, tuple)):
        return objects(values), False
    dtype = str(getattr(values, "dtype", "") or getattr(values, "type", ""))
    kind = dtype.lower()
    if kind.partition("[")[0].partition("<")[0].partition("(")[0] in _UNREADABLE or dtype == "Object":
        raise UnreadableColumn(name, dtype)
    is_category = kind.startswith(_CATEGORIES)
    if is_category and has(values, "to_pylist"):  # of pyarrow, which would fill missing cells with the last category
        values = values.cast(values.type.value_type)
        kind = str(values.type)
    if kind.startswith(("int128", "uint128")):
        return objects(_listed(values)), False
    found = _to_numpy(values, kind)
    is_rounded = (is_category or "int" in kind) and found.dtype.kind == "f" and (np.abs(found) >= EXACT).any()
    return (objects(_listed(values)) if is_rounded else found), is_category


def _to_numpy(values: Any, kind: str) -> np.ndarray:
    if has(values, "to_pylist"):
        return values.to_numpy(zero_copy_only=False)
    if not has(values, "to_numpy"):
        return np.asarray(values)
    if kind.startswith("datetime64[") and "," in kind:  # of pandas, with a zone: in UTC
        return values.to_numpy(dtype=f"{kind.partition(',')[0]}]")
    return values.to_numpy()


def _listed(values: Any) -> list[Any]:
    return values.to_pylist() if has(values, "to_pylist") else values.to_list()


def objects(values: list[Any] | tuple[Any, ...]) -> np.ndarray:
    """Return Python objects as an array of them, whatever they are."""
    result = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        result[row] = value
    return result
