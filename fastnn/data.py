"""Data: the embedded data set, splits, standardisation, fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._engine import random
from fastnn._engine.environment import standard_environment
from fastnn._input import checks, sparse
from fastnn._input.calls import explained
from fastnn._lowering import random_streams

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_BLOCK_BYTES = 2**24


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the handwritten digits: 8×8 images of the digits 0 to 9.

    The test set of *Optical Recognition of Handwritten Digits* by E. Alpaydin and C. Kaynak, UCI Machine Learning
    Repository (1998), CC BY 4.0.

    Returns
    -------
    X : float32 ndarray, shape (1797, 64)
        Pixels from 0 to 16, row by row.
    y : int64 ndarray, shape (1797,)
        The digits.
    """
    from importlib import resources

    with resources.files("fastnn").joinpath("datasets/digits.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["pixels"].astype(np.float32), arrays["labels"].astype(np.int64)


@explained
def split(
    X: Any, y: ArrayLike, fraction: float = 0.2, seed: int = 0, stratify: bool = False
) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """Split rows at random into a part to train on and a part to test with.

    Parameters
    ----------
    X : array_like or sparse matrix
        A sparse matrix or array of SciPy comes back as two in CSR.
    y : array_like
        As many rows as ``X``.
    fraction : float, default 0.2
        The share of rows, rounded to the nearest, to test with; above 0 and below 1, and at least one row in each part.
    seed : int, default 0
    stratify : bool, default False
        Whether each value of ``y`` (1-D) has, as near as can be, the same share in both parts.

    Returns
    -------
    X_train, X_test, y_train, y_test : ndarray
        Or sparse matrices, where ``X`` is one.

    Reproducibility
    ---------------
    Which rows go where depends on their number, the fraction and the seed, and with ``stratify`` on ``y``; on no global
    random state, and on no machine.
    """
    given = ("X", X), ("y", y)
    X = sparse.csr(X) if sparse.is_sparse(X) else checks.anything(X, "X")
    y = checks.anything(y, "y")
    for (name, value), array in zip(given, (X, y), strict=True):
        if not array.shape:
            raise ValueError(f"{name} must be an array of rows; got {checks.described(value)}")
    checks.same_rows(X.shape[0], len(y), "y")
    train, test = split_rows(X.shape[0], fraction, seed, y if checks.boolean(stratify, "stratify") else None)
    return X[train], X[test], y[train], y[test]


def split_rows(
    n: int, fraction: float, seed: int = 0, strata: np.ndarray | None = None, argument: str = "fraction"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers, ascending, of the two parts that `split` makes of ``n`` rows."""
    fraction = checks.number(fraction, argument, 0.0, 1.0, above=True, below=True)
    order = random.permutation(n, checks.seed(seed), random_streams.SPLIT_EPOCH)
    with standard_environment():
        count = int(n * fraction + 0.5)
        if not 0 < count < n:
            raise ValueError(f"{argument} must leave at least one row in each part; got {fraction} of {n} rows")
        chosen = order[:count] if strata is None else _chosen_by_stratum(order, strata, count)
    held_out = np.zeros(n, dtype=bool)
    held_out[chosen] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _chosen_by_stratum(order: np.ndarray, strata: np.ndarray, count: int) -> np.ndarray:
    """Return the first rows of ``order`` of each stratum; ``count`` in all, by the method of the largest remainder."""
    if strata.ndim != 1:
        raise ValueError(f"y must be 1-D to stratify by; got shape {strata.shape}")
    try:
        _, member, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    except TypeError as error:
        raise TypeError(f"y must hold values that can be sorted to stratify by; {error}") from None
    counts, remainders = np.divmod(sizes * count, len(strata))
    most = np.argsort(-remainders, kind="stable")[: count - int(counts.sum())]
    counts[most] += 1
    ordered = member[order]
    return np.concatenate([order[ordered == stratum][:k] for stratum, k in enumerate(counts)])


class Standardizer:
    """Shift and scale each feature to mean 0 and standard deviation 1, those of the rows given to `fit`.

    A constant feature is only shifted.

    Attributes
    ----------
    mean, scale : float64 ndarray, shape (n_features,)

    Reproducibility
    ---------------
    Sums are those of the numerics contract, in float64, over the rows in their order. They give the same numbers on
    every machine; NumPy's ``mean`` and ``std``, and scikit-learn's ``StandardScaler``, do not.

    Examples
    --------
    >>> scaler = fn.data.Standardizer().fit(X_train)
    >>> X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    """

    def __init__(self) -> None:
        self.mean: np.ndarray | None = None
        self.scale: np.ndarray | None = None

    def fit(self, X: ArrayLike) -> Standardizer:
        """Take mean and (population) standard deviation of each column of ``X``, shape (n, n_features)."""
        with standard_environment():
            self._fit(_rows(X, "X"))
        return self

    def _fit(self, rows: np.ndarray) -> None:
        n, n_features = rows.shape
        mean, scale = np.empty(n_features), np.empty(n_features)
        for j in range(n_features):
            if (rows[:, j] == rows[0, j]).all():  # the rounded mean of equal numbers may be another
                mean[j], scale[j] = rows[0, j], 1.0
                continue
            column = rows[:, j].astype(np.float64)
            mean[j] = random.lane_sum(column) / n
            column -= mean[j]
            scale[j] = np.sqrt(random.lane_sum(column * column) / n) or 1.0  # squares may underflow
        self.mean, self.scale = mean, scale

    def transform(self, X: ArrayLike, argument: str = "X") -> np.ndarray:
        """Compute ``(X - mean) / scale`` in float64; float32 for a float32 ``X``, otherwise float64.

        The values depend on the values of ``X`` alone, not on strides, alignment or byte order. Errors call it
        ``argument``.
        """
        if self.mean is None or self.scale is None:
            raise ValueError("the Standardizer must be fitted before it transforms")
        given = _rows(X, argument)
        if given.shape[1] != len(self.mean):
            raise ValueError(f"{argument} must have {len(self.mean)} features a row; got {given.shape[1]}")
        with standard_environment():
            return ((given - self.mean) / self.scale).astype(np.float32 if given.dtype == np.float32 else np.float64)

    def __repr__(self) -> str:
        return "Standardizer()" if self.mean is None else f"Standardizer(n_features={len(self.mean)})"


def _rows(X: ArrayLike, argument: str) -> np.ndarray:
    array = checks.numeric(X, argument)
    if array.ndim != 2 or not len(array):
        raise ValueError(f"{argument} must have shape (n, n_features), n at least 1; got shape {array.shape}")
    is_single = array.dtype.kind == "f" and array.dtype.itemsize == 4  # of either byte order
    rows = checks.converted(array, np.dtype(np.float32 if is_single else np.float64))
    checks.finite(rows, argument, array, X)
    return rows


def standardize(X: ArrayLike, *others: ArrayLike) -> Any:
    """Return ``X`` and others, standardised by the mean and standard deviation of ``X``; see `Standardizer`.

    Returns
    -------
    ndarray, or tuple of ndarray if there are others
    """
    scaler = Standardizer().fit(X)
    results = (scaler.transform(X), *(scaler.transform(array, "others") for array in others))
    return results if others else results[0]


def fingerprint(X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> str:
    """Return the SHA-256, in hexadecimal, of a data set: of shapes, dtypes and little-endian values in C order.

    Memory maps are read in blocks. Of a sparse ``X`` the arrays of its CSR are taken, with sorted columns: it does not
    have the fingerprint of dense rows.

    Reproducibility
    ---------------
    Strides, alignment and byte order do not matter, dtype and shape do.
    """
    import hashlib

    result = hashlib.sha256()
    parts: list[tuple[str, Any]] = [("X", X), ("y", y)]
    if sparse.is_sparse(X):
        parts[:1] = sparse.parts(X)
    if sample_weight is not None:
        parts.append(("sample_weight", sample_weight))
    for name, given in parts:
        array = checks.anything(given, name)
        if array.dtype.kind == "O":
            came = "dtype object" if array.ndim else checks.described(given)
            raise TypeError(f"{name} must hold numbers or strings of fixed length; got {came}")
        little = array.dtype.newbyteorder("<")
        result.update(f"{name} {array.shape} {little.str}\n".encode())
        if not array.size:
            continue
        rows = array.reshape(1) if array.ndim == 0 else array
        block = max(1, _BLOCK_BYTES // max(1, rows[0].nbytes))
        for start in range(0, len(rows), block):
            result.update(np.ascontiguousarray(rows[start : start + block], dtype=little).tobytes())
    return result.hexdigest()
