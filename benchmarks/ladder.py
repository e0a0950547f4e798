"""Trains every rung in fastnn and its peers, and prints tables of times: ``python -m benchmarks.ladder``.

Each system and number of threads has a process of its own, for each rung a fresh one. A round asks each in turn for a
moment of training, so that whatever slows the machine for a while slows all of them; a round's ratio compares times of
the same second or two.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.peak import Peak, peak
from benchmarks.peers import PEERS, installed
from benchmarks.results import Configuration, Result
from benchmarks.rungs import RUNGS, Rung
from benchmarks.worker import Worker, WorkerError

PAUSE = 0.05  # seconds between two measurements, in which the threads of the last one stop spinning


# --------------------------------------------------------------- measurements


def measure(
    rung: Rung, configurations: Sequence[Configuration], isa: str | None, loop: Peak | None, rounds: int, seconds: float
) -> Result:
    """Run the rung in every configuration, round by round; the result names what could not be set up."""
    result = Result(rung, {})
    workers: dict[Configuration, Worker] = {}
    for configuration in configurations:
        worker = Worker(*configuration, isa)
        try:
            result.compiling[configuration] = worker.ask("set_up", rung)
            worker.ask("warm_up", seconds)
        except WorkerError as error:
            result.left_out.append(str(error))
            worker.close()
            continue
        workers[configuration], result.rounds[configuration] = worker, []
    turns = list(workers)
    for number in range(rounds):
        turn = number % len(turns)  # nobody always follows the same one
        for configuration in (*turns[turn:], *turns[:turn]):
            time.sleep(PAUSE)
            result.rounds[configuration].append(workers[configuration].ask("measure", seconds))
        if loop:
            time.sleep(PAUSE)
            result.peaks.append(loop.gflops(seconds / 10))
    for configuration, worker in workers.items():
        with closing(worker):
            result.memory[configuration] = worker.ask("memory")
    return result


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
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
        **{peer.distribution: peer.version() for peer in installed().values()},
    }


# ---------------------------------------------------------------- the command


def parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.ladder", description=__doc__.split("\n\n")[0])
    made.add_argument("--rungs", nargs="+", choices=RUNGS, default=list(RUNGS), metavar="RUNG", help=", ".join(RUNGS))
    made.add_argument("--systems", nargs="+", choices=installed(), default=list(installed()), metavar="SYSTEM",
                      help=", ".join(installed()))  # fmt: skip
    made.add_argument("--isa", choices=("avx512", "avx2", "portable"),
                      help="keep all systems to this instruction set (default: FASTNN_ISA, or the best)")  # fmt: skip
    made.add_argument("--rounds", type=int, default=9, help="rounds of measurements (default: %(default)s)")
    made.add_argument("--seconds", type=float, default=0.2, help="of one measurement (default: %(default)s)")
    made.add_argument("--quick", action="store_true", help="a first look: 3 rounds of 0.05 s")
    made.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write the table of README.md here")
    made.add_argument("--png", type=Path, metavar="FILE", help="draw the times over fastnn's here (matplotlib)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parser().parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 3, 0.05
    if options.png and find_spec("matplotlib") is None:
        parser().error("--png needs matplotlib")
    import fastnn

    available = fastnn.config()["instruction sets available"].split(", ")
    isa = options.isa or fastnn.config()["instruction set"]
    if isa not in available:
        parser().error(f"this processor has {', '.join(available)}, not {isa}")
    cap = None if isa == available[0] else isa  # at their best, systems are left as they are

    configurations = [(name, threads) for name in options.systems for threads in PEERS[name].threads]
    loop = peak(isa)
    results = []
    for name in options.rungs:
        results.append(measure(RUNGS[name], configurations, cap, loop, options.rounds, options.seconds))
        print(report.details(results[-1]), end="\n\n", flush=True)
    environment = machine() | {"instruction set": isa}
    print(", ".join(f"{key} {value}" for key, value in environment.items()), end="\n\n")
    print(report.summary(results))
    if options.json:
        settings = {"rounds": options.rounds, "seconds": options.seconds}
        data = {"machine": environment, "settings": settings, "results": [result.as_data() for result in results]}
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(report.readme(results) + "\n")
    if options.png:
        title = f"{environment['processor']}, {environment['cores']} cores, {isa}, float32"
        report.picture(results, options.png, title)
    return 0


if __name__ == "__main__":
    sys.exit(main())
