"""Recomputes golden digests on this machine: the promise of the same bits, for anyone to check.

``python -m fastnn._verify`` needs NumPy and safetensors only; ``fastnn verify`` shows the same as a table.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence

from fastnn._engine import threads as engine
from fastnn._input import checks
from fastnn._runtime import instruction_sets
from fastnn._verify import goldens
from fastnn._verify.cases import Case
from fastnn._verify.goldens import GoldenError as GoldenError
from fastnn._verify.report import Report as Report
from fastnn._verify.report import Result as Result

THREADS = (1, 2, 3, 7)

Progress = Callable[[int, int], None]  # of how many digests so far, and in all


def verify(
    isas: Sequence[str] = (),
    threads: Sequence[int] = THREADS,
    only: str = "*",
    progress: Progress | None = None,
) -> Report:
    """Compare what this machine computes with the golden digests.

    Parameters
    ----------
    isas : sequence of str
        Instruction sets; by default every one that the machine runs.
    threads : sequence of int
        Numbers of threads, where threads take part.
    only : str
        Goldens whose name matches this pattern, or begins with it.
    progress : callable, optional
        Called with the number of digests compared so far and that of all.

    Raises
    ------
    GoldenError
        If the golden digests are missing, damaged, or do not match the cases one to one; or if none is chosen.
    ValueError
        If an instruction set cannot be used here.
    """
    cases, expected = goldens.cases(), goldens.read()
    goldens.checked(cases, expected)
    chosen = [case for case in cases if any(matches(name, only) for name in case.goldens)]
    results = [
        Result(name, isa, n, expected[name], found)
        for name, isa, n, found in computed(chosen, isas, threads, progress)
        if matches(name, only)
    ]
    if not results:
        raise GoldenError(f"no golden is named {only!r}")
    return Report(results)


def matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or name.startswith(pattern)


def computed(
    cases: Sequence[Case], isas: Sequence[str], threads: Sequence[int], progress: Progress | None = None
) -> Iterator[tuple[str, str, int | None, str]]:
    """Yield (golden, instruction set, threads or None, digest found) of every case."""
    isas = (
        tuple(checks.choice(isa, instruction_sets.available(), "isa") for isa in isas) or instruction_sets.available()
    )
    total = len(isas) * sum(len(case.goldens) * (len(threads) if case.threaded else 1) for case in cases)
    done, before, insisted = 0, instruction_sets.current(), engine.insist(True)
    try:
        for isa in isas:
            instruction_sets.use(isa)
            for case in cases:
                for n in threads if case.threaded else (None,):
                    for name, digest in case.digests(n or 1).items():
                        yield name, isa, n, digest
                    done += len(case.goldens)
                    if progress is not None:
                        progress(done, total)
    finally:
        instruction_sets.use(before)
        engine.insist(insisted)
