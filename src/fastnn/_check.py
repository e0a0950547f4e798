"""The one place that validates arguments and arrays.

Every check either returns the value in the form the rest of the package works with, or raises an error that names the
argument, what was expected and what came. Nothing here changes anything.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._engine.environment import standard_environment

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MAX_SEED = 2**64 - 1
_NUMERIC_KINDS = "fiub"


def nearest(value: str, choices: Iterable[str]) -> str:
    """A hint naming the choice most like ``value``, or nothing."""
    import difflib

    found = difflib.get_close_matches(value.lower(), list(choices), 1, 0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def choice(value: Any, choices: Iterable[str], argument: str) -> str:
    """``value``, if it is one of the strings ``choices``."""
    choices = tuple(choices)
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be one of {', '.join(map(repr, choices))}; got {described(value)}")
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ValueError(f"{argument} must be one of {listed}; got {value!r}{nearest(value, choices)}")
    return value


def integer(value: Any, argument: str, minimum: int = 1, maximum: int | None = None) -> int:
    """``value`` as an int in [minimum, maximum]."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} must be an integer; got {described(value)}") from None
    if number < minimum or (maximum is not None and number > maximum):
        upper = "" if maximum is None else f" and at most {maximum}"
        raise ValueError(f"{argument} must be an integer of at least {minimum}{upper}; got {number}")
    return number


def seed(value: Any, argument: str = "seed") -> int:
    """``value`` as an int that serves as a seed."""
    return integer(value, argument, 0, MAX_SEED)


def number(
    value: Any,
    argument: str,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> float:
    """``value`` as a finite float from ``low`` to ``high``; ``above`` and ``below`` exclude the ends themselves."""
    try:
        if isinstance(value, (bool, np.bool_, str, bytes)):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{argument} must be a number; got {described(value)}") from None
    too_low = result <= low if above else result < low
    too_high = result >= high if below else result > high
    if too_low or too_high or not math.isfinite(result):
        bounds = []
        if low > -math.inf:
            bounds.append(f"{'above' if above else 'at least'} {low:g}")
        if high < math.inf:
            bounds.append(f"{'below' if below else 'at most'} {high:g}")
        raise ValueError(
            f"{argument} must be a finite number{' ' * bool(bounds)}{' and '.join(bounds)}; got {result!r}"
        )
    return result


def boolean(value: Any, argument: str) -> bool:
    """``value`` as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument} must be True or False; got {described(value)}")
    return bool(value)


def dtype_name(value: Any, argument: str = "dtype") -> str:
    """``"float32"`` or ``"float64"``."""
    if isinstance(value, str):
        return choice(value, ("float32", "float64"), argument)
    try:
        name = np.dtype(value).name
    except TypeError:
        name = ""
    if name not in ("float32", "float64"):
        raise TypeError(f"{argument} must be 'float32' or 'float64'; got {value!r}")
    return name


def one_of(value: Any, base: type, choices: dict[str, Any], argument: str) -> Any:
    """A description: an instance of ``base`` as it is, or the default one of the class that a string names."""
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        return choices[choice(value, choices, argument)]()
    if isinstance(value, type) and issubclass(value, base):
        raise TypeError(f"{argument} must be an object, not a class: write {value.__name__}(...)")
    listed = ", ".join(map(repr, choices))
    raise TypeError(f"{argument} must be one of {listed}, or a {base.__name__}; got {described(value)}")


def listed(value: Any, single: type | tuple[type, ...], argument: str) -> tuple[Any, ...]:
    """The items of ``value``; one that is a ``single`` stands for itself."""
    if isinstance(value, single):
        return (value,)
    try:
        return tuple(value)
    except TypeError:
        raise TypeError(f"{argument} must be a sequence; got {described(value)}") from None


def described(value: Any) -> str:
    """``value`` in an error message: its type, and what it is if that is short."""
    text = repr(value)
    name = type(value).__name__
    return f"{name} {text}" if len(text) <= 40 and "\n" not in text else f"a {name}"


def numeric(value: ArrayLike, argument: str) -> np.ndarray:
    """``value`` as an ndarray of real numbers, as it is where it is one already; see `fastnn._arrays`."""
    if type(value) is np.ndarray and value.dtype.kind in _NUMERIC_KINDS:
        return value
    from fastnn import _arrays

    return _arrays.as_numbers(value, argument)


def converted(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """``array`` in ``dtype``; itself, not a copy, where it is of that dtype."""
    if array.dtype == dtype:
        return array
    with standard_environment(), np.errstate(over="ignore"):
        return array.astype(dtype)


def finite(array: np.ndarray, argument: str, original: np.ndarray | None = None, given: Any = None) -> None:
    """Raises if ``array`` (float32 or float64, 1-D or 2-D) holds a NaN or an infinity, naming the first one's place.

    ``original`` is what was converted to it, and ``given`` the data frame that all came from, if it was one.
    """
    from fastnn import _maps

    flat = _maps.first_nonfinite(array)
    if flat < 0:
        return
    place = np.unravel_index(flat, array.shape)
    where = f"row {place[0]}" if array.ndim == 1 else f"row {place[0]}, column {place[1]}"
    from fastnn import _arrays

    names = _arrays.column_names(given)
    if names is not None and array.ndim == 2:
        where += f" ({names[place[1]]!r})"
    came = array[place]
    if original is not None and np.isfinite(original[place]):
        raise ValueError(f"{argument} must fit in {array.dtype}; got {original[place]} in {where}")
    raise ValueError(f"{argument} must be finite; got {came} in {where}")


def features(X: ArrayLike, n_features: int, dtype: np.dtype, argument: str = "X", given: Any = None) -> np.ndarray:
    """The rows ``X``, shape (n, n_features), n > 0, in ``dtype`` and finite; never a copy if of that dtype.

    ``given`` is what ``X`` was made of, if it has been.
    """
    array = numeric(X, argument)
    if array.ndim != 2:
        hint = ": one row is X[None, :], one feature is X[:, None]" if array.ndim == 1 else ""
        raise ValueError(f"{argument} must have shape (n, {n_features}); got shape {array.shape}{hint}")
    if array.shape[1] != n_features:
        raise ValueError(
            f"{argument} must have {n_features} features a row; got {array.shape[1]} (shape {array.shape})"
        )
    if array.shape[0] == 0:
        raise ValueError(f"{argument} must have at least one row; got shape {array.shape}")
    result = converted(array, dtype)
    finite(result, argument, array, X if given is None else given)
    return result


def same_rows(n: int, other: int, argument: str, reference: str = "X") -> None:
    """Raises unless ``argument`` has the ``n`` rows that ``reference`` has."""
    if other != n:
        raise ValueError(f"{argument} must have as many rows as {reference}, {n}; got {other}")


def sample_weight(value: ArrayLike | None, n: int, argument: str = "sample_weight") -> np.ndarray | None:
    """The weights of ``n`` rows as contiguous float64, at least 0 and not all 0; None stays None."""
    if value is None:
        return None
    array = numeric(value, argument)
    if array.shape != (n,):
        raise ValueError(f"{argument} must have shape ({n},), one weight a row; got shape {array.shape}")
    with standard_environment():
        weights = np.require(array, np.float64, ["C_CONTIGUOUS", "ALIGNED"])
        finite(weights, argument)
        if (weights < 0).any():
            row = int((weights < 0).argmax())
            raise ValueError(f"{argument} must be at least 0; got {weights[row]} in row {row}")
        if not weights.any():
            raise ValueError(f"{argument} must not be 0 in every row")
    return weights
