"""Calls of the dense kernels, on memory that shows what is read or written where nothing should be."""

import numpy as np
from kernels import pack

TILE_ROWS = 8  # no instruction set has more
SENTINEL = 77.0


def poisoned(a, panel, rows=None):
    """Panels whose padding and spare rows are NaN: whoever reads them shows it."""
    return pack(a, panel, rows, fill=np.nan)


def zero_padded(a, panel, rows):
    """Panels of deltas: padding lanes are zero, spare rows NaN."""
    panels = pack(a, panel, rows)
    panels[:, len(a) :] = np.nan
    return panels


def padded(vector, panel):
    out = np.zeros(-(-len(vector) // panel) * panel, vector.dtype)
    out[: len(vector)] = vector
    return out


def padding_of(panels, n):
    """The padding lanes of the last panel, all rows."""
    return panels[-1][:, n - (len(panels) - 1) * panels.shape[2] :]


def run_forward(k, x, weight, bias, relu, r0, r1, rows):
    n_in, n_out = x.shape[1], len(bias)
    y = np.full((-(-n_out // k.panel), rows, k.panel), SENTINEL, x.dtype)
    k.dense.forward(
        poisoned(x, k.panel, rows),
        pack(weight.T.copy(), k.panel),
        padded(bias, k.panel),
        y,
        rows,
        n_in,
        n_out,
        r0,
        r1,
        relu,
    )
    return y


def run_backward(k, dy, weight, relu_x, r0, r1, rows):
    n_out, n_in = weight.shape
    dx = np.full((-(-n_in // k.panel), rows, k.panel), SENTINEL, dy.dtype)
    mask = None if relu_x is None else poisoned(relu_x, k.panel, rows)
    k.dense.backward(zero_padded(dy, k.panel, rows), pack(weight, k.panel), mask, dx, rows, n_out, n_in, r0, r1)
    return dx


def scratch(k):
    """As much as the table promises, and a guard behind it."""
    return np.full(64 * TILE_ROWS * k.panel + 64, SENTINEL, k.dtype)


def run_weight_gradient(k, x, dy, rows, n_rows, shard):
    """dW (n_out, n_in), gathered from all blocks, whose padding has to be zero."""
    n_in, n_out, P = x.shape[1], dy.shape[1], k.panel
    x_panels, dy_panels, spare = poisoned(x, P, rows), zero_padded(dy, P, rows), scratch(k)
    out = np.empty((n_out, n_in), x.dtype)
    for in_panel in range(-(-n_in // P)):
        for out_panel in range(-(-n_out // P)):
            i, o = min(P, n_in - in_panel * P), min(P, n_out - out_panel * P)
            block = np.full((P + 1, P), SENTINEL, x.dtype)
            k.dense.weight_gradient(
                x_panels, dy_panels, block, spare, rows, n_rows, shard, n_in, n_out, in_panel, out_panel
            )
            assert (block[i:] == SENTINEL).all(), "inputs that do not exist were written"
            assert not block[:i, o:].any(), "padding is not zero"
            out[out_panel * P :, in_panel * P :][:o, :i] = block[:i, :o].T
    assert (spare[-64:] == SENTINEL).all(), "wrote behind the scratch"
    return out


def run_bias_gradient(k, dy, rows, n_rows, shard):
    P, n = k.panel, dy.shape[1]
    dy_panels, spare = zero_padded(dy, P, rows), scratch(k)
    gradient = np.full((-(-n // P), P), SENTINEL, dy.dtype)
    for panel in range(len(gradient)):
        k.dense.bias_gradient(dy_panels, gradient[panel], spare, rows, n_rows, shard, panel)
    assert not gradient.ravel()[n:].any()
    assert (spare[-64:] == SENTINEL).all()
    return gradient.ravel()[:n]


def sizes(panel):
    return [1, 2, panel - 1, panel, panel + 1, 2 * panel + 3, 13, 37]


def values(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


def bound(dtype, n_terms, absolute_terms):
    """A bound on the error of a sum: n u / (1 - n u) times the sum of the absolute terms (Higham)."""
    return (n_terms + 2) * np.finfo(dtype).eps * absolute_terms


def dtype_of(dtype, value):
    return np.dtype(dtype).type(value)
