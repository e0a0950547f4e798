"""What becomes of a column: decided by its cells, its name, and what was chosen."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from fastnn.tables.cells import EXACT, Cells
from fastnn.tables.dates import Date
from fastnn.tables.encoders import Boolean, Categorical, Encoder, Numeric, Unused
from fastnn.tables.moments import ISO
from fastnn.tables.number_formats import NumberFormat

FEW_ROWS = 10  # so few that different values in every row mean nothing
_WORDS = re.compile(r"[^0-9A-Za-z]+|(?<=[a-z0-9])(?=[A-Z])")  # what is between the words of a name
_IDS = ("id", "uid", "uuid", "guid", "rowid")
_TIME = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?[AaPp][Mm])?"
_DATE = (
    r"([0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}|[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}"
    r"|[0-9]{1,2}[. -]{1,2}[A-Za-z]{3,9}[ -]([0-9]{2}|[0-9]{4}))"
)
_LIKE_DATES = re.compile(rf"({_DATE}([T ]{_TIME})?|{_TIME})( ?(Z|[+-][0-9]{{2}}:?[0-9]{{2}}))?")
_ROW_NUMBERS = ("", "index", "row", "rowname", "rownames", "row number", "unnamed 0")


@dataclass(frozen=True)
class Choices:
    """What a preprocessor was told of its columns."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    max_categories: int
    min_rows: int


def encoder_of(cells: Cells, training: Cells, choices: Choices) -> Encoder | Unused:
    """Return what becomes of a column.

    Parameters
    ----------
    cells : Cells
        All of them: they tell an identifier.
    training : Cells
        Those of the rows to learn from: they give medians, means, deviations and categories.
    choices : Choices
    """
    name = cells.name
    if cells.kind == "mixed" and name not in choices.categorical:
        assert cells.odd is not None
        return Unused(name, "mixed", cells.odd.placed(cells.odd.row))
    if not training.present.any():
        return Unused(name, "empty")
    if name in choices.categorical:
        return Categorical.fit(training, choices.max_categories, choices.min_rows)
    if cells.kind == "date":
        return Date.fit(training) or Unused(name, "constant")
    if name in choices.numeric:
        return _chosen_numeric(training)
    if cells.kind == "text":
        return _of_texts(cells, training, choices)
    if _is_constant(training):
        return Unused(name, "constant")
    if cells.kind == "boolean":
        return Boolean.fit(training)
    why = _why_identifier(cells)
    return Unused(name, "identifier", why) if why else Numeric.fit(training)


def _chosen_numeric(training: Cells) -> Encoder:
    if training.kind == "boolean":
        return Boolean.fit(training)
    return Numeric.fit(training)


def _of_texts(cells: Cells, training: Cells, choices: Choices) -> Encoder | Unused:
    found = _of_words(cells, training, choices)
    if isinstance(found, Unused) and found.reason != "constant":
        present = {text: None for text in cells.as_texts() if text is not None}
        words = set(NumberFormat().missing_among(present))
        others = [text for text in present if text not in words and not ISO.fullmatch(text)]
        if others and all(map(_LIKE_DATES.fullmatch, others)):
            return Unused(cells.name, "format", repr(others[0]))
    return found


def _of_words(cells: Cells, training: Cells, choices: Choices) -> Encoder | Unused:
    texts = training.as_texts()
    present = [text for text in texts if text is not None]
    different = len(set(present))
    if different == 1 and len(present) == len(texts):
        return Unused(cells.name, "constant")
    if _is_different_everywhere(cells):
        return Unused(cells.name, "identifier")
    encoder = Categorical.fit(training, choices.max_categories, choices.min_rows)
    kept = set(encoder.categories)
    if 2 * len([text for text in present if text in kept]) < len(present):
        few = 2 * different <= len(present) or len(present) < FEW_ROWS
        if few and different <= choices.max_categories:  # the rows are few, the texts are not many
            return Categorical.fit(training, choices.max_categories, 1)
        return Unused(cells.name, "text", f"{different:,} in {len(present):,} rows")
    return encoder


def _is_constant(cells: Cells) -> bool:
    assert cells.numbers is not None
    if not (cells.present.all() and (cells.numbers == cells.numbers[0]).all()):
        return False
    return cells.own is None or len(set(cells.as_texts())) == 1


def _is_different_everywhere(cells: Cells) -> bool:
    present = [text for text in cells.as_texts() if text is not None]
    return len(set(present)) == len(present) >= FEW_ROWS


def _why_identifier(cells: Cells) -> str:
    """Return why whole numbers, different in every row, are an identifier; nothing if they are a quantity.

    They are called an id, are called the numbers of the rows and may be, or are integers that float64 cannot tell
    apart; a float of that size is a quantity.
    """
    assert cells.numbers is not None
    numbers = np.sort(cells.numbers[cells.present])
    if len(numbers) < FEW_ROWS:
        return ""
    if (np.abs(numbers) >= EXACT).any():
        is_huge = bool((np.abs(numbers) >= EXACT).all()) and cells.holds_integers
        return "whole numbers beyond 2⁵³" if is_huge and _is_different_everywhere(cells) else ""
    if (numbers[1:] == numbers[:-1]).any() or (numbers.astype(np.int64) != numbers).any():
        return ""
    words = [word for word in _WORDS.split(cells.name.strip()) if word]
    if words and words[-1].lower() in _IDS:
        return "called an id"
    # About as many numbers as rows: all of them, or those that a split has left.
    counts = bool(numbers[0] >= 0 and numbers[-1] < 2 * len(numbers))
    return "numbers of the rows" if counts and " ".join(words).lower() in _ROW_NUMBERS else ""
