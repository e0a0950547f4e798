"""The dense kernels, against float64 NumPy within error bounds and against the numerics contract to the last bit.

The gradients of weights and biases are in `test_kernels_dense_gradients`.
"""

from fractions import Fraction

import numpy as np
import pytest
from chains import chain, same_bits, sharded
from dense_calls import (
    SENTINEL,
    bound,
    dtype_of,
    padded,
    padding_of,
    poisoned,
    run_backward,
    run_forward,
    run_weight_gradient,
    sizes,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import kernels, pack, unpack

from fastnn._runtime import instruction_sets

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")

# ------------------------------------------------------------------- forward


@pytest.mark.parametrize("relu", [False, True])
def test_forward_at_odd_sizes(built, dtype, rng, relu):
    for n_in in sizes(built.panel):
        for n_out in sizes(built.panel):
            rows = int(rng.integers(1, 12))
            x, weight, bias = (values(rng, dtype, *s) for s in ((rows, n_in), (n_out, n_in), (n_out,)))
            y = unpack(run_forward(built, x, weight, bias, relu, 0, rows, rows), n_out)
            exact = x.astype(np.float64) @ weight.T.astype(np.float64) + bias
            exact = np.maximum(exact, 0) if relu else exact
            allowed = bound(dtype, n_in, abs(x).astype(np.float64) @ abs(weight).T.astype(np.float64) + abs(bias))
            assert (abs(y - exact) <= allowed).all(), (n_in, n_out)
            z = chain(x, np.ascontiguousarray(weight.T)) + bias
            same_bits(y, np.where(z < 0, dtype_of(dtype, 0), z) if relu else z)


@pytest.mark.parametrize("rows", [*range(1, 10), 17, 64, 65, 129, 200, 449])
def test_forward_of_any_number_of_rows(built, dtype, rng, rows):
    n_in, n_out = 5, built.panel + 3
    x, weight, bias = (values(rng, dtype, *s) for s in ((rows, n_in), (n_out, n_in), (n_out,)))
    y = unpack(run_forward(built, x, weight, bias, False, 0, rows, rows), n_out)
    same_bits(y, chain(x, np.ascontiguousarray(weight.T)) + bias)


@pytest.mark.parametrize("panels", [2, 3, 4, 5, 8, 9])
def test_forward_of_a_lone_row_through_many_panels(built, dtype, rng, panels):
    n_in = 2 * built.panel + 3
    for n_out in (panels * built.panel, panels * built.panel - 1, (panels - 1) * built.panel + 1):
        x, weight, bias = (values(rng, dtype, *s) for s in ((9, n_in), (n_out, n_in), (n_out,)))
        expected = chain(x, np.ascontiguousarray(weight.T)) + bias
        y = run_forward(built, x, weight, bias, False, 4, 5, 9)
        same_bits(unpack(y, n_out)[4:5], expected[4:5])
        assert (np.delete(y, 4, axis=1) == SENTINEL).all()


def assert_own_rows_only(run, n, rows, starts, lengths):
    """``run(r0, r1)`` gives panels of n columns: rows r0..r1 as in a run over all rows, the others untouched."""
    whole = unpack(run(0, rows), n)
    for r0 in starts:
        for r1 in {r0 + length for length in lengths} | {rows}:
            if r1 <= rows:
                panels = run(r0, r1)
                same_bits(unpack(panels, n)[r0:r1], whole[r0:r1])
                assert (np.delete(panels, slice(r0, r1), axis=1) == SENTINEL).all()


def test_forward_touches_its_own_rows_only(built, dtype, rng):
    rows, n_in, n_out = 29, built.panel + 1, 2 * built.panel + 1
    x, weight, bias = (values(rng, dtype, *s) for s in ((rows, n_in), (n_out, n_in), (n_out,)))

    def run(r0, r1):
        return run_forward(built, x, weight, bias, True, r0, r1, rows)

    assert_own_rows_only(run, n_out, rows, (0, 1, 5, 8, 28), (0, 1, 3, 9))


def test_relu_lets_nan_through(built, dtype):
    x, weight, bias = np.full((3, 2), np.nan, dtype), np.ones((3, 2), dtype), np.zeros(3, dtype)
    assert np.isnan(unpack(run_forward(built, x, weight, bias, True, 0, 3, 3), 3)).all()


def test_chains_round_once_a_term(built, dtype):
    """Terms chosen so that a product rounded before the addition gives another result."""
    u = np.finfo(dtype).eps
    x = np.array([[1 + u, 1 + u]], dtype)
    weight = np.array([[-1 - 2 * u, 1 + u]], dtype)
    y = unpack(run_forward(built, x, weight, np.zeros(1, dtype), False, 0, 1, 1), 1)
    exact = Fraction(float(x[0, 1])) * Fraction(float(weight[0, 1])) + Fraction(
        float(dtype_of(dtype, -float((1 + Fraction(float(u))) * (1 + 2 * Fraction(float(u))))))
    )
    assert Fraction(float(y[0, 0])) == exact
    assert y[0, 0] != x[0, 1] * weight[0, 1] + x[0, 0] * weight[0, 0]


# ------------------------------------------------------------ narrow forward


def run_narrow_forward(k, x, weight, bias, relu, r0, r1, rows):
    n_in, n_out = x.shape[1], len(bias)
    y = np.full((1, rows, k.panel), SENTINEL, x.dtype)
    x_panels, transposed = poisoned(x, k.panel, rows), poisoned(weight, k.panel)
    k.dense.narrow_forward(x_panels, transposed, padded(bias, k.panel), y, rows, n_in, n_out, r0, r1, relu)
    return y


@pytest.mark.parametrize("n_out", [1, 2, 3, 4])
@pytest.mark.parametrize("relu", [False, True])
def test_forward_of_a_narrow_layer(built, dtype, rng, n_out, relu):
    P = built.panel
    for rows in sorted({1, 2, 3, P // 2 - 1, P // 2, P // 2 + 1, P - 1, P, P + 1, 2 * P + 1, 3 * P - 1, 101}):
        for n_in in (1, 2, P // 2, P - 1, P, P + 1, 2 * P + 3, 37):
            x, weight, bias = (values(rng, dtype, *s) for s in ((rows, n_in), (n_out, n_in), (n_out,)))
            y = unpack(run_narrow_forward(built, x, weight, bias, relu, 0, rows, rows), n_out)
            exact = x.astype(np.float64) @ weight.T.astype(np.float64) + bias
            exact = np.maximum(exact, 0) if relu else exact
            allowed = bound(dtype, n_in, abs(x).astype(np.float64) @ abs(weight).T.astype(np.float64) + abs(bias))
            assert (abs(y - exact) <= allowed).all(), (rows, n_in)
            z = chain(x, np.ascontiguousarray(weight.T)) + bias
            same_bits(y, np.where(z < 0, dtype_of(dtype, 0), z) if relu else z)


def test_forward_of_a_narrow_layer_touches_its_own_rows_only(built, dtype, rng):
    P = built.panel
    rows, n_in, n_out = 3 * P, P + 1, built.dense.narrow
    x, weight, bias = (values(rng, dtype, *s) for s in ((rows, n_in), (n_out, n_in), (n_out,)))

    def run(r0, r1):
        return run_narrow_forward(built, x, weight, bias, True, r0, r1, rows)

    assert_own_rows_only(run, n_out, rows, (0, 1, 5, P, rows - 1), (0, 1, 3, P // 2 + 1, P + 1))


def test_relu_of_a_narrow_layer_lets_nan_through(built, dtype):
    for rows in (1, 3, built.panel):
        x, weight, bias = np.full((rows, 2), np.nan, dtype), np.ones((3, 2), dtype), np.zeros(3, dtype)
        assert np.isnan(unpack(run_narrow_forward(built, x, weight, bias, True, 0, rows, rows), 3)).all()


# ------------------------------------------------------------------ backward


@pytest.mark.parametrize("with_relu", [False, True])
def test_backward_at_odd_sizes(built, dtype, rng, with_relu):
    for n_in in sizes(built.panel):
        for n_out in sizes(built.panel):
            rows = int(rng.integers(1, 12))
            dy, weight, x = (values(rng, dtype, *s) for s in ((rows, n_out), (n_out, n_in), (rows, n_in)))
            relu_x = np.maximum(x, 0) if with_relu else None
            panels = run_backward(built, dy, weight, relu_x, 0, rows, rows)
            assert not padding_of(panels, n_in).any(), "padding of deltas is not zero"
            dx = unpack(panels, n_in)
            mask = x > 0 if with_relu else True
            exact = np.where(mask, dy.astype(np.float64) @ weight.astype(np.float64), 0)
            allowed = bound(dtype, n_out, abs(dy).astype(np.float64) @ abs(weight).astype(np.float64))
            assert (abs(dx - exact) <= allowed).all(), (n_in, n_out)
            same_bits(dx, np.where(mask, chain(dy, weight), dtype_of(dtype, 0)))


@pytest.mark.parametrize("rows", [*range(1, 10), 17, 64, 65, 129, 200, 449])
def test_backward_of_any_number_of_rows(built, dtype, rng, rows):
    n_out, n_in = 5, built.panel + 3
    dy, weight, x = (values(rng, dtype, *s) for s in ((rows, n_out), (n_out, n_in), (rows, n_in)))
    dx = unpack(run_backward(built, dy, weight, x, 0, rows, rows), n_in)
    same_bits(dx, np.where(x > 0, chain(dy, weight), dtype_of(dtype, 0)))


@pytest.mark.parametrize("with_relu", [False, True])
def test_backward_touches_its_own_rows_only(built, dtype, rng, with_relu):
    rows, n_out, n_in = 29, built.panel + 1, 2 * built.panel + 1
    dy, weight, x = (values(rng, dtype, *s) for s in ((rows, n_out), (n_out, n_in), (rows, n_in)))
    relu_x = x if with_relu else None

    def run(r0, r1):
        return run_backward(built, dy, weight, relu_x, r0, r1, rows)

    assert_own_rows_only(run, n_in, rows, (0, 1, 5, 8, 28), (0, 1, 3, 9))


# ----------------------------------------------------------------- transpose


def test_transpose(built, dtype, rng):
    P = built.panel
    for n_in in sizes(P):
        for n_out in sizes(P):
            weight = values(rng, dtype, n_out, n_in)
            panels = pack(weight.T.copy(), P)
            transposed = np.zeros((-(-n_in // P), n_out, P), dtype)
            for in_panel in range(-(-n_in // P)):
                for out_panel in range(-(-n_out // P)):
                    built.dense.transpose(panels, transposed, n_in, n_out, in_panel, out_panel)
            same_bits(transposed, pack(weight, P))


def test_transpose_writes_one_block(built, dtype, rng):
    P = built.panel
    n_in, n_out = 2 * P + 3, P + 5
    weight = values(rng, dtype, n_out, n_in)
    transposed = np.full((3, n_out, P), SENTINEL, dtype)
    built.dense.transpose(pack(weight.T.copy(), P), transposed, n_in, n_out, 1, 1)
    same_bits(transposed[1, P : 2 * P], weight[P : 2 * P, P : 2 * P])
    transposed[1, P : 2 * P] = SENTINEL
    assert (transposed == SENTINEL).all()


# ---------------------------------------------------------------- any shapes


@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    n_in=st.integers(1, 70),
    n_out=st.integers(1, 70),
    rows=st.integers(1, 40),
    shard=st.sampled_from([1, 3, 8, 64]),
    relu=st.booleans(),
    seed=st.integers(0, 2**32),
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", instruction_sets.available())
def test_any_shape(name, dtype, data, n_in, n_out, rows, shard, relu, seed):
    k, rng = kernels(name, dtype), np.random.default_rng(seed)
    r0 = data.draw(st.integers(0, rows), label="r0")
    r1 = data.draw(st.integers(r0, rows), label="r1")
    x, weight, bias, dy = (values(rng, dtype, *s) for s in ((rows, n_in), (n_out, n_in), (n_out,), (rows, n_out)))
    zero = dtype_of(dtype, 0)
    z = chain(x, np.ascontiguousarray(weight.T)) + bias
    y = run_forward(k, x, weight, bias, relu, r0, r1, rows)
    same_bits(unpack(y, n_out)[r0:r1], (np.where(z < 0, zero, z) if relu else z)[r0:r1])
    dx = run_backward(k, dy, weight, x if relu else None, r0, r1, rows)
    product = chain(dy, weight)
    same_bits(unpack(dx, n_in)[r0:r1], (np.where(x > 0, product, zero) if relu else product)[r0:r1])
    for panels in (y, dx):
        assert (np.delete(panels, slice(r0, r1), axis=1) == SENTINEL).all()
    got = run_weight_gradient(k, x, dy, rows, rows, shard)
    same_bits(got, sharded(lambda part: chain(np.ascontiguousarray(dy[part].T), x[part]), rows, shard))
