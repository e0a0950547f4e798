"""Counts the networks that one training gives in each system: ``python -m benchmarks.reproducibility``.

The same training, from the same parameters, on the same batches, is repeated over numbers of threads and instruction
sets, as if on other machines. Each setting has a process of its own, told by the environment; the SHA-256 of the
trained parameters tells the results apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import fastnn
from benchmarks.instruction_sets import CAPS
from benchmarks.ladder import machine
from benchmarks.trainers import TRAIN, Training, trainings

THREADS = (1, 2, 4)
LEVELS = {"AVX-512": "avx512", "AVX2": "avx2", "older": "portable"}  # what the processor seems to have; as in CAPS


@dataclass(frozen=True)
class System:
    """A library, and how its process is told the threads and the instruction set."""

    module: str
    distribution: str
    instructions: dict[str, dict[str, str]]  # by instruction set: environment
    threads: Sequence[str]  # environment variables that take the number

    def environment(self, level: str, threads: int) -> dict[str, str]:
        """Return the variables of a setting's process."""
        return {**self.instructions[LEVELS[level]], **{name: str(threads) for name in self.threads}}


SYSTEMS = {
    "fastnn": System("fastnn", "fastnn", CAPS["fastnn"], ("FASTNN_NUM_THREADS",)),
    "PyTorch": System("torch", "torch", CAPS["torch"], ("OMP_NUM_THREADS", "MKL_NUM_THREADS")),
    "JAX": System("jax", "jax", CAPS["jax"], ("NPROC",)),
    "scikit-learn": System(
        "sklearn", "scikit-learn", CAPS["scikit-learn"], ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    ),
}


@dataclass
class Result:
    """What a setting gave: for each training a digest a repetition."""

    system: str
    level: str
    threads: int
    environment: dict[str, str]
    digests: dict[str, list[str]] = field(default_factory=dict)


# ------------------------------------------------------------------ a worker


def digest(parameters: Sequence[np.ndarray]) -> str:
    """Return the SHA-256 over the parameters' little-endian bytes, in order."""
    found = hashlib.sha256()
    for values in parameters:
        if values.dtype != np.float32 or not np.isfinite(values).all():
            raise ValueError("the parameters are not finite float32")
        found.update(np.ascontiguousarray(values, "<f4").tobytes())
    return found.hexdigest()


def work(system: str, threads: int) -> None:
    """Serve as the worker's process: train and print a digest for each training."""
    print(json.dumps({training.name: digest(TRAIN[system](training, threads)) for training in trainings()}))


def trained(system: str, environment: dict[str, str], threads: int) -> dict[str, str]:
    """Return the digests by training, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.reproducibility", "--worker", system, "--worker-threads", str(threads)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{system} failed with {environment}:\n{done.stderr}")
    digests: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return digests


# --------------------------------------------------------------------- output


def settings(results: Sequence[Result], system: str) -> list[Result]:
    """Return the results of a system."""
    return [result for result in results if result.system == system]


def distinct(results: Sequence[Result], training: str) -> int:
    """Return how many networks the training gave."""
    return len({digest for result in results for digest in result.digests[training]})


def unsteady(results: Sequence[Result]) -> list[Result]:
    """Return the settings whose repetitions disagree."""
    return [result for result in results if any(len(set(found)) > 1 for found in result.digests.values())]


def summary(results: Sequence[Result], names: Sequence[str], all_trainings: Sequence[Training]) -> str:
    """Return distinct results of each training in each system, in Markdown."""
    header = ["training", *(f"{name} {installed_version(name)}" for name in names)]
    rows = [header, ["---", *("--:" for _ in names)]]
    for training in all_trainings:
        counts = [distinct(settings(results, name), training.name) for name in names]
        rows.append([training.name, *(f"**{count}**" if count == 1 else str(count) for count in counts)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def listing(results: Sequence[Result]) -> str:
    """Return every setting, with the beginnings of its digests."""
    lines = []
    for result in results:
        setting = " ".join(f"{name}={value!r}" if " " in value else f"{name}={value}"
                           for name, value in result.environment.items())  # fmt: skip
        digests = " ".join("/".join(sorted({each[:8] for each in found})) for found in result.digests.values())
        lines.append(f"{result.system:12}  {digests}  {setting}")
    return "\n".join(lines)


def installed_version(name: str) -> str:
    """Return the version of a system that is installed."""
    return fastnn.__version__ if name == "fastnn" else version(SYSTEMS[name].distribution)


def levels() -> tuple[str, ...]:
    """Return the instruction sets that this processor can run or imitate."""
    available = fastnn.config()["instruction sets available"].split(", ")
    return tuple(level for level in LEVELS if LEVELS[level] in available)


def measure(names: Sequence[str], thread_counts: Sequence[int], repeats: int) -> list[Result]:
    """Measure every system in every setting."""
    results = []
    for name in names:
        for level in levels():
            for threads in thread_counts:
                result = Result(name, level, threads, SYSTEMS[name].environment(level, threads))
                for _ in range(repeats):
                    for training, found in trained(name, result.environment, threads).items():
                        result.digests.setdefault(training, []).append(found)
                results.append(result)
                print(listing([result]), file=sys.stderr)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    installed = [name for name, system in SYSTEMS.items() if find_spec(system.module) is not None]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproducibility", description=__doc__.split("\n\n")[0])
    parser.add_argument("--systems", nargs="+", choices=installed, default=installed, metavar="SYSTEM",
                        help=", ".join(installed))  # fmt: skip
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS, help="default: 1 2 4")
    parser.add_argument("--repeats", type=int, default=2, help="of each setting (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every digest here")
    parser.add_argument("--markdown", action="store_true", help="print the table alone")
    parser.add_argument("--worker", choices=SYSTEMS, help=argparse.SUPPRESS)
    parser.add_argument("--worker-threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        work(options.worker, options.worker_threads)
        return 0

    results = measure(options.systems, options.threads, options.repeats)
    table = summary(results, options.systems, trainings())
    if options.markdown:
        print(table)
    else:
        print(", ".join(f"{key} {value}" for key, value in machine().items()))
        print(f"{len(settings(results, options.systems[0]))} settings a system, {options.repeats} runs of each")
        for name in SYSTEMS.keys() - set(options.systems):
            print(f"{name} left out: {'not asked for' if name in installed else 'not installed'}")
        for result in unsteady(results):
            print(f"{result.system}, {result.level}, {result.threads} threads: the runs disagree")
        print(f"\nDistinct results:\n\n{table}\n\n{listing(results)}")
    if options.json:
        data: dict[str, Any] = {
            "machine": machine(),
            "platform": platform.platform(),
            "results": [asdict(result) for result in results],
        }
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
