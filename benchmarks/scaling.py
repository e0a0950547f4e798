"""Whether time grows as the work does: ``python -m benchmarks.scaling``.

Networks of width w, 10-w-w-10, are trained at several batch sizes on one thread, on two (which are made to take part
even where they are slower) and with ``threads="auto"``, in turn. ``"auto"`` should be as fast as the better of the two,
and no width much slower than its neighbours. Then one thing at a time grows: rows, depth, batch. ``--busy``: another
process keeps one core busy meanwhile.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.ladder import machine
from benchmarks.peers.fastnn import FastNN
from benchmarks.report import figure, markdown
from benchmarks.rungs import Rung
from benchmarks.worker import epochs_of_call

WIDTHS = (
    *(4, 5, 6, 7, 8, 10, 12, 14, 15, 16, 17, 20, 24, 28, 31, 32, 33, 40, 45, 46, 48, 56, 63, 64, 65, 80, 96, 112, 127),
    *(128, 129, 160, 192, 224, 255, 256, 257, 320, 384, 448, 511, 512, 513, 640, 768, 896, 1024),
)
BATCHES = (1, 8, 32, 128, 1024)
SETTINGS = (1, 2, "auto")
TOLERANCE, BUSY_TOLERANCE = 1.05, 1.1
EPOCH_FLOPS = 2e8  # of an epoch, about: some milliseconds
MOST_ROWS = 65_536

Curves = dict[str, list[tuple[float, float]]]  # (how much of what the name says, µs for a million operations)


# --------------------------------------------------------------- measurements


@dataclass
class Point:
    """A network and batch size, and the µs of a step in each setting, a figure a round."""

    rung: Rung
    rounds: dict[int | str, list[float]]

    def ratio(self, reference: Sequence[int | str]) -> float:
        """Return the ratio of ``"auto"`` to the better of the reference settings: the median over the rounds."""
        better = [min(times) for times in zip(*(self.rounds[setting] for setting in reference), strict=True)]
        return statistics.median(auto / best for auto, best in zip(self.rounds["auto"], better, strict=True))

    @property
    def cost(self) -> float:
        """Microseconds of a step with ``"auto"`` for a million operations, in the least disturbed round."""
        return min(self.rounds["auto"]) / self.rung.flops * 1e6


def rung_of(sizes: tuple[int, ...], batch: int) -> Rung:
    """Return a training whose epochs take some milliseconds."""
    one = Rung("", sizes, batch, steps=1)
    return Rung("x".join(map(str, sizes)), sizes, batch, max(2, min(int(EPOCH_FLOPS / one.flops), MOST_ROWS // batch)))


def exactly(setting: int | str) -> Any:
    """Turn the engine's switch: two threads are to be two here, even where one is faster."""
    from fastnn._engine import threads

    return threads.insist(setting != "auto")


def measured(rung: Rung, rounds: int, seconds: float, settings: Sequence[int | str] = SETTINGS) -> Point:
    """Time the rung in each setting, in turn."""
    peers, epochs = {}, {}
    for setting in settings:
        exactly(setting)
        peers[setting] = FastNN(rung, setting)
        epochs[setting] = epochs_of_call(peers[setting], seconds)
    point = Point(rung, {setting: [] for setting in settings})
    for number in range(rounds):
        turn = number % len(settings)
        for setting in (*settings[turn:], *settings[:turn]):
            exactly(setting)
            start = time.perf_counter()
            peers[setting].run(epochs[setting])
            point.rounds[setting].append(1e6 * (time.perf_counter() - start) / (epochs[setting] * rung.steps))
    exactly("auto")
    return point


def settled(rung: Rung, rounds: int, seconds: float, reference: Sequence[int | str], tolerance: float) -> Point:
    """Measure the same; a point beyond the tolerance again, three times as long, and that figure stands."""
    point = measured(rung, rounds, seconds)
    return point if point.ratio(reference) <= tolerance else measured(rung, 3 * rounds, seconds)


def spin() -> None:
    """Keep a core busy."""
    while True:
        pass


@contextmanager
def busy_core(wanted: bool) -> Iterator[None]:
    """Burn the last core that this process may use, by another process, if wanted."""
    if not wanted:
        yield
        return
    process = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
    process.start()
    if hasattr(os, "sched_setaffinity") and process.pid is not None:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
    try:
        yield
    finally:
        process.kill()


def curves(rounds: int, seconds: float) -> Curves:
    """Return the curves for rows, depth and batch."""

    def points(rungs: Iterable[tuple[float, Rung]]) -> list[tuple[float, float]]:
        return [(x, measured(rung, rounds, seconds, ("auto",)).cost) for x, rung in rungs]

    return {
        "rows": points((128 * n, Rung("rows", (10, 64, 64, 10), 128, n)) for n in (8, 32, 128, 512, 2048, 8192)),
        "hidden layers": points((n, rung_of((10, *[64] * n, 10), 128)) for n in (1, 2, 4, 8, 16, 32)),
        "batch": points(
            (n, rung_of((10, 64, 64, 10), n)) for n in (1, 2, 4, 8, 16, 32, 64, 128, 200, 256, 512, 1024, 4096, 16384)
        ),
    }


# --------------------------------------------------------------------- report


def rises(points: Sequence[Point]) -> list[tuple[float, Point]]:
    """Return for each point but the first how many times the time for the work of its narrower neighbour it takes."""
    return [(wider.cost / narrower.cost, wider) for narrower, wider in pairwise(points)]


def table(points: dict[int, list[Point]], reference: Sequence[int | str], tolerance: float) -> str:
    """Return a line a batch size: how far ``"auto"`` is from the better setting, and the steepest rise."""
    rows = [["batch", "widths", "auto / better: median", "largest", "at width", f"above {tolerance:g}",
             "steepest rise", "at width", "45 to 46"]]  # fmt: skip
    for batch, of_batch in points.items():
        ratios = [(point.ratio(reference), point.rung.sizes[1]) for point in of_batch]
        rise, where = max(rises(of_batch), key=lambda pair: pair[0])
        cliff = {point.rung.sizes[1]: min(point.rounds["auto"]) for point in of_batch}
        rows.append([
            f"{batch:,}", str(len(of_batch)), f"{statistics.median(r for r, _ in ratios):.3f}",
            f"{max(ratios)[0]:.3f}", str(max(ratios)[1]), str(sum(r > tolerance for r, _ in ratios)),
            f"{rise:.2f}", str(where.rung.sizes[1]), f"{cliff[46] / cliff[45]:.2f}" if {45, 46} <= cliff.keys() else "",
        ])  # fmt: skip
    return markdown(rows, 0)


def curve_table(found: Curves) -> str:
    """Return a line a curve."""
    return "\n".join(
        f"{name}: " + ", ".join(f"{x:,} → {figure(cost, 3)}" for x, cost in points) for name, points in found.items()
    )


def picture(points: dict[int, list[Point]], found: Curves, path: Path, title: str) -> None:
    """Time over the work: by width for each batch size, then the other curves."""
    from matplotlib.figure import Figure

    drawn = Figure((11, 7), layout="constrained")
    grid = drawn.subplot_mosaic([["width"] * 3, list(found)] if found else [["width"]])
    for batch, of_batch in points.items():
        widths = [point.rung.sizes[1] for point in of_batch]
        grid["width"].plot(widths, [point.cost for point in of_batch], marker=".", label=f"batch {batch:,}")
    grid["width"].set_yscale("log")
    grid["width"].set_xlabel("width w of 10-w-w-10")
    grid["width"].legend(frameon=False)
    for name, curve in found.items():
        grid[name].plot(*zip(*curve, strict=True), marker=".", color="0.2")
        grid[name].set_xlabel(name)
    for axes in grid.values():
        axes.set_xscale("log")
        if axes is not grid["width"]:
            axes.set_ylim(bottom=0)
        axes.set_ylabel("µs for a million operations")
        axes.grid(color="0.9", which="both")
    drawn.suptitle(title, fontsize="medium")
    drawn.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.split("\n\n")[0])
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS, metavar="W")
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.02, help="of one measurement (default: %(default)s)")
    parser.add_argument("--busy", action="store_true", help="beside a process that keeps one core busy")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--png", type=Path, metavar="FILE", help="needs matplotlib")
    options = parser.parse_args(arguments)
    # On a busy machine two threads are at the mercy of the scheduler: what counts is not to be slower than one.
    reference, tolerance = ((1,), BUSY_TOLERANCE) if options.busy else ((1, 2), TOLERANCE)
    points: dict[int, list[Point]] = {}
    with busy_core(options.busy):
        for batch in options.batches:
            rungs = [rung_of((10, width, width, 10), batch) for width in options.widths]
            points[batch] = [settled(rung, options.rounds, options.seconds, reference, tolerance) for rung in rungs]
            print(table({batch: points[batch]}, reference, tolerance), flush=True)
    found = {} if options.busy else curves(options.rounds, options.seconds)
    environment = machine()
    title = f"{environment['processor']}, {environment['cores']} cores, {environment['instruction set']}"
    print(f"\n{title}\n\n{table(points, reference, tolerance)}\n\n{curve_table(found)}")
    if options.json:
        measurements = [
            {"width": point.rung.sizes[1], "batch": batch, "flops": point.rung.flops, "microseconds": point.rounds}
            for batch, of_batch in points.items()
            for point in of_batch
        ]
        data = {"machine": environment, "busy": options.busy, "points": measurements, "curves": found}
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    if options.png:
        picture(points, found, options.png, title)
    return 0


if __name__ == "__main__":
    sys.exit(main())
