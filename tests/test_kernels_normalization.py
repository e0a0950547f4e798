"""Layer normalisation, forward and backward, and the gradient of its gain."""

import mpmath as mp
import numpy as np
import pytest
from exact import fma, rounded
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernels import fastnn, kernels, pack, unpack

ISAS = fastnn._runtime.instruction_sets.available()
DTYPES = ("float32", "float64")
EPSILON = {"float32": 2.0**-24, "float64": 2.0**-53}
BITS = {"float32": 24, "float64": 53}


def builds(test):
    return pytest.mark.parametrize("isa", ISAS)(pytest.mark.parametrize("dtype", DTYPES)(test))


def vector(a, panel):
    """A gain or bias with its zero padding."""
    return np.concatenate([a, np.zeros(-len(a) % panel, a.dtype)])


def sizes(panel):
    return 1, 2, panel - 1, panel, panel + 1, 37, 131, 1000


def problem(dtype, rows, n, seed=0):
    rng = np.random.default_rng([seed, n])
    x = (3 * rng.standard_normal((rows, n)) + 5).astype(dtype)
    gain, bias = ((rng.standard_normal(n) + shift).astype(dtype) for shift in (1, 0))
    return x, gain, bias, rng.standard_normal((rows, n)).astype(dtype)


def forward(isa, x, gain, bias, r0=0, r1=None, epsilon=1e-5):
    """y as panels, and the statistics. What must not be read holds a NaN; what must not be written stays 77."""
    k, (rows, n) = kernels(isa, x.dtype.name), x.shape
    r1 = rows if r1 is None else r1
    x, gain, bias = pack(x, k.panel, fill=np.nan), vector(gain, k.panel), vector(bias, k.panel)
    y, statistics = np.full_like(x, 77), np.full((rows, 2), 77.0)
    k.normalization.layer_norm_forward(x, gain, bias, y, statistics, rows, n, r0, r1, epsilon)
    return y, statistics


def backward(isa, x, gain, statistics, dy, r0=0, r1=None, in_place=False):
    k, (rows, n) = kernels(isa, x.dtype.name), x.shape
    r1 = rows if r1 is None else r1
    x, gain, dy = pack(x, k.panel, fill=np.nan), vector(gain, k.panel), pack(dy, k.panel)
    dx = dy if in_place else np.full_like(dy, 77)
    k.normalization.layer_norm_backward(x, gain, statistics, dy, dx, rows, n, r0, r1)
    return dx


def gain_gradient(isa, x, statistics, dy, shard, spare=0):
    """The gradient over all rows of x, panel by panel; `spare` more rows in the panels are not part of the batch."""
    k, (n_rows, n) = kernels(isa, x.dtype.name), x.shape
    rows = n_rows + spare
    x, dy = pack(x, k.panel, rows, fill=np.nan), pack(dy, k.panel, rows)
    dy[:, n_rows:] = np.nan
    gradient = np.full((len(x), k.panel), 77, x.dtype)
    for panel in range(len(x)):
        scratch = np.full(64 * k.panel, np.nan, x.dtype)
        k.normalization.gain_gradient(x, statistics, dy, gradient[panel], scratch, rows, n_rows, shard, n, panel)
    assert (gradient.ravel()[n:] == 0).all()
    return gradient.ravel()[:n]


def standardized(x, epsilon=1e-5):
    x = x.astype(np.longdouble)
    deviation = x - x.mean(axis=1, keepdims=True)
    return deviation / np.sqrt((deviation**2).mean(axis=1, keepdims=True) + epsilon)


@builds
def test_forward(isa, dtype):
    panel = kernels(isa, dtype).panel
    for n in sizes(panel):
        x, gain, bias, _ = problem(dtype, 5, n)
        y, statistics = forward(isa, x, gain, bias, 1, 4)
        expected = standardized(x) * gain + bias
        np.testing.assert_allclose(unpack(y, n)[1:4], expected[1:4].astype(np.float64), rtol=2 * EPSILON[dtype],
                                   atol=1e-13)  # fmt: skip
        means = x[1:4].mean(axis=1, dtype=np.longdouble).astype(np.float64)
        np.testing.assert_allclose(statistics[1:4, 0], means, rtol=1e-14)
        assert (unpack(y, y.shape[0] * panel)[1:4, n:] == 0).all()
        assert (y[:, [0, 4]] == 77).all()
        assert (statistics[[0, 4]] == 77).all()


@builds
def test_forward_in_place(isa, dtype):
    k = kernels(isa, dtype)
    x, gain, bias, _ = problem(dtype, 3, 37)
    expected, statistics = forward(isa, x, gain, bias)
    y, again = pack(x, k.panel, fill=np.nan), np.empty((3, 2))
    k.normalization.layer_norm_forward(y, vector(gain, k.panel), vector(bias, k.panel), y, again, 3, 37, 0, 3, 1e-5)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(again, statistics)


@builds
def test_backward(isa, dtype):
    panel = kernels(isa, dtype).panel
    for n in sizes(panel):
        x, gain, bias, dy = problem(dtype, 5, n)
        _, statistics = forward(isa, x, gain, bias)
        dx = backward(isa, x, gain, statistics, dy, 1, 4)
        xhat, g = standardized(x), dy.astype(np.longdouble) * gain
        expected = statistics[:, 1:] * (
            g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)
        )
        np.testing.assert_allclose(unpack(dx, n)[1:4], expected[1:4].astype(np.float64), rtol=2 * EPSILON[dtype],
                                   atol=1e-11 if n <= 2 else 1e-13)  # fmt: skip
        assert (unpack(dx, dx.shape[0] * panel)[1:4, n:] == 0).all()
        assert (dx[:, [0, 4]] == 77).all()
        in_place = backward(isa, x, gain, statistics, dy, in_place=True)
        np.testing.assert_array_equal(in_place[:, 1:4], dx[:, 1:4])


def test_backward_against_central_differences():
    isa, n, h = ISAS[0], 21, 1e-5
    x, gain, bias, dy = problem("float64", 3, n)
    _, statistics = forward(isa, x, gain, bias)
    dx = unpack(backward(isa, x, gain, statistics, dy), n)
    numeric = np.empty_like(x)
    for j in range(n):
        step = np.zeros(n)
        step[j] = h
        rise = unpack(forward(isa, x + step, gain, bias)[0], n) - unpack(forward(isa, x - step, gain, bias)[0], n)
        numeric[:, j] = (dy * rise).sum(axis=1) / (2 * h)
    np.testing.assert_allclose(dx, numeric, rtol=1e-6, atol=1e-9)
    assert np.abs(dx).max() > 0.01


def test_a_constant_row_is_finite():
    for dtype in DTYPES:
        x = np.full((1, 37), 1e4, dtype)
        one, zero = np.ones(37, dtype), np.zeros(37, dtype)
        y, statistics = forward(ISAS[0], x, one, zero)
        assert (unpack(y, 37) == 0).all()
        np.testing.assert_allclose(statistics[0], [1e4, 1 / np.sqrt(1e-5)], rtol=1e-15)


def test_a_large_mean_does_not_swallow_the_variance():
    x = 1e8 + np.arange(37.0)[None]
    y, _ = forward(ISAS[0], x, np.ones(37), np.zeros(37))
    np.testing.assert_allclose(unpack(y, 37), standardized(x).astype(float), rtol=1e-9, atol=1e-12)


def joined(terms, add):
    """The contract's reduction: 16 lanes by index mod 16, joined 8-4-2-1."""
    lanes = [mp.mpf(0)] * 16
    for j, term in enumerate(terms):
        lanes[j % 16] = add(term, lanes[j % 16])
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [rounded(mp.fadd(lanes[i], lanes[i + half], exact=True), 53) for i in range(half)]
    return float(lanes[0])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 16, 37, 131])
def test_statistics_sum_in_sixteen_lanes(isa, dtype, n):
    x, gain, bias, _ = problem(dtype, 2, n)
    _, statistics = forward(isa, x, gain, bias)
    for row, (mean, rstd) in zip(x.astype(np.float64), statistics, strict=True):
        assert mean == joined(map(mp.mpf, row), lambda a, lane: rounded(mp.fadd(a, lane, exact=True), 53)) / n
        variance = joined(map(mp.mpf, row - mean), lambda d, lane: fma(d, d, lane, 53)) / n
        assert rstd == 1 / np.sqrt(variance + 1e-5)


# -------------------------------------------------------------- gain gradient


def chains_and_tree(x, statistics, dy, shard, dtype):
    """The gradient in the contract's words: a chain per shard, a tree split at the largest power of two below n."""
    bits, sums = BITS[dtype], []
    xhat = ((x - statistics[:, 0]) * statistics[:, 1]).astype(dtype)
    for start in range(0, len(x), shard):
        acc = mp.mpf(0)
        for a, b in zip(dy[start : start + shard].tolist(), xhat[start : start + shard].tolist(), strict=True):
            acc = fma(mp.mpf(a), mp.mpf(b), acc, bits)
        sums.append(acc)

    def join(sums):
        if len(sums) == 1:
            return sums[0]
        split = 1 << (len(sums) - 1).bit_length() - 1
        return rounded(mp.fadd(join(sums[:split]), join(sums[split:]), exact=True), bits)

    return float(join(sums))


@builds
@pytest.mark.parametrize(("n_rows", "shard"), [(1, 64), (63, 64), (64, 64), (65, 64), (67, 5), (23, 3), (40, 1)])
def test_gain_gradient_is_chains_joined_by_the_tree(isa, dtype, n_rows, shard):
    n = 37
    x, gain, bias, dy = problem(dtype, n_rows, n)
    _, statistics = forward(isa, x, gain, bias)
    gradient = gain_gradient(isa, x, statistics, dy, shard, spare=3)
    for j in (0, 1, 7, 16, 36):
        assert gradient[j] == chains_and_tree(x[:, j].astype(np.float64), statistics, dy[:, j], shard, dtype)


@builds
def test_gain_gradient(isa, dtype):
    panel = kernels(isa, dtype).panel
    for n in (1, panel - 1, panel, panel + 1, 131):
        x, gain, bias, dy = problem(dtype, 150, n)
        _, statistics = forward(isa, x, gain, bias)
        expected = (standardized(x) * dy).sum(axis=0).astype(np.float64)
        got = gain_gradient(isa, x, statistics, dy, 64)
        np.testing.assert_allclose(got, expected, atol=200 * EPSILON[dtype] * np.abs(dy).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 10, 37, 131])
def test_every_instruction_set_gives_the_same_bits(dtype, n):
    x, gain, bias, dy = problem(dtype, 70, n)
    results = []
    for isa in ISAS:
        y, statistics = forward(isa, x, gain, bias)
        dx = backward(isa, x, gain, statistics, dy)
        results.append((unpack(y, n), statistics, unpack(dx, n), gain_gradient(isa, x, statistics, dy, 16)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


@builds
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_spoils_its_row_alone(isa, dtype, bad):
    x, gain, bias, _ = problem(dtype, 3, 20)
    x[1, 7] = bad
    y = unpack(forward(isa, x, gain, bias)[0], 20)
    assert np.isnan(y[1]).any()
    assert np.isfinite(y[[0, 2]]).all()


SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 70))


@given(x=hnp.arrays(np.float32, SHAPES, elements=st.floats(-1000, 1000, width=32)))
def test_any_rows(x):
    n = x.shape[1]
    one, zero = np.ones(n, np.float32), np.zeros(n, np.float32)
    expected = standardized(x, 1e-3).astype(np.float64)
    for isa in ISAS:
        y, _ = forward(isa, x, one, zero, epsilon=1e-3)
        np.testing.assert_allclose(unpack(y, n), expected, rtol=1e-6, atol=1e-9)
