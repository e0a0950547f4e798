"""The reference that kernels are compared with, against libm and rational arithmetic."""

import ctypes
import ctypes.util
from fractions import Fraction

import numpy as np
import pytest
from chains import fma, join, same_bits


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
