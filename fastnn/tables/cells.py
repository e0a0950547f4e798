"""Columns of a table as the rest works with them: numbers, truth values, texts or dates, each cell or none.

A table is a mapping of column name to values, or a DataFrame (pandas, Polars, …): anything with ``columns`` whose
``table[name]`` has ``to_numpy()``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn.tables.number_formats import NumberFormat

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")
_MISSING_TYPES = {"NAType", "NaTType"}  # of pandas
EXACT = float(2**53)  # whole numbers below it are exact


class CellError(ValueError):
    """A cell that does not fit.

    Attributes
    ----------
    column : str
    row : int
        From 0.
    problem : str
        What was expected and what came, without the place.
    """

    def __init__(self, column: str, row: int, problem: str) -> None:
        super().__init__(f"column {column!r}, row {row}: {problem}")
        self.column, self.row, self.problem = column, row, problem


@dataclass(frozen=True)
class Odd:
    """Cells that are unlike most of their column.

    Attributes
    ----------
    row : int
        Of the first, from 0.
    text : str
    cells : int
        How many there are.
    """

    row: int
    text: str
    cells: int

    def __str__(self) -> str:
        return f"{self.text!r}{self._more}"

    def placed(self, row: int) -> str:
        """Return what they are, the first one with the number of its row."""
        return f"{self.text!r} in row {row}{self._more}"

    @property
    def _more(self) -> str:
        return f", and {self.cells - 1:,} more" if self.cells > 1 else ""


@dataclass(frozen=True)
class Cells:
    """The cells of a column.

    Attributes
    ----------
    name : str
    kind : str
        ``"number"``, ``"boolean"``, ``"text"``, ``"date"``, ``"none"`` (every cell is missing) or ``"mixed"`` (texts,
        most of which are numbers).
    numbers : float64 ndarray, shape (n,), or None
        Of numbers and of booleans (0 or 1), NaN where missing.
    texts : list of (str or None), or None
        Of texts, None where missing; dates keep none.
    format : NumberFormat or None
        How numbers are written and which words mean missing; None as long as that is undecided.
    note : str
        How the texts were read.
    odd : Odd or None
        Of ``"mixed"``: what is no number.
    """

    name: str
    kind: str
    numbers: np.ndarray | None = None
    texts: list[str | None] | None = None
    format: NumberFormat | None = None
    note: str = ""
    odd: Odd | None = None

    def __len__(self) -> int:
        return len(self.texts if self.numbers is None else self.numbers)  # type: ignore[arg-type]

    def take(self, rows: np.ndarray) -> Cells:
        """Return the cells of some rows."""
        texts = None if self.texts is None else [self.texts[row] for row in rows.tolist()]
        numbers = None if self.numbers is None else self.numbers[rows]
        there = any(text is not None for text in texts or ()) or (numbers is not None and not np.isnan(numbers).all())
        kind = self.kind if there or self.kind == "date" or not len(rows) else "none"
        return replace(self, kind=kind, numbers=numbers, texts=texts)

    def as_texts(self) -> list[str | None]:
        """Return every cell as text: whole numbers without a point, others as briefly as reading them back allows."""
        if self.texts is not None:
            return self.texts
        assert self.numbers is not None
        if self.kind == "boolean":
            return [None if x != x else "true" if x else "false" for x in self.numbers.tolist()]
        with standard_environment():
            return [None if x != x else number_text(x) for x in self.numbers.tolist()]


def number_text(x: float) -> str:
    """Return a number as the category it is named by."""
    return str(int(x)) if abs(x) < EXACT and x == int(x) else repr(x)


def columns(table: Any, argument: str = "table") -> dict[str, Any]:
    """Return the columns of a table by name, as they are.

    Raises
    ------
    TypeError
        If it is no table.
    ValueError
        If a name occurs twice, there is no column, or the columns are of unequal length.
    """
    if isinstance(table, Mapping):
        found = dict(table)
    elif hasattr(table, "columns") and hasattr(table, "__getitem__"):
        names = list(table.columns)
        twice = sorted({str(name) for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f"{argument} must have columns of different names; {quoted(twice)} occur twice or more")
        found = {name: table[name].to_numpy() for name in names}
    else:
        raise TypeError(
            f"{argument} must be a mapping of column names to arrays, or a DataFrame; got {checks.described(table)}"
        )
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


def cells(name: str, values: Any) -> Cells:
    """Return the cells of a column from an array of numbers, booleans, strings, dates, or Python objects of these.

    None, NaN and what pandas calls NA and NaT are missing.

    Raises
    ------
    TypeError, CellError
        If the column is not one-dimensional, or holds something else.
    """
    if isinstance(values, Cells):
        return values
    given, values = values, array(values)
    if values.ndim != 1:
        came = f"shape {values.shape}" if values.ndim else checks.described(given)
        raise TypeError(f"column {name!r} must be one-dimensional; got {came}")
    kind = values.dtype.kind
    if kind in "fiu":
        with standard_environment(), np.errstate(over="ignore"):
            return _numbers(name, "number", values.astype(np.float64))
    if kind == "b":
        return Cells(name, "boolean", values.astype(np.float64))
    if kind in "Mm":
        return Cells(name, "none" if len(values) and not (values == values).any() else "date")
    if kind in "UTO":
        return _of_objects(name, values.tolist())
    raise TypeError(f"column {name!r} must hold numbers, booleans, texts or dates; got dtype {values.dtype}")


def array(values: Any) -> np.ndarray:
    """Return the values of a column as an array; Python objects remain what they are, and what is masked is None."""
    if hasattr(values, "mask") and hasattr(values, "filled"):
        values = values.tolist()
    if not isinstance(values, (list, tuple)):
        return np.asarray(values)
    result = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        result[row] = value
    return result


def _numbers(name: str, kind: str, numbers: np.ndarray) -> Cells:
    infinite = ~np.isfinite(numbers) & (numbers == numbers)
    if infinite.any():
        row = int(infinite.argmax())
        raise CellError(name, row, f"expected a finite number; got {numbers[row]}")
    if len(numbers) and not (numbers == numbers).any():
        return Cells(name, "none", numbers)
    return Cells(name, kind, numbers)


def _of_objects(name: str, values: list[Any]) -> Cells:
    types = set(map(type, values))
    if types <= {str, type(None)}:
        return _texts(name, values)
    values = [None if _is_missing(value) else value for value in values]
    types = set(map(type, values)) - {type(None)}
    if types <= {str}:
        return _texts(name, values)
    if types <= {bool, np.bool_}:
        return Cells(name, "boolean", np.array([np.nan if v is None else float(v) for v in values]))
    if all(issubclass(t, str) for t in types):
        return _texts(name, [None if v is None else str(v) for v in values])
    if not any(issubclass(t, (str, bytes, bool, np.bool_)) for t in types):
        if all(hasattr(t, "isoformat") or issubclass(t, (np.datetime64, np.timedelta64)) for t in types):
            return Cells(name, "date")
        return _numbers(name, "number", _floats(name, values))
    for row, value in enumerate(values):
        first = next(v for v in values if v is not None)
        if value is not None and type(value) is not type(first):
            raise CellError(
                name, row, f"expected a {type(first).__name__} as in the rows before; got {checks.described(value)}"
            )
    raise AssertionError("unreachable: the cells have several types")


def _floats(name: str, values: list[Any]) -> np.ndarray:
    result = np.empty(len(values))
    with standard_environment():
        for row, value in enumerate(values):
            try:
                result[row] = np.nan if value is None else float(value)
            except (TypeError, ValueError):
                raise CellError(name, row, f"expected a number or a text; got {checks.described(value)}") from None
            except OverflowError:
                raise CellError(name, row, "expected a number that fits in float64; got a larger integer") from None
    return result


def _texts(name: str, texts: list[Any]) -> Cells:
    present = [text for text in texts if text is not None]
    if texts and not present:
        return Cells(name, "none", texts=texts)
    if present and all(map(ISO_DATE.fullmatch, present)):
        return Cells(name, "date", texts=texts)
    return Cells(name, "text", texts=texts)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def quoted(names: list[str], most: int = 8) -> str:
    """Quote names for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
