"""Trains every rung in fastnn and its peers, and prints a table of times: ``python -m benchmarks.ladder``.

Each system and number of threads has a process of its own, which stays. A round asks each in turn for a moment of
training, so that whatever slows the machine for a while slows all of them; a round's ratio compares times of the same
second or two.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS, installed
from benchmarks.rungs import RUNGS, Rung

OURS = "fastnn"
PAUSE = 0.05  # seconds between two measurements, in which the threads of the last one stop spinning
CALLS = 5  # parts of a measurement, whose median counts

Configuration = tuple[str, int | str]  # system, threads


# ------------------------------------------------------------------ a worker


def work(connection: Connection, name: str, threads: int | str) -> None:
    """The worker's process: sets rungs up and measures them as it is told."""
    try:
        while True:
            command, argument = connection.recv()
            if command == "set up":
                rung = RUNGS[argument]
                peer = PEERS[name](rung, threads)
                peer.run(1)  # whatever is done once
                epochs = 1
                connection.send(None)
            elif command == "warm up":
                epochs = epochs_of_call(peer, argument / CALLS)
                connection.send(None)
            else:
                connection.send(1e6 * measured(peer, rung, epochs, argument))
    except EOFError:
        pass  # the ladder is done


def epochs_of_call(peer: Any, seconds: float) -> int:
    """How many epochs take about so long."""
    epochs = 1
    while True:
        start = time.perf_counter()
        peer.run(epochs)
        taken = time.perf_counter() - start
        if taken >= seconds or epochs >= 4096:
            return epochs
        epochs = max(2 * epochs, min(4096, int(epochs * seconds / taken)))


def measured(peer: Any, rung: Rung, epochs: int, seconds: float) -> float:
    """Median seconds of a step, from calls of ``epochs`` epochs that take about ``seconds`` in all."""
    times: list[float] = []
    before = peer.updates
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        peer.run(epochs)
        times.append(time.perf_counter() - start)
    steps = rung.steps * epochs
    if peer.updates - before != steps * len(times):
        raise RuntimeError(f"{peer} made {peer.updates - before} updates instead of {steps * len(times)}")
    return statistics.median(times) / steps


class Worker:
    """The ladder's end of a worker process."""

    def __init__(self, name: str, threads: int | str) -> None:
        self.name, self.threads = name, threads
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, name, threads), daemon=True)
        with environment(PEERS[name].environment):
            self.process.start()
        theirs.close()

    def ask(self, command: str, argument: Any) -> Any:
        """Has the command carried out."""
        self.connection.send((command, argument))
        try:
            return self.connection.recv()
        except EOFError:
            raise RuntimeError(f"{self.name} with threads={self.threads} failed: {command} {argument}") from None

    def close(self) -> None:
        """Ends the process."""
        self.connection.close()
        self.process.join()


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """The environment with these variables, for the processes started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# --------------------------------------------------------------- measurements


@dataclass
class Result:
    """What a rung took: for each configuration the µs of a step, one figure a round."""

    rung: Rung
    rounds: dict[Configuration, list[float]]

    def median(self, configuration: Configuration) -> float:
        """Median µs of a step."""
        return statistics.median(self.rounds[configuration])

    def gflops(self, configuration: Configuration) -> float:
        """Of the matrix products."""
        return self.rung.flops / self.median(configuration) / 1e3

    def of(self, name: str) -> list[Configuration]:
        """The configurations of a system."""
        return [configuration for configuration in self.rounds if configuration[0] == name]

    def best(self, configurations: Sequence[Configuration]) -> Configuration | None:
        """The quickest of them."""
        return min(configurations, key=self.median, default=None)

    def peers(self) -> list[Configuration]:
        """The configurations that are not ours."""
        return [configuration for configuration in self.rounds if configuration[0] != OURS]

    def ratio(self, ours: Sequence[Configuration]) -> float | None:
        """How many times as long as the best of ``ours`` the best peer takes: the median over the rounds."""
        if not ours or not self.peers():
            return None
        return statistics.median(
            min(peers) / min(mine)
            for peers, mine in zip(
                zip(*(self.rounds[configuration] for configuration in self.peers()), strict=True),
                zip(*(self.rounds[configuration] for configuration in ours), strict=True),
                strict=True,
            )
        )


def measure(rung: Rung, workers: Sequence[Worker], rounds: int, seconds: float) -> Result:
    """Runs the rung in every worker, round by round."""
    result = Result(rung, {(worker.name, worker.threads): [] for worker in workers})
    for worker in workers:
        worker.ask("set up", rung.name)
        worker.ask("warm up", seconds)
    for number in range(rounds):
        turn = number % len(workers)  # nobody always follows the same one
        for worker in (*workers[turn:], *workers[:turn]):
            time.sleep(PAUSE)
            result.rounds[worker.name, worker.threads].append(worker.ask("measure", seconds))
    return result


# --------------------------------------------------------------------- output


def table(results: Sequence[Result]) -> str:
    """The results in Markdown: µs of a step, GFLOP/s and ratios; each system's best setting in bold."""
    configurations = list(results[0].rounds)
    header = ["rung", "layers", "batch", *(f"{name} {threads}" for name, threads in configurations)]
    header += ["GFLOP/s 1", "GFLOP/s", "ratio", "ratio auto"]
    rows = [header]
    for result in results:
        bests = {result.best(result.of(name)) for name, _ in configurations}
        row = [result.rung.name, result.rung.layers, f"{result.rung.batch:,}"]
        for configuration in configurations:
            cell = f"{result.median(configuration):.{3 if result.median(configuration) < 10 else 4}g}"
            cell = f"{float(cell):,g}"
            row.append(f"**{cell}**" if configuration in bests else cell)
        ours = result.of(OURS)
        best = result.best(ours)
        row.append(f"{result.gflops((OURS, 1)):.1f}" if (OURS, 1) in ours else "")
        row.append(f"{result.gflops(best):.1f}" if best else "")
        for ratio in (result.ratio(ours), result.ratio([each for each in ours if each[1] == "auto"])):
            row.append("" if ratio is None else f"{ratio:.2f}")
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(
            cell.rjust(w) if k > 1 else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = " | ".join("-" * (w - 1) + (":" if k > 1 else "-") for k, w in enumerate(widths))
    lines.insert(1, rule)
    return "\n".join(f"| {line} |" for line in lines)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    processor = platform.processor() or platform.machine()
    if sys.platform == "linux":
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    import fastnn

    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "instruction set": fastnn.config()["instruction set"],
        **{name: peer.version() for name, peer in installed().items()},
    }


def as_data(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The results for JSON."""
    return [
        {
            "rung": result.rung.name,
            "layers": result.rung.sizes,
            "batch": result.rung.batch,
            "flops": result.rung.flops,
            "ratio": result.ratio(result.of(OURS)),
            "systems": [
                {
                    "system": configuration[0],
                    "threads": configuration[1],
                    "microseconds": result.median(configuration),
                    "gflops": result.gflops(configuration),
                    "rounds": result.rounds[configuration],
                }
                for configuration in result.rounds
            ],
        }
        for result in results
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ladder", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rungs", nargs="+", choices=RUNGS, default=list(RUNGS), metavar="RUNG", help=", ".join(RUNGS))
    parser.add_argument("--systems", nargs="+", choices=installed(), default=list(installed()), metavar="SYSTEM",
                        help=", ".join(installed()))  # fmt: skip
    parser.add_argument("--rounds", type=int, default=9, help="rounds of measurements (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of one measurement (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a first look: 3 rounds of 0.05 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 3, 0.05

    workers = [Worker(name, threads) for name in options.systems for threads in PEERS[name].threads]
    results = []
    for name in options.rungs:
        results.append(measure(RUNGS[name], workers, options.rounds, options.seconds))
        ratio = results[-1].ratio(results[-1].of(OURS))
        print(f"{name}: {'measured' if ratio is None else f'ratio {ratio:.2f}'}", file=sys.stderr)
    for worker in workers:
        worker.close()
    environment = machine()
    print(", ".join(f"{key} {value}" for key, value in environment.items()), end="\n\n")
    print(table(results))
    if options.json:
        settings = {"rounds": options.rounds, "seconds": options.seconds}
        data = {"machine": environment, "settings": settings, "results": as_data(results)}
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
