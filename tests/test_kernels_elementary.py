"""The elementary functions: accuracy, special values, and the same bits in every instruction set."""

import math

import mpmath as mp
import numpy as np
import pytest
from exact import normal_cdf, rounded, sigmoid, softplus, ulp_errors, values
from hypothesis import given
from hypothesis import strategies as st
from kernels import fastnn, kernels

ISAS = fastnn._runtime.instruction_sets.available()
OTHERS = ISAS[1:]
LARGEST_PANEL = 32
NAMES = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos")


def padded(x):
    x = np.asarray(x, dtype=np.float64)
    return np.concatenate([x, np.zeros(-len(x) % LARGEST_PANEL)])


def function(name):
    def apply(x, isa=ISAS[0]):
        x = np.ascontiguousarray(x)
        y = np.full_like(x, np.nan)
        getattr(kernels(isa, x.dtype.name).functions, name)(x, y, len(x))
        return y

    return apply


def activation(kind):
    def apply(x, isa=ISAS[0]):
        z = padded(x)
        y = np.full_like(z, np.nan)
        kernels(isa, "float64").activations[kind].forward(1.0, z, y, len(z))
        return y[: len(x)]

    return apply


# The functions in reach of a test, each by the kernel that shows it.
FUNCTIONS = {name: function(name) for name in NAMES}
FUNCTIONS |= {"elu": activation("elu"), "softplus": activation("softplus"), "gelu": activation("gelu")}


def spread(rng, low, high, count, exponents=None):
    """Points even over [low, high] and, of either sign, over powers of two."""
    x = rng.uniform(low, high, count)
    if exponents:
        magnitudes = np.exp2(rng.uniform(*exponents, count // 2))
        signed = np.where(rng.random(len(magnitudes)) < 0.5, -magnitudes, magnitudes)
        x = np.concatenate([x, signed])
    return x


@pytest.mark.parametrize(
    ("name", "truth", "ranges", "bound"),
    [
        ("exp", mp.exp, [(-745, 709.7), (-1, 1, (-60, 0))], 1.0),
        ("expm1", mp.expm1, [(-40, 709.7), (-3, 3, (-60, 0)), (30, 60)], 1.0),
        ("log", mp.log, [(0.5, 2), (0.999, 1.001), (1e-308, 1e308), (5e-324, 2e-308)], 1.0),
        ("sin", mp.sin, [(-7, 7, (-60, 0)), (-(2**20), 2**20), (-(2**30), 2**30)], 1.0),
        ("cos", mp.cos, [(-7, 7, (-60, 0)), (-(2**20), 2**20), (-(2**30), 2**30)], 1.0),
        ("log1p", mp.log1p, [(-0.99, 3, (-60, 0)), (-1, 1), (1, 1e5), (1e15, 1e17), (1e307, 1e308)], 1.0),
        ("erf", mp.erf, [(-3, 3, (-60, 0)), (0.8, 1.3), (-6, 6)], 1.0),
        ("tanh", mp.tanh, [(-1, 1, (-60, 0)), (-20, 20)], 1.0),
        ("sigmoid", sigmoid, [(-3, 3, (-60, 0)), (-745, 40)], 1.0),
        ("elu", mp.expm1, [(-1, 0), (-40, 0)], 1.0),
        ("softplus", softplus, [(-3, 3, (-60, 0)), (-700, 40)], 2.0),
        ("gelu", lambda x: x * normal_cdf(x), [(-3, 3, (-60, 0)), (-37, 9)], 6.0),
    ],
)
def test_accuracy(name, truth, ranges, bound):
    rng = np.random.default_rng(7)
    for bounds in ranges:
        x = spread(rng, *bounds[:2], 1500, *bounds[2:])
        errors = ulp_errors(FUNCTIONS[name](x), values(truth, x))
        worst = errors.argmax()
        assert errors[worst] <= bound, f"{name}({x[worst]!r}): {errors[worst]:.3f} ulp"


def test_sin_and_cos_next_to_multiples_of_half_pi():
    x = np.rint(np.random.default_rng(3).uniform(-(2**19), 2**19, 2000)) * (np.pi / 2)
    assert ulp_errors(FUNCTIONS["sin"](x), values(mp.sin, x)).max() <= 1
    assert ulp_errors(FUNCTIONS["cos"](x), values(mp.cos, x)).max() <= 1


# Of all doubles, 6381956970095103 * 2^797 comes closest to a multiple of pi / 2.
CLOSEST = 6381956970095103.0 * 2.0**797


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("name", "truth"), [("sin", mp.sin), ("cos", mp.cos)])
def test_sin_and_cos_of_large_arguments(isa, name, truth):
    rng = np.random.default_rng(4)
    x = np.ldexp(rng.uniform(-1, 1, 1000), rng.integers(28, 1025, 1000))
    x = np.concatenate([x, [CLOSEST, -CLOSEST, 1.7976931348623157e308, 2.0**30, np.nextafter(2.0**30, 2e9), 2.0**1023]])
    with mp.workprec(1300):  # mpmath reduces the argument in the precision of the result
        expected = values(truth, x)
    assert ulp_errors(FUNCTIONS[name](x, isa), expected).max() <= 1
    single = x[np.abs(x) < 3e38].astype(np.float32)
    with mp.workprec(1300):
        expected = [float(rounded(v, 24)) for v in values(truth, single)]
    np.testing.assert_array_equal(FUNCTIONS[name](single, isa), np.array(expected, np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_correctly_rounded(name):
    """On a sample; tools/elementary_errors.py takes all 2^32 arguments."""
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.uniform(-10, 10, 1500), np.exp2(rng.uniform(-40, 6, 1500))]).astype(np.float32)
    x = x[x > 0] if name == "log" else x[x > -1] if name == "log1p" else x
    expected = [float(rounded(v, 24)) for v in values(sigmoid if name == "sigmoid" else getattr(mp, name), x)]
    np.testing.assert_array_equal(FUNCTIONS[name](x), np.array(expected, np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_any_length(isa, dtype, name):
    lengths = [*range(20), 511, 512, 513, 1100]
    x = np.random.default_rng(1).uniform(-0.9, 20, 1120).astype(dtype)
    x[::100] = 1e30
    kernel = getattr(kernels(isa, dtype).functions, name)
    whole = FUNCTIONS[name](x, isa)
    for count in lengths:
        y = np.full(count + LARGEST_PANEL, -3, dtype)
        kernel(x, y, count)
        np.testing.assert_array_equal(y[:count], whole[:count])
        assert (y[count:] == -3).all()
    kernel(x, x, len(x))
    np.testing.assert_array_equal(x, whole)


NAN, INF, TINY = np.nan, np.inf, 5e-324
SPECIAL = {
    "exp": [(0.0, 1), (-0.0, 1), (TINY, 1), (INF, INF), (-INF, 0), (NAN, NAN), (709.79, INF), (1e308, INF),
            (-745.2, 0), (-745.1, TINY), (-1e308, 0)],
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-INF, NAN), (-1.0, NAN), (-TINY, NAN), (NAN, NAN),
            (TINY, -744.4400719213812)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    "cos": [(0.0, 1), (-0.0, 1), (TINY, 1), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (3e-308, 3e-308), (INF, INF), (-INF, -1),
              (-1e308, -1), (1e308, INF), (709.79, INF), (-50.0, -1), (NAN, NAN)],
    "elu": [(0.0, 0.0), (-0.0, -0.0), (-TINY, -TINY), (-INF, -1), (-1e308, -1), (-50.0, -1), (NAN, NAN)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (-1.0, -INF), (-1.5, NAN), (-INF, NAN),
              (INF, INF), (1e-17, 1e-17), (NAN, NAN), (1.7976931348623157e308, 709.782712893384)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (INF, 1), (-INF, -1), (6.0, 1), (-1e308, -1),
            (NAN, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (INF, 1), (-INF, -1), (1e308, 1), (-1e308, -1),
             (NAN, NAN), (20.0, 1), (-20.0, -1)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (TINY, 0.5), (INF, 1), (-INF, 0), (1e308, 1), (-1e308, 0), (-745.1, TINY),
                (NAN, NAN)],
    "softplus": [(0.0, np.log(2)), (INF, INF), (-INF, 0), (1e308, 1e308), (-1e308, 0), (-745.1, TINY), (NAN, NAN)],
    "gelu": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (1e308, 1e308), (NAN, NAN), (-40.0, -0.0)],
}  # fmt: skip


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name, isa):
    x, expected = (np.array(column, dtype=np.float64) for column in zip(*SPECIAL[name], strict=True))
    y = FUNCTIONS[name](np.tile(x, 8), isa)[: len(x)]
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(np.signbit(y)[~np.isnan(y)], np.signbit(expected)[~np.isnan(y)])


def test_exp_underflows_gradually():
    x = np.linspace(-745, -708, 2000)
    errors = ulp_errors(FUNCTIONS["exp"](x), values(mp.exp, x))
    assert errors.max() <= 1


@pytest.mark.parametrize("isa", OTHERS)
@pytest.mark.parametrize(
    ("name", "dtype"), [(name, "float64") for name in FUNCTIONS] + [(name, "float32") for name in NAMES]
)
def test_every_instruction_set_gives_the_same_bits(name, dtype, isa):
    rng = np.random.default_rng(11)
    word = np.dtype(dtype.replace("float", "uint"))
    anything = rng.integers(0, 2 ** (8 * word.itemsize), 4096, dtype=word).view(dtype)
    usual = rng.standard_normal(4096) * 10.0 ** rng.integers(-4, 4, 4096)
    x = np.concatenate([anything, usual.astype(dtype)])
    got, expected = (np.nan_to_num(FUNCTIONS[name](x, i), nan=7.5) for i in (isa, ISAS[0]))
    np.testing.assert_array_equal(got.view(f"u{got.itemsize}"), expected.view(f"u{got.itemsize}"))


@pytest.mark.parametrize("name", [*NAMES, "softplus"])
@given(x=st.lists(st.floats(width=64), min_size=32, max_size=32))
def test_any_value(name, x):
    x = np.array(x)
    y = FUNCTIONS[name](x)
    with np.errstate(all="ignore"):
        expected = {
            "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
            "softplus": lambda a: np.logaddexp(0, a),
            "erf": np.vectorize(math.erf),
        }.get(name, getattr(np, name, None))(x)
    np.testing.assert_allclose(y, expected, rtol=1e-14, atol=1e-300)


# ------------------------------------------------------------------ the public face


@pytest.mark.parametrize("name", NAMES)
def test_the_public_functions(name):
    f = getattr(fastnn.elementary, name)
    for dtype in (np.float32, np.float64):
        x = np.linspace(0.1, 2, 12).astype(dtype)
        expected = FUNCTIONS[name](x)
        for given_ in (x.reshape(3, 4), np.asfortranarray(x.reshape(3, 4)), x.astype(x.dtype.newbyteorder())):
            got = f(given_)
            assert got.dtype == dtype
            assert got.shape == given_.shape
            np.testing.assert_array_equal(got.ravel(), expected)
        assert f(x[::-2]).tolist() == expected[::-2].tolist()
        assert f(x[3]) == expected[3]
        assert f(x[:0]).shape == (0,)
    integers = f([1, 2])
    assert integers.dtype == np.float64
    np.testing.assert_array_equal(integers, f(np.array([1.0, 2.0])))
    for bad in ("a", [None], 1j):
        with pytest.raises(TypeError, match="x must hold real numbers; got dtype"):
            f(bad)
