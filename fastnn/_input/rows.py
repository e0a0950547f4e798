"""Rows of features, dense or sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._input import checks, sparse

if TYPE_CHECKING:
    from fastnn._engine.sparse import SparseMatrix


def features(
    X: Any, n_features: int, dtype: np.dtype, argument: str = "X", given: Any = None
) -> np.ndarray | SparseMatrix:
    """Return the rows ``X``, shape (n, n_features), n > 0, in ``dtype`` and finite; never a copy if of that dtype.

    ``given`` is what ``X`` was made of, if it has been.
    """
    if sparse.is_sparse(X):
        return sparse.features(X, n_features, dtype, argument)
    return checks.features(X, n_features, dtype, argument, given)
