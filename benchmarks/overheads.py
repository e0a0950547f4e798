"""What is not arithmetic: ``python -m benchmarks.overheads``.

One row through Python beside the peers, in one process and in turn; `Trainer.step` beside the same step inside `fit`;
predictions from several Python threads; 10,000 rows as a share of the processor's peak; the import.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import fastnn as fn
from benchmarks.peak import peak
from benchmarks.peers import FastNN, installed
from benchmarks.peers.onnx_runtime import is_installed, onnx_predictor
from benchmarks.report import figure, markdown
from benchmarks.rungs import RUNGS
from benchmarks.worker import environment

ONE_ROW = ("rl", "tab", "mnist128")
STEPS = ("rl", "iss46", "tab", "sgd1")
PEERS_OF_ONE_ROW = ("torch", "jax", "scikit-learn")
MANY_ROWS, MANY = "mnist512", 10_000


def in_turn(
    functions: Mapping[str, Callable[[], Any]], rounds: int, seconds: float = 0.01, pause: float = 0.0
) -> dict[str, list[float]]:
    """Return seconds of a call of each, a figure a round: the mean over as many calls as take about ``seconds``.

    ``pause``: seconds before each measurement, in which the threads of the last one stop spinning.
    """
    calls = {}
    for name, function in functions.items():
        function()
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            function()
            count += 1
        calls[name] = count
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            time.sleep(pause)
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            times[name].append((time.perf_counter() - start) / calls[name])
    return times


def numpy_predictor(network: fn.Network, x: np.ndarray) -> Callable[[], Any]:
    """Return what one writes without a library."""
    parameters = list(network.parameters.values())
    layers = [(weight.T.copy(), bias) for weight, bias in zip(parameters[::2], parameters[1::2], strict=True)]

    def predict() -> np.ndarray:
        values = x
        for weight, bias in layers[:-1]:
            values = np.maximum(values @ weight + bias, 0)
        return values @ layers[-1][0] + layers[-1][1]

    return predict


def one_row(rounds: int) -> str:
    """Return a line a network: median µs of a prediction."""
    rows = []
    for name in ONE_ROW:
        rung = RUNGS[name]
        x = np.random.default_rng(1).standard_normal((1, rung.sizes[0]), np.float32)
        ours = FastNN(rung, 1)
        functions = {
            "fastnn, `out=`": ours.predictor(x),
            "fastnn": lambda network=ours.network, x=x: network.predict(x),
            "NumPy by hand": numpy_predictor(ours.network, x),
        }
        if is_installed():
            functions["onnxruntime"] = onnx_predictor(rung, x, 1)
        for peer in PEERS_OF_ONE_ROW:
            if peer in installed():
                with environment(installed()[peer].environment(1, None)):
                    made = installed()[peer](rung, 1)
                    made.compile()
                    functions[peer] = made.predictor(x)
        times = in_turn(functions, rounds)
        rows.append([rung.layers, *(figure(1e6 * statistics.median(each), 3) for each in times.values())])
    return markdown([["one row, µs", *functions], *rows], 1)


def steps(rounds: int) -> str:
    """Return a line a network: µs of a step by `Trainer.step` and inside `Trainer.fit`, and the difference."""
    rows = [["a step, µs", "`step`", "inside `fit`", "difference"]]
    for name in STEPS:
        rung = RUNGS[name]
        # One batch again and again, in both: the same data in cache.
        X, y = (array[: rung.batch] for array in rung.data())
        if rung.is_binary:
            y = y.astype(np.float32)[:, None]  # as a prepared batch has them
        peers = [FastNN(rung, 1) for _ in range(2)]
        many = X[np.arange(rung.rows) % rung.batch], y[np.arange(rung.rows) % rung.batch]
        peers[1].trainer.shuffle = False
        functions = {
            "step": lambda trainer=peers[0].trainer, X=X, y=y: trainer.step(X, y),
            "fit": lambda trainer=peers[1].trainer, many=many: trainer.fit(*many),
        }
        times = in_turn(functions, rounds, 0.02)
        step, fit = times["step"], [t / rung.steps for t in times["fit"]]
        difference = statistics.median(a - b for a, b in zip(step, fit, strict=True))
        rows.append([
            f"{rung.layers}, batch {rung.batch}", *(figure(1e6 * statistics.median(t), 3) for t in (step, fit)),
            f"{1e6 * difference:.2f}",
        ])  # fmt: skip
    return markdown(rows, 1)


def many_rows(rounds: int) -> str:
    """Return the speed of 10,000 rows on one thread and two, as GFLOP/s and as a share of the peak."""
    rung, loop = RUNGS[MANY_ROWS], peak(fn.config()["instruction set"])
    x = np.random.default_rng(1).standard_normal((MANY, rung.sizes[0]), np.float32)
    network = FastNN(rung, 1).network
    out = network.predict(x)
    flops = 2 * MANY * sum(a * b for a, b in zip(rung.sizes, rung.sizes[1:], strict=False))
    rows = [[f"{MANY:,} rows of {rung.layers}", "fastnn, ms", "onnxruntime, ms", "GFLOP/s", "share of peak"]]
    before = fn.get_num_threads()
    for threads in (1, 2):
        fn.set_num_threads(threads)
        functions: dict[str, Callable[[], Any]] = {"fastnn": lambda: network.predict(x, out=out)}
        if is_installed():
            functions["onnxruntime"] = onnx_predictor(rung, x, threads)
        times = in_turn(functions, rounds, 0.2, pause=0.1)
        rate = flops / statistics.median(times["fastnn"]) / 1e9
        share = f"{100 * rate / threads / loop.gflops(0.1):.0f} %" if loop else ""
        milliseconds = [figure(1e3 * statistics.median(times[name]), 3) if name in times else "" for name in functions]
        rows.append([f"{threads} threads", *milliseconds, *([""] * (2 - len(milliseconds))), f"{rate:.0f}", share])
    fn.set_num_threads(before)
    return markdown(rows, 1)


def python_threads(rounds: int) -> str:
    """Return how much more two Python threads predict than one, each 256 rows at a time."""
    rung = RUNGS["tab"]
    x = np.random.default_rng(1).standard_normal((256, rung.sizes[0]), np.float32)
    network = FastNN(rung, 1).network
    before = fn.get_num_threads()
    fn.set_num_threads(1)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for n in rates:
            counts = [0] * n
            end = time.perf_counter() + 0.1

            def predict(thread: int, counts: list[int] = counts, end: float = end) -> None:
                out = network.predict(x)
                while time.perf_counter() < end:
                    network.predict(x, out=out)
                    counts[thread] += 1

            workers = [threading.Thread(target=predict, args=(thread,)) for thread in range(n)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            rates[n].append(sum(counts) / 0.1)
    fn.set_num_threads(before)
    ratio = statistics.median(two / one for one, two in zip(rates[1], rates[2], strict=True))
    return f"two Python threads predict {ratio:.2f} times as many rows as one ({rung.layers}, 256 rows a call)"


def imports(rounds: int) -> str:
    """Return milliseconds that ``import fastnn`` adds to ``import numpy``: the difference of processes, in turn."""
    times: dict[str, list[float]] = {"import numpy": [], "import numpy, fastnn": []}
    for number in range(rounds + 1):
        for text, taken in times.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", text], check=True)
            if number:
                taken.append(time.perf_counter() - start)
    added = statistics.median(b - a for a, b in zip(*times.values(), strict=True))
    return f"import fastnn: {1e3 * added:.1f} ms more than import numpy"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overheads", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    options = parser.parse_args(arguments)
    for part in (one_row, steps, many_rows, python_threads, imports):
        print(part(options.rounds), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
