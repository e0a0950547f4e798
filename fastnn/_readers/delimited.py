"""What a delimited text file looks like: its lines, its separator and its header.

The rows below the header are `fastnn._readers.delimited_rows`.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, cast

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}  # that are found without being told
NAMED = {"tab": "\t", "space": " "}  # how those are written that cannot be seen
_PLAIN = (".csv", ".tsv", ".txt")
ENDINGS = (*_PLAIN, *(f"{ending}.gz" for ending in _PLAIN))
TABLE_ENDINGS = (*ENDINGS, ".parquet", ".arrow", ".ipc", ".feather")
_HEADER_BYTES = 2**22
_SAMPLE = 25  # rows that the separator is judged by
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_DECLARED = re.compile(r"\"?sep=([\t -~])\"?[\r\n]*", re.IGNORECASE)  # as Excel writes and reads it
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True)
class Layout:
    """How a delimited file is read.

    Attributes
    ----------
    separator : str
    names : tuple of str
        The columns, without spaces at the ends.
    start : int
        Where the first row begins, in bytes.
    line : int
        The line that it begins in.
    """

    separator: str
    names: tuple[str, ...]
    start: int
    line: int

    @property
    def separated(self) -> str:
        """The separator in words, in the plural."""
        named = SEPARATORS | {" ": "space"}
        return f"{named[self.separator]}s" if self.separator in named else repr(self.separator)


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a text file, a compressed one too; a ``with`` statement that reads what is damaged raises ValueError."""
    with cast(BinaryIO, gzip.open(path)) if path.lower().endswith(".gz") else open(path, "rb") as file:
        try:
            yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: expected a file compressed by gzip, and whole: {error}") from None


def layout(path: str, separator: str | None = None) -> Layout:
    """Look at the header and the first rows.

    Parameters
    ----------
    path : str
    separator : str, optional
        One character. Without it, the one by which the first rows have as many cells as the header.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is empty, not UTF-8, has no header, or a name occurs twice.
    """
    with opened(path) as file:
        start = file.read(_HEADER_BYTES)
    if start.startswith(_UTF16):
        raise ValueError(f"{path}: expected UTF-8; got UTF-16: save the file as UTF-8")
    if not start.removeprefix(_BOM).strip():
        raise ValueError(f"{path}: the file is empty")
    lines = list(islice(_beginning(start, path, len(start) < _HEADER_BYTES), 4096))
    skipped = 0
    while not lines[skipped].strip("\r\n \ufeff"):
        skipped += 1
    declared = _DECLARED.fullmatch(lines[skipped].removeprefix("\ufeff"))
    if declared is not None:
        separator = separator or declared[1]
        skipped += 1
    kept = [line.removeprefix("\ufeff") if number == 0 else line for number, line in enumerate(lines[skipped:])]
    if not kept:
        raise ValueError(f"{path}: the file has no header")
    found = separator or _likely(kept)
    reader = csv.reader(kept, delimiter=found)
    try:
        names = tuple(name.strip() for name in next(reader))
    except csv.Error:
        names = ()
    taken = kept[: reader.line_num]
    if not names or (len(taken) > 1 and not are_one_row(taken, found)) or _is_open(taken, found):
        raise ValueError(f"{path}: the header has a quotation mark that is not closed")
    _check_names(names, path, kept[0])
    used = lines[: skipped + len(taken)]
    return Layout(found, names, sum(len(line.encode()) for line in used), len(used) + 1)


def _beginning(start: bytes, path: str, is_all: bool) -> Iterator[str]:
    """Go through the lines of the beginning of a file; the last one may be cut off."""
    pieces = start.split(b"\n")
    for number, piece in enumerate(pieces, 1):
        is_last = number == len(pieces)
        if is_last and (not piece or (not is_all and number > 1)):
            return
        yield from split(decoded(piece if is_last else piece + b"\n", path, number))


def split(text: str) -> list[str]:
    """Split at line ends of any system, which stay."""
    return _LINE.findall(text) if "\r" in text else [text]


def are_one_row(lines: list[str], separator: str) -> bool:
    """Tell whether lines are one row by RFC 4180, every quotation mark where it should be."""
    try:
        return len(list(csv.reader(lines, delimiter=separator, strict=True))) == 1
    except csv.Error:
        return False


def _is_open(lines: list[str], separator: str) -> bool:
    """Tell whether the row of these lines ends within quotation marks, so that another line would belong to it."""
    return len(list(csv.reader([*lines, "x"], delimiter=separator))) == 1


def _likely(lines: list[str]) -> str:
    """Find the separator by which most rows have as many cells as the header, and of such the one of most cells."""

    def merit(separator: str) -> tuple[bool, float, int]:
        try:
            rows = [len(row) for row in islice(csv.reader(lines, delimiter=separator), _SAMPLE) if row]
        except csv.Error:
            return False, 0.0, 0
        fitting = sum(width == rows[0] for width in rows[1:]) / max(1, len(rows) - 1)
        # One column is what remains where no separator divides the header.
        return rows[0] > 1, fitting, rows[0]

    return max(SEPARATORS, key=merit)


def _check_names(names: tuple[str, ...], path: str, line: str) -> None:
    twice = [name for place, name in enumerate(names) if name in names[:place]] if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"{path}: the column name {twice[0]!r} occurs twice in the header")
    if all(map(is_number, names)):
        raise ValueError(f"{path}: expected the names of the columns in the first row; got {line.strip()[:60]!r}")


def is_number(text: str) -> bool:
    """Tell whether a cell holds a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def decoded(content: bytes, path: str, line: int) -> str:
    """Decode bytes that begin in ``line``; name the line and the byte that is wrong."""
    zero = content.find(0)
    if zero >= 0:
        line += content.count(b"\n", 0, zero)
        raise ValueError(f"{path}: line {line}: expected text; got a byte of value 0 (UTF-16? save the file as UTF-8)")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte, line = content[error.start], line + content.count(b"\n", 0, error.start)
        raise ValueError(
            f"{path}: line {line}: expected UTF-8; got the byte 0x{byte:02x}: save the file as UTF-8"
        ) from None


def separator(text: str) -> str:
    """Read a separator as a person writes it: the character, or ``tab`` or ``space``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    found = NAMED.get(text.lower(), "\t" if text == "\\t" else text)
    if len(found) != 1 or found in '"\r\n\0' or not found.isascii():
        raise ValueError(f"{text!r} is not one character, such as ; or |, nor tab or space")
    return found


_CONVERTED = {
    (".xlsx", ".xls", ".xlsm", ".ods"): "a spreadsheet; save it as CSV there",
    (".json", ".jsonl", ".ndjson"): "JSON; write it as CSV or Parquet, as by pandas.read_json(…).to_csv(…)",
    (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z"): "compressed; unpack it (.csv.gz, .tsv.gz and .txt.gz are read)",
    (".pkl", ".pickle", ".h5", ".hdf5", ".sqlite", ".db", ".sav", ".dta"): "of another program; write it as CSV there",
}


def check_ending(path: str) -> None:
    """Refuse a name that is not of a table that can be read; say what it is, and what to do.

    Raises
    ------
    ValueError
        If it is a folder, an address or a file of another kind.
    """
    name = path.lower()
    if "://" in path:
        raise ValueError(f"{path}: expected a file; got an address: download it first")
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "expected a file; got a folder (a directory): name one table in it", path)
    if not name.endswith(TABLE_ENDINGS):
        kind = next((what for endings, what in _CONVERTED.items() if name.endswith(endings)), "")
        got = f"; this one is {kind}" if kind else ""
        raise ValueError(f"{path}: expected a file that ends in {', '.join(TABLE_ENDINGS)}{got}")
