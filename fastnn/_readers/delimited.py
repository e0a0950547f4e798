"""What a CSV or TSV file looks like, and where it is wrong: separator, header, and the line of a ragged or broken row.

Reading its cells is left to a library; this looks at the file as text.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
ENDINGS = (".csv", ".tsv", ".txt")
TABLE_ENDINGS = (*ENDINGS, ".parquet", ".arrow", ".ipc", ".feather")
_HEADER_BYTES = 2**22
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Layout:
    """Separator of a delimited file, and its header: the cells as they are, and without spaces at the ends."""

    separator: str
    header: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(name.strip() for name in self.header)


def layout(path: str) -> Layout:
    """Look at the header.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is empty, not UTF-8, has no header, or a name occurs twice.
    """
    with open(path, "rb") as file:
        start = file.read(_HEADER_BYTES)
    if start.startswith(_UTF16):
        raise ValueError(f"{path}: expected UTF-8; got UTF-16: save the file as UTF-8")
    lines = start.removeprefix(_BOM).splitlines(keepends=True)
    if not start.strip():
        raise ValueError(f"{path}: the file is empty")
    first = b""
    for line in lines:
        first += line
        if first.count(b'"') % 2 == 0:
            break
    else:
        raise ValueError(f"{path}: the header has a quotation mark that is not closed")
    text = decoded(first, path, 1)
    found = max(SEPARATORS, key=lambda separator: len(_fields(text, separator)))
    result = Layout(found, tuple(_fields(text, found)))
    names = result.names
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise ValueError(f"{path}: the column name {twice[0]!r} occurs twice in the header")
    if all(map(is_number, names)):
        raise ValueError(f"{path}: expected the names of the columns in the first row; got {text.strip()[:60]!r}")
    return result


def _fields(text: str, separator: str) -> list[str]:
    return next(csv.reader(text.splitlines(keepends=True), delimiter=separator), [""])


def is_number(text: str) -> bool:
    """Tell whether a cell holds a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def decoded(content: bytes, path: str, line: int) -> str:
    """Decode bytes; name the line and the byte that is wrong."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise ValueError(
            f"{path}: line {line}: expected UTF-8; got the byte 0x{byte:02x}: save the file as UTF-8"
        ) from None


def check(path: str, found: Layout) -> set[int]:
    """Find the numbers, from 0, of rows that are blank lines, which in a file of several columns are no rows.

    Raises
    ------
    ValueError
        If a row has more or fewer cells than the header, is not UTF-8, or a quotation mark is not closed; the message
        names the line.
    """
    expected = len(found.names)
    blank = set()
    separator = found.separator.encode()
    with open(path, "rb") as file:
        for row, (line, content) in enumerate(_records(file, path), -1):
            stripped = content.strip(b"\r\n")
            if not stripped and expected > 1:
                blank.add(row)
                continue
            text = decoded(content, path, line)
            is_plain = b'"' not in content
            cells = stripped.count(separator) + 1 if is_plain else len(_fields(text, found.separator))
            if cells != expected:
                raise ValueError(
                    f"{path}: line {line} has {cells} cells; the header has {expected} columns, separated by "
                    f"{SEPARATORS[found.separator]}s"
                )
    return blank


def _records(file: BinaryIO, path: str) -> Iterator[tuple[int, bytes]]:
    """Go through the rows, each with the number of its first line; a line break in quotation marks is part of it."""
    begun, content = 0, b""
    for number, line in enumerate(file, 1):
        begun = begun if content else number
        content += line
        if content.count(b'"') % 2 == 0:
            yield begun, content
            content = b""
        elif len(content) > _HEADER_BYTES:
            break
    if content:
        raise ValueError(f"{path}: line {begun} has a quotation mark that is not closed")
