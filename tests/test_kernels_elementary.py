"""The elementary functions: accuracy, special values, and the same bits in every instruction set."""

import mpmath as mp
import numpy as np
import pytest
from exact import normal_cdf, sigmoid, softplus, ulp_errors, values
from hypothesis import given
from hypothesis import strategies as st
from kernels import E, fastnn, kernels

ISAS = fastnn._dispatch.available()
OTHERS = ISAS[1:]
LARGEST_PANEL = 32


def padded(x):
    x = np.asarray(x, dtype=np.float64)
    return np.concatenate([x, np.zeros(-len(x) % LARGEST_PANEL)])


def elementary(name, x, isa=ISAS[0]):
    x = np.ascontiguousarray(x, dtype=np.float64)
    y = np.full_like(x, np.nan)
    kernels(isa, "float64").random.elementary(name.encode(), x, y, len(x))
    return y


def activation(kind, x, isa=ISAS[0]):
    z = padded(x)
    y = np.full_like(z, np.nan)
    kernels(isa, "float64").activations.forward(getattr(E, kind), 1.0, z, y, len(z))
    return y[: len(x)]


# The functions in reach of a test, each by the kernel that shows it.
FUNCTIONS = {
    "exp": lambda x, isa=ISAS[0]: elementary("e", x, isa),
    "log": lambda x, isa=ISAS[0]: elementary("l", x, isa),
    "cos": lambda x, isa=ISAS[0]: elementary("c", x, isa),
    "sin": lambda x, isa=ISAS[0]: elementary("s", x, isa),
    "expm1": lambda x, isa=ISAS[0]: activation("ELU", x, isa),
    "tanh": lambda x, isa=ISAS[0]: activation("TANH", x, isa),
    "sigmoid": lambda x, isa=ISAS[0]: activation("SIGMOID", x, isa),
    "softplus": lambda x, isa=ISAS[0]: activation("SOFTPLUS", x, isa),
    "gelu": lambda x, isa=ISAS[0]: activation("GELU", x, isa),
}


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
        ("log", mp.log, [(0.5, 2), (0.999, 1.001), (1e-308, 1e308), (5e-324, 2e-308)], 1.0),
        ("sin", mp.sin, [(-7, 7, (-60, 0)), (-(2**20), 2**20), (-(2**30), 2**30)], 1.0),
        ("cos", mp.cos, [(-7, 7, (-60, 0)), (-(2**20), 2**20), (-(2**30), 2**30)], 1.0),
        ("expm1", mp.expm1, [(-1, 0), (-40, 0)], 1.0),
        ("tanh", mp.tanh, [(-1, 1, (-60, 0)), (-20, 20)], 1.5),
        ("sigmoid", sigmoid, [(-3, 3, (-60, 0)), (-700, 40)], 2.5),
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


NAN, INF, TINY = np.nan, np.inf, 5e-324
SPECIAL = {
    "exp": [(0.0, 1), (-0.0, 1), (TINY, 1), (INF, INF), (-INF, 0), (NAN, NAN), (709.79, INF), (1e308, INF),
            (-745.2, 0), (-745.1, TINY), (-1e308, 0)],
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-INF, NAN), (-1.0, NAN), (-TINY, NAN), (NAN, NAN),
            (TINY, -744.4400719213812)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-TINY, -TINY), (INF, NAN), (-INF, NAN), (NAN, NAN),
            (2.0**31, NAN)],
    "cos": [(0.0, 1), (-0.0, 1), (TINY, 1), (INF, NAN), (-INF, NAN), (NAN, NAN), (-(2.0**31), NAN)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (-TINY, -TINY), (-INF, -1), (-1e308, -1), (-50.0, -1), (NAN, NAN)],
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
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_instruction_set_gives_the_same_bits(name, isa):
    rng = np.random.default_rng(11)
    anything = rng.integers(0, 2**64, 4096, dtype=np.uint64).view(np.float64)
    usual = rng.standard_normal(4096) * 10.0 ** rng.integers(-4, 4, 4096)
    x = np.concatenate([anything, usual])
    np.testing.assert_array_equal(
        np.nan_to_num(FUNCTIONS[name](x, isa), nan=7.5).view(np.uint64),
        np.nan_to_num(FUNCTIONS[name](x), nan=7.5).view(np.uint64),
    )


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos", "tanh", "sigmoid", "softplus"])
@given(x=st.lists(st.floats(width=64), min_size=32, max_size=32))
def test_any_value(name, x):
    x = np.array(x)
    y = FUNCTIONS[name](x)
    with np.errstate(all="ignore"):
        expected = {"sigmoid": lambda a: 1 / (1 + np.exp(-a)), "softplus": lambda a: np.logaddexp(0, a)}.get(
            name, getattr(np, name, None)
        )(x)
    if name in ("sin", "cos"):
        expected[np.abs(x) > 2**30] = np.nan
    np.testing.assert_allclose(y, expected, rtol=1e-14, atol=1e-300)
