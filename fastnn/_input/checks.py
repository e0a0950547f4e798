"""The one place that validates arguments and dense arrays; sparse rows: `fastnn._input.sparse`.

Every check either returns the value in the form the rest of the package works with, or raises an error that names the
argument, what was expected and what came. Nothing here changes anything.
"""

from __future__ import annotations

import itertools
import math
import operator
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._input import NUMERIC_KINDS, interruptible, memory_maps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastnn._input.names import DtypeName

MAX_SEED = 2**64 - 1
LISTED = 100  # names in an error message


def nearest(value: str, choices: Iterable[str]) -> str:
    """Return a hint naming the choice that is spelt most like ``value``, or nothing; for names of the user's own."""
    from fastnn._input import suggestions  # here, as only errors need it

    found = suggestions.nearest(value, choices)
    return "" if found is None else f" (did you mean {found!r}?)"


def hint(value: str, choices: Iterable[str], argument: str) -> str:
    """Return a hint at what a name that is none of ``choices``, which are ours, was meant for, or nothing."""
    from fastnn._input import suggestions

    return suggestions.hint(value, choices, argument)


def listing(names: Collection[str]) -> str:
    """Return the names in an error message, or how they begin if they are many."""
    more = f", … ({len(names):,} in all)" if len(names) > LISTED else ""
    return ", ".join(itertools.islice(names, LISTED)) + more


def choice(value: Any, choices: Iterable[str], argument: str) -> Any:
    """Return ``value``, if it is one of the strings ``choices``."""
    choices = tuple(choices)
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be one of {', '.join(map(repr, choices))}; got {described(value)}")
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ValueError(f"{argument} must be one of {listed}; got {value!r}{hint(value, choices, argument)}")
    return value


def integer(value: Any, argument: str, minimum: int = 1, maximum: int | None = None) -> int:
    """Return ``value`` as an int in [minimum, maximum]."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} must be an integer; got {described(value)}") from None
    if number < minimum or (maximum is not None and number > maximum):
        upper = "" if maximum is None else f" and at most {maximum}"
        came = number if abs(number) < 10**40 else described(number)  # Python prints no integer of any length
        raise ValueError(f"{argument} must be an integer of at least {minimum}{upper}; got {came}")
    return number


def seed(value: Any, argument: str = "seed") -> int:
    """Return ``value`` as an int that serves as a seed."""
    return integer(value, argument, 0, MAX_SEED)


def threads(value: Any) -> int | str:
    """Return ``value`` as a number of threads, or ``"auto"``."""
    if isinstance(value, str):
        return choice(value, ("auto",), "threads")
    return integer(value, "threads", 1, 64)


def number(
    value: Any,
    argument: str,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
    hint: str = "",
) -> float:
    """Return ``value`` as a finite float from ``low`` to ``high``; ``above`` and ``below`` exclude the ends.

    ``hint`` ends the error about a number that is out of range.
    """
    try:
        if isinstance(value, (bool, np.bool_, str, bytes)):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{argument} must be a number; got {described(value)}") from None
    except OverflowError:
        raise ValueError(f"{argument} must fit in float64; got a larger {type(value).__name__}") from None
    too_low = result <= low if above else result < low
    too_high = result >= high if below else result > high
    if too_low or too_high or not math.isfinite(result):
        bounds = []
        if low > -math.inf:
            bounds.append(f"{'above' if above else 'at least'} {low:g}")
        if high < math.inf:
            bounds.append(f"{'below' if below else 'at most'} {high:g}")
        raise ValueError(
            f"{argument} must be a finite number{' ' * bool(bounds)}{' and '.join(bounds)}; got {result!r}{hint}"
        )
    return result


def boolean(value: Any, argument: str) -> bool:
    """Return ``value`` as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument} must be True or False; got {described(value)}")
    return bool(value)


def text(value: Any, argument: str) -> str:
    """Return ``value`` as a string."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string; got {described(value)}")
    return value


def path(value: Any, argument: str = "path") -> str:
    """Return ``value`` as the name of a file."""
    name = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be the path of a file; got {described(value)}")
    if not name or "\0" in name:
        raise ValueError(f"{argument} must be the path of a file; got {name!r}")
    return name


def mapping(value: Any, argument: str) -> Mapping[Any, Any]:
    """Return ``value``, if it maps something to something."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument} must be a mapping; got {described(value)}")
    return value


def dtype_name(value: Any, argument: str = "dtype") -> DtypeName:
    """Return ``"float32"`` or ``"float64"``."""
    if isinstance(value, str):
        return choice(value, ("float32", "float64"), argument)
    try:
        name = "" if value is None else np.dtype(value).name  # NumPy takes None for float64
    except (TypeError, ValueError):
        name = ""
    if name not in ("float32", "float64"):
        raise TypeError(f"{argument} must be 'float32' or 'float64'; got {value!r}")
    return name  # type: ignore[return-value]


def one_of(value: Any, base: type, choices: dict[str, Any], argument: str) -> Any:
    """Return a description: an instance of ``base`` as it is, or the default one of the class that a string names."""
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        return choices[choice(value, choices, argument)]()
    if isinstance(value, type) and issubclass(value, base):
        raise TypeError(f"{argument} must be an object, not a class: write {value.__name__}(...)")
    listed = ", ".join(map(repr, choices))
    article = "an" if base.__name__[0] in "AEIOU" else "a"
    kind = value if isinstance(value, type) else type(value)  # of another library, mostly
    raise TypeError(
        f"{argument} must be one of {listed}, or {article} {base.__name__}; "
        f"got {described(value)}{hint(kind.__name__, choices, argument)}"
    )


def listed(value: Any, single: type | tuple[type, ...], argument: str) -> tuple[Any, ...]:
    """Return the items of ``value``; one that is a ``single`` stands for itself."""
    if isinstance(value, single):
        return (value,)
    try:
        return tuple(value)
    except TypeError:
        raise TypeError(f"{argument} must be a sequence; got {described(value)}") from None


def instance(value: Any, cls: type, argument: str, hint: str = "") -> None:
    """Raise unless ``value`` is a ``cls``; ``hint`` ends the error."""
    if not isinstance(value, cls):
        raise TypeError(f"{argument} must be a {cls.__name__}; got {described(value)}{hint}")


def described(value: Any) -> str:
    """Return ``value`` in an error message: its type, and what it is if that is short."""
    name = type(value).__name__
    try:
        text = repr(value)
    except Exception:  # a class of the user's may fail, and Python refuses very long integers
        return f"a {name}"
    return f"{name} {text}" if len(text) <= 40 and "\n" not in text else f"a {name}"


def anything(value: Any, argument: str) -> np.ndarray:
    """Return ``value`` as an ndarray of whatever it holds."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{argument} must be an array; got rows of unequal length ({error})") from None


def numeric(value: ArrayLike, argument: str) -> np.ndarray:
    """Return ``value`` as an ndarray of real numbers, as it is where it is one already; see `fastnn._input.arrays`."""
    if type(value) is np.ndarray and value.dtype.kind in NUMERIC_KINDS:
        return value
    from fastnn._input import arrays  # here, as `import fastnn` does without it

    return arrays.as_numbers(value, argument)


def matrix(value: ArrayLike, argument: str) -> np.ndarray:
    """Return ``value`` as real numbers in rows and columns, at least one of each."""
    array = numeric(value, argument)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{argument} must have shape (n, k), n and k at least 1; got shape {array.shape}")
    return array


def places(value: ArrayLike, n: int, argument: str) -> np.ndarray:
    """Return ``value`` as integers that number ``n`` things from 0."""
    array = numeric(value, argument)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{argument} must hold integers; got an array of dtype {array.dtype}")
    outside = (array < 0) | (array >= n)
    if outside.any():
        raise ValueError(f"{argument} must be from 0 to {n - 1}; got {array[outside][0]}")
    return array


def names(value: Any, argument: str) -> tuple[str, ...]:
    """Return ``value`` as a tuple of strings; one string stands for itself."""
    found = listed(value, str, argument)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{argument} must hold strings; got {described(name)}")
    return found


def converted(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``array`` in ``dtype``; itself, not a copy, where it is of that dtype."""
    if array.dtype == dtype:
        return array
    with standard_environment(), np.errstate(over="ignore"):
        return interruptible.converted(array, dtype)


def finite(array: np.ndarray, argument: str, original: np.ndarray | None = None, given: Any = None) -> None:
    """Raise if ``array`` (float32 or float64, 1-D or 2-D) holds a NaN or an infinity, naming the first one's place.

    ``original`` is what was converted to it, and ``given`` the data frame that all came from, if it was one.
    """
    flat = memory_maps.first_nonfinite(array)
    if flat < 0:
        return
    place = np.unravel_index(flat, array.shape)
    where = f"row {place[0]}" if array.ndim == 1 else f"row {place[0]}, column {place[1]}"
    from fastnn._input import arrays

    names = arrays.column_names(given)
    if names is not None and array.ndim == 2:
        where += f" ({names[place[1]]!r})"
    came = array[place]
    if original is not None and np.isfinite(original[place]):
        raise ValueError(f"{argument} must fit in {array.dtype}; got {original[place]} in {where}")
    raise ValueError(f"{argument} must be finite; got {came} in {where}")


def features(X: Any, n_features: int, dtype: np.dtype, argument: str = "X", given: Any = None) -> np.ndarray:
    """Return the dense rows ``X``, shape (n, n_features), n > 0, in ``dtype`` and finite; no copy if of that dtype.

    ``given`` is what ``X`` was made of, if it has been.
    """
    array = numeric(X, argument)
    rows_of(array.shape, n_features, argument)
    result = converted(array, dtype)
    finite(result, argument, array, X if given is None else given)
    return result


def rows_of(shape: tuple[int, ...], n_features: int, argument: str) -> None:
    """Raise unless ``shape`` is (n, n_features), n > 0."""
    if len(shape) != 2:
        hint = ": one row is X[None, :], one feature is X[:, None]" if len(shape) == 1 else ""
        raise ValueError(f"{argument} must have shape (n, {n_features}); got shape {shape}{hint}")
    if shape[1] != n_features:
        raise ValueError(f"{argument} must have {n_features} features a row; got {shape[1]} (shape {shape})")
    if shape[0] == 0:
        raise ValueError(f"{argument} must have at least one row; got shape {shape}")


def same_rows(n: int, other: int, argument: str, reference: str = "X") -> None:
    """Raise unless ``argument`` has the ``n`` rows that ``reference`` has."""
    if other != n:
        raise ValueError(f"{argument} must have as many rows as {reference}, {n}; got {other}")


def sample_weight(value: ArrayLike | None, n: int, argument: str = "sample_weight") -> np.ndarray | None:
    """Return the weights of ``n`` rows as contiguous float64, at least 0 and in all above 0; None stays None."""
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
        weights_in_range(weights, argument)
    return weights


def weights_in_range(weights: np.ndarray, argument: str) -> None:
    """Raise unless the float64 weights of rows, finite and at least 0, have a sum to divide by, whatever the batch."""
    if not weights.any():
        raise ValueError(f"{argument} must not be 0 in every row")
    smallest = sys.float_info.min  # below it 1 / weight may be infinite
    tiny = (weights > 0) & (weights < smallest)
    if tiny.any():
        row = int(tiny.argmax())
        raise ValueError(f"{argument} must be 0 or at least {smallest:g}; got {weights[row]} in row {row}")
    largest = sys.float_info.max / (2 * len(weights))  # no order of summing overflows then
    if weights.max() > largest:
        row = int(weights.argmax())
        raise ValueError(
            f"{argument} must be at most {largest:g} with {len(weights)} rows, for a finite sum; "
            f"got {weights[row]} in row {row}"
        )
