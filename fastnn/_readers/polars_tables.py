"""Tables in files: CSV, TSV, Parquet and Arrow, read whole or in batches and written, by Polars."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn._readers import delimited, delimited_rows
from fastnn._storage import durable
from fastnn.tables.cells import number_text

try:
    import polars as pl
    from polars.io.plugins import register_io_source
except ModuleNotFoundError as error:
    if error.name != "polars":
        raise
    raise ImportError("tables in files need polars: pip install polars") from None

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>", "?")  # in text files
BATCH_ROWS = 50_000
_TYPES = {"text": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}


@dataclass(frozen=True)
class Mixed:
    """A column of numbers in which some cells are none."""

    cells: int
    row: int
    text: str


@dataclass(frozen=True)
class Part:
    """Some rows of a file.

    Attributes
    ----------
    columns : dict of str to ndarray
        float64 with NaN, bool, datetime64, or objects: strings, booleans and None.
    rows : int64 ndarray
        The number of each row in the file, from 1; neither header nor blank lines of a text file count.
    mixed : dict of str to Mixed
        Columns of texts most of which are numbers.
    unreadable : dict of str to str
        Columns of lists and the like, which are all None here, and their type.
    kept : dict of str to Series
        Columns as they are in the file.
    """

    columns: dict[str, np.ndarray]
    rows: np.ndarray
    mixed: dict[str, Mixed] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    kept: dict[str, pl.Series] = field(default_factory=dict)


class TableFile:
    """A table in a file.

    Parameters
    ----------
    path : str
        Ends in ``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.arrow``, ``.ipc`` or ``.feather``; a text file also with
        ``.gz`` behind.
    separator : str, optional
        Of a text file; without it, it is found.

    Attributes
    ----------
    names : tuple of str
        The columns.
    separator : str or None
        Of a text file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, empty or of another kind.
    """

    def __init__(self, path: str, separator: str | None = None) -> None:
        self.path = path
        delimited.check_ending(path)
        with open(path, "rb"):  # the operating system's own error, with the path
            pass
        is_text = path.lower().endswith(delimited.ENDINGS)
        if separator is not None and not is_text:
            raise ValueError(f"{path}: only text files have a separator; got {separator!r}")
        self._layout = delimited.layout(path, separator) if is_text else None
        self.separator = None if self._layout is None else self._layout.separator
        if self._layout is not None:
            self.names = self._layout.names
        else:
            with self._errors():
                self.names = tuple(self._scanned().collect_schema().names())

    def read(self) -> Part:
        """Read the whole table; in a text file the cells of a column decide what it holds."""
        frame = pl.concat(self._frames(list(self.names)))
        rows = np.arange(1, len(frame) + 1)
        columns, mixed, unreadable = {}, {}, {}
        for name in self.names:
            series = frame[name]
            if _is_unreadable(series.dtype):
                unreadable[name] = str(series.dtype)
                series = pl.Series(name, [None] * len(rows), pl.String)
            if series.dtype == pl.String and self._layout is not None:
                series, found = self._inferred(self._cleaned(series), rows)
                if found is not None:
                    mixed[name] = found
            columns[name] = _array(series)
        return Part(columns, rows, mixed, unreadable)

    def types(self, names: Iterable[str]) -> dict[str, pl.DataType]:
        """Give the types of columns as they are in the file: of a text file, texts."""
        if self._layout is not None:
            return dict.fromkeys(names, pl.String())
        with self._errors():
            schema = self._scanned().collect_schema()
        return {name: schema[name] for name in names}

    def batches(
        self,
        kinds: Mapping[str, str],
        n_rows: int = BATCH_ROWS,
        head: int | None = None,
        keep: Iterable[str] = (),
    ) -> Iterator[Part]:
        """Read the columns that ``kinds`` names, ``n_rows`` rows at a time; memory does not grow with the file.

        Parameters
        ----------
        kinds : mapping of str to str
            ``"number"``, ``"boolean"``, ``"text"``, or ``"name"``: text, but numbers and truth values written in one
            way only.
        n_rows : int
        head : int, optional
            Only so many rows.
        keep : iterable of str
            Columns that are wanted as they are in the file, too.
        """
        first = 1
        for frame in self._frames(list(dict.fromkeys([*kinds, *keep])), n_rows):
            for start in range(0, len(frame), n_rows):
                if head is not None and first > head:
                    return
                piece = frame[start : start + n_rows]
                piece = piece if head is None else piece[: head + 1 - first]
                rows = np.arange(first, first + len(piece))
                columns = {name: _array(self._typed(piece[name], kind, rows)) for name, kind in kinds.items()}
                yield Part(columns, rows, kept={name: piece[name] for name in keep})
                first += len(piece)

    # -------------------------------------------------------------------- reading

    def _frames(self, names: list[str], n_rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """Go through some columns of the file, as they are in it, in parts; at least one, which may have no row."""
        if self._layout is None:
            with self._errors():
                schema = self._scanned().select(names).collect_schema()
                batches = iter(self._scanned().select(names).collect_batches(chunk_size=n_rows, maintain_order=True))
            yield schema.to_frame()
            while True:
                with self._errors():
                    frame = next(batches, None)
                if frame is None:
                    return
                yield frame
        yield pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        for part in delimited_rows.parts(self.path, self._layout):
            if isinstance(part, list):
                yield self._frame(part, names)
                continue
            frame = pl.read_csv(
                part.content,
                has_header=False,
                separator=self._layout.separator,
                quote_char='"' if part.has_quotes else None,
                schema=dict.fromkeys(self.names, pl.String),
                columns=sorted(map(self.names.index, names)),
            ).select(names)
            if len(frame) == part.rows:
                yield frame
            else:  # two ways of reading that disagree: the slow one is right
                for rows in delimited_rows.by_csv(part, self.path, self._layout):
                    yield self._frame(rows, names)

    def _frame(self, rows: list[list[str]], names: list[str]) -> pl.DataFrame:
        columns = dict(zip(self.names, zip(*rows, strict=True), strict=True))
        return pl.DataFrame({name: pl.Series(name, columns[name], pl.String) for name in names})

    def _scanned(self) -> pl.LazyFrame:
        scan = pl.scan_parquet if self.path.lower().endswith(".parquet") else pl.scan_ipc
        return scan(self.path, glob=False)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Tell errors of Polars, which panics at some damage, in terms of the file."""
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise ValueError(f"{self.path}: {str(error).splitlines()[0]}") from None

    def _cleaned(self, texts: pl.Series) -> pl.Series:
        """Drop spaces at the ends, and the words that stand for a missing cell."""
        texts = texts.str.strip_chars()
        return texts.set(texts.is_in(MISSING), None)

    def _numbers(self, texts: pl.Series) -> pl.Series:
        """Read texts as numbers; None where they are none. A comma that is no separator may be the decimal point."""
        numbers = texts.cast(pl.Float64, strict=False)
        if self.separator not in (None, ",") and numbers.null_count() > texts.null_count():
            commas = texts.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
            numbers = numbers.fill_null(commas)
        return numbers

    def _inferred(self, texts: pl.Series, rows: np.ndarray) -> tuple[pl.Series, Mixed | None]:
        """Read a column of a text file as what its cells are; say what is wrong with it, where most are numbers."""
        present = len(texts) - texts.null_count()
        truth = _booleans(texts)
        if truth.null_count() == texts.null_count():
            return truth, None
        numbers = self._numbers(texts)
        found = len(numbers) - numbers.null_count()
        if found == present:
            return numbers, None
        if 2 * found <= present:
            return texts, None
        wrong = (numbers.is_null() & texts.is_not_null()).to_numpy()
        place = int(wrong.argmax())
        return texts, Mixed(present - found, int(rows[place]), str(texts[place]))

    def _typed(self, series: pl.Series, kind: str, rows: np.ndarray) -> pl.Series:
        """Read a column as what is expected, or leave it as it is where that is for others to complain about."""
        if series.dtype != pl.String:
            return series
        texts = self._cleaned(series) if self._layout is not None else series
        if kind == "text":
            return texts
        truth = _booleans(texts)
        numbers = self._numbers(texts)
        if kind == "name":
            named = pl.Series(series.name, [None if x is None else _name(x) for x in numbers.to_list()], pl.String)
            return named.fill_null(truth.cast(pl.String)).fill_null(texts)
        result = numbers.fill_null(truth.cast(pl.Float64)) if kind == "boolean" else numbers
        wrong = (result.is_null() & texts.is_not_null()).to_numpy()
        if wrong.any():
            place = int(wrong.argmax())
            expected = "a number" if kind == "number" else "true or false"
            raise ValueError(
                f"{self.path}: column {series.name!r}, row {rows[place]}: expected {expected}; got {texts[place]!r}"
            )
        return result


def _name(number: float) -> str:
    return number_text(number) if np.isfinite(number) else str(number)


def _booleans(texts: pl.Series) -> pl.Series:
    lower = texts.str.to_lowercase()
    return lower.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)


def _is_unreadable(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or dtype in (pl.Binary, pl.Object)


def _array(series: pl.Series) -> np.ndarray:
    """Give a column as `fastnn.tables` takes it."""
    dtype = series.dtype
    if dtype.is_decimal():
        series = series.cast(pl.Float64)
    elif dtype == pl.Null:
        series = series.cast(pl.String)
    elif _is_unreadable(dtype):
        raise ValueError(f"column {series.name!r} must hold numbers, booleans, texts or dates; got {dtype}")
    elif dtype == pl.Boolean and series.null_count():
        return np.array(series.to_list(), dtype=object)
    return series.to_numpy()


# ----------------------------------------------------------------------- writing


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
