"""Golden cases of the kernels that see rows of units: activations, normalisation, losses."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastnn._verify.cases import Arrays
from fastnn._verify.harness import make, pack, unpack
from fastnn._verify.inputs import fractions, integers, patterns, reals, scaled, specials
from fastnn._verify.kernel_cases import (
    KernelCases,
    gradient_sizes,
    names,
    padded,
    panels,
    parts,
    rows_of_units,
    scratch,
    whole,
)
from fastnn.layers import ACTIVATIONS

CASES = KernelCases()

ELEMENTWISE = tuple(name for name in names("activations") if name != "softmax")
ALPHAS = {name: kind.alpha for name, kind in ACTIVATIONS.items() if kind.alpha is not None} | {"elu": 1.3}


def arguments(k: SimpleNamespace) -> np.ndarray:
    """Return special values, numbers where elementary functions change most, tiny and huge ones."""
    dtype = k.dtype.name
    low, high = (-40, 9) if dtype == "float32" else (-70, 11)
    return whole(
        specials(dtype),
        reals(1000, "activations", dtype),
        scaled(2000, "activations scaled", dtype, low, high),
        patterns(500, "activations patterns", dtype),
    )


@CASES.of("activations.forward", ELEMENTWISE)
def activation_forward(k: SimpleNamespace, name: str) -> Arrays:
    z = arguments(k)
    y = np.zeros_like(z)
    k.activations[name].forward(ALPHAS.get(name, 0.0), z, y, len(z))
    return {"y": y}


@CASES.of("activations.backward", ELEMENTWISE)
def activation_backward(k: SimpleNamespace, name: str) -> Arrays:
    alpha, z = ALPHAS.get(name, 0.0), arguments(k)
    y = np.zeros_like(z)
    delta = reals(len(z), "activations delta", k.dtype.name).copy()
    k.activations[name].forward(alpha, z, y, len(z))
    k.activations[name].backward(alpha, z, y, delta, len(z))
    return {"delta": delta}


@CASES.of("activations.softmax_forward")
def softmax_forward(k: SimpleNamespace) -> Arrays:
    found = {}
    for rows, n, z in rows_of_units(k, "softmax"):
        y = panels(k, n, rows)
        for r0, r1 in parts(rows):
            k.activations.softmax_forward(pack(z, k.panel, fill=np.nan), y, rows, n, r0, r1)
        found[f"{rows} {n}"] = unpack(y, n)
    return found


@CASES.of("activations.softmax_backward")
def softmax_backward(k: SimpleNamespace) -> Arrays:
    found = {}
    for rows, n, dy in rows_of_units(k, "softmax delta"):
        y, delta = fractions((rows, n), f"softmax {n} y", k.dtype.name), pack(dy, k.panel)
        for r0, r1 in parts(rows):
            k.activations.softmax_backward(pack(y, k.panel, fill=np.nan), delta, rows, n, r0, r1)
        found[f"{rows} {n}"] = unpack(delta, n)
    return found


# --------------------------------------------------------------- normalization


def normalised(k: SimpleNamespace) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (rows, n, x, y, statistics) of the forward pass, y unpacked."""
    for rows, n, x in rows_of_units(k, "layer_norm"):
        gain, bias = (reals(n, f"layer_norm {n} {name}", k.dtype.name) for name in ("gain", "bias"))
        y, statistics = panels(k, n, rows), np.zeros((rows, 2))
        for r0, r1 in parts(rows):
            k.normalization.layer_norm_forward(
                pack(x, k.panel, fill=np.nan), padded(k, gain), padded(k, bias), y, statistics, rows, n, r0, r1, 1e-5
            )
        yield rows, n, x, unpack(y, n), statistics


@CASES.of("normalization.layer_norm_forward")
def layer_norm_forward(k: SimpleNamespace) -> Arrays:
    found: dict[str, Any] = {}
    for rows, n, _, y, statistics in normalised(k):
        found |= {f"{rows} {n} y": y, f"{rows} {n} statistics": statistics}
    return found


@CASES.of("normalization.layer_norm_backward")
def layer_norm_backward(k: SimpleNamespace) -> Arrays:
    found = {}
    for rows, n, x, _, statistics in normalised(k):
        gain, dy = (
            reals(shape, f"layer_norm {n} {name}", k.dtype.name) for shape, name in ((n, "gain"), ((rows, n), "dy"))
        )
        dx = panels(k, n, rows)
        for r0, r1 in parts(rows):
            k.normalization.layer_norm_backward(
                pack(x, k.panel, fill=np.nan), padded(k, gain), statistics, pack(dy, k.panel), dx, rows, n, r0, r1
            )
        found[f"{rows} {n}"] = unpack(dx, n)
    return found


def rms_normalised(k: SimpleNamespace) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (rows, n, x, gain, y, statistics) of the forward pass, y unpacked."""
    for rows, n, x in rows_of_units(k, "rms_norm"):
        gain = reals(n, f"rms_norm {n} gain", k.dtype.name)
        y, statistics = panels(k, n, rows), np.zeros((rows, 2))
        for r0, r1 in parts(rows):
            k.normalization.rms_norm_forward(
                pack(x, k.panel, fill=np.nan), padded(k, gain), y, statistics, rows, n, r0, r1, 1e-5
            )
        yield rows, n, x, gain, unpack(y, n), statistics


@CASES.of("normalization.rms_norm_forward")
def rms_norm_forward(k: SimpleNamespace) -> Arrays:
    found: dict[str, Any] = {}
    for rows, n, _, _, y, statistics in rms_normalised(k):
        found |= {f"{rows} {n} y": y, f"{rows} {n} statistics": statistics}
    return found


@CASES.of("normalization.rms_norm_backward")
def rms_norm_backward(k: SimpleNamespace) -> Arrays:
    found = {}
    for rows, n, x, gain, _, statistics in rms_normalised(k):
        dy, dx = reals((rows, n), f"rms_norm {n} dy", k.dtype.name), panels(k, n, rows)
        for r0, r1 in parts(rows):
            k.normalization.rms_norm_backward(
                pack(x, k.panel, fill=np.nan), padded(k, gain), statistics, pack(dy, k.panel), dx, rows, n, r0, r1
            )
        found[f"{rows} {n}"] = unpack(dx, n)
    return found


@CASES.of("normalization.gain_gradient")
def gain_gradient(k: SimpleNamespace) -> Arrays:
    found = {}
    for rows, shard, _, n in gradient_sizes():
        x, dy = (reals((rows, n), f"gain {rows} {shard} {name}", k.dtype.name) for name in ("x", "dy"))
        statistics = np.ascontiguousarray(reals((rows, 2), f"gain {rows} {shard} statistics", "float64"))
        gradient = panels(k, n, 1)
        for panel in range(len(gradient)):
            k.normalization.gain_gradient(
                pack(x, k.panel, fill=np.nan),
                statistics,
                pack(dy, k.panel),
                gradient[panel],
                scratch(k),
                *(rows, rows, shard, n, panel),
            )
        found[f"{rows} {shard} {n}"] = unpack(gradient, n)
    return found


# ---------------------------------------------------------------------- losses

PARAMETERS = {"huber": 0.8, "cross_entropy smooth": 0.1, "cross_entropy soft": 0.2}
CLASS_LOSSES = ("cross_entropy labels", "cross_entropy smooth", "cross_entropy soft")
LOSSES = (
    *(name for name in names("losses") if name != "cross_entropy"),
    *CLASS_LOSSES,
)


def targets_of(kind: str, rows: int, n: int, dtype: str) -> np.ndarray:
    key = f"{kind} {rows} {n} targets"
    if kind in ("poisson", "binary_cross_entropy", "cross_entropy soft"):
        return fractions((rows, n), key, dtype)
    return reals((rows, n), key, dtype)


@CASES.of("losses.loss", LOSSES)
def loss(k: SimpleNamespace, variant: str) -> Arrays:
    """Compute losses with and without weights; a weight may be 0."""
    kind, _, option = variant.partition(" ")
    has_labels = kind == "cross_entropy" and option != "soft"
    quantiles = np.array([0.1, 0.5, 0.875])
    found: dict[str, Any] = {}
    for rows, n, given in rows_of_units(k, f"{variant} outputs"):
        # Beyond ±4, so that exponentials underflow and overflow.
        outputs = given if n % 2 else given * k.dtype.type(64)
        n_quantiles = 3 if n % 3 == 0 else 1
        n_targets = n // n_quantiles if kind == "pinball" else n
        targets = None if has_labels else targets_of(variant, rows, n_targets, k.dtype.name)
        weights = (integers(rows, f"{variant} {rows} weights", 5) / 4.0) if n % 5 else None
        deltas, losses, hits = panels(k, n, rows), np.zeros(rows), np.zeros(rows)
        batch = make(
            "LossBatch",
            outputs=pack(outputs, k.panel, fill=np.nan),
            deltas=deltas,
            rows=rows,
            n_outputs=n,
            labels=integers(rows, f"{variant} {rows} labels", n) if has_labels else None,
            targets=targets,
            n_targets=0 if has_labels else n_targets,
            weights=weights,
            scale=0.37,
            losses=losses,
            hits=hits,
            parameter=PARAMETERS.get(variant, 0.0),
            quantiles=quantiles[:n_quantiles].copy(),
            n_quantiles=n_quantiles,
        )
        for r0, r1 in parts(rows):
            k.losses[kind].loss(batch, r0, r1)
        found |= {f"{rows} {n} deltas": unpack(deltas, n), f"{rows} {n} losses": losses, f"{rows} {n} hits": hits}
    return found
