"""Long work on arrays in pieces: Python hears Ctrl-C between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BYTES = 1 << 24  # of a piece: a hundredth of a second


def slices(array: np.ndarray) -> Iterator[slice]:
    """Yield rows of the array, all of them in order, a piece at a time; the same row throughout is one piece."""
    step = max(1, BYTES * len(array) // max(1, array.nbytes) if array.strides[0] else len(array))
    for start in range(0, len(array), step):
        yield slice(start, min(start + step, len(array)))


def converted(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``array.astype(dtype)``."""
    if array.nbytes <= BYTES or not array.ndim:
        return array.astype(dtype)
    result = np.empty_like(array, dtype, subok=False)
    for rows in slices(array):
        result[rows] = array[rows]
    return result


def taken(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return ``array[index]``, of row numbers."""
    if array.nbytes <= BYTES:
        return array[index]
    result = np.empty((len(index), *array.shape[1:]), array.dtype)
    for rows in slices(result):
        result[rows] = array[index[rows]]
    return result
