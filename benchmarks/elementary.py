"""Times the elementary functions beside NumPy's and the C library's: ``python -m benchmarks.elementary``.

One thread, arrays that fit the second-level cache. Each round takes the systems in turn; a time is the median over the
rounds. The C library's functions are called in a loop of C, compiled when the benchmark starts, which writes into an
array that is there already. SciPy stands in for what NumPy lacks (erf, sigmoid).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import special

import fastnn as fn
from benchmarks.compiled import library

SIZE = 8192
SYSTEMS = ("fastnn", "numpy", "libc")
RANGES = {
    "exp": (-20, 20),
    "expm1": (-5, 5),
    "log": (1e-3, 100),
    "log1p": (-0.9, 100),
    "tanh": (-5, 5),
    "sigmoid": (-10, 10),
    "erf": (-3, 3),
    "sin": (-10, 10),
    "cos": (-10, 10),
}
LOOP = """
void {name}_{real}(const {real} *x, {real} *y, long n) {{ for (long i = 0; i < n; i++) y[i] = {expression}; }}
"""


def loops_of_libm() -> ctypes.CDLL:
    """Loop over the C library's functions, named ``exp_float``, ``exp_double`` and so on."""
    source = "#include <math.h>\n"
    for name in RANGES:
        for real, suffix in (("float", "f"), ("double", "")):
            one = "1.0f" if suffix else "1.0"
            expression = f"{one} / ({one} + exp{suffix}(-x[i]))" if name == "sigmoid" else f"{name}{suffix}(x[i])"
            source += LOOP.format(name=name, real=real, expression=expression)
    return library(source, "-O2", "-lm")


def calls(name: str, x: np.ndarray, loops: ctypes.CDLL) -> dict[str, Callable[[], object]]:
    """Return a call of each system with x."""
    y = np.empty_like(x)
    ours = getattr(fn.elementary, name)
    theirs = {"erf": special.erf, "sigmoid": special.expit}.get(name) or getattr(np, name)
    loop = getattr(loops, f"{name}_{'float' if x.dtype == np.float32 else 'double'}")
    pointer = np.ctypeslib.ndpointer(x.dtype)
    loop.argtypes = (pointer, pointer, ctypes.c_long)
    return {"fastnn": lambda: ours(x), "numpy": lambda: theirs(x), "libc": lambda: loop(x, y, len(x))}


def measured(systems: dict[str, Callable[[], object]], size: int, rounds: int) -> dict[str, float]:
    """Return nanoseconds an element of each system: the median of interleaved rounds."""
    times: dict[str, list[float]] = {system: [] for system in systems}
    for _ in range(rounds):
        for system, call in systems.items():
            start = time.perf_counter_ns()
            for _ in range(5):
                call()
            times[system].append((time.perf_counter_ns() - start) / (5 * size))
    return {system: statistics.median(found) for system, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    loops = loops_of_libm()
    print("| ns an element | " + " | ".join(f"float32 {s}" for s in SYSTEMS), end=" | ")
    print(" | ".join(f"float64 {s}" for s in SYSTEMS) + " |")
    print("| --- |" + " ---: |" * 6)
    for name, (low, high) in RANGES.items():
        cells = []
        for dtype in ("float32", "float64"):
            x = np.random.default_rng(0).uniform(low, high, SIZE).astype(dtype)
            found = measured(calls(name, x, loops), SIZE, options.rounds)
            results.append({"function": name, "dtype": dtype, **found})
            cells += [f"{found[system]:.2f}" for system in SYSTEMS]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
