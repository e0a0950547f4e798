"""A table of the user's own: a CSV file with a header, of which two columns are features and one is predicted."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_BYTES = 1_000_000
MOST_ROWS = 5_000
MOST_CLASSES = 8
FEWEST_ROWS = 10
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True, eq=False)
class Table:
    """A table that has been read.

    Attributes
    ----------
    key : str
        The fingerprint of the file, by which a link names it.
    file : str
        The name of the file.
    separator : str
    header : tuple of str
        The names of all columns.
    chosen : (int, int, int)
        The places of the two features and of the target among them.
    X : float32 ndarray, shape (n, 2)
    targets : ndarray, shape (n,)
        Numbers of classes, or float32 of a regression.
    classes : tuple of str
        Their names, sorted; empty for a regression.
    is_numeric : bool
        Whether the targets, or what the classes are called, are numbers.
    """

    key: str
    file: str
    separator: str
    header: tuple[str, ...]
    chosen: tuple[int, ...]
    X: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    is_numeric: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the two features and of the target."""
        return tuple(self.header[place] for place in self.chosen)


def read(content: bytes, file: str, chosen: tuple[int, ...] = ()) -> Table:
    """Read a CSV file.

    ``chosen`` are the places of the features and of the target; by default the last column is the target, and the first
    two others that hold nothing but numbers are the features.

    Raises
    ------
    ValueError
        If it is no such table; the message says what was expected, and the line.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"the file must have at most {MOST_BYTES // 1000:,} kB; it has {len(content) // 1000:,} kB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("the file must be a CSV file in UTF-8: save it as one") from None
    if "\0" in text or not text.strip():
        raise ValueError(f"the file must be a CSV file in UTF-8; it is {'no text' if text.strip() else 'empty'}")
    first = text.lstrip("\r\n").splitlines()[0]
    separator = max(SEPARATORS, key=first.count)
    lines, header, cells = _records(text, separator)
    _check_header(header, separator)
    if not FEWEST_ROWS <= len(cells) <= MOST_ROWS:
        raise ValueError(f"the table must have from {FEWEST_ROWS} to {MOST_ROWS:,} rows; it has {len(cells):,}")
    chosen = _chosen(header, cells, chosen)
    columns = [header[place] for place in chosen]
    features = [[row[place] for place in chosen[:2]] for row in cells]
    X = np.array(
        [[_number(row[i], columns[i], line) for i in range(2)] for row, line in zip(features, lines, strict=True)]
    )
    for name, values in zip(columns, X.T, strict=False):
        if (values == values[0]).all():
            raise ValueError(f"{name!r} must vary; it is {values[0]:g} in every row")
    predicted = [row[chosen[2]] for row in cells]
    is_numeric = all(map(_is_number, predicted))
    targets, classes = _targets(predicted, columns[2], lines, is_numeric)
    key = hashlib.sha256(file.encode() + b"\0" + content).hexdigest()[:16]
    return Table(key, file, separator, tuple(header), chosen, X.astype(np.float32), targets, classes, is_numeric)


def _records(text: str, separator: str) -> tuple[list[int], list[str], list[list[str]]]:
    """Return the line of each row, the header, and the cells of each row; blank lines are none."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines, records = [], []
    try:
        for record in reader:
            if record:
                records.append([cell.strip() for cell in record])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    header = records[0]
    for line, record in zip(lines, records, strict=True):
        if len(record) != len(header):
            cells = f"{len(header)} cell{'s' * (len(header) != 1)}"
            raise ValueError(f"line {line} must have {cells}, as the first line has; it has {len(record)}")
    return lines[1:], header, records[1:]


def _check_header(header: list[str], separator: str) -> None:
    if len(header) < 3:
        raise ValueError(
            "the table must have three columns or more, two features and what is to be predicted, and their names in "
            f"the first line; separated by {SEPARATORS[separator]} there are {len(header)}: {', '.join(header)[:80]}"
        )
    if len(set(header)) < len(header) or not all(header):
        raise ValueError(f"the first line must name the columns, each otherwise; got {', '.join(header)[:80]}")
    if all(map(_is_number, header)):
        raise ValueError(f"the first line must name the columns; it holds numbers: {', '.join(header)[:80]}")


def _chosen(header: list[str], cells: list[list[str]], chosen: tuple[int, ...]) -> tuple[int, ...]:
    last = len(header) - 1
    if chosen:
        if max(chosen) > last or len(set(chosen)) < 3:
            names = ", ".join(header[place] for place in chosen if place <= last)
            raise ValueError(f"columns must be three different ones of the {len(header)}; got {names[:80]}")
        return chosen
    if last == 2:
        return (0, 1, 2)
    numeric = [place for place in range(last) if all(_is_number(row[place]) for row in cells)]
    if len(numeric) < 2:
        raise ValueError(
            f"the table must have two columns of numbers beside the last; there are {len(numeric)} without a cell that "
            f"is empty or no number"
        )
    return (*numeric[:2], last)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _number(text: str, column: str, line: int) -> float:
    if not _is_number(text):
        hint = ": write decimals with a point" if _is_number(text.replace(",", ".", 1)) else ""
        got = f"got {text[:40]!r}{hint}" if text else "it is empty: fill it in, or leave the row out"
        raise ValueError(f"line {line}: {column!r} must hold numbers; {got}")
    value = float(text)
    if abs(value) > 1e30:
        raise ValueError(f"line {line}: {column!r} must hold numbers up to 1e30; got {text[:40]!r}")
    return value


def _targets(cells: list[str], column: str, lines: list[int], is_numeric: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return numbers of classes and the names of these or, for many different numbers, float32 and no names."""
    for cell, line in zip(cells, lines, strict=True):
        if not cell:
            raise ValueError(f"line {line}: {column!r} is empty; what is to be predicted must be there in every row")
    numbers = [_number(cell, column, line) for cell, line in zip(cells, lines, strict=True)] if is_numeric else []
    values: list[Any] = numbers or cells
    classes = sorted(set(values))
    if len(classes) == 1:
        raise ValueError(f"{column!r} must hold at least two classes; it is {cells[0]!r} in every row")
    if len(classes) <= MOST_CLASSES:
        names = tuple(f"{value:.15g}" if is_numeric else value for value in classes)
        return np.array([classes.index(value) for value in values]), names
    if not is_numeric:
        raise ValueError(f"{column!r} must hold numbers, or at most {MOST_CLASSES} classes; it has {len(classes):,}")
    return np.array(numbers, np.float32), ()
