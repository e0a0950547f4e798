"""The data sets that are built in: two features, from -3 to 3 or so, and two classes.

Each is a function of the number of rows, the noise and NumPy's generator. Uniform numbers, ``sqrt`` and fastnn's own
elementary functions give the same bits on every machine, so a run on them does too. `script` copies these functions, so
they know nothing but ``np``, ``fn`` and each other.
"""

from __future__ import annotations

import numpy as np

import fastnn as fn


def normal(rng, shape):
    """Draw normally distributed numbers, by the method of Box and Muller."""
    u, v = rng.random((2, *shape))
    return np.sqrt(-2 * fn.elementary.log(1 - u)) * fn.elementary.cos(2 * np.pi * v)


def spirals(n, noise, rng):
    """Draw two arms of a spiral, wound around each other."""
    y = np.arange(n) % 2
    radius = np.sqrt(rng.uniform(0.01, 1, n))
    angle = 2 * np.pi * (1.25 * radius + 0.5 * y)
    X = radius[:, None] * np.column_stack([fn.elementary.cos(angle), fn.elementary.sin(angle)])
    return (3 * (X + 0.4 * noise * normal(rng, (n, 2)))).astype(np.float32), y


def circles(n, noise, rng):
    """Draw a disc, and a ring around it."""
    y = np.arange(n) % 2
    radius = np.where(y == 1, rng.uniform(0, 0.45, n), rng.uniform(0.7, 1, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    X = radius[:, None] * np.column_stack([fn.elementary.cos(angle), fn.elementary.sin(angle)])
    return (3 * (X + noise * normal(rng, (n, 2)))).astype(np.float32), y


def xor(n, noise, rng):
    """Draw four squares: class 1 where the features have the same sign."""
    X = rng.uniform(0.05, 1, (n, 2)) * np.where(rng.random((n, 2)) < 0.5, -1, 1)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    return (3 * (X + noise * normal(rng, (n, 2)))).astype(np.float32), y


def gauss(n, noise, rng):
    """Draw two clouds: a straight line parts them."""
    y = np.arange(n) % 2
    X = np.where(y == 1, 0.5, -0.5)[:, None] + (0.1 + noise) * normal(rng, (n, 2))
    return (3 * X).astype(np.float32), y


DATA_SETS = {"spirals": spirals, "circles": circles, "xor": xor, "gauss": gauss}
