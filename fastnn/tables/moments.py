"""Dates and times as whole microseconds since the beginning of 1970, and what a calendar says of them.

A time with a zone is taken in UTC, one without a zone as it stands, a date as its midnight.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np

ISO = re.compile(
    r"(?!0000-00-00)[0-9]{4}-[0-9]{2}-[0-9]{2}"  # MySQL writes that day for none
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?)?"
)
HOUR = 3_600_000_000
DAY = 24 * HOUR
MISSING = -(2**63)  # as NumPy has it of dates
WEEKDAY_OF_1970 = 3  # a Thursday; 0 is Monday
_MICROSECONDS = len("2024-03-31T18:05:00.000000")
_EPOCH = datetime.datetime(1970, 1, 1)
_YEARS = (np.datetime64("0001-01-01T00:00:00.000000"), np.datetime64("9999-12-31T23:59:59.999999"))
_FIRST, _LAST = (int(moment.astype(np.int64)) for moment in _YEARS)
_FINER = ("us", "ns", "ps", "fs", "as")  # units that cannot hold dates outside of those years, or hardly


def of_array(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the moments of an array of dates, int64, and which of them are outside of the years 1 to 9999: bool."""
    missing = values != values
    own = values.astype(np.int64)
    unit = str(values.dtype).partition("[")[2].rstrip("]")
    if unit.endswith(_FINER):
        wrong = np.zeros(len(values), dtype=np.bool_)
    else:
        first, last = (limit.astype(values.dtype).astype(np.int64) for limit in _YEARS)
        wrong = ~missing & ((own < first) | (own > last))
    moments = np.where(wrong, np.datetime64("NaT"), values).astype("datetime64[us]").astype(np.int64)
    wrong |= ~missing & ((moments < _FIRST) | (moments > _LAST))
    return np.where(missing, MISSING, moments), wrong


def of_text(text: str) -> int:
    """Return the moment of a text; ValueError if it does not match ``ISO``, or there is no such day."""
    if not ISO.fullmatch(text):
        raise ValueError
    return of_time(datetime.datetime.fromisoformat(text))


def of_texts(texts: list[str]) -> list[int]:
    """Return the moments of texts that match ``ISO``; ValueError if one is no such day."""
    times = [datetime.datetime.fromisoformat(text) for text in texts]
    if any(time.tzinfo is not None for time in times) or any(len(text) > _MICROSECONDS for text in texts):
        return [of_time(time) for time in times]
    return np.array(texts, dtype="datetime64[us]").astype(np.int64).tolist()  # much faster


def of_time(value: Any) -> int:
    """Return the moment of a date or a time of Python, pandas or NumPy; ValueError if it is outside of the years."""
    if isinstance(value, np.datetime64):
        moments, wrong = of_array(np.array([value]))
        if wrong.any():
            raise ValueError
        return int(moments[0])
    if hasattr(value, "to_timestamp"):  # a Period of pandas: its beginning
        value = value.to_timestamp()
    if not isinstance(value, datetime.datetime):
        return (value.toordinal() - _EPOCH.toordinal()) * DAY
    zone = value.utcoffset()
    passed = value.replace(tzinfo=None) - _EPOCH - (zone or datetime.timedelta())
    moment = passed.days * DAY + passed.seconds * 1_000_000 + passed.microseconds
    if not _FIRST <= moment <= _LAST:  # in UTC
        raise ValueError
    return moment


def text(moment: int) -> str:
    """Return a moment in ISO format: a date, if it is midnight."""
    time = _EPOCH + datetime.timedelta(microseconds=moment)
    return time.date().isoformat() if moment % DAY == 0 else time.isoformat()


def years(moments: np.ndarray) -> np.ndarray:
    """Return the year of each moment, int64."""
    return 1970 + _months(moments) // 12


def months(moments: np.ndarray) -> np.ndarray:
    """Return the month of each moment, int64: 0 is January."""
    return _months(moments) % 12


def weekdays(moments: np.ndarray) -> np.ndarray:
    """Return the day of the week of each moment, int64: 0 is Monday."""
    return (moments // DAY + WEEKDAY_OF_1970) % 7


def hours(moments: np.ndarray) -> np.ndarray:
    """Return the whole hour of each moment, int64: 0 to 23."""
    return moments // HOUR % 24


def _months(moments: np.ndarray) -> np.ndarray:
    """Return the months since the beginning of 1970."""
    return (moments // DAY).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
