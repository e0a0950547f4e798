"""Prediction through Python, grouped by network: one row at a time, and many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from benchmarks.peers import FastNN, installed
from benchmarks.rungs import RUNGS

SYSTEMS = installed()


@pytest.fixture(autouse=True)
def _same_threads_afterwards() -> Iterator[None]:
    before = fn.config()["threads"]
    yield
    fn.set_num_threads(before)


def inputs(rung: str, rows: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((rows, RUNGS[rung].sizes[0]), np.float32)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128"])
def bench_one_row(benchmark: Any, rung: str, system: str) -> None:
    benchmark.group = f"one row {rung}"
    benchmark(SYSTEMS[system](RUNGS[rung], 1).predictor(inputs(rung, 1)))


@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128"])
def bench_one_row_without_out(benchmark: Any, rung: str) -> None:
    network = FastNN(RUNGS[rung], 1).network
    benchmark.group = f"one row {rung}"
    benchmark(network.predict, inputs(rung, 1))


@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128"])
def bench_one_row_numpy(benchmark: Any, rung: str) -> None:
    """What one writes without a library."""
    parameters = list(FastNN(RUNGS[rung], 1).network.parameters.values())
    layers = [(weight.T.copy(), bias) for weight, bias in zip(parameters[::2], parameters[1::2], strict=True)]

    def predict(x: np.ndarray) -> np.ndarray:
        for weight, bias in layers[:-1]:
            x = np.maximum(x @ weight + bias, 0)
        return x @ layers[-1][0] + layers[-1][1]

    benchmark.group = f"one row {rung}"
    benchmark(predict, inputs(rung, 1))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("system", SYSTEMS)
def bench_many_rows(benchmark: Any, system: str, threads: int) -> None:
    predict = SYSTEMS[system](RUNGS["mnist512"], threads).predictor(inputs("mnist512", 10_000))
    benchmark.group = "10,000 rows 784-512-512-10"
    benchmark.pedantic(predict, rounds=10, warmup_rounds=1)
