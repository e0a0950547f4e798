"""Elementary and activation functions to 140 bits (mpmath), and errors counted in units in the last place."""

import math

import mpmath as mp
import numpy as np
import oracles

PRECISION = 140
mp.mp.prec = PRECISION


class Functions(oracles.Functions):
    """What activations are made of, in mpmath."""

    SELU_SCALE = mp.mpf("1.0507009873554804934193349852946")
    SELU_ALPHA = mp.mpf("1.6732632423543772848170429916717")
    exp, expm1, log1p, tanh = (staticmethod(function) for function in (mp.exp, mp.expm1, mp.log1p, mp.tanh))

    @staticmethod
    def where_positive(z, yes, no):
        return yes if z > 0 else no

    @staticmethod
    def normal_cdf(z):
        return mp.erfc(-z / mp.sqrt(2)) / 2


FUNCTIONS = Functions()
normal_cdf, sigmoid, softplus = FUNCTIONS.normal_cdf, FUNCTIONS.sigmoid, FUNCTIONS.softplus


def activation(name, z, alpha):
    """An activation of a number."""
    return oracles.ACTIVATIONS[name](FUNCTIONS, z, alpha)


def values(function, x):
    """The function at every element of x, as mpmath numbers."""
    return [function(mp.mpf(a)) for a in x.tolist()]


def ulp_errors(y, truth):
    """|y - truth| in units in the last place of the truth, per element of the float64 array y."""
    unit = [mp.ldexp(1, max(math.frexp(float(t))[1] - 53, -1074)) for t in truth]
    return np.array([float(abs(a - t) / u) for a, t, u in zip(y.tolist(), truth, unit, strict=True)])


def rounded(x, bits):
    """x rounded once, to nearest even, to so many bits (24 for float32, 53 for float64)."""
    with mp.workprec(bits):
        return +x


def fma(a, b, c, bits):
    """a * b + c rounded once to so many bits."""
    return mp.fadd(mp.fmul(a, b, exact=True), c, prec=bits)


def lane_sum(values):
    """The contract's sum: 16 lanes by index mod 16, joined 8-4-2-1."""
    lanes = [0.0] * 16
    for i, value in enumerate(values):
        lanes[i % 16] += value
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [a + b for a, b in zip(lanes[:half], lanes[half:], strict=True)]
    return lanes[0]
