"""A column of texts as numbers: the one way of writing them that suits every cell, or what speaks against it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fastnn.tables import number_formats
from fastnn.tables.cells import CellError, Cells, Odd
from fastnn.tables.number_formats import DECIMALS, NumberFormat

MOST_WORDS = 5  # that are taken for missing numbers, though nobody said so
FEWEST_NUMBERS = 0.8  # of the cells that are not empty, beside such words
_DIGIT = re.compile("[0-9]")
_THOUSANDS = re.compile(r"(?:[+-]?(?:0|[1-9][0-9]{0,2}(?:\.[0-9]{3})?)\n)*+")
_SEPARATED = {" ": "spaces", "'": "apostrophes", "_": "underscores", ",": "commas", ".": "points"}


class _Written(NamedTuple):
    """Texts of a column that are numbers."""

    bodies: dict[str, str]
    units: dict[str, str]  # empty if there are none


def numbers(cells: Cells, present: Set[str], form: NumberFormat, chosen: bool, guess: bool) -> tuple[Cells | None, str]:
    """Return texts as numbers, or as mixed; or None where they are neither, and a note if they look like numbers.

    Parameters
    ----------
    cells : Cells
    present : set of str
        The different texts, none of them empty or with spaces at its ends.
    form : NumberFormat
        What is known of it by choice.
    chosen : bool
        Whether the column is known to hold numbers.
    guess : bool
        Whether a few other words are taken for missing.

    Raises
    ------
    CellError
        If the numbers may be read in two ways, one is infinite, or ``chosen`` and others are none.
    """
    words = form.missing_among(present)
    written, others = _taken_apart(list(present - set(words)))
    if not written.bodies and not chosen:
        return None, ""
    infinite = [text for text in others if number_formats.is_infinite(text)]
    if infinite and len(infinite) == len(others):
        raise CellError(cells.name, _row(cells, infinite), f"expected a finite number; got {float(infinite[0])}")
    codes = [body for body in written.bodies.values() if body[0] == "0" and len(body) > 1 and body.isdigit()]
    if codes and not chosen and all(map(str.isdigit, written.bodies.values())):
        code = min(codes)
        return None, f"codes, not numbers, because of zeros in front: {code!r}"
    if others:
        odd = Odd(_row(cells, others), *_example(cells, others))
        if chosen:
            raise CellError(cells.name, odd.row, f"expected a number; got {odd}{number_formats.HINT}")
        n = sum(text in written.bodies for text in cells.texts or ())
        if n <= odd.cells:
            return None, ""
        few = len(others) <= MOST_WORDS and not any(map(_DIGIT.search, others))
        if not guess or not few or n < FEWEST_NUMBERS * (n + odd.cells):
            return replace(cells, kind="mixed", odd=odd, format=form), ""
        form = NumberFormat(form.decimal, form.unit, (*form.words, *sorted(others)))
    unit = _unit(written)
    decimal = _decimal(cells, written.bodies, form.decimal)
    if unit is None or decimal is None:
        strange = _in_another_way(written, unit is None)
        odd = Odd(_row(cells, strange), *_example(cells, strange))
        if chosen:
            raise CellError(cells.name, odd.row, f"expected numbers that are all written in one way; got {odd}")
        return replace(cells, kind="mixed", odd=odd, format=form), ""
    form = NumberFormat(decimal, unit, form.words, form.usual)
    values: dict[str | None, float] = dict.fromkeys((None, *words, *others), np.nan)
    bodies = list(written.bodies.values())
    values.update(zip(written.bodies, number_formats.floats(bodies, decimal or "."), strict=True))
    found = form.without_words(np.array([values[text] for text in cells.texts or ()], dtype=np.float64))
    if np.isinf(found).any():
        row = int(np.isinf(found).argmax())
        raise CellError(cells.name, row, f"expected a finite number; got {found[row]}")
    notes = _notes(bodies, decimal, unit)
    texts = cells.texts or []
    named = {text for text in (texts[row] for row in np.flatnonzero(found != found).tolist()) if text}
    notes += [f"missing: {counted(counts(cells, named))}"] if named else []
    kind = "number" if (found == found).any() or not len(found) else "none"
    return Cells(cells.name, kind, found, format=form, note="; ".join(notes)), ""


def counts(cells: Cells, texts: Collection[str]) -> dict[str, int]:
    """Return how many cells hold each of some texts."""
    return {text: (cells.texts or []).count(text) for text in texts}


def counted(counts: Mapping[str, int]) -> str:
    """Say how many cells hold each word."""
    listed = [f"{word!r} {n:,} {'time' if n == 1 else 'times'}" for word, n in sorted(counts.items())]
    more = [f"{len(listed) - MOST_WORDS} more words"] if len(listed) > MOST_WORDS else []
    return ", ".join(listed[:MOST_WORDS] + more)


def _taken_apart(texts: Sequence[str]) -> tuple[_Written, list[str]]:
    bodies, units = number_formats.taken_apart(texts)
    written = dict(zip(texts, bodies, strict=True))
    others = [text for text, body in written.items() if body is None]
    fitting = {text: body for text, body in written.items() if body is not None}
    return _Written(fitting, dict(zip(texts, units, strict=True)) if any(units) else {}), others


def _row(cells: Cells, texts: Sequence[str]) -> int:
    """Return the first row with one of some texts."""
    wanted = set(texts)
    return next(row for row, text in enumerate(cells.texts or ()) if text in wanted)


def _example(cells: Cells, texts: Sequence[str]) -> tuple[str, int]:
    """Return the first of some texts in a column, and how many cells hold one."""
    wanted = set(texts)
    found = [text for text in cells.texts or () if text in wanted]
    return str(found[0]), len(found)


def _unit(written: _Written) -> str | None:
    """Return the unit of a column, or None if it has several; a percent sign has to stand in every cell."""
    units = {unit for text, unit in written.units.items() if text in written.bodies}
    if units <= {""}:
        return ""
    if len(units) == 1 or ("" in units and len(units) == 2 and "%" not in units):
        return max(units)
    return None


def _decimal(cells: Cells, bodies: Mapping[str, str], chosen: str) -> str | None:
    """Return the decimal sign, empty if no cell tells; None if none suits all cells."""
    if not bodies:
        return chosen
    joined = "\n".join(bodies.values())
    fitting = [decimal for decimal in DECIMALS if number_formats.fit(list(bodies.values()), decimal)]
    if not fitting:
        return None
    if "," not in joined:
        if len(fitting) < 2:
            return "" if fitting == ["."] and not chosen else fitting[0]
        is_doubtful = "." in joined and _are_grouped(joined) and any("." not in body for body in bodies.values())
        if is_doubtful and not chosen:
            _refuse(cells, bodies, ".")
        return chosen
    if len(fitting) < 2:
        return fitting[0]
    if not chosen:
        _refuse(cells, bodies, ",")
    return chosen


def _refuse(cells: Cells, bodies: Mapping[str, str], sign: str) -> None:
    texts = [text for text, body in bodies.items() if sign in body]
    text = _example(cells, texts)[0]
    raise CellError(
        cells.name, _row(cells, texts), f"expected one number; got {number_formats.in_two_ways(text, bodies[text])}"
    )


def _in_another_way(written: _Written, of_units: bool) -> list[str]:
    """Return the texts that are written in another way than most."""
    if of_units:
        units = {text: unit for text, unit in written.units.items() if text in written.bodies}
        counts = Counter(units.values())
        common = max(sorted(counts), key=counts.__getitem__)
        return [text for text, unit in units.items() if unit != common]
    fitting = {d: {t for t, body in written.bodies.items() if number_formats.fit([body], d)} for d in DECIMALS}
    return [text for text in written.bodies if text not in max(fitting.values(), key=len)]


def _notes(bodies: Iterable[str], decimal: str, unit: str) -> list[str]:
    """Say how numbers are written, where that is not as Python writes them."""
    joined = "\n".join(bodies)
    separators = [sign for sign in _SEPARATED if sign != (decimal or ".") and sign in joined]
    grouping = [_SEPARATED[sign] for sign in separators if re.search(rf"[0-9]{re.escape(sign)}", joined)]
    notes = [f"thousands separated by {' and '.join(grouping)}"] if grouping else []
    if decimal == "," and "," in joined:
        notes.append("decimal commas")
    if not decimal and "." in joined and _are_grouped(joined):
        notes.append("points with three digits behind each, taken as decimal points")
    return notes + ([f"in {unit}"] if unit else [])


def _are_grouped(joined: str) -> bool:
    """Return whether no cell speaks against points between thousands."""
    return _THOUSANDS.fullmatch(joined + "\n") is not None
