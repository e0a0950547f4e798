"""What a preprocessor does with a column: frozen descriptions that turn cells into columns of a matrix."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description
from fastnn.data import Standardizer
from fastnn.tables.cells import CellError, Cells, known_text, number_text
from fastnn.tables.number_formats import NumberFormat

WHOLE = re.compile("[+-]?[0-9]{1,4000}")

MOST_LISTED = 6  # categories
# Why a column is not used.
REASONS = {
    "chosen": "left out by choice",
    "empty": "every cell is missing",
    "constant": "the same value in every row",
    "identifier": "a different value in every row",
    "text": "too many different texts to be categories",
    "date": "dates: make numbers of them first, such as days since a day, or the month",  # in models of before
    "kind": "neither numbers nor booleans nor texts",
    "format": "dates or times, but not written like 2024-03-31 or 2024-03-31 18:05",
    "mixed": "numbers in most rows, but not in all, or not all written in one way",
}
# What puts a column in that is left out for a reason: an argument of the preprocessor, an option of the command.
REMEDIES = {
    "identifier": "categorical keeps it",
    "text": "categorical keeps it",
    "format": "categorical keeps it",
    "mixed": "categorical keeps it",
}


class Encoder(Description):
    """The base of what a column becomes.

    Attributes
    ----------
    used_as : str
        What it is taken for, to be read.
    """

    name: str
    used_as: ClassVar[str]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the matrix's columns."""
        raise NotImplementedError

    @property
    def explanation(self) -> str:
        """What is done with it, to be read."""
        raise NotImplementedError

    def encode(self, cells: Cells, out: np.ndarray) -> None:
        """Fill ``out``, zeros of shape (n, len(features)) and of float32 or float64."""
        raise NotImplementedError


@description
class Numeric(Encoder):
    """A number: missing ones take the median of the training rows, then ``(x - mean) / scale``, in float64.

    Parameters
    ----------
    name : str
    fill : float
        The median of the training rows that have a number.
    mean, scale : float
        Of the training rows, missing ones filled; by `fastnn.data.Standardizer`.
    indicator : bool, default False
        Whether another column of the matrix says where cells are missing (1) or not (0): where training rows were.
    format : NumberFormat, optional
        How numbers are written where they are texts; as `fastnn.tables.NumberFormat()` without.
    """

    name: str
    fill: float
    mean: float
    scale: float
    indicator: bool = False
    format: Any = None
    used_as: ClassVar[str] = "number"
    expected: ClassVar[str] = "a number"
    truth: ClassVar[Mapping[str, float]] = {}

    def __post_init__(self) -> None:
        _check_name(self.name)
        self._set(
            fill=checks.number(self.fill, "fill"),
            mean=checks.number(self.mean, "mean"),
            scale=checks.number(self.scale, "scale", 0.0, above=True),
            indicator=checks.boolean(self.indicator, "indicator"),
            format=checked_format(self.format),
        )

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name, f"{self.name} missing") if self.indicator else (self.name,)

    @property
    def explanation(self) -> str:
        text = f"mean {self.mean:.6g}, deviation {self.scale:.4g}"
        return text + (f"; missing ones {self.fill:.6g}, marked" if self.indicator else "")

    @classmethod
    def fit(cls, cells: Cells) -> Numeric:
        """Return the description of a column with at least one number."""
        assert cells.numbers is not None
        missing = np.isnan(cells.numbers)
        with standard_environment():
            fill = median(cells.numbers[~missing])
        filled = np.where(missing, fill, cells.numbers)
        scaler = Standardizer()
        with np.errstate(over="ignore", invalid="ignore"):
            scaler.fit(filled[:, None])
        mean, scale = float(scaler.mean[0]), float(scaler.scale[0])  # type: ignore[index]
        if not (math.isfinite(mean) and math.isfinite(scale)):
            row = int(np.abs(filled).argmax())
            raise CellError(cells.name, row, f"too large to take mean and deviation of the column; got {filled[row]}")
        return cls(cells.name, fill, mean, scale, bool(missing.any()), cells.format)

    def encode(self, cells: Cells, out: np.ndarray) -> None:
        numbers = self._numbers(cells)
        missing = np.isnan(numbers)
        with standard_environment(), np.errstate(over="ignore"):
            out[:, 0] = (np.where(missing, self.fill, numbers) - self.mean) / self.scale
        if not np.isfinite(out[:, 0]).all():
            row = int((~np.isfinite(out[:, 0])).argmax())
            raise CellError(
                cells.name, row, f"too far from the training rows to fit in {out.dtype}; got {numbers[row]}"
            )
        if self.indicator:
            out[:, 1] = missing

    def _numbers(self, cells: Cells) -> np.ndarray:
        return read_numbers(cells, self.format, self.expected, self.truth)


@description
class Boolean(Numeric):
    """True or false, as the number 1 or 0; otherwise as `Numeric`.

    Parameters
    ----------
    name : str
    fill, mean, scale : float
    indicator : bool, default False
    format : NumberFormat, optional
    """

    used_as: ClassVar[str] = "true or false"
    expected: ClassVar[str] = "true or false"
    truth: ClassVar[Mapping[str, float]] = {"true": 1.0, "false": 0.0}  # in any case of the letters

    def encode(self, cells: Cells, out: np.ndarray) -> None:
        numbers = self._numbers(cells)
        wrong = ~np.isnan(numbers) & (numbers != 0) & (numbers != 1)
        if wrong.any():
            row = int(wrong.argmax())
            raise CellError(cells.name, row, f"expected {self.expected}, or 1 or 0; got {numbers[row]:g}")
        super().encode(cells, out)


@description
class Categorical(Encoder):
    """A category, one-hot: 1 in the column of the matrix that belongs to it, 0 in the others.

    Parameters
    ----------
    name : str
    categories : sequence of str
        Each has a column, in this order: by code points.
    other : bool, default False
        Whether a column stands for rare and unseen categories: where training rows had rare ones. Otherwise an
        unseen category is 0 in every column.
    missing : bool, default False
        Whether a column stands for missing cells: where training rows had some. Otherwise a missing cell counts as an
        unseen category.
    format : NumberFormat, optional
        Which words mean missing: none without. Where all categories are numbers or truth values, it says how texts are
        read as such.
    """

    name: str
    categories: Any
    other: bool = False
    missing: bool = False
    format: Any = None
    used_as: ClassVar[str] = "categories"

    def __post_init__(self) -> None:
        _check_name(self.name)
        categories = tuple(self.categories) if isinstance(self.categories, (tuple, list)) else (None,)
        if not all(isinstance(category, str) for category in categories) or len(set(categories)) < len(categories):
            raise ValueError(f"categories must be different strings; got {checks.described(self.categories)}")
        self._set(
            categories=categories,
            other=checks.boolean(self.other, "other"),
            missing=checks.boolean(self.missing, "missing"),
        )
        if checked_format(self.format) == NumberFormat(usual=False):
            self._set(format=None)

    @property
    def features(self) -> tuple[str, ...]:
        own = [f"{self.name}={category}" for category in self.categories]
        rest = [f"{self.name} other"] * self.other + [f"{self.name} missing"] * self.missing
        return (*own, *rest)

    @property
    def explanation(self) -> str:
        listed = list(self.categories[:MOST_LISTED])
        if len(self.categories) > len(listed):
            listed.append(f"… {len(self.categories) - len(listed)} more")
        listed += ["(rare)"] * self.other + ["(missing)"] * self.missing
        return ", ".join(listed)

    @classmethod
    def fit(cls, cells: Cells, max_categories: int, min_rows: int) -> Categorical:
        """Keep the most frequent categories; of equally frequent ones the first by code points."""
        counts = Counter(cells.as_texts())
        missing = counts.pop(None, 0) + counts.pop("", 0)  # an empty text says no more than a missing one
        ranked = sorted((-count, text) for text, count in counts.items() if text is not None and count >= min_rows)
        kept = sorted(text for _, text in ranked[:max_categories])
        return cls(cells.name, tuple(kept), len(kept) < len(counts), missing > 0, cells.format)

    def encode(self, cells: Cells, out: np.ndarray) -> None:
        texts = self._named(cells)
        nowhere = len(self.features)
        places: dict[str | None, int] = {category: place for place, category in enumerate(self.categories)}
        other = len(self.categories) if self.other else nowhere
        places[None] = len(self.categories) + self.other if self.missing else other
        places.setdefault("", places[None])
        found = {text: places.get(known_text(text, places), other) for text in set(texts)}
        place = np.array([found[text] for text in texts], dtype=np.int64)
        rows = np.flatnonzero(place < nowhere)
        out[rows, place[rows]] = 1

    def unseen(self, cells: Cells) -> set[str]:
        """Return those categories of ``cells`` that have no column of their own."""
        texts = {text for text in self._named(cells) if text is not None}
        return {text for text in texts if known_text(text, self.categories) not in self.categories}

    def _named(self, cells: Cells) -> list[str | None]:
        """Return cells as categories: numbers and truth values written in one way, None where they are missing."""
        texts = cells.as_texts()
        unknown = {text for text in texts if text is not None}.difference(self.categories)
        if not unknown or self.format is None:
            return texts
        names: dict[str | None, str | None] = {text: None for text in unknown if self.format.is_missing(text)}
        if self._are_canonical:
            names.update({text: self._name(text) for text in unknown - names.keys()})
        return [names.get(text, text) for text in texts]

    def _name(self, text: str) -> str | None:
        """Return a text that may be a number or a truth value as the category that it stands for."""
        if text.lower() in Boolean.truth or WHOLE.fullmatch(text):
            return text.lower() if text.lower() in Boolean.truth else str(int(text))  # however large
        (number,), problems = self.format.read([text])
        return text if problems else None if number != number else number_text(float(number))

    @property
    def _are_canonical(self) -> bool:
        return bool(self.categories) and all(map(is_canonical, self.categories))


@description
class Unused(Description):
    """A column that is not used, and why.

    Parameters
    ----------
    name : str
    reason : str
        A key of ``REASONS``.
    detail : str, default ""
        More about this very column.
    """

    name: str
    reason: str
    detail: str = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        checks.choice(self.reason, REASONS, "reason")
        checks.text(self.detail, "detail")

    @property
    def explanation(self) -> str:
        """Reason and detail, and what puts the column in, to be read."""
        remedy = REMEDIES.get(self.reason)
        if self.reason == "identifier" and self.detail:  # numbers, of which it says what they are
            remedy = f"numeric or {remedy}"
        return REASONS[self.reason] + (f": {self.detail}" if self.detail else "") + (f" ({remedy})" if remedy else "")


def median(numbers: np.ndarray) -> float:
    """Return the middle of at least one number, or half way between the two in the middle."""
    ordered = np.sort(numbers)
    n = len(ordered)
    low, high = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    return low if low == high else low / 2 + high / 2


def is_canonical(category: str) -> bool:
    """Return whether a category may be a number or a truth value, which may be written in several ways."""
    with standard_environment():
        try:
            return category in ("true", "false", number_text(float(category))) or category == str(int(category))
        except (ValueError, OverflowError):
            return False


def checked_format(value: Any) -> NumberFormat | None:
    """Return a format of numbers; that of a column of which nothing special is known is None."""
    if value is not None and not isinstance(value, NumberFormat):
        raise TypeError(f"format must be a NumberFormat; got {checks.described(value)}")
    return None if value == NumberFormat() else value


def read_numbers(
    cells: Cells, form: NumberFormat | None, expected: str = "a number", truth: Mapping[str, float] | None = None
) -> np.ndarray:
    """Return the numbers of a column that was known to hold such, NaN where they are missing.

    Raises
    ------
    CellError
        If a cell is none.
    """
    form = form or NumberFormat()
    if cells.kind == "date":
        row = int(cells.present.argmax())
        raise CellError(cells.name, row, f"expected {expected}; got {cells.as_texts()[row]!r}")
    if cells.numbers is not None:
        return cells.numbers if cells.format is not None else form.without_words(cells.numbers)
    assert cells.texts is not None
    texts, known = cells.texts, truth or {}
    truths = {text: known[text.strip().lower()] for text in {*texts} - {None} if text and text.strip().lower() in known}
    numbers, problems = form.read([None if text in truths else text for text in texts])
    for row, text in enumerate(texts if problems or truths else ()):
        if text in problems:
            problem = problems[text] if expected == "a number" else f"expected {expected}; got {text!r}"
            raise CellError(cells.name, row, problem)
        if text in truths:
            numbers[row] = truths[text]
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(infinite.argmax())
        raise CellError(cells.name, row, f"expected a finite number; got {numbers[row]}")
    return numbers


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name must be a string; got {checks.described(name)}")
