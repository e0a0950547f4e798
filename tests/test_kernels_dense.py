"""The dense kernels, against float64 NumPy within error bounds and against the numerics contract to the last bit.

The contract, computed here slowly and independently: every output element is one chain acc = fma(a_k, b_k, acc), k
ascending from +0, then + bias; gradients have one chain for each shard of rows, and the shards are joined by the tree
that splits at the largest power of two below their number.
"""

import ctypes
import ctypes.util
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import kernels, pack, unpack

from fastnn._runtime import instruction_sets

TILE_ROWS = 8  # no instruction set has more
SENTINEL = 77.0

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")


@pytest.fixture(params=instruction_sets.available())
def built(request, dtype):
    """The kernels of each instruction set and dtype."""
    return kernels(request.param, dtype)


# ------------------------------------------------------------ the contract, slowly


def two_sum(a, b):
    """a + b rounded, and the error: exact together (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a, b):
    """a * b rounded, and the error: exact together (Dekker), away from overflow and underflow."""
    splitter = 2.0**27 + 1
    ah, bh = splitter * a, splitter * b
    ah, bh = ah - (ah - a), bh - (bh - b)
    al, bl = a - ah, b - bh
    p = a * b
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def add_to_odd(a, b):
    """a + b in float64, where inexact rounded to the neighbour whose last bit is 1."""
    s, error = two_sum(a, b)
    bits = s.view(np.int64)
    away = np.where((error > 0) == (s > 0), 1, -1)
    return np.where((error != 0) & (bits & 1 == 0), bits + away, bits).view(np.float64)


def fma(a, b, c):
    """a * b + c rounded once, for arrays of one dtype: Boldo and Melquiond, IEEE Trans. Comput. 57 (2008)."""
    if a.dtype == np.float32:
        return add_to_odd(a.astype(np.float64) * b, c.astype(np.float64)).astype(np.float32)
    uh, ul = two_product(a, b)
    th, tl = two_sum(c, ul)
    vh, vl = two_sum(uh, th)
    return vh + add_to_odd(np.asarray(tl), np.asarray(vl))


def chain(a, b):
    """[m, K] by [K, n] as [m, n], each element one chain of fma."""
    acc = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for k in range(a.shape[1]):
        column, row = np.broadcast_arrays(a[:, k : k + 1], b[k : k + 1])
        acc = fma(column, row, acc)
    return acc


def join(parts):
    """The sum of the parts by the fixed tree."""
    n = len(parts)
    if n == 1:
        return parts[0]
    split = 1
    while 2 * split < n:
        split *= 2
    return join(parts[:split]) + join(parts[split:])


def sharded(product, n_rows, shard):
    return join([product(slice(r, min(r + shard, n_rows))) for r in range(0, n_rows, shard)])


def same_bits(got, expected):
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    unsigned = f"u{got.dtype.itemsize}"
    np.testing.assert_array_equal(
        np.ascontiguousarray(got).view(unsigned), np.ascontiguousarray(expected).view(unsigned)
    )


@pytest.mark.parametrize("name", ["fma", "fmaf"])
def test_the_reference_fma_is_that_of_libm_and_of_rational_arithmetic(name, rng):
    dtype, c_type = (np.float64, ctypes.c_double) if name == "fma" else (np.float32, ctypes.c_float)
    a, b = rng.normal(size=(2, 3000)).astype(dtype)
    c = (rng.normal(size=3000) * 10.0 ** rng.integers(-20, 20, 3000)).astype(dtype)
    c[::3] = -(a * b)[::3]  # all but the rounding error cancels
    c[1::9] = 0
    got = fma(a, b, c)
    exact = [Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)) for x, y, z in zip(a, b, c, strict=True)]
    if dtype is np.float64:
        same_bits(got, np.array([float(value) for value in exact]))
    else:
        nearest = [abs(Fraction(float(v)) - e) for v, e in zip(got, exact, strict=True)]
        for direction in (-np.inf, np.inf):
            other = np.nextafter(got, dtype(direction))
            assert all(n <= abs(Fraction(float(v)) - e) for n, v, e in zip(nearest, other, exact, strict=True))
    path = ctypes.util.find_library("m")
    if path:
        function = getattr(ctypes.CDLL(path), name)
        function.argtypes, function.restype = [c_type] * 3, c_type
        libm = [function(*map(float, values)) for values in zip(a, b, c, strict=True)]
        same_bits(got, np.array(libm, dtype))


def test_the_reference_tree():
    assert join(["a"]) == "a"
    parts = list("abcdefg")
    brackets = join([_Bracket(p) for p in parts])
    assert brackets.text == "(((ab)(cd))((ef)g))"
    assert join([_Bracket(p) for p in "abcde"]).text == "(((ab)(cd))e)"


class _Bracket:
    def __init__(self, text):
        self.text = text

    def __add__(self, other):
        return _Bracket(f"({self.text}{other.text})")


# ----------------------------------------------------------------------- calls


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


def dtype_of(dtype, value):
    return np.dtype(dtype).type(value)


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


# ----------------------------------------------------------------- gradients


def check_weight_gradient(k, rng, dtype, n_in, n_out, n_rows, shard, spare_rows=0):
    x, dy = values(rng, dtype, n_rows, n_in), values(rng, dtype, n_rows, n_out)
    got = run_weight_gradient(k, x, dy, n_rows + spare_rows, n_rows, shard)
    exact = dy.T.astype(np.float64) @ x.astype(np.float64)
    assert (abs(got - exact) <= bound(dtype, n_rows, abs(dy).T.astype(np.float64) @ abs(x).astype(np.float64))).all()
    same_bits(got, sharded(lambda part: chain(np.ascontiguousarray(dy[part].T), x[part]), n_rows, shard))


def test_weight_gradient_at_odd_sizes(built, dtype, rng):
    for n_in in sizes(built.panel):
        for n_out in sizes(built.panel):
            check_weight_gradient(built, rng, dtype, n_in, n_out, int(rng.integers(1, 12)), 4)


@pytest.mark.parametrize("n_rows", [*range(1, 10), 17, 64, 65, 129, 200, 449])
@pytest.mark.parametrize("shard", [64, 8])
def test_weight_gradient_of_any_number_of_rows(built, dtype, rng, n_rows, shard):
    check_weight_gradient(built, rng, dtype, 11, built.panel // 2 + 1, n_rows, shard, spare_rows=n_rows % 3)


@pytest.mark.parametrize("n_out", [1, 2, 3, 4])
@pytest.mark.parametrize("n_rows", [1, 2, 9, 64, 65, 200])
def test_gradient_of_a_narrow_layer(built, dtype, rng, n_out, n_rows):
    """Its columns are inputs, whose padding holds NaN here; the gradient's own has to be zero all the same."""
    P, rows = built.panel, n_rows + 1
    for n_in in sizes(P):
        x, dy = values(rng, dtype, n_rows, n_in), values(rng, dtype, n_rows, n_out)
        x_panels, dy_panels, spare = poisoned(x, P, rows), zero_padded(dy, P, rows), scratch(built)
        found = np.full((-(-n_in // P), n_out + 1, P), SENTINEL, dtype)
        for in_panel, block in enumerate(found):
            built.dense.narrow_gradient(x_panels, dy_panels, block, spare, rows, n_rows, 64, n_in, n_out, in_panel)
        assert (found[:, n_out] == SENTINEL).all(), "wrote behind the last output"
        assert (spare[-64:] == SENTINEL).all(), "wrote behind the scratch"
        assert not padding_of(found[:, :n_out], n_in).any(), "padding is not zero"
        expected = sharded(lambda part, x=x, dy=dy: chain(np.ascontiguousarray(dy[part].T), x[part]), n_rows, 64)
        same_bits(unpack(found, n_in, n_out), expected)


def test_shards_matter(built, dtype, rng):
    """The bits follow the shard, as the contract says: a kernel that ignored it would not show otherwise."""
    x, dy = values(rng, dtype, 300, 3), values(rng, dtype, 300, 5)
    results = [run_weight_gradient(built, x, dy, 300, 300, shard) for shard in (64, 32, 300)]
    assert not np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize("n_rows", [*range(1, 10), 17, 64, 65, 129, 200, 449])
def test_bias_gradient(built, dtype, rng, n_rows):
    for n in sizes(built.panel):
        dy = values(rng, dtype, n_rows, n)
        got = run_bias_gradient(built, dy, n_rows + 2, n_rows, 64)
        assert (abs(got - dy.sum(0, dtype=np.float64)) <= bound(dtype, n_rows, abs(dy).sum(0, dtype=np.float64))).all()

        def chains(part, dy=dy):
            acc = np.zeros(dy.shape[1], dy.dtype)
            for row in dy[part]:
                acc = acc + row
            return acc

        same_bits(got, sharded(chains, n_rows, 64))


def test_gradients_of_a_single_negative_zero_are_positive_zeros(built, dtype):
    """Chains start at +0."""
    dy, x = np.full((1, 3), -0.0, dtype), np.ones((1, 2), dtype)
    assert not np.signbit(run_bias_gradient(built, dy, 1, 1, 64)).any()
    assert not np.signbit(run_weight_gradient(built, x, dy, 1, 1, 64)).any()


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
