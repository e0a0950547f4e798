"""Tables in files: CSV, TSV, Parquet and Arrow, read whole or in batches and written, by Polars."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn._readers import delimited
from fastnn._storage import durable
from fastnn.tables import frames, number_formats
from fastnn.tables.cells import EXACT, Cells, cells, number_text
from fastnn.tables.number_formats import NumberFormat
from fastnn.tables.number_texts import counted

try:
    import polars as pl
    from polars.io.plugins import register_io_source
except ModuleNotFoundError as error:
    if error.name != "polars":
        raise
    raise ImportError("tables in files need polars: pip install polars") from None

OLD_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>", "?")
PLAIN = NumberFormat()
MOST_WORDS = 50  # that are looked at here; columns of more are texts, or numbers written in other ways
BATCH_ROWS = 50_000
_ROW = "\0row"  # a name that no column has
_TYPES = {"text": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}


@dataclass(frozen=True)
class Part:
    """Some rows of a file.

    Attributes
    ----------
    columns : dict of str to ndarray or Cells
        float64 with NaN, integers, bool, datetime64, timedelta64, or objects: strings, booleans, whole numbers beyond
        2⁵³, decimals of more than 15 digits, times, and None. Cells where there is something to say of how numbers are
        written, and where a file calls the values categories.
    rows : int64 ndarray
        The number of each row in the file, as a spreadsheet counts: from 1, the header of a text file included.
    unreadable : dict of str to str
        Columns of lists and the like, which are all None here, and their type.
    """

    columns: dict[str, Any]
    rows: np.ndarray
    unreadable: dict[str, str] = field(default_factory=dict)


class TableFile:
    """A table in a file.

    Parameters
    ----------
    path : str
        Ends in ``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.arrow``, ``.ipc`` or ``.feather``.

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

    def __init__(self, path: str) -> None:
        self.path = path
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in delimited.TABLE_ENDINGS:
            raise ValueError(f"{path}: expected a file that ends in {', '.join(delimited.TABLE_ENDINGS)}")
        with open(path, "rb"):  # the operating system's own error, with the path
            pass
        self._layout = delimited.layout(path) if suffix in delimited.ENDINGS else None
        self._blank: set[int] | None = None
        self.separator = None if self._layout is None else self._layout.separator
        if self._layout is not None:
            self.names = self._layout.names
        else:
            with self._errors():
                lazy = pl.scan_parquet(path, glob=False) if suffix == ".parquet" else pl.scan_ipc(path, glob=False)
                self.names = tuple(lazy.collect_schema().names())
        self._suffix = suffix
        self._first_row = 1 if self._layout is None else 2

    def read(self, form: NumberFormat = PLAIN) -> Part:
        """Read the whole table; a column of a text file is numbers or truth values if all cells plainly are.

        So it is if the others mean missing by ``form``, or all have decimal commas, and nothing is left open. What
        other texts mean is decided elsewhere, for files of all kinds alike.
        """
        frame = self._without_blank(self._collected(self._lazy()))
        rows = frame[_ROW].to_numpy().astype(np.int64) + self._first_row
        columns: dict[str, Any] = {}
        unreadable = {}
        for name in self.names:
            series = frame[name]
            if _is_unreadable(series.dtype):
                unreadable[name] = str(series.dtype)
                series = pl.Series(name, [None] * len(rows), pl.String)
            if series.dtype == pl.String and self._layout is not None:
                read = _plain(_cleaned(series), form)
                columns[name] = read if isinstance(read, Cells) else _array(read)
            elif isinstance(series.dtype, (pl.Categorical, pl.Enum)):
                columns[name] = cells(name, series)
            else:
                columns[name] = _array(series)
        return Part(columns, rows, unreadable)

    def batches(
        self,
        kinds: Mapping[str, str | NumberFormat],
        n_rows: int = BATCH_ROWS,
        head: int | None = None,
        old: bool = False,
    ) -> Iterator[Part]:
        """Read the columns that ``kinds`` names, ``n_rows`` rows at a time; memory does not grow with the file.

        Parameters
        ----------
        kinds : mapping of str to str or NumberFormat
            A format: numbers, if all cells are written like that. ``"number"``: numbers, if all cells plainly are;
            ``"boolean"``, also if truth values are among them; ``"text"``; or ``"name"``: text, but numbers and truth
            values written in one way only.
        n_rows : int
        head : int, optional
            Only so many rows.
        old : bool, default False
            Whether words for missing cells, and decimal commas unless commas separate cells, are read as for the first
            version of `fastnn.tables.Preprocessor`.
        """
        lazy = self._lazy() if head is None else self._lazy().head(head)
        last = self.names[-1]
        names = list(dict.fromkeys([_ROW, *kinds, *([last] if self._layout is not None else [])]))
        batches = iter(lazy.select(names).collect_batches(chunk_size=n_rows, maintain_order=True))
        while True:
            with self._errors():
                frame = next(batches, None)
            if frame is None:
                return
            for start in range(0, len(frame), n_rows):
                piece = self._without_blank(frame[start : start + n_rows])
                rows = piece[_ROW].to_numpy().astype(np.int64) + self._first_row
                columns = {name: _array(self._typed(piece[name], kind, old)) for name, kind in kinds.items()}
                yield Part(columns, rows)

    # -------------------------------------------------------------------- reading

    def _lazy(self) -> pl.LazyFrame:
        if self._layout is None:
            scan = pl.scan_parquet if self._suffix == ".parquet" else pl.scan_ipc
            return scan(self.path, row_index_name=_ROW, glob=False)
        scanned = pl.scan_csv(
            self.path,
            separator=self._layout.separator,
            schema=dict.fromkeys(self._layout.header, pl.String),
            row_index_name=_ROW,
            glob=False,
            raise_if_empty=False,
        )
        return scanned.rename(dict(zip(self._layout.header, self.names, strict=True)))

    def _collected(self, lazy: pl.LazyFrame) -> pl.DataFrame:
        with self._errors():
            return lazy.collect()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Tell errors of Polars, which panics at some damage, in terms of the file; of a text file, with the line."""
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            if self._layout is not None:
                delimited.check(self.path, self._layout)  # knows the line
            raise ValueError(f"{self.path}: {str(error).splitlines()[0]}") from None

    def _without_blank(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Drop the blank lines of a text file, once it is known that no row is shorter than the header."""
        if self._layout is None or not frame[self.names[-1]].null_count():
            return frame
        if self._blank is None:
            self._blank = delimited.check(self.path, self._layout)
        return frame.filter(~pl.col(_ROW).is_in(list(self._blank))) if self._blank else frame

    def _typed(self, texts: pl.Series, kind: str | NumberFormat, old: bool) -> pl.Series:
        """Read a column as what is expected, or leave it as it is for others to read, or complain about."""
        if texts.dtype != pl.String:
            return texts
        if self._layout is not None:
            texts = _cleaned(texts, OLD_MISSING if old else ("",))
        if isinstance(kind, NumberFormat):
            return _written(texts, kind)
        if kind == "text":
            return texts
        numbers = texts.cast(pl.Float64, strict=False)
        if old and self.separator not in (None, ","):
            numbers = numbers.fill_null(texts.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False))
        if kind == "number":
            return numbers if _are_all(numbers, texts) else texts
        truth = _booleans(texts)
        if kind == "name":
            pairs = zip(numbers.to_list(), texts.to_list(), strict=True)
            named = pl.Series(texts.name, [None if x is None else _name(x, text) for x, text in pairs], pl.String)
            return named.fill_null(truth.cast(pl.String)).fill_null(texts)
        both = numbers.fill_null(truth.cast(pl.Float64))
        return both if _are_all(both, texts) else texts


def _name(number: float, text: str) -> str:
    if abs(number) >= EXACT and text.lstrip("+-").isdecimal():
        return str(int(text))
    return number_text(number) if np.isfinite(number) else str(number)


def _booleans(texts: pl.Series) -> pl.Series:
    lower = texts.str.to_lowercase()
    return lower.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)


def _cleaned(texts: pl.Series, missing: Collection[str] = ("",)) -> pl.Series:
    """Drop spaces at the ends, and what stands for a missing cell."""
    texts = texts.str.strip_chars()
    return texts.set(texts.is_in(missing), None)


def _are_all(numbers: pl.Series, texts: pl.Series) -> bool:
    """Tell whether all texts were read as numbers; ``nan`` is a word that may mean something."""
    return numbers.null_count() == texts.null_count() and not numbers.is_nan().any()


def _plain(texts: pl.Series, form: NumberFormat) -> pl.Series | Cells:
    """Read texts as truth values or numbers if they plainly are, in one way only; otherwise leave them as they are."""
    truth = _booleans(texts)
    if truth.null_count() == texts.null_count():
        return truth
    for decimal in (".", ","):
        numbers, words = _numbers(texts, decimal)
        if decimal == "." and words == []:
            if _is_doubtful(texts) or (form.decimal and texts.str.contains(".", literal=True).any()):
                return texts
            return _as_cells(texts, numbers, form) if form.decimal else _whole(texts, numbers)
        is_special = form.decimal or any(number_formats.plain([word]) for word in form.words)
        if is_special or words is None or not all(map(form.is_missing, words)) or numbers.null_count() == len(numbers):
            continue
        written = texts.filter(numbers.is_not_null())
        if _is_doubtful(written) if decimal == "." else _is_doubtful_with_commas(written):
            return texts
        counts = dict(texts.filter(texts.is_in(words)).value_counts().sort(texts.name).iter_rows())
        notes = ["decimal commas"] * (decimal == ",") + [f"missing: {counted(counts)}"] * bool(words)
        how = NumberFormat("" if decimal == "." else ",", words=form.words, usual=form.usual)
        return _as_cells(texts, numbers, how, "; ".join(notes))
    return texts


def _written(texts: pl.Series, form: NumberFormat) -> pl.Series:
    """Read texts as numbers, if they are written as simply as the format allows; otherwise leave them as they are."""
    numbers, words = _numbers(texts, form.decimal or ".")
    is_read = form.unit != "%" and words is not None and all(map(form.is_missing, words))
    return numbers if is_read else texts


def _numbers(texts: pl.Series, decimal: str) -> tuple[pl.Series, list[str] | None]:
    """Read texts as numbers, None where they are none; and say which different ones those are, if they are few."""
    if decimal == ",":
        with_points = texts.str.contains(".", literal=True)
        written = texts.set(with_points, None).str.replace(",", ".", literal=True)
    else:
        written = texts
    numbers = written.cast(pl.Float64, strict=False).fill_nan(None)
    words = texts.filter(numbers.is_null() & texts.is_not_null())
    few = words.head(1000).n_unique() <= MOST_WORDS and words.n_unique() <= MOST_WORDS
    return numbers, words.unique().to_list() if few else None


def _is_doubtful(texts: pl.Series) -> bool:
    """Tell whether plain numbers may be codes (007), or have points between thousands (5.361)."""
    if texts.str.contains("^0[0-9]").any():
        return True
    grouped = r"^[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})?$"
    if not all(part.str.contains(grouped).all() for part in (texts.head(1000), texts)):
        return False
    return bool(texts.str.contains(".", literal=True).any())


def _as_cells(texts: pl.Series, numbers: pl.Series, form: NumberFormat, note: str = "") -> Cells:
    """Return numbers with how they are written, and with their digits where float64 has not got all of them."""
    whole = _array(_whole(texts, numbers))
    own = whole if whole.dtype.kind == "O" else None
    return Cells(texts.name, "number", _array(numbers), own=own, format=form, note=note)


def _whole(texts: pl.Series, numbers: pl.Series) -> pl.Series:
    """Return numbers of which some are beyond 2**53 as integers, if all are: none is rounded."""
    if (numbers.abs() < EXACT).all():
        return numbers
    integers = texts.cast(pl.Int128, strict=False)
    return integers if integers.null_count() == numbers.null_count() else numbers


def _is_doubtful_with_commas(texts: pl.Series) -> bool:
    """Tell whether numbers may have commas between thousands, or are codes."""
    commas = texts.filter(texts.str.contains(",", literal=True))
    return bool(commas.str.contains("^[+-]?[1-9][0-9]{0,2},[0-9]{3}$").all())


def _is_unreadable(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or dtype in (pl.Binary, pl.Object)


def _array(series: pl.Series) -> np.ndarray:
    """Give a column as `fastnn.tables` takes it."""
    dtype = series.dtype
    if isinstance(dtype, pl.Decimal) and (series.abs() < 10 ** (15 - dtype.scale)).all():  # float64 tells them apart
        series = series.cast(pl.Float64)
    elif dtype == pl.Null:
        series = series.cast(pl.String)
    elif _is_unreadable(dtype):
        raise ValueError(f"column {series.name!r} must hold numbers, booleans, texts or dates; got {dtype}")
    elif dtype == pl.Boolean and series.null_count():
        return np.array(series.to_list(), dtype=object)
    return frames.array(series.name, series)[0]


# ----------------------------------------------------------------------- writing


def write(path: str, kinds: Mapping[str, str], batches: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Write a table by the ending of ``path``, batch by batch; an existing file is replaced in one go.

    Parameters
    ----------
    path : str
        Ends in ``.csv``, ``.tsv``, ``.parquet`` or ``.arrow``.
    kinds : mapping of str to str
        For each column ``"text"``, ``"integer"``, ``"number"`` or ``"boolean"``.
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

    lazy = register_io_source(source, schema={name: _TYPES[kind] for name, kind in kinds.items()})
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


def csv_text(kinds: Mapping[str, str], columns: Mapping[str, np.ndarray], header: bool) -> str:
    """Write rows as CSV."""
    return _frame(kinds, columns).write_csv(include_header=header)


def _frame(kinds: Mapping[str, str], columns: Mapping[str, np.ndarray]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(name, columns[name], _TYPES[kind]) for name, kind in kinds.items()})
