"""A date as numbers that a network can learn from: days, year, month, day of the week, hour."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from fastnn import elementary
from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage.descriptions import description
from fastnn.data import Standardizer
from fastnn.tables import moments
from fastnn.tables.cells import CellError, Cells
from fastnn.tables.cells import cells as read_cells
from fastnn.tables.encoders import Encoder, checked_format
from fastnn.tables.number_formats import NumberFormat

# The parts that come round again: what of a moment, and after how many it does.
CYCLES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "month": (moments.months, 12),
    "weekday": (moments.weekdays, 7),
    "hour": (moments.hours, 24),
}
PARTS = ("days", "year", *CYCLES)


@description
class Date(Encoder):
    """A date or a time: days and year as numbers, month, day of the week and hour as points on a circle.

    A time with a zone is taken in UTC, one without a zone as it stands. Missing ones take the median of the training
    rows.

    Parameters
    ----------
    name : str
    first, fill : str
        The first of the training rows, and their median (of two in the middle the earlier), in ISO format.
    parts : sequence of str
        Those of ``"days"``, ``"year"``, ``"month"``, ``"weekday"`` and ``"hour"`` that differ among the training rows,
        in this order. Days since ``first``, a fraction for the time, and year become one column of the matrix each,
        ``(x - mean) / scale`` in float64; the others two, sine and cosine of ``2 π k / n``: k is 0 for January, Monday
        and midnight, n is 12, 7 and 24.
    mean, scale : sequence of float
        Of days and year, as far as they are among the parts, in the training rows, missing ones filled; by
        `fastnn.data.Standardizer`.
    indicator : bool, default False
        Whether another column of the matrix says where cells are missing (1) or not (0): where training rows were.
    format : NumberFormat, optional
        Which words mean missing among texts: the usual ones without.
    """

    name: str
    first: str
    fill: str
    parts: Any
    mean: Any
    scale: Any
    indicator: bool = False
    format: Any = None
    used_as: ClassVar[str] = "date"

    def __post_init__(self) -> None:
        checks.text(self.name, "name")
        for argument in ("first", "fill"):
            given = checks.text(getattr(self, argument), argument)
            try:
                moments.of_text(given)
            except (ValueError, OverflowError):
                raise ValueError(f"{argument} must be a date in ISO format; got {checks.described(given)}") from None
        parts = checks.names(self.parts, "parts")
        if not parts or list(parts) != [part for part in PARTS if part in parts]:
            raise ValueError(
                f"parts must be some of {checks.listing(PARTS)}, in this order; got {checks.listing(parts) or 'none'}"
            )
        mean = tuple(checks.number(x, "mean") for x in checks.listed(self.mean, (int, float), "mean"))
        scale = tuple(
            checks.number(x, "scale", 0.0, above=True) for x in checks.listed(self.scale, (int, float), "scale")
        )
        n = len([part for part in parts if part not in CYCLES])
        for argument, values in (("mean", mean), ("scale", scale)):
            if len(values) != n:
                raise ValueError(f"{argument} must hold {n} numbers, for days and year; got {checks.described(values)}")
        indicator = checks.boolean(self.indicator, "indicator")
        self._set(parts=parts, mean=mean, scale=scale, indicator=indicator, format=checked_format(self.format))

    @property
    def features(self) -> tuple[str, ...]:
        names = []
        for part in self.parts:
            names += (
                [f"{self.name} {part} sin", f"{self.name} {part} cos"] if part in CYCLES else [f"{self.name} {part}"]
            )
        return (*names, f"{self.name} missing") if self.indicator else tuple(names)

    @property
    def explanation(self) -> str:
        text = f"from {self.first}: {', '.join(self.parts)}"
        return text + (f"; missing ones {self.fill}, marked" if self.indicator else "")

    @classmethod
    def fit(cls, cells: Cells) -> Date | None:
        """Return the description of a column with at least one date; None if they do not differ."""
        assert cells.moments is not None
        there = np.sort(cells.moments[cells.present])
        first, fill = int(there[0]), int(there[(len(there) - 1) // 2])
        filled = np.where(cells.present, cells.moments, fill)
        indicator = not bool(cells.present.all())
        days, year = _numbers(filled, first)
        parts, mean, scale = [], [], []
        for part, values in (("days", days), ("year", year)):
            if (values != values[0]).any():
                scaler = Standardizer().fit(values[:, None])
                parts.append(part)
                mean.append(float(scaler.mean[0]))  # type: ignore[index]
                scale.append(float(scaler.scale[0]))  # type: ignore[index]
        for part, (of, _) in CYCLES.items():
            values = of(filled)
            if (values != values[0]).any():
                parts.append(part)
        if not parts:
            return None
        return cls(cells.name, moments.text(first), moments.text(fill), parts, mean, scale, indicator, cells.format)

    def encode(self, cells: Cells, out: np.ndarray) -> None:
        cells = self._read(cells)
        fill = moments.of_text(self.fill)
        if cells.moments is None:
            there, filled = np.zeros(len(cells), dtype=np.bool_), np.full(len(cells), fill)
        else:
            there = cells.present
            filled = np.where(there, cells.moments, fill)
        numbers = dict(zip(("days", "year"), _numbers(filled, moments.of_text(self.first)), strict=True))
        column = 0
        for part in self.parts:
            if part in CYCLES:
                of, n = CYCLES[part]
                place = of(filled)
                for values in circle(n):
                    out[:, column] = values[place]
                    column += 1
            else:
                with standard_environment(), np.errstate(over="ignore"):
                    out[:, column] = (numbers[part] - self.mean[column]) / self.scale[column]
                column += 1
        if self.indicator:
            out[:, column] = ~there
        if not np.isfinite(out).all():  # training rows give no such scale, but a description may
            row = int((~np.isfinite(out).all(axis=1)).argmax())
            came = moments.text(int(filled[row]))
            raise CellError(cells.name, row, f"too far from the training rows to fit in {out.dtype}; got {came}")

    def _read(self, cells: Cells) -> Cells:
        """Return cells as dates, words that mean missing aside."""
        cells = without_words(cells, self.format or NumberFormat())
        if cells.kind not in ("date", "none"):
            texts = cells.as_texts()
            row = next(row for row, text in enumerate(texts) if text is not None and not moments.ISO.fullmatch(text))
            raise CellError(cells.name, row, f"expected a date; got {texts[row]!r}")
        return cells


def without_words(cells: Cells, form: NumberFormat) -> Cells:
    """Return texts, which are dates if all others are, without those that mean missing."""
    texts = [] if cells.is_named else cells.texts or []
    words = set(form.missing_among({text for text in texts if text is not None}))
    return read_cells(cells.name, [None if text in words else text for text in texts]) if words else cells


def _numbers(found: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the days since ``first`` and the year, float64."""
    with standard_environment():
        return (found - first).astype(np.float64) / moments.DAY, moments.years(found).astype(np.float64)


def circle(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sine and cosine of n points on a circle, float64."""
    with standard_environment():
        angles = 2 * math.pi * np.arange(n) / n
    return elementary.sin(angles), elementary.cos(angles)
