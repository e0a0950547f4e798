"""The rows of a delimited text file, in parts of bounded size, each row with as many cells as the header.

Where quotation marks stand as RFC 4180 has them, the bytes can be given to a fast reader, with the number of rows that
they hold, counted apart from it. From the first place on where they do not (an inch mark in a cell, a quotation mark
escaped by a backslash), or where lines end in a carriage return alone, rows are those of Python's csv module.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from fastnn._readers import delimited
from fastnn._readers.delimited import Layout, decoded

CHUNK = 2**24  # bytes that are looked at in one go
LARGEST = 2**28  # bytes of a row that is not taken for one with an open quotation mark
ROWS = 50_000  # read by csv in one go
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'


@dataclass(frozen=True)
class Regular:
    """Whole rows as bytes, without blank lines; each line of them ends in a line feed."""

    content: bytes
    rows: int
    has_quotes: bool
    line: int


def parts(path: str, layout: Layout) -> Iterator[Regular | list[list[str]]]:
    """Go through the rows below the header; a blank line is no row, but for files of one column.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If a row has more or fewer cells than the header, is not UTF-8, or a quotation mark is not closed; the message
        names the line.
    """
    with delimited.opened(path) as file:
        file.read(layout.start)
        line, rest, size = layout.line, b"", CHUNK
        while True:
            new = file.read(size)
            content = rest + new
            if not content:
                return
            is_last = len(new) < size
            if not content.endswith(b"\n") and is_last:
                content += b"\n"
            if content.find(0) >= 0:
                decoded(content, path, line)  # says where
            found = _regular(content, layout, line)
            if found is None or (not found[1] and size > LARGEST):
                yield from _by_csv(_lines(content, file, path, line), path, layout, line)
                return
            part, used = found
            if part.rows:
                if not part.content.isascii():
                    decoded(part.content, path, line)
                yield part
            rest = content[used:]
            line += content.count(b"\n", 0, used)
            size = CHUNK if used else 2 * size  # a row larger than that
            if is_last:
                if rest:  # ends within quotation marks
                    yield from _by_csv(_lines(rest, file, path, line), path, layout, line)
                return


def by_csv(part: Regular, path: str, layout: Layout) -> Iterator[list[list[str]]]:
    """Read the rows of a part with Python's csv module."""
    return _by_csv(_lines(part.content, io.BytesIO(), path, part.line), path, layout, part.line)


# --------------------------------------------------------------- regular rows


def _regular(content: bytes, layout: Layout, line: int) -> tuple[Regular, int] | None:
    """Find the whole rows that ``content`` begins with, and how many bytes they take; None if one is not regular."""
    data = np.frombuffer(content, np.uint8)
    separator, width = ord(layout.separator), len(layout.names)
    ends, separators = np.flatnonzero(data == _NEWLINE), np.flatnonzero(data == separator)
    returns = np.flatnonzero(data == _RETURN) if b"\r" in content else np.zeros(0, np.int64)
    has_quotes = b'"' in content
    if has_quotes:
        quotes = np.flatnonzero(data == _QUOTE)
        ends, separators, returns = (
            places[np.searchsorted(quotes, places) & 1 == 0] for places in (ends, separators, returns)
        )
        if not _are_regular(data, quotes, separator):
            return None
    used = int(ends[-1]) + 1 if len(ends) else 0
    if (data[np.minimum(returns[returns < used] + 1, len(data) - 1)] != _NEWLINE).any():
        return None
    if not used and len(returns) > 1:
        return None  # lines that no line feed ends
    blank = _blank(data, ends) if width > 1 else np.zeros(len(ends), np.bool_)
    rows = len(ends) - int(np.count_nonzero(blank))
    cells = np.searchsorted(separators, ends[~blank])  # separators up to the end of each row
    if (np.diff(cells, prepend=0) != width - 1).any():
        return None
    kept = content[:used]
    if blank.any():
        keep = np.ones(used, np.bool_)
        keep[ends[blank]] = False
        before = ends[blank] - 1
        keep[before[(before >= 0) & (data[before] == _RETURN)]] = False
        kept = data[:used][keep].tobytes()
    return Regular(kept, rows, has_quotes, line), used


def _are_regular(data: np.ndarray, quotes: np.ndarray, separator: int) -> bool:
    """Tell whether each quotation mark begins a cell, ends one, or is one of two within."""
    opening, closing = quotes[::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    begins = (before == separator) | (before == _NEWLINE) | (opening == 0)
    doubled = before == _QUOTE
    doubled[0:1] = False  # the first one has none before it
    closing = closing[closing + 1 < len(data)]
    after = data[closing + 1]
    return_ends = (after == _RETURN) & (data[np.minimum(closing + 2, len(data) - 1)] == _NEWLINE)
    return bool(
        (begins | doubled).all()
        and ((after == separator) | (after == _NEWLINE) | (after == _QUOTE) | return_ends).all()
    )


def _blank(data: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Tell which line ends are those of blank lines."""
    lengths = np.diff(ends, prepend=-1) - 1
    alone = data[np.maximum(ends - 1, 0)] == _RETURN
    return (lengths == 0) | ((lengths == 1) & alone)


# ----------------------------------------------------------------- other rows


def _lines(content: bytes, file: BinaryIO, path: str, line: int) -> Iterator[str]:
    """Go through the lines of ``content`` and then of the rest of the file, with their ends."""
    *whole, cut = content.split(b"\n")
    for raw in whole:
        yield from delimited.split(decoded(raw + b"\n", path, line))
        line += 1
    for number, raw in enumerate(itertools.chain([cut + file.readline()], file), line):
        if raw:
            yield from delimited.split(decoded(raw, path, number))


def _by_csv(lines: Iterator[str], path: str, layout: Layout, line: int) -> Iterator[list[list[str]]]:
    """Read rows with Python's csv module, and refuse those that it may have put together of several."""
    taken: list[str] = []  # the lines of one row

    def watched() -> Iterator[str]:
        for text in lines:
            taken.append(text)
            yield text
        taken.append("\0")
        yield "\0"  # it is a row of its own, unless quotation marks are open

    width, result, done = len(layout.names), [], 0
    reader = csv.reader(watched(), delimiter=layout.separator)
    while True:
        try:
            row = next(reader)
        except csv.Error as error:
            raise ValueError(
                f"{path}: line {line + done} cannot be read: {error} (a quotation mark that is not closed?)"
            ) from None
        if taken == ["\0"]:
            break
        if len(taken) > 1 and not delimited.are_one_row(taken, layout.separator):
            raise ValueError(
                f"{path}: line {line + done} has a quotation mark that is not closed, or one within a cell that is "
                "not doubled"
            )
        if row or width == 1:
            if max(len(row), 1) != width:
                raise ValueError(_ragged(path, line + done, len(row), layout, taken))
            result.append(row or [""])
        done += len(taken)
        taken.clear()
        if len(result) == ROWS:
            yield result
            result = []
    if result:
        yield result


def _ragged(path: str, line: int, cells: int, layout: Layout, taken: list[str]) -> str:
    columns = len(layout.names)
    text = (
        f"{path}: line {line} has {_counted(cells, 'cell')}; the header has {_counted(columns, 'column')}, separated "
        f"by {layout.separated}"
    )
    if any('"' in line for line in taken):
        return f"{text}; a quotation mark within a cell in quotation marks must be doubled"
    return text


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
