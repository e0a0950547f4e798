"""A process that runs one system, with one number of threads, as it is told."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.rungs import Rung

CALLS = 5  # parts of a measurement, whose median counts
STATUS = Path("/proc/self/status")


class WorkerError(RuntimeError):
    """What went wrong in a worker."""


class Job:
    """The worker's side: every method is a command."""

    def __init__(self, name: str, threads: int | str) -> None:
        self.system, self.threads = PEERS[name], threads
        self.system.load()
        self.loaded = resident("VmRSS")
        if self.loaded is not None:
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew

    def set_up(self, rung: Rung) -> float:
        """Make the peer; return the seconds that compiling took."""
        self.rung = rung
        self.peer = self.system(rung, self.threads)
        start = time.perf_counter()
        self.peer.compile()
        compiling = time.perf_counter() - start
        self.run(1)  # whatever is done once
        return compiling

    def run(self, epochs: int) -> None:
        """Train."""
        self.peer.run(epochs)

    def warm_up(self, seconds: float) -> None:
        """Find out how many epochs make a part of a measurement."""
        self.epochs = epochs_of_call(self.peer, seconds / CALLS)

    def measure(self, seconds: float) -> float:
        """Return the median µs of a step."""
        return 1e6 * measured(self.peer, self.rung, self.epochs, seconds)

    def memory(self) -> float | None:
        """Return the peak MB resident since the system was imported, beyond what was resident then."""
        peak = resident("VmHWM")
        return None if peak is None or self.loaded is None else peak - self.loaded

    def parameters(self) -> list[np.ndarray]:
        """Return the parameters of the peer."""
        return self.peer.parameters()

    def updates(self) -> int:
        """Return the updates of the peer."""
        return self.peer.updates

    def set_up_prediction(self, rung: Rung, x: np.ndarray) -> None:
        """Make the peer predict these rows."""
        self.set_up(rung)
        self.predictor = self.peer.predictor(x)

    def predict(self) -> None:
        """Predict them."""
        self.predictor()


def resident(name: str) -> float | None:
    """Return MB of physical memory by this name in Linux's status of the process; elsewhere nothing."""
    if not STATUS.exists():
        return None
    lines = [line for line in STATUS.read_text().splitlines() if line.startswith(name)]
    return int(lines[0].split()[1]) / 1024 if lines else None


def epochs_of_call(peer: Any, seconds: float) -> int:
    """Return how many epochs take about so long."""
    epochs = 1
    while True:
        start = time.perf_counter()
        peer.run(epochs)
        taken = time.perf_counter() - start
        if taken >= seconds or epochs >= 4096:
            return epochs
        epochs = max(2 * epochs, min(4096, int(epochs * seconds / taken)))


def measured(peer: Any, rung: Rung, epochs: int, seconds: float) -> float:
    """Return the median seconds of a step, from calls of ``epochs`` epochs that take about ``seconds`` in all."""
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
    return median(times) / steps


def work(connection: Connection, name: str, threads: int | str) -> None:
    """Serve as the worker's process."""
    job = None
    try:
        while True:
            command, arguments = connection.recv()
            try:
                job = job or Job(name, threads)
                answer = (getattr(job, command)(*arguments), None)
            except Exception as error:
                answer = (None, f"{type(error).__name__}: {error}".splitlines()[0])
            connection.send(answer)
    except EOFError:
        pass  # nobody asks any more


class Worker:
    """The asking side of a worker process. ``isa``: keep to this instruction set."""

    def __init__(self, name: str, threads: int | str, isa: str | None = None) -> None:
        self.name, self.threads = name, threads
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, name, threads), daemon=True)
        with environment(PEERS[name].environment(threads, isa)):
            self.process.start()
        theirs.close()

    def ask(self, command: str, *arguments: Any) -> Any:
        """Have a command of `Job` carried out."""
        self.connection.send((command, arguments))
        try:
            answer, error = self.connection.recv()
        except EOFError:
            answer, error = None, "the process ended"
        if error:
            raise WorkerError(f"{self.name} with threads={self.threads}, {command}: {error}")
        return answer

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(10)
        if self.process.is_alive():
            print(f"{self.name} with threads={self.threads} had to be killed", file=sys.stderr)
            self.process.kill()


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set these variables in the environment, for the processes started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
