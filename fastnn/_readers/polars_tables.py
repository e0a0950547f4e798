"""Tables in files: CSV, TSV, Parquet and Arrow, read whole or in batches, by Polars."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn._readers import delimited, delimited_rows
from fastnn.tables import frames, number_formats
from fastnn.tables.cells import EXACT, Cells, cells, number_text
from fastnn.tables.number_formats import NumberFormat
from fastnn.tables.number_texts import counted

try:
    import polars as pl
except ModuleNotFoundError as error:
    if error.name != "polars":
        raise
    raise ImportError("tables in files need polars: pip install polars") from None

OLD_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>", "?")
PLAIN = NumberFormat()
MOST_WORDS = 50  # that are looked at here; columns of more are texts, or numbers written in other ways
BATCH_ROWS = 50_000


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
        The number of each row in the file, from 1; neither header nor blank lines of a text file count.
    unreadable : dict of str to str
        Columns of lists and the like, which are all None here, and their type.
    kept : dict of str to Series
        Columns as they are in the file.
    """

    columns: dict[str, Any]
    rows: np.ndarray
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

    def read(self, form: NumberFormat = PLAIN) -> Part:
        """Read the whole table; a column of a text file is numbers or truth values if all cells plainly are.

        So it is if the others mean missing by ``form``, or all have decimal commas, and nothing is left open. What
        other texts mean is decided elsewhere, for files of all kinds alike.
        """
        frame = pl.concat(self._frames(list(self.names)))
        rows = np.arange(1, len(frame) + 1)
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

    def types(self, names: Iterable[str]) -> dict[str, pl.DataType]:
        """Give the types of columns as they are in the file: of a text file, texts."""
        if self._layout is not None:
            return dict.fromkeys(names, pl.String())
        with self._errors():
            schema = self._scanned().collect_schema()
        return {name: schema[name] for name in names}

    def batches(
        self,
        kinds: Mapping[str, str | NumberFormat],
        n_rows: int = BATCH_ROWS,
        head: int | None = None,
        keep: Iterable[str] = (),
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
        keep : iterable of str
            Columns that are wanted as they are in the file, too.
        old : bool, default False
            Whether words for missing cells, and decimal commas unless commas separate cells, are read as for the first
            version of `fastnn.tables.Preprocessor`.
        """
        first = 1
        for frame in self._frames(list(dict.fromkeys([*kinds, *keep])), n_rows):
            for start in range(0, len(frame), n_rows):
                if head is not None and first > head:
                    return
                piece = frame[start : start + n_rows]
                piece = piece if head is None else piece[: head + 1 - first]
                rows = np.arange(first, first + len(piece))
                columns = {name: _array(self._typed(piece[name], kind, old)) for name, kind in kinds.items()}
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
