"""The activation functions and softmax, forward and backward."""

import mpmath as mp
import numpy as np
import oracles
import pytest
from exact import activation, rounded, values
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernels import fastnn, kernels, pack, unpack

from fastnn.layers import ACTIVATIONS

ISAS = fastnn._runtime.instruction_sets.available()
DTYPES = ("float32", "float64")
KINDS = tuple(name for name in ACTIVATIONS if name != "softmax")
ALPHA = {name: 0.75 for name, kind in ACTIVATIONS.items() if kind.alpha is not None}  # exact in float32 too
ALPHA |= {"leaky_relu": 0.0625}
LARGEST_PANEL = 32
EPSILON = {"float32": 2.0**-24, "float64": 2.0**-53}
HALF_DENORMAL = {"float32": 2.0**-150, "float64": 0.0}

every_build = [pytest.mark.parametrize("isa", ISAS), pytest.mark.parametrize("dtype", DTYPES)]


def builds(test):
    for mark in every_build:
        test = mark(test)
    return test


def forward(isa, dtype, kind, z):
    """f(z), checked to leave alone what lies beyond `count`."""
    count = z.size
    y = np.full(count + LARGEST_PANEL, 77, dtype)
    kernels(isa, dtype).activations[kind].forward(ALPHA.get(kind, 0.0), z, y, count)
    assert (y[count:] == 77).all()
    return y[:count]


def backward(isa, dtype, kind, z, y, delta):
    delta = np.concatenate([delta, np.full(LARGEST_PANEL, 77, dtype)])
    kernels(isa, dtype).activations[kind].backward(ALPHA.get(kind, 0.0), z, y, delta, z.size)
    assert (delta[z.size :] == 77).all()
    return delta[: z.size]


def sample(dtype, count, seed=5):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(count) * rng.choice([0.01, 1, 1, 10], count)
    return z.astype(dtype)


def truth(kind, z):
    return values(lambda a: activation(kind, a, ALPHA.get(kind, 0)), z)


@builds
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("panels", [1, 3])
def test_forward(isa, dtype, kind, panels):
    z = sample(dtype, panels * kernels(isa, dtype).panel)
    y = forward(isa, dtype, kind, z)
    expected = np.array([float(v) for v in truth(kind, z)])
    # float32 is computed in float64: one rounding. float64: the largest error of a function is 6 ulp (GELU's).
    tolerance = 1.01 * EPSILON[dtype] if dtype == "float32" else 12 * EPSILON[dtype]
    np.testing.assert_allclose(y.astype(np.float64), expected, rtol=tolerance, atol=HALF_DENORMAL[dtype])


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_correctly_rounded(kind):
    z = sample("float32", 4096, seed=1)
    y = forward(ISAS[0], "float32", kind, z)
    expected = np.array([float(rounded(v, 24)) for v in truth(kind, z)])
    normal = np.abs(expected) > 2.0**-126
    np.testing.assert_array_equal(y[normal].astype(np.float64), expected[normal])


@builds
@pytest.mark.parametrize("kind", KINDS)
def test_forward_in_place(isa, dtype, kind):
    z = sample(dtype, 4 * LARGEST_PANEL)
    expected = forward(isa, dtype, kind, z)
    y = z.copy()
    kernels(isa, dtype).activations[kind].forward(ALPHA.get(kind, 0.0), y, y, y.size)
    np.testing.assert_array_equal(y, expected)


@builds
@pytest.mark.parametrize("kind", KINDS)
def test_backward_against_central_differences(isa, dtype, kind):
    z = sample("float64", 8 * LARGEST_PANEL, seed=2).astype(dtype).astype(np.float64)
    h = mp.mpf(2) ** -40  # in 140 bits, so the differences are good to 1e-24
    rises = zip(truth_at(kind, z, h), truth_at(kind, z, -h), strict=True)
    slope = np.array([float((up - down) / (2 * h)) for up, down in rises])
    delta = np.random.default_rng(3).standard_normal(z.size).astype(dtype)
    y = forward(isa, dtype, kind, z.astype(dtype))
    got = backward(isa, dtype, kind, z.astype(dtype), y, delta.copy())
    # A derivative taken from y knows y to half a unit in the last place only: an absolute error near its zeros.
    np.testing.assert_allclose(got.astype(np.float64), delta * slope, rtol=20 * EPSILON[dtype],
                               atol=12 * EPSILON[dtype] * np.abs(delta).max())  # fmt: skip


def truth_at(kind, z, h):
    return values(lambda a: activation(kind, a + h, ALPHA.get(kind, 0)), z)


@pytest.mark.parametrize("kind", KINDS)
def test_every_instruction_set_gives_the_same_bits(kind):
    for dtype in DTYPES:
        rng = np.random.default_rng(9)
        bits = rng.integers(0, 2 ** (32 if dtype == "float32" else 64), 2048, dtype=np.uint64)
        anything = bits.astype(np.uint32).view(np.float32) if dtype == "float32" else bits.view(np.float64)
        z = np.concatenate([anything, sample(dtype, 2048)])
        delta = sample(dtype, z.size, seed=6)
        results = [(y := forward(isa, dtype, kind, z), backward(isa, dtype, kind, z, y, delta.copy())) for isa in ISAS]
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                same_bits(a, b)


def same_bits(a, b):
    integer = np.uint32 if a.dtype == np.float32 else np.uint64
    np.testing.assert_array_equal(np.nan_to_num(a, nan=7.5).view(integer), np.nan_to_num(b, nan=7.5).view(integer))


@builds
@pytest.mark.parametrize("kind", KINDS)
def test_nan_goes_through(isa, dtype, kind):
    assert np.isnan(forward(isa, dtype, kind, np.full(LARGEST_PANEL, np.nan, dtype))).all()


@builds
@pytest.mark.parametrize("kind", KINDS)
def test_at_zero(isa, dtype, kind):
    z = np.array([0.0, -0.0] * LARGEST_PANEL, dtype)
    y = forward(isa, dtype, kind, z)
    at_zero = float(activation(kind, mp.mpf(0), ALPHA.get(kind, 0)))
    np.testing.assert_allclose(y, at_zero, rtol=2 * EPSILON[dtype])
    # The sign of a zero goes through a function that passes 0 upwards, and is turned by one that passes it downwards.
    below, above = (activation(kind, mp.mpf(side) / 2**40, ALPHA.get(kind, 0)) for side in (-1, 1))
    if at_zero == 0 and above != below:
        np.testing.assert_array_equal(np.signbit(y), np.signbit(z) ^ (above < below))
    slope = backward(isa, dtype, kind, z, y, np.ones(z.size, dtype))
    expected = oracles.activation_derivative(kind, np.zeros(1), ALPHA.get(kind, 0))
    np.testing.assert_allclose(slope, np.broadcast_to(expected, z.size), rtol=4 * EPSILON[dtype])


def reads_z(kind):
    return kernels(ISAS[0], "float64").activations[kind].reads_z


@builds
@pytest.mark.parametrize("kind", KINDS)
def test_the_far_ends(isa, dtype, kind):
    z = np.array([-1e30, 1e30, -np.inf, np.inf] * 8, dtype)
    y = forward(isa, dtype, kind, z)
    expected = np.array([float(v) for v in truth(kind, z)])
    # At infinity a formula, or that of the derivative, may come to infinity times 0, or over itself.
    known = np.isfinite(z) | (~np.isnan(expected) & (not reads_z(kind)))
    with np.errstate(over="ignore"):  # what grows faster than z may be infinite in float32
        expected = expected.astype(dtype).astype(np.float64)
    np.testing.assert_allclose(y[known], expected[known], rtol=2 * EPSILON[dtype], atol=HALF_DENORMAL[dtype])
    slope = backward(isa, dtype, kind, z, y, np.ones(z.size, dtype))
    is_steep = np.resize(np.abs(expected[:2]) > 1e36, z.size)  # towards either end: its slope is infinite there
    assert np.isfinite(slope[known & ~is_steep]).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not reads_z(kind)])
def test_these_derivatives_never_look_at_z(kind):
    y = forward(ISAS[0], "float64", kind, sample("float64", LARGEST_PANEL))
    delta, expected = np.ones(LARGEST_PANEL), np.ones(LARGEST_PANEL)
    activations = kernels(ISAS[0], "float64").activations
    activations[kind].backward(ALPHA.get(kind, 0.0), y, y, expected, y.size)
    activations[kind].backward(ALPHA.get(kind, 0.0), None, y, delta, y.size)
    np.testing.assert_array_equal(delta, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if reads_z(kind)])
def test_left_tails_keep_their_relative_precision(dtype, kind):
    z = np.linspace(-9, -3, 64).astype(dtype)
    expected = np.array([float(v) for v in truth(kind, z)])
    y = forward(ISAS[0], dtype, kind, z).astype(np.float64)
    np.testing.assert_allclose(y, expected, rtol=12 * EPSILON[dtype])


# --------------------------------------------------------------------- softmax


def softmax(isa, z, r0=0, r1=None, spare=0, in_place=False):
    """The panels that the kernel leaves; every lane it should not read holds a NaN, every one it should write a 77."""
    k, (n_rows, n) = kernels(isa, z.dtype.name), z.shape
    rows = n_rows + spare
    panels = pack(z, k.panel, rows, fill=np.nan)
    y = panels if in_place else np.full_like(panels, 77)
    k.activations.softmax_forward(panels, y, rows, n, r0, n_rows if r1 is None else r1)
    return y


def softmax_backward(isa, y, delta, r0=0, r1=None):
    k, (rows, n) = kernels(isa, y.dtype.name), y.shape
    panels = pack(delta, k.panel)
    k.activations.softmax_backward(pack(y, k.panel, fill=np.nan), panels, rows, n, r0, rows if r1 is None else r1)
    return panels


def exact_softmax(z):
    z = z.astype(np.longdouble)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sizes(panel):
    return 1, 2, panel - 1, panel, panel + 1, 37, 131, 1000


@builds
def test_softmax_forward(isa, dtype):
    panel = kernels(isa, dtype).panel
    for n in sizes(panel):
        z = (4 * np.random.default_rng(n).standard_normal((5, n))).astype(dtype)
        y = softmax(isa, z, 1, 4, spare=2)
        # Beside the roundings of the formula, z - max is rounded, an error that grows with it.
        tolerance = 1.01 * EPSILON["float32"] if dtype == "float32" else (12 + np.ptp(z)) * EPSILON["float64"]
        np.testing.assert_allclose(unpack(y, n)[1:4], exact_softmax(z)[1:4].astype(np.float64), rtol=tolerance)
        assert (unpack(y, y.shape[0] * panel)[1:4, n:] == 0).all()  # padding
        assert (y[:, [0, 4, 5, 6]] == 77).all()  # other rows
        np.testing.assert_array_equal(softmax(isa, z, 1, 4, spare=2, in_place=True)[:, 1:4], y[:, 1:4])


@builds
def test_softmax_backward(isa, dtype):
    panel = kernels(isa, dtype).panel
    for n in sizes(panel):
        rng = np.random.default_rng(n)
        y = exact_softmax(2 * rng.standard_normal((5, n))).astype(dtype)
        delta = rng.standard_normal((5, n)).astype(dtype)
        got = softmax_backward(isa, y, delta, 1, 4)
        wide, dy = y.astype(np.longdouble), delta.astype(np.longdouble)
        expected = wide * (dy - (wide * dy).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(unpack(got, n)[1:4], expected[1:4].astype(np.float64), rtol=4 * EPSILON[dtype],
                                   atol=8 * 2.0**-53 if dtype == "float64" else 2.0**-40)  # fmt: skip
        assert (unpack(got, got.shape[0] * panel)[1:4, n:] == 0).all()
        assert not np.signbit(unpack(got, got.shape[0] * panel)[1:4, n:]).any()
        np.testing.assert_array_equal(unpack(got, n)[[0, 4]], delta[[0, 4]])


def test_softmax_backward_against_central_differences():
    isa, (rows, n), h = ISAS[0], (3, 21), 1e-6
    rng = np.random.default_rng(0)
    z, delta = rng.standard_normal((rows, n)), rng.standard_normal((rows, n))
    got = unpack(softmax_backward(isa, unpack(softmax(isa, z), n), delta), n)
    numeric = np.empty_like(z)
    for j in range(n):
        step = np.zeros(n)
        step[j] = h
        rise = unpack(softmax(isa, z + step), n) - unpack(softmax(isa, z - step), n)
        numeric[:, j] = (delta * rise).sum(axis=1) / (2 * h)
    np.testing.assert_allclose(got, numeric, rtol=1e-7, atol=1e-9)


def joined(terms):
    """The contract's sum: 16 lanes by index mod 16, in float64, joined 8-4-2-1."""
    lanes = [0.0] * 16
    for j, term in enumerate(terms):
        lanes[j % 16] += float(term)
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[i] + lanes[i + half] for i in range(half)]
    return lanes[0]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", [1, 7, 16, 37, 131])
def test_softmax_sums_in_sixteen_lanes(isa, n):
    z = 3 * np.random.default_rng(n).standard_normal((4, n))
    shifted = (z - z.max(axis=1, keepdims=True)).ravel()
    e = np.empty_like(shifted)
    kernels(isa, "float64").functions.exp(shifted, e, e.size)
    e = e.reshape(z.shape)
    expected = np.array([row / joined(row) for row in e])
    np.testing.assert_array_equal(unpack(softmax(isa, z), n), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 10, 37, 131])
def test_softmax_has_the_same_bits_in_every_instruction_set(dtype, n):
    rng = np.random.default_rng(n)
    z, delta = ((3 * rng.standard_normal((6, n))).astype(dtype) for _ in range(2))
    first = None
    for isa in ISAS:
        y = unpack(softmax(isa, z), n)
        result = y, unpack(softmax_backward(isa, y, delta), n)
        first = first or result
        same_bits(first[0], result[0])
        same_bits(first[1], result[1])


@builds
def test_softmax_at_the_extremes(isa, dtype):
    inf, nan = np.inf, np.nan
    rows = np.array(
        [[0, 0, 0, 0], [1e30, 0, -1e30, 0], [-1e30, -1e30, -1e30, -1e30], [-inf, 0, -inf, 0], [100, 100, -5000, -inf],
         [nan, 0, 0, 0], [inf, 0, 0, 0], [-inf, -inf, -inf, -inf]], dtype)  # fmt: skip
    expected = np.array(
        [[0.25] * 4, [1, 0, 0, 0], [0.25] * 4, [0, 0.5, 0, 0.5], [0.5, 0.5, 0, 0]])  # fmt: skip
    y = unpack(softmax(isa, rows), 4)
    np.testing.assert_array_equal(y[:5], expected)
    assert np.isnan(y[5:]).any(axis=1).all()


@given(
    z=hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 70)),
                 elements=st.floats(-1000, 1000, width=32))
)  # fmt: skip
def test_softmax_of_anything(z):
    for isa in ISAS:
        y = unpack(softmax(isa, z), z.shape[1])
        np.testing.assert_allclose(y, exact_softmax(z).astype(np.float64), rtol=1e-6, atol=1e-45)
        np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)
