"""Sparse matrices and arrays, as those of SciPy, as rows that the engine can take."""

from __future__ import annotations

import bisect
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._engine.sparse import SparseMatrix, first_fault
from fastnn._input import checks, memory_maps

MAX_COLUMNS = 2**31 - 1  # numbered in int32


def is_sparse(value: Any) -> bool:
    """Return whether ``value`` is a sparse matrix or array in CSR, or can be had in CSR, as those of SciPy."""
    return _is_csr(value) or hasattr(type(value), "tocsr")  # pandas makes an attribute of any column


def _is_csr(value: Any) -> bool:
    form = getattr(value, "format", None)
    return isinstance(form, str) and form == "csr"


def csr(value: Any) -> Any:
    """Return a sparse ``value`` in CSR, by its own ``tocsr`` where it is in another format."""
    return value if _is_csr(value) else value.tocsr()


def features(X: Any, n_features: int, dtype: np.dtype, argument: str = "X") -> SparseMatrix:
    """Return sparse rows ``X``, shape (n, n_features), n > 0, in ``dtype`` and finite, each row's columns ascending.

    Values, columns and starts are used where they lie if of ``dtype``, int32 and int64. What is not in order is put in
    order in a copy.
    """
    checks.rows_of(tuple(X.shape), n_features, argument)
    if n_features > MAX_COLUMNS:
        raise ValueError(
            f"{argument} must have at most {MAX_COLUMNS:,} features where it is sparse; got {n_features:,}"
        )
    given = csr(X)
    values, columns, starts = _ordered(given, argument)
    result = np.require(checks.converted(values, dtype), None, ["C_CONTIGUOUS", "ALIGNED"])
    _finite_entries(result, columns, starts, values, argument)
    return SparseMatrix(result, columns, starts, n_features)


def parts(X: Any) -> list[tuple[str, np.ndarray]]:
    """Return what a sparse ``X`` consists of, in one form whatever its format and its order: named arrays."""
    given = csr(X)
    values, columns, starts = _ordered(given, "X")
    return [
        ("sparse X", np.asarray(tuple(given.shape), dtype=np.int64)),
        ("starts", starts - starts[0]),
        ("columns", columns[starts[0] : starts[-1]]),
        ("values", values[starts[0] : starts[-1]]),
    ]


def _ordered(given: Any, argument: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, int32 columns and int64 starts of a matrix in CSR, columns ascending and none twice."""
    values, columns, starts, fault = _structure(given, argument)
    if fault is None:
        return values, columns, starts
    if not hasattr(given, "copy") or not hasattr(given, "sum_duplicates"):
        raise ValueError(
            f"{argument} must have the columns of each row in ascending order, none twice; "
            f"got column {fault[2]} {'twice' if fault[0] == 'twice' else 'after a larger one'} in row {fault[1]}"
        )
    given = given.copy()
    with standard_environment():
        given.sum_duplicates()
    values, columns, starts, fault = _structure(given, argument)
    if fault is not None:
        raise ValueError(f"{argument} must have the columns of each row in ascending order after sum_duplicates()")
    return values, columns, starts


def _structure(given: Any, argument: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, int, int] | None]:
    """Return values, int32 columns and int64 starts of a matrix in CSR, and what is wrong with their order, if any."""
    for name in ("data", "indices", "indptr"):
        if not hasattr(given, name):
            raise TypeError(f"{argument} must have data, indices and indptr, as a matrix in CSR; got no {name}")
    values = checks.numeric(given.data, f"{argument}.data")
    columns, starts = (checks.numeric(getattr(given, name), f"{argument}.{name}") for name in ("indices", "indptr"))
    for array, name in ((columns, "indices"), (starts, "indptr")):
        if array.dtype.kind not in "iu":
            raise TypeError(f"{argument}.{name} must hold integers; got an array of dtype {array.dtype}")
    n, n_features = given.shape
    if starts.shape != (n + 1,):
        raise ValueError(f"{argument}.indptr must have shape ({n + 1},), one more than rows; got shape {starts.shape}")
    if values.ndim != 1 or columns.shape != values.shape:
        raise ValueError(
            f"{argument}.indices and {argument}.data must have one entry each for every stored value; "
            f"got shapes {columns.shape} and {values.shape}"
        )
    starts = np.require(starts, np.int64, ["C_CONTIGUOUS", "ALIGNED"])
    if columns.dtype != np.int32:  # what does not fit must not come to look as if it did
        columns = columns.astype(np.int64)
        columns = np.where((columns >= 0) & (columns < n_features), columns, -1)
    columns = np.require(columns, np.int32, ["C_CONTIGUOUS", "ALIGNED"])
    fault = first_fault(starts, columns, n_features)
    if fault is not None and fault[0] == "starts":
        row = fault[1]
        raise ValueError(
            f"{argument}.indptr must rise from at least 0 to at most {len(columns)}, the number of entries; "
            f"got {starts[row]} to {starts[row + 1]} for row {row}"
        )
    if fault is not None and fault[0] == "range":
        raise ValueError(
            f"{argument}.indices must be from 0 to {n_features - 1}; got another column number in row {fault[1]}"
        )
    return values, columns, starts, fault


def _finite_entries(
    values: np.ndarray, columns: np.ndarray, starts: np.ndarray, original: np.ndarray, argument: str
) -> None:
    """Raise if the rows of a CSR matrix hold a NaN or an infinity, naming the first one's place."""
    first, last = int(starts[0]), int(starts[-1])
    flat = memory_maps.first_nonfinite(values[first:last]) if last > first else -1
    if flat < 0:
        return
    entry = first + flat
    where = f"row {bisect.bisect_right(starts, entry) - 1}, column {columns[entry]}"
    if np.isfinite(original[entry]):
        raise ValueError(f"{argument} must fit in {values.dtype}; got {original[entry]} in {where}")
    raise ValueError(f"{argument} must be finite; got {values[entry]} in {where}")
