"""Training: an epoch of each rung in each system, grouped by rung. The fair comparison is `benchmarks.ladder`."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from benchmarks.peers import PEERS, installed
from benchmarks.rungs import RUNGS
from benchmarks.worker import Worker

CONFIGURATIONS = [(name, threads) for name in installed() for threads in PEERS[name].threads]


@pytest.mark.parametrize(("system", "threads"), CONFIGURATIONS, ids=[f"{name}-{t}" for name, t in CONFIGURATIONS])
@pytest.mark.parametrize("rung", RUNGS)
def bench_epoch(benchmark: Any, rung: str, system: str, threads: int | str) -> None:
    """Train in the same processes as the ladder's: asking costs some 0.1 ms an epoch."""
    steps = RUNGS[rung].steps
    with closing(Worker(system, threads)) as worker:
        worker.ask("set_up", RUNGS[rung])
        before = worker.ask("updates")
        benchmark.group = f"training {rung}"
        benchmark.pedantic(worker.ask, ("run", 1), rounds=10, warmup_rounds=2)
        benchmark.extra_info["microseconds per step"] = 1e6 * benchmark.stats.stats.median / steps
        assert worker.ask("updates") - before == 12 * steps


@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128", "sgd1"])
def bench_step(benchmark: Any, rung: str) -> None:
    """Call `Trainer.step` on a prepared batch: what a loop of one's own costs."""
    peer = PEERS["fastnn"](RUNGS[rung], 1)
    X, y = peer.X[: RUNGS[rung].batch], peer.y[: RUNGS[rung].batch]
    benchmark.group = f"Trainer.step {rung}"
    benchmark(peer.trainer.step, X, y)
