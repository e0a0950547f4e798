"""Inputs of the golden cases: integer hashes turned exactly into numbers, the same on every machine.

NumPy's generators take no part, and no floating-point operation here rounds.
"""

from __future__ import annotations

import functools
import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName

# Of the dtype: its unsigned integers, the stored bits of the significand, the bias of the exponent.
_FORMATS = {"float32": (np.uint32, 23, 127), "float64": (np.uint64, 52, 1023)}

Shape = int | tuple[int, ...]

# The activations of the cases that have them all, when their digests were fixed; later ones have cases of their own.
FIRST_ACTIVATIONS: tuple[ActivationName, ...] = (
    *("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish"),
    *("tanh", "sigmoid", "softplus"),
)


def words(n: int, key: str) -> np.ndarray:
    """Return ``n`` hashes of (key, index), as uint64: SplitMix64 of Steele, Lea and Flood, OOPSLA 2014."""
    start = np.frombuffer(hashlib.sha256(key.encode()).digest()[:8], "<u8").astype(np.uint64)
    z = start + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _frozen(array: np.ndarray, shape: Shape) -> np.ndarray:
    result = np.ascontiguousarray(array).reshape(shape)
    result.flags.writeable = False
    return result


def _size(shape: Shape) -> int:
    return shape if isinstance(shape, int) else int(np.prod(shape))


@functools.cache
def reals(shape: Shape, key: str, dtype: str) -> np.ndarray:
    """Return multiples of the dtype's precision in [-4, 4), every bit of the significand in use."""
    _, bits, _ = _FORMATS[dtype]
    mantissas = (words(_size(shape), key) >> np.uint64(63 - bits)).astype(np.int64) - (1 << bits)
    return _frozen(mantissas.astype(dtype) * np.dtype(dtype).type(math.ldexp(1, 2 - bits)), shape)


@functools.cache
def fractions(shape: Shape, key: str, dtype: str) -> np.ndarray:
    """Return multiples of 2⁻¹⁶ in (0, 1]."""
    mantissas = (words(_size(shape), key) >> np.uint64(48)).astype(np.int64) + 1
    return _frozen(mantissas.astype(dtype) * np.dtype(dtype).type(math.ldexp(1, -16)), shape)


@functools.cache
def integers(shape: Shape, key: str, stop: int) -> np.ndarray:
    """Return whole numbers from 0 to ``stop`` - 1, as int64."""
    return _frozen((words(_size(shape), key) % np.uint64(stop)).astype(np.int64), shape)


@functools.cache
def scaled(shape: Shape, key: str, dtype: str, low: int, high: int) -> np.ndarray:
    """Return random signs and significands, exponents from ``low`` to ``high``."""
    unsigned, bits, bias = _FORMATS[dtype]
    random = words(_size(shape), key)
    exponents = integers(shape, key + " exponents", high - low + 1).reshape(-1) + (low + bias)
    signs = random >> np.uint64(63) << np.uint64(np.dtype(dtype).itemsize * 8 - 1)
    mantissas = random & np.uint64((1 << bits) - 1)
    patterns = signs | exponents.astype(np.uint64) << np.uint64(bits) | mantissas
    return _frozen(patterns.astype(unsigned).view(dtype), shape)


@functools.cache
def patterns(n: int, key: str, dtype: str) -> np.ndarray:
    """Return random bits: numbers of every size, now and then a NaN."""
    unsigned, _, _ = _FORMATS[dtype]
    return _frozen((words(n, key) >> np.uint64(64 - np.dtype(dtype).itemsize * 8)).astype(unsigned).view(dtype), n)


@functools.cache
def specials(dtype: str) -> np.ndarray:
    """Return zeros, denormals, ones and neighbours, halves, the largest numbers, infinities, NaNs; of both signs."""
    unsigned, bits, bias = _FORMATS[dtype]
    top = 2 * bias + 1
    one = bias << bits
    magnitudes = [
        *(0, 1, 2, (1 << bits) - 1, 1 << bits, (1 << bits) + 1),  # 0, denormals, the smallest normal numbers
        *(one - 1, one, one + 1, one - (1 << bits), one + (1 << bits), one + (1 << (bits - 1))),
        *(one + (k << bits) for k in (-30, -12, 2, 3, 5, 6, 8, 10, 20, 60)),
        *((top << bits) - 1, (top - 1) << bits, top << bits),  # the largest numbers, infinity
        *((top << bits) + (1 << (bits - 1)), (top << bits) + (1 << (bits - 1)) + 5),  # NaN
    ]
    sign = 1 << (np.dtype(dtype).itemsize * 8 - 1)
    both = [value for magnitude in magnitudes for value in (magnitude, magnitude + sign)]
    return _frozen(np.array(both, dtype=unsigned).view(dtype), len(both))


def with_specials(shape: Shape, key: str, dtype: str) -> np.ndarray:
    """Return `reals` with special values strewn in, as often as there is room; by the key: two arrays differ."""
    values = reals(shape, key, dtype).reshape(-1).copy()
    first, turn = integers(2, key + " specials", 3 * 41).tolist()
    places = values[first % 3 :: 3]
    places[:] = np.resize(np.roll(specials(dtype), turn), places.shape)
    return _frozen(values, shape)
