"""Elementary and activation functions to 140 bits (mpmath), and errors counted in units in the last place."""

import math

import mpmath as mp
import numpy as np

PRECISION = 140
mp.mp.prec = PRECISION

SELU_SCALE = mp.mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mp.mpf("1.6732632423543772848170429916717")


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softplus(x):
    return max(x, 0) + mp.log1p(mp.exp(-abs(x)))


def normal_cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


ACTIVATIONS = {
    "identity": lambda z, alpha: z,
    "relu": lambda z, alpha: max(z, 0),
    "leaky_relu": lambda z, alpha: z if z > 0 else alpha * z,
    "elu": lambda z, alpha: z if z > 0 else alpha * mp.expm1(z),
    "selu": lambda z, alpha: SELU_SCALE * (z if z > 0 else SELU_ALPHA * mp.expm1(z)),
    "gelu": lambda z, alpha: z * normal_cdf(z),
    "silu": lambda z, alpha: z * sigmoid(z),
    "mish": lambda z, alpha: z * mp.tanh(softplus(z)),
    "tanh": lambda z, alpha: mp.tanh(z),
    "sigmoid": lambda z, alpha: sigmoid(z),
    "softplus": lambda z, alpha: softplus(z),
}


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
