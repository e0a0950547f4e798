"""From a table to a matrix that a network can learn from, and the same for every later table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage import descriptions
from fastnn.tables import cells as _cells
from fastnn.tables import frames, kinds
from fastnn.tables.cells import CellError, Cells, quoted
from fastnn.tables.dates import Date
from fastnn.tables.encoders import Boolean, Categorical, Encoder, Numeric, Unused
from fastnn.tables.number_formats import NumberFormat
from fastnn.tables.texts import Rules, cleaned, decided

VERSION = 2
VERSIONS = (1, VERSION)  # what they mean: `Preprocessor.describe`
ENCODERS = (Numeric, Boolean, Categorical, Date)


class Preprocessor:
    """Makes a matrix of a table: fills what is missing, encodes categories, standardises.

    ``fit`` decides from the training rows what each column is:

    - numbers: `Numeric`, standardised, missing ones filled with the median, and an indicator where some were missing;
      texts are numbers if all of them are, in whatever way they are written (``1,234.5``, ``12,5``, ``€ 7``), but for
      digits with zeros in front (``00123``);
    - true and false: `Boolean`, the same with 1 and 0; texts too;
    - texts, and what pandas, Polars or Arrow call categories: `Categorical`, one-hot, rare categories together; unless
      they are not categories (see `Unused`);
    - dates and times, texts in ISO format among them: `Date`, as days, year, month, day of the week and hour;
    - durations and times of the day: numbers, in seconds;
    - what cannot be used, and why: `Unused`.

    Whole numbers that are different in every row are left out as an identifier if the last word of the column's name is
    "id" (``flat_id``, ``UserId``), if they number the rows and are called so ("index", "row", no name), or if each is
    beyond 2⁵³; ``numeric`` and ``categorical`` keep them.

    Parameters
    ----------
    max_categories : int, default 50
        Of a column; the most frequent ones keep a column of the matrix of their own.
    min_rows : int, default 5
        Categories of fewer rows are rare.
    categorical : sequence of str, default ()
        Columns of numbers that are names, not quantities: encoded as categories, whatever they look like. Whole
        numbers of any size are told apart.
    unused : sequence of str, or mapping of str to `Unused`, default ()
        Columns to leave out.
    numeric : sequence of str, default ()
        Columns of numbers that are quantities, whatever they look like: never left out as identifiers.
    missing : sequence of str, optional
        The texts that mean a missing cell, in every column, and no others but the empty one; ``()``: none. Without,
        the usual ones (``NA``, ``NaN``, ``None``, ``?``, ``-`` and the like), but only among numbers, truth
        values and dates: in a column of texts they are texts.
    decimal : str, optional
        ``"."`` or ``","``: what the decimal sign is where a column of texts such as ``5,361`` leaves that open.

    Attributes
    ----------
    encoders : tuple of (Numeric, Boolean, Categorical or Date)
        In the order of the table that was fitted, which is the order of the matrix.
    unused_columns : tuple of Unused
    features : tuple of str
        Names of the matrix's columns.
    notes : dict of str to str
        By column, what is worth knowing of how its texts were read: separators of thousands, words taken for missing.

    Reproducibility
    ---------------
    The matrix depends on the values of the table alone: not on where it was read from, on how many rows are transformed
    at a time, on a locale, or on the machine.

    Examples
    --------
    >>> preprocessor = tables.Preprocessor().fit({"age": [31, 47, None], "town": ["Bonn", "Kiel", "Kiel"]})
    >>> preprocessor.transform({"town": ["Bonn"], "age": [40]})
    """

    def __init__(
        self,
        max_categories: int = 50,
        min_rows: int = 5,
        categorical: Iterable[str] = (),
        unused: Iterable[str] | Mapping[str, Unused] = (),
        numeric: Iterable[str] = (),
        missing: Iterable[str] | None = None,
        decimal: str | None = None,
    ) -> None:
        self.max_categories = checks.integer(max_categories, "max_categories")
        self.min_rows = checks.integer(min_rows, "min_rows")
        self.categorical = checks.names(categorical, "categorical")
        given = unused if isinstance(unused, Mapping) else {}
        self.unused = {name: given.get(name, Unused(name, "chosen")) for name in checks.names(unused, "unused")}
        for column in self.unused.values():
            if not isinstance(column, Unused):
                raise TypeError(f"unused must map names to Unused; got {checks.described(column)}")
        self.numeric = checks.names(numeric, "numeric")
        for argument in ("categorical", "unused"):
            twice = [name for name in self.numeric if name in getattr(self, argument)]
            if twice:
                raise ValueError(f"numeric must not name columns that {argument} names too; got {quoted(twice)}")
        self.rules = Rules.of(missing, decimal)
        self.version = VERSION
        self.notes: dict[str, str] = {}
        self.encoders: tuple[Encoder, ...] = ()
        self.unused_columns: tuple[Unused, ...] = ()

    # ----------------------------------------------------------------------- fit

    def fit(self, table: Any, training: Any = None) -> Preprocessor:
        """Decide what each column is, and take medians, means, deviations and categories from the training rows.

        Parameters
        ----------
        table : mapping of str to array_like, or DataFrame
            Numbers, booleans, strings or dates; None and NaN are missing. A DataFrame of pandas or Polars, lazy or not,
            a table of pyarrow or of any library with Arrow's protocol, or a NumPy array with named fields.
        training : int array of shape (k,), optional
            The numbers of the rows to learn from, all others only being looked at for whether a column is an
            identifier: so that this does not depend on a split. By default all rows.

        Raises
        ------
        TypeError, ValueError
            If it is no table, a cell is infinite or of no such kind, texts may be one number or another (``5,361``;
            see ``decimal``), or no column can be used. `CellError`, a ``ValueError``, has the ``column`` and the
            ``row``.
        """
        columns = frames.columns(table)
        for argument in ("categorical", "unused", "numeric"):
            for name in getattr(self, argument):
                if name not in columns:
                    raise ValueError(
                        f"{argument} must name columns of the table; got {name!r}{checks.nearest(name, columns)}"
                    )
        n = len(next(iter(columns.values())))
        if not n:
            raise ValueError("table must have at least one row; got none")
        rows = None if training is None else checks.places(training, n, "training")
        if rows is not None and (rows.ndim != 1 or not len(rows)):
            raise ValueError(f"training must have shape (k,), numbers of rows, k at least 1; got shape {rows.shape}")
        encoders: list[Encoder] = []
        unused: list[Unused] = []
        notes = {}
        for name, values in columns.items():
            found = self.unused.get(name)
            if found is None:
                found, notes[name] = self._fitted(name, values, rows)
            (unused if isinstance(found, Unused) else encoders).append(found)  # type: ignore[arg-type]
        if not encoders:
            why = "; ".join(f"{column.name!r}: {column.explanation}" for column in unused)
            raise ValueError(f"table must have a column to learn from; {why}")
        self.encoders, self.unused_columns, self.version = tuple(encoders), tuple(unused), VERSION
        self.notes = {name: note for name, note in notes.items() if note}
        return self

    def _fitted(self, name: str, values: Any, rows: np.ndarray | None) -> tuple[Encoder | Unused, str]:
        """Return what becomes of a column, and a note on how it was read."""
        try:
            cells = _cells.cells(name, values)
        except frames.UnreadableColumn as error:
            if name in (*self.categorical, *self.numeric):
                raise
            return Unused(name, "kind", error.dtype), ""
        chosen = "text" if name in self.categorical else "number" if name in self.numeric else ""
        cells = decided(cells, self.rules, chosen)
        choices = kinds.Choices(self.numeric, self.categorical, self.max_categories, self.min_rows)
        if rows is None:
            return kinds.encoder_of(cells, cells, choices), cells.note
        try:
            return kinds.encoder_of(cells, cells.take(rows), choices), cells.note
        except CellError as error:
            raise CellError(name, int(rows[error.row]), error.problem) from None

    # ----------------------------------------------------------------- transform

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        return tuple(encoder.name for encoder in self.encoders)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the matrix's columns."""
        return tuple(feature for encoder in self.encoders for feature in encoder.features)

    def transform(self, table: Any, dtype: str = "float32") -> np.ndarray:
        """Return the matrix of a table.

        Parameters
        ----------
        table : mapping of str to array_like, or DataFrame
            Columns in any order; those that were not used need not be there, and others are ignored.
        dtype : str, default "float32"
            ``"float32"`` or ``"float64"``: what the float64 results are rounded to.

        Returns
        -------
        ndarray, shape (n, n_features)

        Raises
        ------
        ValueError
            If a column is missing, or (`CellError`) a cell is no number where one is expected, or infinite.
        """
        self._check_fitted()
        columns = frames.columns(table)
        self.check_columns(columns)
        n = len(next(iter(columns.values())))
        X = np.zeros((n, len(self.features)), dtype=checks.dtype_name(dtype))
        start = 0
        for encoder in self.encoders:
            stop = start + len(encoder.features)
            encoder.encode(self._cells(encoder.name, columns), X[:, start:stop])
            start = stop
        return X

    def report(self) -> list[dict[str, Any]]:
        """Return what each column of the table became and why, to be read or made a data frame of.

        Returns
        -------
        list of dict
            For each column ``"column"``, ``"used_as"`` (``"number"``, ``"true or false"``, ``"categories"``, ``"date"``
            or ``"not used"``), ``"explanation"`` and ``"features"``, how many columns of the matrix it has; those that
            are not used come last.
        """
        self._check_fitted()
        rows = [
            (encoder.name, encoder.used_as, encoder.explanation, len(encoder.features)) for encoder in self.encoders
        ]
        rows += [(column.name, "not used", column.explanation, 0) for column in self.unused_columns]
        noted = [
            (name, used_as, "; ".join(filter(None, [why, self.notes.get(name)])), n) for name, used_as, why, n in rows
        ]
        return [dict(zip(("column", "used_as", "explanation", "features"), row, strict=True)) for row in noted]

    @property
    def is_old(self) -> bool:
        """Whether its description is of version 1, which reads texts otherwise; see `describe`."""
        return self.version == 1

    def _cells(self, name: str, columns: Mapping[str, Any]) -> Cells:
        cells = _cells.cells(name, columns[name])
        return cells if self.is_old else cleaned(cells)

    def check_columns(self, names: Iterable[str], argument: str = "table") -> None:
        """Raise ValueError unless every column that is needed is among ``names``."""
        _check_there(self.names, names, argument)

    def extra_columns(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of ``names`` that the training table did not have: they are ignored."""
        names = checks.names(names, "names")
        known = {*self.names, *(column.name for column in self.unused_columns)}
        return tuple(name for name in names if name not in known)

    def unseen_categories(self, table: Any) -> dict[str, set[str]]:
        """Return, by column, the categories of a table that have no column of the matrix of their own."""
        columns = frames.columns(table)
        categorical = [encoder for encoder in self.encoders if isinstance(encoder, Categorical)]
        _check_there([encoder.name for encoder in categorical], columns, "table")
        found = {}
        for encoder in categorical:
            unseen = encoder.unseen(self._cells(encoder.name, columns))
            if unseen:
                found[encoder.name] = unseen
        return found

    # ---------------------------------------------------------------------- JSON

    def describe(self) -> dict[str, Any]:
        """Return all that `transform` depends on, as JSON can hold it.

        Returns
        -------
        dict
            ``"version"``: 2, or 1 if it was fitted before there was 2. ``"columns"``: in the order of the matrix, for
            each column of the table that is used one of ::

                {"type": "Numeric", "name": str, "fill": float, "mean": float, "scale": float, "indicator": bool,
                 "format": None or {"type": "NumberFormat", "decimal": str, "unit": str, "words": [str, …],
                                    "usual": bool}}
                {"type": "Boolean", …the same…}
                {"type": "Categorical", "name": str, "categories": [str, …], "other": bool, "missing": bool,
                 "format": …the same…}
                {"type": "Date", "name": str, "first": str, "fill": str, "parts": [str, …], "mean": [float, …],
                 "scale": [float, …], "indicator": bool, "format": …the same…}

            A number x, or ``fill`` where it is missing, becomes one column ``(x - mean) / scale``; with ``indicator``
            another follows, 1 where it is missing and else 0. True and false are the numbers 1 and 0. A category
            becomes as many columns as there are categories, then one if ``other``, then one if ``missing``: 1 in its
            own column; a category that has none, 1 in that of ``other``, if there is one; a missing cell, 1 in that of
            ``missing`` if there is one, and else as a category that has none; so do the empty text and one of
            ``words``, spaces at the ends aside. All else is 0. What becomes of a date: see `Date`.
            ``"unused"``: ``{"type": "Unused", "name": str, "reason": str, "detail": str}`` for each column left out.

            In version 1 there is no ``Date``. Texts keep the spaces at their ends, and an empty one is a category like
            others. In a delimited file, words such as ``NA`` and ``?`` are missing cells in every column, and a comma
            may be the decimal sign unless it separates the cells.
        """
        self._check_fitted()
        return {
            "version": self.version,
            "columns": [descriptions.to_data(encoder) for encoder in self.encoders],
            "unused": [descriptions.to_data(column) for column in self.unused_columns],
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Preprocessor:
        """Return the fitted preprocessor that `describe` described; nothing is executed.

        Raises
        ------
        ValueError
            If the description is damaged or of another version.
        """
        checks.mapping(description, "description")
        try:
            version = description["version"]
            if version not in VERSIONS:
                raise ValueError(f"version {version!r}; this fastnn knows 1 to {VERSION}")
            encoders = descriptions.from_data(list(description["columns"]), (*ENCODERS, NumberFormat), "a column")
            unused = descriptions.from_data(list(description["unused"]), (Unused,), "an unused column")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the description of the preprocessor is damaged: {error}") from None
        names = [column.name if isinstance(column, (Encoder, Unused)) else None for column in (*encoders, *unused)]
        if not encoders or None in names or len(set(names)) < len(names):
            raise ValueError("the description of the preprocessor is damaged: its columns must have different names")
        result = cls()
        result.encoders, result.unused_columns, result.version = encoders, unused, version
        return result

    def to_json(self) -> str:
        """Return `describe` as JSON."""
        with standard_environment():  # writing a number as text calculates
            return json.dumps(self.describe(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Preprocessor:
        """Return the fitted preprocessor that `to_json` wrote; nothing is executed.

        Raises
        ------
        ValueError
            If it is damaged or of another version.
        """
        checks.text(text, "text")
        try:
            with standard_environment():
                description = json.loads(text)
        except (ValueError, RecursionError) as error:
            came = checks.described(text)
            raise ValueError(
                f"text must be the description of the preprocessor; got {came}, not JSON: {error}"
            ) from None
        if not isinstance(description, dict):
            raise ValueError(f"the description of the preprocessor is damaged: it is {checks.described(description)}")
        return cls.from_description(description)

    def _check_fitted(self) -> None:
        if not self.encoders:
            raise ValueError("the Preprocessor must be fitted before it is used")

    def __repr__(self) -> str:
        if not self.encoders:
            return "Preprocessor()"
        return f"Preprocessor(columns={len(self.encoders)}, features={len(self.features)})"


def _check_there(needed: Iterable[str], names: Iterable[str], argument: str) -> None:
    there = list(names)
    missing = [name for name in needed if name not in there]
    if missing:
        hint = checks.nearest(missing[0], there) if len(missing) == 1 else ""
        plural = "columns" if len(missing) > 1 else "column"
        raise ValueError(f"{argument} lacks the {plural} {quoted(missing)}{hint}")
