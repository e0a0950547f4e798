"""Initial values of parameters: seeded, in float64, rounded once to the network's dtype, the same on every machine.

``"auto"``, the default of `fastnn.Dense`, chooses by the activation that follows the layer: `HeNormal` for ReLU and
those like it far from 0, `LecunNormal` for SELU, `GlorotUniform` for the others and where no activation follows.
The reference of `fastnn.Activation` has them in its table.

Reproducibility
---------------
Random numbers are a function of the network's seed, the tensor and the index. All else is elementwise +, -, ×, ÷ and
square roots, and sums in a written order. So the values do not depend on a BLAS, on NumPy's own summation or on the
processor.
"""

from __future__ import annotations

import math

import numpy as np

from fastnn._engine import random
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description
from fastnn.activations import ACTIVATIONS


class Initializer(Description):
    """The base of every initializer."""

    def values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        """Return a float64 array of ``shape``: (outputs, inputs) for a weight, (outputs,) for a bias.

        Parameters
        ----------
        shape : tuple of int
        seed, stream : int
            Which random numbers are drawn.
        """
        raise NotImplementedError


class _Built(Initializer):
    """Those of this module, which check what they are asked for in one place."""

    def values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        if not isinstance(shape, (tuple, list)) or len(shape) not in (1, 2):
            raise TypeError(f"shape must be (outputs, inputs) or (outputs,); got {checks.described(shape)}")
        sizes = tuple(checks.integer(size, "shape") for size in shape)
        return self._values(sizes, checks.seed(seed), checks.integer(stream, "stream", 0, 2**32 - 1))

    def _values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        raise NotImplementedError


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    fan_out = shape[0]
    fan_in = shape[1] if len(shape) > 1 else shape[0]
    return fan_in, fan_out


class _Scaled(_Built):
    """Random numbers of a variance that depends on the shape."""

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        raise NotImplementedError


class _Uniform(_Scaled):
    def _values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        limit = math.sqrt(3.0 * self.variance(*_fans(shape)))
        return (2.0 * random.uniform(seed, stream, shape) - 1.0) * limit


class _Normal(_Scaled):
    def _values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        return random.normal(seed, stream, shape) * math.sqrt(self.variance(*_fans(shape)))


@description
class GlorotUniform(_Uniform):
    """Uniform with variance 2 / (inputs + outputs). Glorot and Bengio, AISTATS 2010."""

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        return 2.0 / (fan_in + fan_out)


@description
class GlorotNormal(_Normal):
    """Normal with variance 2 / (inputs + outputs). Glorot and Bengio, AISTATS 2010."""

    variance = staticmethod(GlorotUniform.variance)


@description
class HeUniform(_Uniform):
    """Uniform with variance 2 / inputs. He et al., ICCV 2015, arXiv:1502.01852."""

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        return 2.0 / fan_in


@description
class HeNormal(_Normal):
    """Normal with variance 2 / inputs. He et al., ICCV 2015, arXiv:1502.01852."""

    variance = staticmethod(HeUniform.variance)


@description
class LecunUniform(_Uniform):
    """Uniform with variance 1 / inputs. LeCun et al., *Efficient BackProp*, 1998."""

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        return 1.0 / fan_in


@description
class LecunNormal(_Normal):
    """Normal with variance 1 / inputs. LeCun et al., *Efficient BackProp*, 1998."""

    variance = staticmethod(LecunUniform.variance)


@description
class Constant(_Built):
    """Every value the same."""

    value: float

    def __post_init__(self) -> None:
        self._set(value=checks.number(self.value, "Constant value"))

    def _values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        return np.full(shape, self.value)


@description
class Zeros(_Built):
    """Every value 0."""

    def _values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        return np.zeros(shape)


@description
class Orthogonal(_Built):
    """A random matrix with orthonormal rows or, where it has more rows than columns, columns; times ``gain``.

    Saxe, McClelland and Ganguli, ICLR 2014, arXiv:1312.6120. Modified Gram-Schmidt on normal numbers, which gives each
    orthogonal matrix the same chance.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        self._set(gain=checks.number(self.gain, "Orthogonal gain"))

    def _values(self, shape: tuple[int, ...], seed: int, stream: int) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Orthogonal is for matrices; got shape {shape}")
        rows, columns = shape
        long, short = max(shape), min(shape)
        matrix = random.normal(seed, stream, (long, short))
        _orthonormalise(matrix)
        return np.ascontiguousarray(matrix if rows >= columns else matrix.T) * self.gain


def _orthonormalise(matrix: np.ndarray) -> None:
    """Make the columns of ``matrix`` orthonormal, in place, each from those before it."""
    for j in range(matrix.shape[1]):
        column = matrix[:, j : j + 1]
        length = np.sqrt(_column_sums(column * column))
        column /= length
        rest = matrix[:, j + 1 :]
        rest -= column * _column_sums(column * rest)


def _column_sums(terms: np.ndarray) -> np.ndarray:
    """Return the sum of each column, rows joined half to half; overwrites ``terms``."""
    n = terms.shape[0]
    while n > 1:
        half = (n + 1) // 2
        terms[: n - half] += terms[half:n]
        n = half
    return terms[0]


INITIALIZERS: dict[str, type[Initializer]] = {
    "auto": Initializer,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "orthogonal": Orthogonal,
    "zeros": Zeros,
}
CLASSES = (*(cls for name, cls in INITIALIZERS.items() if name != "auto"), Constant)


def resolved(value: str | Initializer, activation: str) -> Initializer:
    """Return the initializer that a layer's argument means, before ``activation``."""
    if value == "auto":
        value = ACTIVATIONS[activation].initializer
    return INITIALIZERS[value]() if isinstance(value, str) else value
