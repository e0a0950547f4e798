"""A table of the user's own: a CSV file with a header, two features and what is to be predicted."""

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
    columns : tuple of str
        The names of the two features and of the target.
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
    columns: tuple[str, ...]
    X: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    is_numeric: bool


def read(content: bytes, file: str) -> Table:
    """Read a CSV file.

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
    columns = _columns(header, separator)
    if not FEWEST_ROWS <= len(cells) <= MOST_ROWS:
        raise ValueError(f"the table must have from {FEWEST_ROWS} to {MOST_ROWS:,} rows; it has {len(cells):,}")
    X = np.array(
        [[_number(row[i], columns[i], line) for i in range(2)] for row, line in zip(cells, lines, strict=True)]
    )
    for name, values in zip(columns, X.T, strict=False):
        if (values == values[0]).all():
            raise ValueError(f"{name!r} must vary; it is {values[0]:g} in every row")
    last = [row[2] for row in cells]
    is_numeric = all(map(_is_number, last))
    targets, classes = _targets(last, columns[2], lines, is_numeric)
    key = hashlib.sha256(file.encode() + b"\0" + content).hexdigest()[:16]
    return Table(key, file, separator, columns, X.astype(np.float32), targets, classes, is_numeric)


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
            raise ValueError(f"line {line} must have {len(header)} cells, as the header has; it has {len(record)}")
    return lines[1:], header, records[1:]


def _columns(header: list[str], separator: str) -> tuple[str, ...]:
    if len(header) != 3:
        raise ValueError(
            "the table must have three columns, two features and what is to be predicted, and their names in the first "
            f"line; separated by {SEPARATORS[separator]} there are {len(header)}: {', '.join(header)[:80]}"
        )
    if len(set(header)) < 3 or not all(header):
        raise ValueError(f"the first line must name the three columns, each otherwise; got {', '.join(header)[:80]}")
    if all(map(_is_number, header)):
        raise ValueError(f"the first line must name the columns; it holds numbers: {', '.join(header)[:80]}")
    return tuple(header)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _number(text: str, column: str, line: int) -> float:
    if not _is_number(text):
        hint = ": write decimals with a point" if _is_number(text.replace(",", ".", 1)) else ""
        raise ValueError(f"line {line}: {column!r} must hold numbers; got {text[:40]!r}{hint}")
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
