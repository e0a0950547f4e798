"""Arrays of other libraries: whatever NumPy can read by a protocol, where it lies if its layout allows that.

No library is imported here: ``__array__``, ``__dlpack__`` and a few names that data frames have in common do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._input import NUMERIC_KINDS

_HOST_MEMORY = (1, 3, 11)  # of DLPack's kinds of devices: that of the processor, pinned for CUDA or for ROCm
# How the dtypes of data frames begin that NumPy would be given as numbers, though they are none.
_CATEGORIES = ("category", "categorical", "enum", "dictionary")
_TIMES = ("date", "time", "duration", "period", "interval")


def as_numbers(value: Any, argument: str) -> np.ndarray:
    """Return ``value`` as an ndarray of real numbers; not a copy if NumPy can look at its memory.

    Raises
    ------
    TypeError
        If it holds something else or cannot be read; the message names a column that is to blame.
    ValueError
        If rows are of unequal length, or values are masked.
    """
    if type(value) is not np.ndarray:
        _check_readable(value, argument)
        names = column_names(value)
        array = _read(value, argument) if names is None else _of_columns(value, names, argument)
    else:
        array = value
    if array.dtype.kind in NUMERIC_KINDS:
        return array
    if array.dtype.name == "bfloat16":  # as JAX has it, of the package ml_dtypes; exact
        return array.astype(np.float32)
    if has(value, "toarray"):
        raise TypeError(f"{argument} must be a dense array; got a sparse {type(value).__name__}: use .toarray()")
    if array.ndim == 0 and array.dtype.kind == "O":
        hint = ""
        if has(value, "__arrow_c_stream__"):
            hint = ": pyarrow.table() makes a table of it"
        elif has(value, "__iter__"):
            hint = ": np.array(list(…)) makes an array of all rows, and Trainer.step takes one batch after the other"
        kind = type(value).__name__
        came = "None" if value is None else f"a{'n' * (kind[0].lower() in 'aeiou')} {kind}"
        raise TypeError(f"{argument} must be an array of real numbers; got {came}{hint}")
    is_plain = isinstance(value, (np.ndarray, list, tuple))
    came = f"an array of dtype {array.dtype}" if is_plain else f"a {_named(value)}"
    raise TypeError(f"{argument} must hold real numbers; got {came}{_missing_among(array)}")


def column_names(value: Any) -> list[Any] | None:
    """Return the names of a data frame's columns; None for anything else."""
    if isinstance(value, np.ndarray) or not has(value, "__array__"):
        return None
    if has(value, "column_names"):  # pyarrow
        return list(value.column_names)
    return list(value.columns) if has(value, "columns", "dtypes") else None


def has(value: Any, *names: str) -> bool:
    """Return whether the class of ``value`` has these; pandas makes an attribute of any column besides."""
    return all(hasattr(type(value), name) for name in names)


def _check_readable(value: Any, argument: str) -> None:
    """Raise if the values lie where NumPy cannot read them, or would be read without something that matters."""
    if has(value, "filled", "mask") and np.asarray(value.mask).any():
        raise ValueError(f"{argument} must not have masked values; fill them in, or leave their rows out")
    if getattr(value, "requires_grad", False) is True:
        raise TypeError(f"{argument} must not require a gradient; got a {_named(value)} that does: use .detach()")
    try:
        device = value.__dlpack_device__()[0]
    except Exception:  # it has none, or a kind of its own, of which reading it will tell more
        return
    if device not in _HOST_MEMORY:
        raise TypeError(
            f"{argument} must lie in the memory of the processor; got a {_named(value)} on "
            f"{getattr(value, 'device', 'another device')}: copy it, in PyTorch by .cpu(), in JAX by jax.device_get"
        )


def _read(value: Any, argument: str) -> np.ndarray:
    if "bfloat16" in str(getattr(value, "dtype", "")) and has(value, "float"):  # PyTorch's, which NumPy lacks
        value = value.float()
    try:
        if has(value, "__dlpack__") and not has(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except ValueError as error:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{argument} must be an array of numbers; got a {_named(value)} ({error})") from None
        raise ValueError(f"{argument} must be an array of numbers; got rows of unequal length ({error})") from None
    except Exception as error:
        if isinstance(value, (list, tuple)):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TypeError(f"{argument} must be an array that NumPy can read; got a {_named(value)} ({reason})") from None


def _of_columns(frame: Any, names: list[Any], argument: str) -> np.ndarray:
    """Return the values of a data frame of numbers, in one piece where they lie so."""
    dtypes = list(frame.schema.types if has(frame, "column_names") else frame.dtypes)
    for name, dtype in zip(names, dtypes, strict=True):
        if str(dtype).lower().startswith(_CATEGORIES):
            raise TypeError(
                f"{argument} must hold real numbers; got the column {name!r} of categories ({dtype}): encode them first"
            )
        if str(dtype).lower().startswith(_TIMES):
            raise TypeError(f"{argument} must hold real numbers; got the column {name!r} of dtype {dtype}")
    if not names:
        return np.empty((len(frame), 0))
    array = _read(frame, argument)
    if array.dtype.kind in NUMERIC_KINDS:
        return array
    columns = [np.asarray(_column(frame, position)) for position in range(len(names))]
    for name, dtype, column in zip(names, dtypes, columns, strict=True):
        if column.dtype.kind not in NUMERIC_KINDS:
            raise TypeError(
                f"{argument} must hold real numbers; got the column {name!r} of dtype {dtype}{_missing_among(column)}"
            )
    return np.stack(columns, axis=1)  # truth values beside numbers, which NumPy has no common dtype for in a frame


def _column(frame: Any, position: int) -> Any:
    if has(frame, "iloc"):  # pandas, where names need not be unique
        return frame.iloc[:, position]
    return frame.to_series(position) if has(frame, "to_series") else frame.column(position)


def _missing_among(array: np.ndarray) -> str:
    """Return what to say of the first value that is missing among objects."""
    values = array.tolist() if array.dtype.kind == "O" and array.ndim == 1 else []
    row = next((row for row, value in enumerate(values) if _is_missing(value)), None)
    return "" if row is None else f" with missing values (the first in row {row})"


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)


def _named(value: Any) -> str:
    """Return the library's name for it, short."""
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ + (f" of dtype {dtype}" if dtype is not None else "")
