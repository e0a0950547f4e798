"""What verifying found: as rows of a table, as text, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastnn import records


@dataclass(frozen=True)
class Result:
    """One golden on one instruction set and, where threads take part, by one number of them."""

    golden: str
    isa: str
    threads: int | None
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        return self.found == self.expected

    @property
    def place(self) -> str:
        return self.isa if self.threads is None else f"{self.isa} × {self.threads}"

    @property
    def family(self) -> str:
        """The row of the table that it belongs to."""
        family = self.golden.split("/")[0]
        return family if self.threads is None else f"{family}, {self.threads} thread{'s' * (self.threads > 1)}"


@dataclass(frozen=True)
class Report:
    """All results."""

    results: Sequence[Result]

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.results)

    @property
    def failures(self) -> list[Result]:
        return [result for result in self.results if not result.ok]

    @property
    def isas(self) -> list[str]:
        return list(dict.fromkeys(result.isa for result in self.results))

    @property
    def goldens(self) -> int:
        """How many different ones were compared."""
        return len({result.golden for result in self.results})

    def rows(self) -> Iterator[tuple[str, int, list[int]]]:
        """Yield (family, its goldens, how many of them differ by instruction set)."""
        families: dict[str, list[Result]] = {}
        for result in self.results:
            families.setdefault(result.family, []).append(result)
        for family, results in families.items():
            differing = [sum(not result.ok for result in results if result.isa == isa) for isa in self.isas]
            yield family, len({result.golden for result in results}), differing

    def summary(self) -> str:
        """Return the summary in one line."""
        sets = f"{len(self.isas)} instruction set{'s' * (len(self.isas) > 1)} ({', '.join(self.isas)})"
        if self.ok:
            return f"{self.goldens} golden digests hold on {sets}"
        names = {result.golden for result in self.failures}
        return f"{len(names)} of {self.goldens} golden digests differ on {sets}"

    def text(self) -> str:
        """Return the table, what differs, and the summary, in plain text."""
        header = ("", "digests", *self.isas)
        body = [(name, str(n), *(cell(count) for count in counts)) for name, n, counts in self.rows()]
        widths = [max(len(row[column]) for row in (header, *body)) for column in range(len(header))]
        lines = [
            "  ".join(text.ljust(width) if i == 0 else text.rjust(width) for i, (text, width) in enumerate(row))
            for row in ((zip(row, widths, strict=True)) for row in (header, *body))
        ]
        return "\n".join([*lines, "", *self.differences(), self.summary()])

    def differences(self, limit: int = 20) -> Iterator[str]:
        """Yield the first ``limit`` goldens that differ: what was expected, and what was found where."""
        by_golden: dict[str, list[Result]] = {}
        for result in self.failures:
            by_golden.setdefault(result.golden, []).append(result)
        for golden, results in list(by_golden.items())[:limit]:
            yield golden
            yield f"  expected {results[0].expected}"
            for found in dict.fromkeys(result.found for result in results):
                yield f"  found    {found}"
                yield f"           {', '.join(result.place for result in results if result.found == found)}"
        if len(by_golden) > limit:
            yield f"and {len(by_golden) - limit} more (--json lists all)"

    def as_data(self) -> dict[str, Any]:
        """Return what JSON can hold: whether all is well, the environment, and every result."""
        return {
            "ok": self.ok,
            "environment": records.environment(),
            "results": [
                {
                    "golden": result.golden,
                    "isa": result.isa,
                    "threads": result.threads,
                    "ok": result.ok,
                    "expected": result.expected,
                    "found": result.found,
                }
                for result in self.results
            ],
        }


def cell(differing: int) -> str:
    return f"{differing} differ" if differing else "ok"
