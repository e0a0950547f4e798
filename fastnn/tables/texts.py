"""What a column of texts holds: numbers, truth values, dates, or texts. It is judged as a whole, once, in training."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastnn._input import checks
from fastnn.tables import number_formats, number_texts
from fastnn.tables.cells import Cells, number_text
from fastnn.tables.cells import cells as read_cells
from fastnn.tables.dates import without_words
from fastnn.tables.number_formats import NumberFormat

MOST_DIGITS = 15  # of a whole number that is exact in float64
TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Rules:
    """What was said about texts.

    Attributes
    ----------
    missing : tuple of str, or None
        The words that mean missing, in columns of any kind; None: the usual ones, among numbers, truth values and
        dates.
    decimal : str
        The decimal sign where a column leaves it open, ``"."`` or ``","``; empty if that was not said.
    guess : bool
        Whether a few other words among numbers are taken for missing; not where ``missing`` says which words are.
    """

    missing: tuple[str, ...] | None = None
    decimal: str = ""
    guess: bool = True

    @classmethod
    def of(cls, missing: Any, decimal: Any = None) -> Rules:
        """Check arguments."""
        if missing is not None:
            if isinstance(missing, (bytes, bytearray)):
                raise TypeError(f"missing must hold strings; got {checks.described(missing)}")
            words = checks.listed(missing, (str, int, float), "missing")
            as_texts = (number_text(float(word)) if type(word) in (int, float) else word for word in words)
            missing = tuple(dict.fromkeys(checks.names(tuple(as_texts), "missing")))
        if decimal is not None:
            checks.choice(decimal, tuple(number_formats.DECIMALS), "decimal")
        return cls(missing, decimal or "", missing is None)

    @property
    def strict(self) -> Rules:
        """The same without guesses: of a target no row is left out because of a word that nobody knows."""
        return replace(self, guess=False)

    @property
    def format(self) -> NumberFormat:
        """How numbers are written, as far as that was said."""
        if self.missing is None:
            return NumberFormat(self.decimal)
        return NumberFormat(self.decimal, words=self.missing, usual=False)


def decided(cells: Cells, rules: Rules, kind: str = "") -> Cells:
    """Return a column as what it holds, with the format of its numbers and a note on how it was read.

    Parameters
    ----------
    cells : Cells
    rules : Rules
    kind : str, default ""
        ``"number"`` if texts are known to stand for that, by choice; ``"text"`` if they are names: only numbers as
        Python writes them, and truth values, are read then, so that ``1`` and ``1.0`` are one name.

    Raises
    ------
    CellError
        If the texts may be numbers of one value or another; by choice numbers, but are none; or infinite.
    """
    if cells.format is not None:
        return cells
    if cells.is_named and cells.numbers is not None and kind == "number":  # categories of numbers
        return _without_words(replace(cells, kind="number", texts=None), rules)
    bare = cleaned(cells)
    cells = cells if bare is cells or cells.is_named else read_cells(cells.name, bare.texts)  # perhaps dates
    form = rules.format
    dates = cells if kind else without_words(cells, form)
    if dates is not cells and dates.kind == "date":
        dropped = {text for text in cells.texts or () if text is not None} - {*(dates.texts or ())}
        return replace(dates, format=form, note=_missing(cells, dropped))
    if cells.texts is None or cells.kind == "date":
        return _without_words(cells, rules)
    present = {text for text in cells.texts if text is not None}
    note = ""
    if kind == "number" or (not cells.is_named and (kind != "text" or _are_plain(present, form))):
        form = NumberFormat(".", words=form.words, usual=form.usual) if kind == "text" else form
        found, note = number_texts.numbers(cells, present, form, kind == "number", rules.guess)
        found = found or _truth(cells, present, form)
        if found is not None:
            return found
    result = cleaned(cells, rules.missing or ())
    notes = [note] if note else []
    usual = NumberFormat().missing_among(present)
    if rules.missing is None and usual:
        notes.append(f"{number_texts.counted(number_texts.counts(cells, usual))}: taken as texts, not as missing")
    dropped = present & {*(rules.missing or ())}
    if dropped:
        notes.append(_missing(cells, dropped))
    return replace(result, format=NumberFormat(words=rules.missing or (), usual=False), note="; ".join(notes))


def _are_plain(texts: Iterable[str], form: NumberFormat) -> bool:
    """Return whether texts are numbers as Python writes them, or truth values, aside from words for missing."""
    rest = [text for text in texts if not form.is_missing(text)]
    if not rest or max(map(len, rest)) > MOST_DIGITS:
        return False
    return number_formats.plain(rest) is not None or {text.lower() for text in rest} <= TRUTH.keys()


def cleaned(cells: Cells, words: Iterable[str] = ()) -> Cells:
    """Return texts without spaces at their ends; where nothing is left, or one of ``words``, the cell is missing."""
    if cells.texts is None:
        return cells
    none = {"", *words}
    bare: dict[str | None, str | None] = {None: None}
    for text in {*cells.texts} - {None}:
        assert text is not None
        bare[text] = None if text.strip() in none else text.strip()
    if all(text == other for text, other in bare.items()):
        return cells
    texts = [bare[text] for text in cells.texts]
    return replace(cells, texts=texts, kind=cells.kind if any(text is not None for text in texts) else "none")


def _without_words(cells: Cells, rules: Rules) -> Cells:
    """Return numbers and truth values without those that mean missing by choice."""
    if cells.numbers is None:
        return replace(cells, format=rules.format)
    numbers = rules.format.without_words(cells.numbers)
    n = int(np.count_nonzero(np.isnan(numbers))) - int(np.count_nonzero(np.isnan(cells.numbers)))
    kind = "none" if len(numbers) and np.isnan(numbers).all() else cells.kind
    note = f"missing: {n:,} of the values that were said to mean it" if n else ""
    return replace(cells, kind=kind, numbers=numbers, format=rules.format, note=note)


def _missing(cells: Cells, words: Collection[str]) -> str:
    """Say how many cells hold each word that means missing."""
    return f"missing: {number_texts.counted(number_texts.counts(cells, words))}"


def _truth(cells: Cells, present: Set[str], form: NumberFormat) -> Cells | None:
    """Return texts as truth values, if they are."""
    assert cells.texts is not None
    words = form.missing_among(present)
    truth: dict[str | None, float] = {text: TRUTH.get(text.lower(), np.nan) for text in present}
    found = [text for text, value in truth.items() if value == value and text not in words]
    if not found or len(found) + len(words) < len(truth):
        return None
    truth.update(dict.fromkeys([None, *words], np.nan))
    note = _missing(cells, words) if words else ""
    return Cells(cells.name, "boolean", np.array([truth[text] for text in cells.texts]), format=form, note=note)
