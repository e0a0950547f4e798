"""Golden cases of the kernels for sparse rows."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastnn._verify.cases import Arrays
from fastnn._verify.harness import make, pack, unpack
from fastnn._verify.inputs import integers, reals
from fastnn._verify.kernel_cases import SIZES, KernelCases, gradient_sizes, padded, panels, parts, rotated, scratch

CASES = KernelCases()
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # values, columns, starts

# Rows and inputs; the last ones are more inputs than one pass of the sort tells apart.
SHAPES = [*zip(SIZES, rotated(5), strict=True), (40, 300), (9, 5000)]


def sparse_rows(n: int, n_in: int, key: str, dtype: str) -> Rows:
    """Return values, columns and starts; about one entry in four, some rows without, few where inputs are many."""
    share = max(4, n_in // 30)
    present = integers((n, n_in), f"{key} entries", share) == 0
    present[2::5] = False
    starts = np.zeros(n + 1, np.int64)
    starts[1:] = np.cumsum(present.sum(axis=1))
    values = reals((n, n_in), f"{key} values", dtype)[present]
    return values, np.nonzero(present)[1].astype(np.int32), starts


def struct(rows: Rows) -> Any:
    return make("SparseRows", values=rows[0], columns=rows[1], starts=rows[2])


def room(k: SimpleNamespace, n: int) -> Any:
    """Allocate room for n entries."""
    columns, rows, values = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, k.dtype)
    return make("SparseEntries", columns=columns, rows=rows, values=values)


def sorted_entries(k: SimpleNamespace, rows: Rows, index: np.ndarray | None, n: int, n_in: int) -> Any:
    counts = np.diff(rows[2])
    capacity = 1 + int(counts.sum() if index is None else counts[index].sum())
    entries, spare = room(k, capacity), room(k, capacity)
    k.sparse.sort_entries(struct(rows), index, 0, n, 0, n_in, entries, spare)
    return entries


def samples(k: SimpleNamespace) -> Iterator[tuple[str, int, int, Rows, np.ndarray]]:
    """Yield (name, rows, inputs, sparse rows, an order of them)."""
    for n, n_in in SHAPES:
        name = f"{n} {n_in}"
        order = integers(n, f"sparse order {name}", n)
        yield name, n, n_in, sparse_rows(n, n_in, f"sparse {name}", k.dtype.name), order


@CASES.of("sparse.gather")
def gather(k: SimpleNamespace) -> Arrays:
    found = {}
    for name, n, n_in, rows, order in samples(k):
        x = panels(k, n_in, n)
        x.fill(np.nan)
        for r0, r1 in parts(n):
            k.sparse.gather(struct(rows), order, 0, n_in, x, n, r0, r1)
        found[name] = unpack(x, n_in)
    return found


@CASES.of("sparse.forward", ("plain", "relu"))
def forward(k: SimpleNamespace, variant: str) -> Arrays:
    found = {}
    for number, (name, n, n_in, rows, order) in enumerate(samples(k)):
        n_out = (*rotated(3), 131, 200)[number]
        weight = reals((n_out, n_in), f"sparse weight {name}", k.dtype.name)
        bias = reals(n_out, f"sparse bias {name}", k.dtype.name)
        y = panels(k, n_out, n)
        for r0, r1 in parts(n):
            k.sparse.forward(
                *(struct(rows), order, 0, pack(weight.T, k.panel), padded(k, bias), y),
                *(n, n_in, n_out, r0, r1, variant == "relu"),
            )
        found[name] = unpack(y, n_out)
    return found


@CASES.of("sparse.narrow_forward", ("plain", "relu"))
def narrow_forward(k: SimpleNamespace, variant: str) -> Arrays:
    found = {}
    for number, (name, n, n_in, rows, order) in enumerate(samples(k)):
        n_out = 1 + number % k.dense.narrow
        weight = reals((n_out, n_in), f"sparse weight {name}", k.dtype.name)
        bias = reals(n_out, f"sparse bias {name}", k.dtype.name)
        y = panels(k, n_out, n)
        for r0, r1 in parts(n):
            k.sparse.narrow_forward(
                *(struct(rows), order, 0, pack(weight, k.panel), padded(k, bias), y),
                *(n, n_in, n_out, r0, r1, variant == "relu"),
            )
        found[name] = unpack(y, n_out)
    return found


@CASES.of("sparse.sort_entries")
def sort_entries(k: SimpleNamespace) -> Arrays:
    found = {}
    for name, n, n_in, rows, order in samples(k):
        entries = sorted_entries(k, rows, order, n, n_in)
        for field, array in entries.keep.items():
            found[f"{name} {field}"] = array[: entries.count]
    return found


@CASES.of("sparse.weight_gradient")
def weight_gradient(k: SimpleNamespace) -> Arrays:
    found = {}
    for n, shard, n_in, n_out in gradient_sizes():
        rows = sparse_rows(n, n_in, f"sparse gradient {n} {shard}", k.dtype.name)
        dy = reals((n, n_out), f"sparse dy {n} {shard}", k.dtype.name)
        entries = sorted_entries(k, rows, None, n, n_in)
        gradient = panels(k, n_out, n_in)
        for out_panel in range(len(gradient)):
            e = 0
            for in_panel in range(-(-n_in // k.panel)):
                block = gradient[out_panel, in_panel * k.panel :]
                e = k.sparse.weight_gradient(
                    *(entries, e, pack(dy, k.panel), block, scratch(k)),
                    *(n, n, shard, n_in, n_out, in_panel, out_panel),
                )
        found[f"{n} {shard} {n_in} {n_out}"] = unpack(gradient, n_out)
    return found


@CASES.of("sparse.narrow_gradient")
def narrow_gradient(k: SimpleNamespace) -> Arrays:
    found = {}
    for number, (n, shard, n_in, _) in enumerate(gradient_sizes()):
        n_out = 1 + number % k.dense.narrow
        rows = sparse_rows(n, n_in, f"sparse gradient {n} {shard}", k.dtype.name)
        dy = reals((n, n_out), f"sparse dy {n} {shard}", k.dtype.name)
        entries = sorted_entries(k, rows, None, n, n_in)
        gradient = panels(k, n_in, n_out)
        e = 0
        for in_panel in range(len(gradient)):
            e = k.sparse.narrow_gradient(
                *(entries, e, pack(dy, k.panel), gradient[in_panel], scratch(k)),
                *(n, n, shard, n_in, n_out, in_panel),
            )
        found[f"{n} {shard} {n_in} {n_out}"] = unpack(gradient, n_in)
    return found
