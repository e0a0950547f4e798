"""Golden cases of the dense kernels."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from fastnn._verify.cases import Arrays
from fastnn._verify.harness import pack, unpack
from fastnn._verify.inputs import reals, with_specials
from fastnn._verify.kernel_cases import SIZES, KernelCases, gradient_sizes, padded, panels, parts, rotated, scratch

CASES = KernelCases()

PRODUCTS = [
    *zip(SIZES, rotated(4), rotated(9), strict=True),
    *((1, 67, 131), (5, 300, 20), (12, 1000, 3), (16, 33, 131)),
]


def factors(k: SimpleNamespace, rows: int, n_in: int, n_out: int) -> tuple[np.ndarray, ...]:
    """Return x, weight, bias and dy; special values in some."""
    dtype, key = k.dtype.name, f"dense {rows} {n_in} {n_out}"
    draw = with_specials if (rows, n_in) == (16, 33) else reals
    x = draw((rows, n_in), key + " x", dtype)
    weight = reals((n_out, n_in), key + " weight", dtype)
    return x, weight, reals((n_out,), key + " bias", dtype), draw((rows, n_out), key + " dy", dtype)


@CASES.of("dense.forward", ("plain", "relu"))
def forward(k: SimpleNamespace, variant: str) -> Arrays:
    found = {}
    for rows, n_in, n_out in PRODUCTS:
        x, weight, bias, _ = factors(k, rows, n_in, n_out)
        y = panels(k, n_out, rows)
        for r0, r1 in parts(rows):
            k.dense.forward(
                pack(x, k.panel, fill=np.nan),
                pack(weight.T, k.panel),
                padded(k, bias),
                y,
                *(rows, n_in, n_out, r0, r1, variant == "relu"),
            )
        found[f"{rows} {n_in} {n_out}"] = unpack(y, n_out)
    return found


@CASES.of("dense.narrow_forward", ("plain", "relu"))
def narrow_forward(k: SimpleNamespace, variant: str) -> Arrays:
    found = {}
    for number, (rows, n_in) in enumerate(zip(rotated(2), rotated(7), strict=True)):
        n_out = 1 + number % k.dense.narrow
        x, weight, bias, _ = factors(k, rows, n_in, n_out)
        y = panels(k, n_out, rows)
        for r0, r1 in parts(rows):
            k.dense.narrow_forward(
                pack(x, k.panel, fill=np.nan),
                pack(weight, k.panel),
                padded(k, bias),
                y,
                *(rows, n_in, n_out, r0, r1, variant == "relu"),
            )
        found[f"{rows} {n_in} {n_out}"] = unpack(y, n_out)
    return found


@CASES.of("dense.backward", ("plain", "relu"))
def backward(k: SimpleNamespace, variant: str) -> Arrays:
    found = {}
    for rows, n_in, n_out in PRODUCTS:
        x, weight, _, dy = factors(k, rows, n_in, n_out)
        dx = panels(k, n_in, rows)
        mask = pack(x, k.panel, fill=np.nan) if variant == "relu" else None
        for r0, r1 in parts(rows):
            k.dense.backward(pack(dy, k.panel), pack(weight, k.panel), mask, dx, rows, n_out, n_in, r0, r1)
        found[f"{rows} {n_in} {n_out}"] = unpack(dx, n_in)
    return found


@CASES.of("dense.weight_gradient")
def weight_gradient(k: SimpleNamespace) -> Arrays:
    found = {}
    for rows, shard, n_in, n_out in gradient_sizes():
        x, _, _, dy = factors(k, rows, n_in, n_out)
        gradient = panels(k, n_out, n_in)
        for out_panel in range(len(gradient)):
            for in_panel in range(-(-n_in // k.panel)):
                block = gradient[out_panel, in_panel * k.panel :]
                k.dense.weight_gradient(
                    pack(x, k.panel, fill=np.nan),
                    pack(dy, k.panel),
                    block,
                    scratch(k),
                    *(rows, rows, shard, n_in, n_out, in_panel, out_panel),
                )
        found[f"{rows} {shard} {n_in} {n_out}"] = unpack(gradient, n_out)
    return found


@CASES.of("dense.narrow_gradient")
def narrow_gradient(k: SimpleNamespace) -> Arrays:
    found = {}
    for number, (rows, shard, n_in, _) in enumerate(gradient_sizes()):
        n_out = 1 + number % k.dense.narrow
        x, _, _, dy = factors(k, rows, n_in, n_out)
        gradient = panels(k, n_in, n_out)
        for in_panel in range(len(gradient)):
            k.dense.narrow_gradient(
                pack(x, k.panel, fill=np.nan),
                pack(dy, k.panel),
                gradient[in_panel],
                scratch(k),
                *(rows, rows, shard, n_in, n_out, in_panel),
            )
        found[f"{rows} {shard} {n_in} {n_out}"] = unpack(gradient, n_in)
    return found


@CASES.of("dense.bias_gradient")
def bias_gradient(k: SimpleNamespace) -> Arrays:
    found = {}
    for rows, shard, _, n in gradient_sizes():
        dy = reals((rows, n), f"bias {rows} {shard}", k.dtype.name)
        gradient = panels(k, n, 1)
        for panel in range(len(gradient)):
            k.dense.bias_gradient(pack(dy, k.panel), gradient[panel], scratch(k), rows, rows, shard, panel)
        found[f"{rows} {shard} {n}"] = unpack(gradient, n)
    return found


@CASES.of("dense.transpose")
def transpose(k: SimpleNamespace) -> Arrays:
    found = {}
    for n_in, n_out in zip(SIZES, rotated(5), strict=True):
        weight = with_specials((n_out, n_in), f"transpose {n_in} {n_out}", k.dtype.name)
        transposed = panels(k, n_in, n_out)
        for out_panel in range(-(-n_out // k.panel)):
            for in_panel in range(len(transposed)):
                k.dense.transpose(pack(weight.T, k.panel), transposed, n_in, n_out, in_panel, out_panel)
        found[f"{n_in} {n_out}"] = unpack(transposed, n_in)
    return found
