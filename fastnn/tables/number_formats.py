"""Numbers as people write them: decimal sign, groups of thousands, currencies, percent, and words for a missing one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description

NO_DATES = ("0000-00-00", "0000-00-00 00:00:00")  # as MySQL writes them
# What means missing among numbers, truth values or dates, in any case of the letters.
USUAL_WORDS = ("na", "n/a", "n.a.", "#n/a", "nan", "null", "none", "nil", "<na>", "nat", "?", "-", "--", "–", "—", ".")
HINT = "; if that means missing, name it in missing (fastnn train --missing)"
DECIMALS = {".": "points", ",": "commas"}
_USUAL = frozenset((*USUAL_WORDS, *NO_DATES))
_CODES = "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|NOK|NZD|PHP|PLN|RON|RUB"
_CODES += "|SEK|SGD|THB|TRY|TWD|UAH|USD|ZAR"
_CURRENCY = rf"(?:[$€£¥₹₩₽₺₴₫₪₱฿]|{_CODES})"
# Spaces and apostrophes that do not break a line, and the minus sign of typographers.
_PLAINER = str.maketrans({"\u2212": "-", "’": "'", "\u02bc": "'", **dict.fromkeys("\u00a0\u202f\u2009\u2007", " ")})
_PLAIN = re.compile(r"[0-9+\-.eE\n]*")
_BARE = re.compile(r"[0-9+\-.,eE' _\n]*")
_CELL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<before>{_CURRENCY}?) ?(?P<second>[+-]?)(?P<open>\(?) ?(?P<within>{_CURRENCY}?) ?"
    rf"(?P<body>[0-9.,](?:[0-9.,' _]*[0-9.])?(?:[eE][+-]?[0-9]+)?)"
    rf" ?(?P<after>(?:{_CURRENCY}|%)?) ?(?P<close>\)?) ?(?P<last>(?:{_CURRENCY}|%)?)"
)
_UNIT = re.compile(rf"{_CURRENCY}|%")
_GROUPS = {
    ".": r"[1-9][0-9]{0,2}(?P<s>[,' _])[0-9]{3}(?:(?P=s)[0-9]{3})*|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}",  # of India
    ",": r"[1-9][0-9]{0,2}(?P<s>[.' _])[0-9]{3}(?:(?P=s)[0-9]{3})*",
}
_STYLES = {
    sign: re.compile(
        rf"(?:[+-]? ?(?:(?:[0-9]++(?![{others}])|{_GROUPS[sign]})(?:\{sign}[0-9]*)?|\{sign}[0-9]+)"
        r"(?:[eE][+-]?[0-9]+)?\n)*+"
    )
    for sign, others in ((".", ",' _"), (",", ".' _"))
}
_TO_PYTHON = {".": str.maketrans("", "", ",' _"), ",": str.maketrans(",", ".", ".' _")}


@description
class NumberFormat(Description):
    """How the numbers of a column are written where they are texts.

    Parameters
    ----------
    decimal : str, default ""
        The decimal sign, ``"."`` or ``","``; empty where the training rows left it open. Then a point is one, and a
        comma where it cannot separate thousands.
    unit : str, default ""
        A currency that may stand before or after the number, or ``"%"``, which has to stand after it.
    words : sequence of str, default ()
        Texts that mean a missing number. Of those that are numbers themselves, so does the number.
    usual : bool, default True
        Whether the usual words do as well: ``NA``, ``n/a``, ``NaN``, ``null``, ``None``, ``?``, ``-`` and the like.
    """

    decimal: str = ""
    unit: str = ""
    words: Any = ()
    usual: bool = True

    def __post_init__(self) -> None:
        checks.choice(self.decimal, ("", *DECIMALS), "decimal")
        if checks.text(self.unit, "unit") and not _UNIT.fullmatch(self.unit):
            raise ValueError(f"unit must be '%' or a currency, such as '€' or 'EUR'; got {self.unit!r}")
        self._set(words=checks.names(self.words, "words"), usual=checks.boolean(self.usual, "usual"))

    def is_missing(self, text: str) -> bool:
        """Return whether a text means that there is no number."""
        word = text.strip()
        return not word or word in self.words or (self.usual and is_usual(word))

    def without_words(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers with NaN for those that mean missing."""
        values = [value for word in self.words for value in plain([word]) or ()]
        return np.where(np.isin(numbers, values), np.nan, numbers) if values else numbers

    def read(self, texts: Iterable[str | None]) -> tuple[np.ndarray, dict[str, str]]:
        """Read texts as numbers.

        Returns
        -------
        float64 ndarray, shape (n,)
            NaN where there is none.
        dict of str to str
            Texts that are no numbers, and what is wrong with each.
        """
        texts = list(texts)
        different = [text for text in set(texts) if text is not None]
        values: dict[str | None, float] = {None: np.nan}
        problems: dict[str, str] = {}
        numbers = plain(different) if self.decimal != "," and self.unit != "%" else None
        if numbers is None:
            words = self.missing_among(different)
            values.update(dict.fromkeys(words, np.nan))
            different = list(set(different).difference(words)) if words else different
            bodies, units = taken_apart([text.strip() for text in different])
            numbers = self._at_once(bodies, units)
            for text, body, unit in zip(different, bodies, units, strict=True) if numbers is None else ():
                try:
                    values[text] = self._value(text, body, unit)
                except ValueError as error:
                    problems[text], values[text] = str(error), np.nan
        if numbers is not None:
            values.update(zip(different, numbers, strict=True))
        return self.without_words(np.array([values[text] for text in texts], dtype=np.float64)), problems

    def missing_among(self, texts: Iterable[str]) -> list[str]:
        """Return those texts that mean that there is no number."""
        words = {*self.words, *NO_DATES}
        return [text for text in texts if (text in words or not text[-1:].isdigit()) and self.is_missing(text)]

    def _at_once(self, bodies: Sequence[str | None], units: Sequence[str]) -> list[float] | None:
        """Return texts as numbers if each is written as expected, and none leaves anything open."""
        present = [body for body in bodies if body is not None]
        different = set(units)
        if len(present) < len(bodies) or different - {"", self.unit} or (self.unit == "%" and "" in different):
            return None
        if not self.decimal and any("," in body for body in present):
            return None
        return parsed(present, self.decimal or ".")

    def _value(self, text: str, body: str | None, unit: str) -> float:
        if is_infinite(text):
            raise ValueError(f"expected a finite number; got {float(text)}")
        if body is None:
            raise ValueError(f"expected a number; got {text!r}")
        if unit != self.unit and (unit or self.unit == "%"):
            raise ValueError(f"expected a number{f' in {self.unit}' * bool(self.unit)}, as in training; got {text!r}")
        decimals = [decimal for decimal in DECIMALS if self.decimal in ("", decimal) and fit([body], decimal)]
        if not decimals:
            raise ValueError(f"expected a number with decimal {DECIMALS[self.decimal]}; got {text!r}")
        if len(decimals) == 2 and "," in body:
            raise ValueError(f"expected a number; got {in_two_ways(text, body)}")
        return floats([body], decimals[0])[0]


def is_infinite(text: str) -> bool:
    """Return whether a text is the infinity of Python."""
    return text.strip().lstrip("+-").casefold() in ("inf", "infinity")


def is_usual(word: str) -> bool:
    """Return whether a text usually means missing."""
    return word.casefold() in _USUAL


def plain(texts: Sequence[str]) -> list[float] | None:
    """Return texts as numbers if each is one as Python writes it."""
    if not _PLAIN.fullmatch("\n".join(texts)):
        return None
    try:
        with standard_environment():
            return list(map(float, texts))
    except ValueError:
        return None


def taken_apart(texts: Sequence[str]) -> tuple[list[str | None], list[str]]:
    """Return sign and digits of each text that is a number with some decimal sign, None of others; and its unit."""
    joined = "\n".join(texts).translate(_PLAINER)
    plainer = joined.split("\n") if texts else []
    if len(plainer) == len(texts):  # no cell has several lines
        unit, stripped = _without_unit(joined)
        if _BARE.fullmatch(stripped):
            bodies = stripped.split("\n") if texts else []
            if any(fit(bodies, decimal) for decimal in DECIMALS):
                return list(bodies), [unit if unit and unit in text else "" for text in plainer]
    else:
        plainer = [text.translate(_PLAINER) for text in texts]
    taken = [_cell(text) for text in plainer]
    return [body for body, _ in taken], [unit for _, unit in taken]


def _without_unit(joined: str) -> tuple[str, str]:
    """Return the first unit in lines, and the lines without it; as they are if it stands anywhere but at an end."""
    found = _UNIT.search(joined)
    if found is None:
        return "", joined
    unit = re.escape(found[0])
    front = "" if unit == "%" else rf"[+-]? ?{unit} ?[+-]?[0-9.,][0-9.,' _]*+\n|"
    lines = re.compile(rf"(?:{front}[+-]? ?[0-9.,][0-9.,' _eE+-]*+(?:{unit})?\n)*+")
    if not lines.fullmatch(joined + "\n"):
        return "", joined
    return found[0], re.sub(rf" ?{unit} ?", "", joined)


def _cell(text: str) -> tuple[str | None, str]:
    """Return sign and digits of a text, None if it is no number; and its unit."""
    found = _CELL.fullmatch(text)
    if not found:
        return None, ""
    signs = found["sign"] + found["second"] + found["open"]
    units = [found[place] for place in ("before", "within", "after", "last") if found[place]]
    body = signs.replace("(", "-") + found["body"]
    if len(signs) > 1 or len(units) > 1 or bool(found["open"]) != bool(found["close"]):
        return None, ""
    if not any(fit([body], decimal) for decimal in DECIMALS):
        return None, ""
    return body, units[0] if units else ""


def fit(bodies: Sequence[str], decimal: str) -> bool:
    """Return whether each body is a number with this decimal sign."""
    return _STYLES[decimal].fullmatch("\n".join((*bodies, ""))) is not None


def parsed(bodies: Sequence[str], decimal: str) -> list[float] | None:
    """Return bodies as numbers, or None if not all fit."""
    return floats(bodies, decimal) if fit(bodies, decimal) else None


def floats(bodies: Sequence[str], decimal: str) -> list[float]:
    """Return bodies that fit as numbers."""
    with standard_environment():
        return list(map(float, "\n".join(bodies).translate(_TO_PYTHON[decimal]).split("\n"))) if bodies else []


def in_two_ways(text: str, body: str) -> str:
    """Say that a text may be one number or another, and what settles it."""
    sign, name, other = (",", "comma", ".") if "," in body else (".", "point", ",")
    (thousands,), (fraction,) = floats([body], other), floats([body], sign)
    return (
        f"{text!r}: {thousands:.12g} if the {name} separates thousands (decimal={other!r}; fastnn train --decimal "
        f"{other}), or {fraction:.12g} if it is the decimal sign (decimal={sign!r}; --decimal {sign})"
    )
