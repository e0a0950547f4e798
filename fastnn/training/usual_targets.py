"""The targets of a single step as they usually come, taken in a fraction of the time that a closer look needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._engine.random import first_nonfinite
from fastnn.losses import CrossEntropy, Loss

_INT64 = np.dtype(np.int64)
_UINT64 = np.dtype(np.uint64)
_ndarray, _largest = np.ndarray, np.maximum.reduce  # looked up faster


class UsualTargets:
    """What a loss makes of targets that are in order; a function of the loss, the outputs and the dtype."""

    def __init__(self, loss: Loss, n_outputs: int, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._n_labels = n_outputs if isinstance(loss, CrossEntropy) else 0
        self._n_targets = loss.n_targets(n_outputs)
        self._n_truths = 2 if loss.upper == 1.0 and self._n_targets == 1 else 0  # 0 and 1, as labels
        # The bits of numbers from +0 on are whole numbers in the same order; those of negative ones and NaN are larger.
        self._bits = np.dtype(f"u{dtype.itemsize}")
        upper = loss.upper
        self._upper_bits = None if upper is None else int(np.array(upper, dtype).view(self._bits)) - (upper == np.inf)

    def taken(self, y: Any, n: int) -> np.ndarray | None:
        """Return what the loss makes of ``y``, of ``n`` rows; None where that needs a closer look."""
        if type(y) is not _ndarray:
            return None
        if y.dtype is _INT64:
            # Negative labels are huge as unsigned ones.
            if y.shape == (n,) and _largest(y.view(_UINT64)) < (self._n_labels or self._n_truths):
                return y if self._n_labels else y.astype(self._dtype)[:, None]
            return None
        if y.shape == (n,):
            y = y[:, None]
        if y.dtype is not self._dtype or y.shape != (n, self._n_targets):
            return None
        if self._upper_bits is None:
            is_fine = first_nonfinite(y) < 0
        else:
            is_fine = _largest(y.view(self._bits), None) <= self._upper_bits
        return y if is_fine else None
