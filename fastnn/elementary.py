"""Elementary functions over arrays, with the same bits on every machine.

NumPy's own differ in the last place between processors and versions. Features made with these are as reproducible as
the training is. Each function takes an array of any shape, or anything that ``numpy.asarray`` makes one of, and gives
an array of that shape: float32 for float32, float64 for other real numbers. Anything else is a ``TypeError``.

Reproducibility
---------------
A float32 result is the float32 nearest to the true value, for every argument. A float64 result is that of one fixed
algorithm, less than one unit in the last place from the true value. See docs/numerics.md.

Examples
--------
>>> import numpy as np
>>> from fastnn import elementary
>>> elementary.log1p(np.array([0, 1, 2], dtype=np.float32))
array([0.       , 0.6931472, 1.0986123], dtype=float32)
"""

import numpy as np

from fastnn._engine.elementary import cos, erf, exp, expm1, log, log1p, sigmoid, sin, tanh

__all__ = ["cos", "erf", "exp", "expm1", "log", "log1p", "sigmoid", "sin", "tanh"]


def whole_powers(base: float, exponents: np.ndarray) -> np.ndarray:
    """Compute ``base`` to integer powers of at least 0 by repeated squaring: exact operations in one order."""
    result = np.ones(exponents.shape)
    square, rest = base, exponents
    while rest.any():
        result = np.where(rest & 1, result * square, result)
        square *= square
        rest = rest >> 1
    return result
