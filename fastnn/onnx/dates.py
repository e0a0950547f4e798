"""Dates in ONNX models of tables: from whole microseconds to the columns of the matrix, the calendar among them.

The input is int64, microseconds since the beginning of 1970 in UTC, as NumPy's ``datetime64[us]`` holds them; a missing
one is the smallest int64, NumPy's NaT. Whole numbers are exact, so the calendar is that of `fastnn.tables.moments`.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from fastnn.onnx.graph import ELEMENT_TYPES, Graph
from fastnn.tables import Date, dates, moments

# The calendar repeats every 400 years; counted from 0000-03-01, leap days come last: Hinnant, "chrono-compatible
# low-level date algorithms" (2013).
DAYS_BEFORE_1970 = 719_468
CYCLE, CENTURY, FOUR_YEARS, YEAR = 146_097, 36_524, 1_460, 365


class _Whole:
    """Arithmetic on int64 of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def constant(self, value: int) -> str:
        return self.graph.tensor("whole", np.int64(value))

    def add(self, a: str, b: str | int) -> str:
        return self.graph.add("Add", a, self.constant(b) if isinstance(b, int) else b)

    def subtract(self, a: str, b: str | int) -> str:
        return self.graph.add("Sub", a, self.constant(b) if isinstance(b, int) else b)

    def times(self, a: str, b: int) -> str:
        return self.graph.add("Mul", a, self.constant(b))

    def rest(self, a: str, b: int) -> str:
        """Return a mod b, never negative."""
        return self.graph.add("Mod", a, self.constant(b))

    def quotient(self, a: str, b: int) -> str:
        """Return a ÷ b rounded down; ONNX itself rounds towards 0."""
        return self.graph.add("Div", self.subtract(a, self.rest(a, b)), self.constant(b))


def date(graph: Graph, encoder: Date) -> list[str]:
    """Return the columns of a date."""
    whole = _Whole(graph)
    missing = graph.add("Equal", encoder.name, whole.constant(moments.MISSING))
    given = graph.add("Where", missing, whole.constant(moments.of_text(encoder.fill)), encoder.name)
    days = whole.quotient(given, moments.DAY)
    year, month = _year_and_month(whole, days)
    passed = whole.subtract(given, moments.of_text(encoder.first))
    numbers = {
        "days": graph.add("Div", _double(graph, passed), graph.tensor("day", np.float64(moments.DAY))),
        "year": _double(graph, year),
    }
    places = {
        "month": month,
        "weekday": whole.rest(whole.add(days, moments.WEEKDAY_OF_1970), 7),
        "hour": whole.rest(whole.quotient(given, moments.HOUR), 24),
    }
    columns = []
    for part in encoder.parts:
        if part in dates.CYCLES:
            circle = dates.circle(dates.CYCLES[part][1])
            columns += [graph.add("Gather", graph.tensor(part, values), places[part]) for values in circle]
        else:
            mean, scale = (
                graph.tensor(f"{encoder.name} {what}", np.float64(getattr(encoder, what)[len(columns)]))
                for what in ("mean", "scale")
            )
            columns.append(graph.add("Div", graph.add("Sub", numbers[part], mean), scale))
    if encoder.indicator:
        columns.append(missing)
    return [graph.add("Cast", column, to=ELEMENT_TYPES[graph.dtype]) for column in columns]


def _double(graph: Graph, whole: str) -> str:
    return graph.add("Cast", whole, to=TensorProto.DOUBLE)


def _year_and_month(whole: _Whole, days: str) -> tuple[str, str]:
    """Return the year, and the month from 0 for January, of days since the beginning of 1970."""
    shifted = whole.add(days, DAYS_BEFORE_1970)
    day = whole.rest(shifted, CYCLE)
    leap = whole.subtract(whole.quotient(day, CENTURY), whole.quotient(day, FOUR_YEARS))
    leap = whole.subtract(leap, whole.quotient(day, CYCLE - 1))
    year = whole.quotient(whole.add(day, leap), YEAR)  # of the cycle, from March
    begun = whole.subtract(whole.quotient(year, 4), whole.quotient(year, 100))
    day = whole.subtract(day, whole.add(whole.times(year, YEAR), begun))  # of the year, from March
    march = whole.quotient(whole.add(whole.times(day, 5), 2), 153)  # the month, from 0 for March
    cycles = whole.times(whole.quotient(shifted, CYCLE), 400)
    year = whole.add(whole.add(year, cycles), whole.quotient(march, 10))
    return year, whole.rest(whole.add(march, 2), 12)
