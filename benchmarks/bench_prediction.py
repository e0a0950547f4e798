"""Prediction through Python, grouped by network: one row at a time, and many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from benchmarks.overheads import numpy_predictor
from benchmarks.peers import FastNN, installed
from benchmarks.peers.onnx_runtime import is_installed, onnx_predictor
from benchmarks.rungs import RUNGS
from benchmarks.worker import Worker, environment

SYSTEMS = list(installed())
FOR_ONE_ROW = [name for name in SYSTEMS if not name.startswith("torch ")]  # compiled, it takes twice as long
needs_onnx_runtime = pytest.mark.skipif(not is_installed(), reason="needs onnxruntime and onnx")
MANY = "10,000 rows 784-512-512-10"


@pytest.fixture(autouse=True)
def _same_threads_afterwards() -> Iterator[None]:
    before = fn.config()["threads"]
    yield
    fn.set_num_threads(before)


def inputs(rung: str, rows: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((rows, RUNGS[rung].sizes[0]), np.float32)


@pytest.mark.parametrize("system", FOR_ONE_ROW)
@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128"])
def bench_one_row(benchmark: Any, rung: str, system: str) -> None:
    """Predict in this process: asking another one takes longer than the prediction."""
    with environment(installed()[system].environment(1, None)):
        peer = installed()[system](RUNGS[rung], 1)
        peer.compile()
        predict = peer.predictor(inputs(rung, 1))
    benchmark.group = f"one row {rung}"
    benchmark(predict)


@needs_onnx_runtime
@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128"])
def bench_one_row_onnx_runtime(benchmark: Any, rung: str) -> None:
    benchmark.group = f"one row {rung}"
    benchmark(onnx_predictor(RUNGS[rung], inputs(rung, 1), 1))


@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128"])
def bench_one_row_without_out(benchmark: Any, rung: str) -> None:
    network = FastNN(RUNGS[rung], 1).network
    benchmark.group = f"one row {rung}"
    benchmark(network.predict, inputs(rung, 1))


@pytest.mark.parametrize("rung", ["rl", "tab", "mnist128"])
def bench_one_row_numpy(benchmark: Any, rung: str) -> None:
    benchmark.group = f"one row {rung}"
    benchmark(numpy_predictor(FastNN(RUNGS[rung], 1).network, inputs(rung, 1)))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("system", SYSTEMS)
def bench_many_rows(benchmark: Any, system: str, threads: int) -> None:
    """Predict in a process of its own, as some systems take their threads from the environment."""
    with closing(Worker(system, threads)) as worker:
        worker.ask("set_up_prediction", RUNGS["mnist512"], inputs("mnist512", 10_000))
        benchmark.group = MANY
        benchmark.pedantic(worker.ask, ("predict",), rounds=10, warmup_rounds=1)


@needs_onnx_runtime
@pytest.mark.parametrize("threads", [1, 2])
def bench_many_rows_onnx_runtime(benchmark: Any, threads: int) -> None:
    predict = onnx_predictor(RUNGS["mnist512"], inputs("mnist512", 10_000), threads)
    benchmark.group = MANY
    benchmark.pedantic(predict, rounds=10, warmup_rounds=1)


@needs_onnx_runtime
def test_onnx_runtime_predicts_the_same() -> None:
    x = inputs("tab", 5)
    expected = FastNN(RUNGS["tab"], 1).network.predict(x)
    np.testing.assert_allclose(onnx_predictor(RUNGS["tab"], x, 1)()[0], expected, rtol=1e-5, atol=1e-5)
