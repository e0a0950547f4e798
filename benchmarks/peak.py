"""The most that one core can compute: fused multiply-adds on independent vectors in registers, in float32.

Compiled when the benchmark starts. Each of twelve vectors goes on from its last value, which the compiler may neither
reorder nor leave out; twelve are enough for two units of four or five cycles' latency.
"""

from __future__ import annotations

import ctypes
import subprocess
import time

from benchmarks.compiled import library

VECTORS = 12
LANES = {"avx512": 16, "avx2": 8}
FLAGS = {"avx512": ["-mavx512f"], "avx2": ["-mavx2", "-mfma"]}
TYPES = {"avx512": ("__m512", "_mm512"), "avx2": ("__m256", "_mm256")}
TURNS = 20_000  # of the loop in a call: some 0.05 ms

SOURCE = """
#include <immintrin.h>

float run(float a, float b, long turns)
{{
    const {type} va = {prefix}_set1_ps(a), vb = {prefix}_set1_ps(b);
    {type} {declared};
    for (long k = 0; k < turns; k++) {{
        {updates}
    }}
    float lanes[{lanes}], sum = 0;
    {stores}
    return sum;
}}
"""


class Peak:
    """The loop for an instruction set of fastnn's. Raises `OSError` or `subprocess.CalledProcessError` without it."""

    def __init__(self, isa: str) -> None:
        if isa not in LANES:
            raise OSError(f"there is no loop for {isa}")
        self.lanes = LANES[isa]
        kind, prefix = TYPES[isa]
        names = [f"v{k}" for k in range(VECTORS)]
        add = f"for (int i = 0; i < {self.lanes}; i++) sum += lanes[i];"
        source = SOURCE.format(
            type=kind,
            prefix=prefix,
            lanes=self.lanes,
            declared=", ".join(f"{name} = {prefix}_set1_ps({k})" for k, name in enumerate(names)),
            updates="\n        ".join(f"{name} = {prefix}_fmadd_ps({name}, va, vb);" for name in names),
            stores="\n    ".join(f"{prefix}_storeu_ps(lanes, {name}); {add}" for name in names),
        )
        self.loop = library(source, "-O3", *FLAGS[isa]).run
        self.loop.argtypes = (ctypes.c_float, ctypes.c_float, ctypes.c_long)
        self.loop.restype = ctypes.c_float
        # x → 2 x + 1 from k, three times: 8 k + 7. Exact, and different for each vector.
        expected = self.lanes * sum(8 * k + 7 for k in range(VECTORS))
        if self.loop(2, 1, 3) != expected:
            raise RuntimeError(f"the loop computes {self.loop(2, 1, 3)} instead of {expected}")

    def gflops(self, seconds: float) -> float:
        """Return GFLOP/s of one core: the best call of so many seconds, as nothing makes a loop too fast."""
        best = float("inf")
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            self.loop(0.5, 1, TURNS)
            best = min(best, time.perf_counter() - start)
        return 2 * self.lanes * VECTORS * TURNS / best / 1e9


def peak(isa: str) -> Peak | None:
    """Return the loop, where it can be compiled."""
    try:
        return Peak(isa)
    except (OSError, subprocess.CalledProcessError):
        return None
