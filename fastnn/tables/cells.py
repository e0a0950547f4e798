"""Columns of a table as the rest works with them: numbers, truth values, texts or dates, each cell or none."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn.tables import frames, moments
from fastnn.tables.frames import EXACT
from fastnn.tables.number_formats import NumberFormat

_MISSING_TYPES = {"NAType", "NaTType"}  # of pandas
_DURATIONS = (datetime.timedelta, datetime.time, np.timedelta64)
_SURE_DIGITS = 15  # float64 tells apart all decimal numbers of so many


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
        Of numbers, of booleans (0 or 1), and of texts that are numbers their library calls categories; NaN where
        missing.
    texts : list of (str or None), or None
        Of texts, and of dates that were texts; None where missing.
    moments : int64 ndarray, shape (n,), or None
        Of dates: see `fastnn.tables.moments`.
    own : ndarray, shape (n,), or None
        The numbers as they came, where float64 does not tell them apart or would name them otherwise.
    is_named : bool
        Whether the library that it comes from calls the texts categories, whatever they look like.
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
    moments: np.ndarray | None = None
    own: np.ndarray | None = None
    is_named: bool = False
    format: NumberFormat | None = None
    note: str = ""
    odd: Odd | None = None

    def __len__(self) -> int:
        return len(next(part for part in (self.texts, self.numbers, self.moments) if part is not None))

    @property
    def present(self) -> np.ndarray:
        """Which cells have a value: bool of shape (n,)."""
        if self.moments is not None:
            return self.moments != moments.MISSING
        if self.texts is not None:
            return np.array([text is not None for text in self.texts], dtype=np.bool_)
        assert self.numbers is not None
        return self.numbers == self.numbers

    @property
    def holds_integers(self) -> bool:
        """Whether the numbers came as integers that float64 does not tell apart."""
        if self.own is None:
            return False
        return self.own.dtype.kind in "iu" or all(x is None or isinstance(x, (int, np.integer)) for x in self.own)

    def take(self, rows: np.ndarray) -> Cells:
        """Return the cells of some rows."""
        numbers, instants, own = (
            None if part is None else part[rows] for part in (self.numbers, self.moments, self.own)
        )
        texts = None if self.texts is None else [self.texts[row] for row in rows.tolist()]
        taken = replace(self, numbers=numbers, texts=texts, moments=instants, own=own)
        is_empty = self.kind != "date" and bool(len(rows)) and not taken.present.any()
        return replace(taken, kind="none") if is_empty else taken

    def as_texts(self) -> list[str | None]:
        """Return every cell as text: whole numbers without a point, others as briefly as reading them back allows."""
        if self.texts is not None:
            return self.texts
        if self.moments is not None:
            return [None if moment == moments.MISSING else moments.text(moment) for moment in self.moments.tolist()]
        assert self.numbers is not None
        if self.kind == "boolean":
            return [None if x != x else "true" if x else "false" for x in self.numbers.tolist()]
        with standard_environment():
            if self.own is not None:
                pairs = zip(self.numbers.tolist(), self.own, strict=True)
                return [None if number != number else exact_text(x) for number, x in pairs]
            return [None if x != x else number_text(x) for x in self.numbers.tolist()]


def number_text(x: float) -> str:
    """Return a number as the category it is named by."""
    return str(int(x)) if abs(x) < EXACT and x == int(x) else repr(x)


def exact_text(x: Any) -> str:
    """Return a number of any type as the category it is named by: all digits of whole numbers and decimals."""
    if isinstance(x, (int, np.integer)):
        return str(int(x))
    if isinstance(x, np.floating):  # the shortest text of its own precision
        return number_text(float(str(x)))
    if hasattr(x, "as_tuple"):  # a Decimal
        text = f"{x:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if len(text.lstrip("-0.").replace(".", "")) > _SURE_DIGITS:
            return text
    return number_text(float(x))


def known_text(text: str | None, known: Collection[str | None]) -> str | None:
    """Return the name by which a category is known: a whole number may be, by the float64 nearest to it."""
    if text is None or text in known or len(text) <= _SURE_DIGITS or not text.removeprefix("-").isdecimal():
        return text
    with standard_environment():
        return number_text(float(text))


def cells(name: str, values: Any) -> Cells:
    """Return the cells of a column from an array of numbers, booleans, strings, dates, or Python objects of these.

    None, NaN and what pandas calls NA and NaT are missing. Durations and times of the day are numbers: seconds.

    Raises
    ------
    TypeError, CellError
        If the column is not one-dimensional, or holds something else.
    """
    if isinstance(values, Cells):
        return values
    given, (values, is_category) = values, frames.array(name, values)
    if values.ndim != 1:
        came = f"shape {values.shape}" if values.ndim else checks.described(given)
        raise TypeError(f"column {name!r} must be one-dimensional; got {came}")
    result = _of_array(name, values)
    if is_category and result.kind in ("number", "text"):
        return Cells(name, "text", result.numbers, result.as_texts(), is_named=True)
    return result


def _of_array(name: str, values: np.ndarray) -> Cells:
    kind = values.dtype.kind
    if kind in "fiu":
        with standard_environment(), np.errstate(over="ignore"):
            numbers = values.astype(np.float64)
        has_own = values.itemsize < 8 if kind == "f" else bool((np.abs(numbers) >= EXACT).any())
        return _numbers(name, numbers, values if has_own else None)
    if kind == "b":
        return Cells(name, "boolean", values.astype(np.float64))
    if kind == "M":
        return _dates(name, *moments.of_array(values), values)
    if kind == "m":
        with standard_environment():
            return _numbers(name, values / np.timedelta64(1, "us") / 1e6)
    if kind in "UTO":
        return _of_objects(name, values.tolist())
    raise frames.UnreadableColumn(name, str(values.dtype))


def _numbers(name: str, numbers: np.ndarray, own: np.ndarray | None = None) -> Cells:
    infinite = ~np.isfinite(numbers) & (numbers == numbers)
    if infinite.any():
        row = int(infinite.argmax())
        raise CellError(name, row, f"expected a finite number; got {numbers[row]}")
    if len(numbers) and not (numbers == numbers).any():
        return Cells(name, "none", numbers)
    return Cells(name, "number", numbers, own=own)


def _dates(name: str, found: np.ndarray, wrong: np.ndarray, values: Any) -> Cells:
    if wrong.any():
        row = int(wrong.argmax())
        raise CellError(name, row, f"expected a date of the years 1 to 9999; got {values[row]}")
    if len(found) and (found == moments.MISSING).all():
        return Cells(name, "none", np.full(len(found), np.nan))
    return Cells(name, "date", moments=found)


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
    if all(hasattr(t, "closed") and hasattr(t, "left") for t in types):  # an Interval of pandas
        return Cells(name, "text", texts=[None if v is None else str(v) for v in values])
    if not any(issubclass(t, (str, bytes, bool, np.bool_)) for t in types):
        if all(_is_date(t) for t in types):
            return _of_dates(name, values)
        numbers = _floats(name, values)
        is_plain = types <= {int, float} and not (np.abs(numbers) >= EXACT).any()
        is_plain |= all(issubclass(t, _DURATIONS) for t in types)
        return _numbers(name, numbers, None if is_plain else frames.array(name, values)[0])
    for row, value in enumerate(values):
        first = next(v for v in values if v is not None)
        if value is not None and type(value) is not type(first):
            raise CellError(
                name,
                row,
                f"expected the type {type(first).__name__}, as in the rows before; got {checks.described(value)}",
            )
    raise CellError(name, 0, f"expected a number or a text; got {checks.described(values[0])}")


def _is_date(cls: type) -> bool:
    """Return whether a type is that of dates, or of times with a date."""
    return issubclass(cls, np.datetime64) or hasattr(cls, "toordinal") or hasattr(cls, "to_timestamp")


def _of_dates(name: str, values: list[Any], texts: list[str | None] | None = None) -> Cells:
    """Return the cells of dates from objects, or from ``texts``, which are the values then."""
    different = [value for value in dict.fromkeys(values) if value is not None]
    try:
        read = moments.of_texts(different) if texts else [moments.of_time(value) for value in different]
    except (ValueError, OverflowError):
        raise _no_date(name, values) from None
    known = dict(zip(different, read, strict=True)) | {None: moments.MISSING}
    return Cells(name, "date", texts=texts, moments=np.array([known[value] for value in values], dtype=np.int64))


def _no_date(name: str, values: list[Any]) -> CellError:
    """Return the error that names the first value that is no date."""
    for row, value in enumerate(values):
        try:
            if value is not None:
                moments.of_text(value) if isinstance(value, str) else moments.of_time(value)
        except (ValueError, OverflowError):
            return CellError(name, row, f"expected a date; got {str(value)!r}, which is none")
    raise AssertionError("unreachable: one of the values is no date")


def _floats(name: str, values: list[Any]) -> np.ndarray:
    result = np.empty(len(values))
    with standard_environment():
        for row, value in enumerate(values):
            try:
                result[row] = (
                    np.nan if value is None else _seconds(value) if isinstance(value, _DURATIONS) else float(value)
                )
            except (TypeError, ValueError):
                raise CellError(name, row, f"expected a number or a text; got {checks.described(value)}") from None
            except OverflowError:
                raise CellError(name, row, "expected a number that fits in float64; got a larger integer") from None
    return result


def _seconds(value: Any) -> float:
    """Return a duration, or the time of a day since midnight, in seconds."""
    if isinstance(value, datetime.time):
        passed = (value.hour * 60 + value.minute) * 60 + value.second
        return (passed * 1_000_000 + value.microsecond) / 1e6
    return float(np.timedelta64(value) / np.timedelta64(1, "us") / 1e6)


def _texts(name: str, texts: list[Any]) -> Cells:
    present = [text for text in texts if text is not None]
    if texts and not present:
        return Cells(name, "none", texts=texts)
    if present and all(map(moments.ISO.fullmatch, present)):
        return _of_dates(name, texts, texts)
    return Cells(name, "text", texts=texts)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    if hasattr(value, "is_nan"):  # a Decimal
        return bool(value.is_nan())
    return isinstance(value, (float, np.floating, np.datetime64, np.timedelta64)) and bool(value != value)


def quoted(names: list[str], most: int = 8) -> str:
    """Quote names for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
