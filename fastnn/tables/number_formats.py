"""Numbers as people write them: decimal sign, groups of thousands, currencies, percent, and words for a missing one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description

# What means missing among numbers or truth values, in any case of the letters.
USUAL_WORDS = ("na", "n/a", "n.a.", "#n/a", "nan", "null", "none", "nil", "<na>", "nat", "?", "-", "--", "–", "—", ".")
DECIMALS = {".": "points", ",": "commas"}
_USUAL = frozenset(USUAL_WORDS)
_CODES = "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|NOK|NZD|PHP|PLN|RON|RUB|"
_CURRENCY = rf"(?:[$€£¥₹₩₽₺₴₫₪₱฿]|{_CODES}SEK|SGD|THB|TRY|TWD|UAH|USD|ZAR)"
# Spaces and apostrophes that do not break a line, and the minus sign of typographers.
_PLAINER = str.maketrans({"\u2212": "-", "’": "'", "\u02bc": "'", **dict.fromkeys("\u00a0\u202f\u2009\u2007", " ")})
_PLAIN = re.compile(r"[0-9+\-.eE\n]*")
_BARE = re.compile(r"[0-9+\-.,eE' _\n]*")
_CELL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<before>{_CURRENCY}?) ?(?P<second>[+-]?)(?P<open>\(?) ?(?P<within>{_CURRENCY}?) ?"
    rf"(?P<body>[0-9.,](?:[0-9.,' _]*[0-9.])?(?:[eE][+-]?[0-9]+)?)"
    rf" ?(?P<after>(?:{_CURRENCY}|%)?) ?(?P<close>\)?) ?(?P<last>(?:{_CURRENCY}|%)?)"
)
_GROUPS = {
    ".": r"[1-9][0-9]{0,2}([,' _])[0-9]{3}(?:\1[0-9]{3})*|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}",  # 12,34,567 in India
    ",": r"[1-9][0-9]{0,2}([.' _])[0-9]{3}(?:\1[0-9]{3})*",
}
_STYLES = {
    decimal: re.compile(
        rf"^[+-]? ?(?:(?:[0-9]+|{_GROUPS[decimal]})(?:\{decimal}[0-9]{'*' if decimal == '.' else '+'})?"
        rf"|\{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?$",
        re.MULTILINE,
    )
    for decimal in DECIMALS
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
        checks.text(self.unit, "unit")
        self._set(words=checks.names(self.words, "words"), usual=checks.boolean(self.usual, "usual"))

    def is_missing(self, word: str) -> bool:
        """Return whether a text, without spaces at its ends, means that there is no number."""
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
        numbers = self._at_once(different)
        if numbers is not None:
            values.update(zip(different, numbers, strict=True))
        else:
            bare = {text: text.strip() for text in different}
            written = [text for text, word in bare.items() if not self.is_missing(word)]
            values.update(dict.fromkeys(bare, np.nan))
            for text, body, unit in zip(written, *taken_apart([bare[text] for text in written]), strict=True):
                try:
                    values[text] = self._value(text, body, unit)
                except ValueError as error:
                    problems[text] = str(error)
        return self.without_words(np.array([values[text] for text in texts], dtype=np.float64)), problems

    def _at_once(self, texts: Sequence[str]) -> list[float] | None:
        """Return texts as numbers if each is written in the common way."""
        if self.unit == "%" or not texts:
            return None
        if self.decimal != ",":
            numbers = plain(texts)
            if numbers is not None or not self.decimal:
                return numbers
        joined = "\n".join(texts).translate(_PLAINER)
        bodies = joined.split("\n")
        is_bare = len(bodies) == len(texts) and _BARE.fullmatch(joined) and fit(bodies, self.decimal)
        return floats(bodies, self.decimal) if is_bare else None

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
    if len(plainer) != len(texts):  # a cell of several lines
        plainer = [text.translate(_PLAINER) for text in texts]
    elif _BARE.fullmatch(joined) and any(fit(plainer, decimal) for decimal in DECIMALS):
        return list(plainer), [""] * len(texts)
    bodies: list[str | None] = []
    units = []
    for text in plainer:
        found = _CELL.fullmatch(text)
        signs = found["sign"] + found["second"] + found["open"] if found else ""
        named = [found[place] for place in ("before", "within", "after", "last") if found[place]] if found else []
        body = None
        if found and len(signs) <= 1 and len(named) <= 1 and bool(found["open"]) == bool(found["close"]):
            body = signs.replace("(", "-") + found["body"]
        is_number = body is not None and any(fit([body], decimal) for decimal in DECIMALS)
        bodies.append(body if is_number else None)
        units.append(named[0] if named and is_number else "")
    return bodies, units


def fit(bodies: Sequence[str], decimal: str) -> bool:
    """Return whether each body is a number with this decimal sign."""
    return _STYLES[decimal].subn("", "\n".join(bodies))[1] == len(bodies)


def floats(bodies: Sequence[str], decimal: str) -> list[float]:
    """Return bodies that fit as numbers."""
    with standard_environment():
        return list(map(float, "\n".join(bodies).translate(_TO_PYTHON[decimal]).split("\n"))) if bodies else []


def in_two_ways(text: str, body: str) -> str:
    """Say that a text may be one number or another, and what settles it."""
    (point,), (comma,) = floats([body], "."), floats([body], ",")
    return (
        f"{text!r}, which is {point:.12g} with a decimal point, {comma:.12g} with a decimal comma: "
        "choose one of them (decimal='.' or decimal=','; fastnn train --decimal)"
    )
