"""What a preprocessor does with a column: frozen descriptions that turn cells into columns of a matrix."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, ClassVar

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description
from fastnn.data import Standardizer
from fastnn.tables.cells import CellError, Cells, known_text

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
    "mixed": "numbers in most rows, but not in all",
}
# What puts a column in that is left out for a reason: an argument of the preprocessor, an option of the command.
REMEDIES = {
    "identifier": "categorical keeps it",
    "text": "categorical keeps it",
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
    """

    name: str
    fill: float
    mean: float
    scale: float
    indicator: bool = False
    used_as: ClassVar[str] = "number"
    kinds: ClassVar[tuple[str, ...]] = ("number", "boolean", "none")
    expected: ClassVar[str] = "a number"

    def __post_init__(self) -> None:
        _check_name(self.name)
        self._set(
            fill=checks.number(self.fill, "fill"),
            mean=checks.number(self.mean, "mean"),
            scale=checks.number(self.scale, "scale", 0.0, above=True),
            indicator=checks.boolean(self.indicator, "indicator"),
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
        return cls(cells.name, fill, mean, scale, bool(missing.any()))

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
        if cells.kind not in self.kinds and cells.numbers is None:
            row = int(cells.present.argmax())
            raise CellError(cells.name, row, f"expected {self.expected}; got {cells.as_texts()[row]!r}")
        return np.full(len(cells.texts or ()), np.nan) if cells.numbers is None else cells.numbers


@description
class Boolean(Numeric):
    """True or false, as the number 1 or 0; otherwise as `Numeric`.

    Parameters
    ----------
    name : str
    fill, mean, scale : float
    indicator : bool, default False
    """

    used_as: ClassVar[str] = "true or false"
    expected: ClassVar[str] = "true or false"

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
    """

    name: str
    categories: Any
    other: bool = False
    missing: bool = False
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
        missing = counts.pop(None, 0)
        ranked = sorted((-count, text) for text, count in counts.items() if text is not None and count >= min_rows)
        kept = sorted(text for _, text in ranked[:max_categories])
        return cls(cells.name, tuple(kept), len(kept) < len(counts), missing > 0)

    def encode(self, cells: Cells, out: np.ndarray) -> None:
        texts = cells.as_texts()
        nowhere = len(self.features)
        places: dict[str | None, int] = {category: place for place, category in enumerate(self.categories)}
        other = len(self.categories) if self.other else nowhere
        places[None] = len(self.categories) + self.other if self.missing else other
        found = {text: places.get(known_text(text, places), other) for text in set(texts)}
        place = np.array([found[text] for text in texts], dtype=np.int64)
        rows = np.flatnonzero(place < nowhere)
        out[rows, place[rows]] = 1

    def unseen(self, cells: Cells) -> set[str]:
        """Return those categories of ``cells`` that have no column of their own."""
        texts = {text for text in cells.as_texts() if text is not None}
        return {text for text in texts if known_text(text, self.categories) not in self.categories}


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


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name must be a string; got {checks.described(name)}")
