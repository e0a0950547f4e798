"""Golden cases of the kernels that see one number at a time: optimizers, random numbers, copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastnn import elementary
from fastnn._verify.cases import Arrays
from fastnn._verify.harness import make, pack, unpack
from fastnn._verify.inputs import integers, patterns, reals, scaled, specials, with_specials
from fastnn._verify.kernel_cases import SIZES, WHOLE, KernelCases, names, panels, parts, rotated

CASES = KernelCases()

# ------------------------------------------------------------------ optimizers

RULE = {"gradient_scale": 1.0, "clip_value": np.inf, "decay": 1.0, "step_size": 0.02, "root_scale": 1.0} | {
    "beta1": 0.9,
    "beta2": 0.99,
    "epsilon": 1e-8,
}
PENALTIES = {"l1": 0.03, "l2": 0.2, "decay": 0.97, "clip_value": 0.4, "gradient_scale": 0.7}
UPDATES: dict[str, dict[str, Any]] = {
    **{name: {} for name in names("optimizers")},
    **{f"{name} penalised": PENALTIES for name in names("optimizers")},
    "sgd momentum": {"momentum": 0.9},
    "sgd nesterov": {"momentum": 0.9, "nesterov": 1},
    "sgd penalised": {"momentum": 0.5, **PENALTIES},
    "sgd decay": {"decay": 0.99},
    "sgd l1": {"l1": 0.1},
    "adam": {"root_scale": 3.3},
    "adam amsgrad": {"amsgrad": 1, "root_scale": 3.3},
    "adam penalised": {"root_scale": 1.7, "amsgrad": 1, **PENALTIES},
    "nadam": {"gradient_step": 0.013, "root_scale": 3.3},
    "nadam penalised": {"gradient_step": 0.013, **PENALTIES},
    "rmsprop momentum": {"momentum": 0.8},
    "rmsprop centered": {"centered": 1},
    "rmsprop everything": {"centered": 1, "momentum": 0.8, **PENALTIES},
    "adagrad": {"epsilon": 1e-10},
    "adagrad penalised": {"epsilon": 1e-10, **PENALTIES},
}


@CASES.of("optimizers.update", UPDATES)
def update(k: SimpleNamespace, variant: str) -> Arrays:
    """Take several steps; parameters and gradients with special values, so that some updates are refused."""
    rule = make("UpdateRule", **(RULE | UPDATES[variant]))
    optimizer = k.optimizers[variant.split()[0]]
    found: dict[str, Any] = {}
    for name, draw in (("plain", reals), ("special", with_specials)):
        w = draw(4 * WHOLE, "parameters", k.dtype.name).copy()
        state = [np.zeros(len(w), k.dtype) for _ in range(3)]
        refused = []
        for step in range(5):
            gradient = draw(len(w), f"gradient {step}", k.dtype.name)
            refused.append(bool(optimizer.update(rule, w, gradient, *state, len(w), k.panel, None)))
        found |= {f"{name} w": w, f"{name} refused": np.array(refused)}
        found |= {f"{name} state{j}": array for j, array in enumerate(state)}
    return found


@CASES.of("optimizers.sum_squares")
def sum_squares(k: SimpleNamespace) -> Arrays:
    sums = []
    for n_in, n_out in zip(SIZES, rotated(3), strict=True):
        gradient = pack(scaled((n_in, n_out), f"squares {n_in} {n_out}", k.dtype.name, -10, 10), k.panel)
        sums += [k.optimizers.sum_squares(gradient, n_in, n_out, o0) for o0 in range(0, n_out, 16)]
    return {"sums": np.array(sums)}


@CASES.of("optimizers.narrow_sum_squares")
def narrow_sum_squares(k: SimpleNamespace) -> Arrays:
    sums = []
    for number, n_in in enumerate(SIZES):
        n_out = 1 + number % k.dense.narrow
        gradient = pack(scaled((n_out, n_in), f"narrow squares {n_in} {n_out}", k.dtype.name, -10, 10), k.panel)
        sums.append(k.optimizers.narrow_sum_squares(gradient, n_in, n_out))
    return {"sums": np.array(sums)}


@CASES.of("optimizers.add")
def add(k: SimpleNamespace) -> Arrays:
    a = with_specials(10 * WHOLE, "add a", k.dtype.name).copy()
    b = scaled(10 * WHOLE, "add b", k.dtype.name, -30, 30)
    k.optimizers.add(a, b, len(a))
    return {"a": a}


# ---------------------------------------------------------------------- random

COUNTERS = (
    (0, 0, 0, 0),
    (2**64 - 1, 2**32 - 3, 2**33 + 7, 0x2000_0003),
    (0xA4093822_299F31D0, 0x243F6A88_85A308D3, 2**47, 5),
)


@CASES.of("random.philox")
def philox(k: SimpleNamespace) -> Arrays:
    found = {}
    for number, (seed, first, step, stream) in enumerate(COUNTERS):
        for n_blocks in (1, 15, 16, 17, 100):
            words = np.zeros(4 * n_blocks, np.uint32)
            k.random.philox(seed, first, step, stream, words, n_blocks)
            found[f"{number} {n_blocks}"] = words
    return found


@CASES.of("random.uniform")
def uniform(k: SimpleNamespace) -> Arrays:
    return drawn(k.random.uniform, 1000)


@CASES.of("random.normal")
def normal(k: SimpleNamespace) -> Arrays:
    return drawn(k.random.normal, 5000)


def drawn(kernel: Callable[..., None], many: int) -> Arrays:
    """Draw few numbers, about as many as a kernel makes at once, and many."""
    found = {}
    for seed, count in ((0, 1), (1, 63), (2**64 - 1, 64), (7, 65), (8, many)):
        out = np.zeros(count)
        kernel(seed, 3, out, count)
        found[f"{seed} {count}"] = out
    return found


@CASES.of("random.dropout_mask")
def dropout_mask(k: SimpleNamespace) -> Arrays:
    found = {}
    for n, rows, rate, first_row in zip(SIZES, rotated(5), (0.0, 0.1, 0.5, 0.9999) * 4, range(0, 1300, 100)):  # noqa: B905
        mask = panels(k, n, rows)
        for r0, r1 in parts(rows):
            k.random.dropout_mask(mask, 2**40 + 3, 2**35 + 11, 0x2000_0001, rate, first_row, rows, n, r0, r1)
        found[f"{n} {rows}"] = unpack(mask, n)
    return found


@CASES.of("random.multiply")
def multiply(k: SimpleNamespace) -> Arrays:
    x = with_specials(10 * WHOLE, "multiply x", k.dtype.name)
    mask = scaled(len(x), "multiply mask", k.dtype.name, -30, 30)
    y = np.zeros_like(x)
    k.random.multiply(x, mask, y, len(x))
    return {"y": y}


# ------------------------------------------------------------------- functions


def elementary_case(name: str) -> None:
    @CASES.of(f"functions.{name}")
    def values(k: SimpleNamespace) -> Arrays:
        dtype = k.dtype.name
        largest = 127 if dtype == "float32" else 1023
        x = np.concatenate(
            [
                specials(dtype),
                reals(1001, "elementary", dtype),
                scaled(2000, "elementary scaled", dtype, -70, 11),
                scaled(200, "elementary large", dtype, 28, largest),
                patterns(500, "elementary patterns", dtype),
            ]
        )
        y = np.zeros_like(x)
        getattr(k.functions, name)(x, y, len(x))
        return {"y": y}


for _name in elementary.__all__:
    elementary_case(_name)


# ----------------------------------------------------------------------- batch


def layouts(k: SimpleNamespace) -> Iterator[tuple[str, np.ndarray]]:
    """Yield arrays of rows in several strides, with special values."""
    for n in SIZES:
        rows = with_specials((12, n), f"batch {n}", k.dtype.name)
        yield f"{n} rows", rows
        yield f"{n} columns", np.asfortranarray(rows)
        yield f"{n} backwards", rows[::-2, ::-1]


@CASES.of("batch.gather")
def gather(k: SimpleNamespace) -> Arrays:
    found = {}
    index = np.ascontiguousarray(integers(9, "gather", 6))
    for name, x in layouts(k):
        n = x.shape[1]
        for chosen in (index, None):
            rows = 9 if chosen is not None else 4
            out = panels(k, n, rows)
            for r0, r1 in parts(rows):
                k.batch.gather(x.ctypes.data, *x.strides, chosen, 2, n, out, rows, r0, r1)
            found[f"{name} {'first' if chosen is None else 'index'}"] = unpack(out, n)
    return found


@CASES.of("batch.scatter")
def scatter(k: SimpleNamespace) -> Arrays:
    found = {}
    for name, x in layouts(k):
        out = np.zeros_like(x)  # in the same order of axes
        rows, n = x.shape
        for r0, r1 in parts(rows):
            k.batch.scatter(pack(x, k.panel, fill=np.nan), rows, n, r0, r1, out.ctypes.data, *out.strides)
        found[name] = out
    return found


@CASES.of("batch.first_nonfinite")
def first_nonfinite(k: SimpleNamespace) -> Arrays:
    places = []
    for value in (np.nan, np.inf, -np.inf):
        for place in (0, 1, 77, 400, 998, None):
            x = np.zeros((37, 27), k.dtype)
            if place is not None:
                x.reshape(-1)[place] = value
            for given in (x, np.asfortranarray(x), x[::2, 1:]):
                places.append(k.batch.first_nonfinite(given.ctypes.data, *given.strides, *given.shape))
    return {"places": np.array(places, np.int64)}
