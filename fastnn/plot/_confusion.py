"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._display import notebook
from fastnn._input import checks
from fastnn.plot import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

_MOST_NUMBERED = 25  # classes; the cells of more are colours without numbers
_MOST_SHARES = 12  # classes; the cells of more have counts without shares
_MOST_NAMED = 30


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, labels: Sequence[Any] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how often each class was predicted for rows of each class: counts, and shares of the true class.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (n,)
        Classes, as integers or strings.
    labels : sequence, optional
        Of values like those of ``y_true``: the classes, in the order in which they are drawn. Of names for integers:
        what the classes 0, 1, … are called. By default all values that there are, in order.
    ax : matplotlib Axes, optional
        By default a new figure's.

    Returns
    -------
    matplotlib Axes
        Of an image of the shares, a row for each true class. Cells of up to 25 classes hold their counts, of up to 12
        their shares too; an empty cell is one without rows.

    Raises
    ------
    TypeError, ValueError
        If the arguments do not fit each other; the message names the row.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    true, predicted = _classes(y_true, "y_true"), _classes(y_pred, "y_pred")
    checks.same_rows(len(true), len(predicted), "y_pred", "y_true")
    if not len(true):
        raise ValueError("y_true must have at least one row; got none")
    if true.dtype.kind != predicted.dtype.kind:
        raise ValueError(
            f"y_true and y_pred must hold classes of one kind; got dtypes {true.dtype} and {predicted.dtype}"
        )
    values, names = _labelled(np.unique(np.concatenate([true, predicted])), labels)
    rows, columns = _numbered(true, values, "y_true"), _numbered(predicted, values, "y_pred")
    n = len(values)
    counts = np.bincount(rows * n + columns, minlength=n * n).reshape(n, n)

    ax = _style.axes(ax)
    colours = _style.palette(ax)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    norm = _style.matplotlib("colors").PowerNorm(0.5, 0.0, 1.0)  # a few wrong rows of many are to be seen as well
    image = ax.imshow(shares, cmap=_style.sequential(colours), norm=norm, aspect="auto" if n > 2 else "equal")
    _name(ax, names)
    if n <= _MOST_NUMBERED:
        _number(ax, image, counts, shares)
    if n > _MOST_SHARES:
        ticks = [0, 0.01, 0.1, 0.25, 0.5, 1]
        percent = _style.matplotlib("ticker").PercentFormatter(1.0, 0)
        bar = ax.figure.colorbar(image, ax=ax, label="share of the true class", ticks=ticks, format=percent)
        bar.outline.set_visible(False)
    hits = int(counts.trace())
    _style.title(ax, f"accuracy {hits / len(true):.1%}: {hits:,} of {notebook.counted(len(true), 'row')}")
    return ax


def _classes(value: ArrayLike, argument: str) -> np.ndarray:
    array = checks.anything(value, argument)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = f": {argument}.argmax(axis=1) makes classes of outputs" if array.ndim == 2 else ""
        raise ValueError(f"{argument} must have shape (n,), a class a row; got shape {array.shape}{hint}")
    if array.dtype.kind == "O" and all(isinstance(item, str) for item in array):
        array = array.astype(str)
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    if array.dtype.kind not in "iuU":
        raise TypeError(f"{argument} must hold integers or strings; got an array of dtype {array.dtype}")
    return array.astype(np.int64) if array.dtype.kind == "u" else array


def _labelled(found: np.ndarray, labels: Sequence[Any] | None) -> tuple[np.ndarray, list[str]]:
    """Return the values of the classes, and what they are called."""
    if labels is None:
        return found, _style.names(found)
    given = _style.classes(labels)
    if not given:
        raise ValueError("labels must hold at least one class; got none")
    names = _style.names(given)
    are_integers = all(isinstance(value, (int, np.integer)) for value in given)
    if found.dtype.kind == "i" and not are_integers:
        return np.arange(len(given)), names
    values = np.asarray(given, dtype=np.int64 if found.dtype.kind == "i" else str)
    if len(np.unique(values)) < len(values):
        raise ValueError(f"labels must not hold a class twice; got {given}")
    return values, names


def _numbered(values: np.ndarray, classes: np.ndarray, argument: str) -> np.ndarray:
    """Return the position of each value among the classes."""
    order = np.argsort(classes)
    places = order[np.minimum(np.searchsorted(classes, values, sorter=order), len(classes) - 1)]
    unknown = classes[places] != values
    if unknown.any():
        row = int(unknown.argmax())
        raise ValueError(
            f"{argument} must hold classes that labels names ({len(classes)} of them); got {values[row]!s} in row {row}"
        )
    return places


def _name(ax: Axes, names: list[str]) -> None:
    """Name the ticks, every so many of many classes."""
    n = len(names)
    stride = -(-n // _MOST_NAMED)
    if stride > 1:
        stride = next(nice for nice in (2, 5, 10, 20, 25, 50, 100, 200, 500, n) if nice >= stride)
    shown = range(0, n, stride)
    size = 9 if n <= 15 else 7
    is_long = len(shown) * max(map(len, names)) > 75
    ax.set_xticks(shown, [names[i] for i in shown], fontsize=size)
    ax.set_yticks(shown, [names[i] for i in shown], fontsize=size)
    if is_long:
        ax.tick_params(axis="x", labelrotation=90 if n > 15 else 35)
        for label in ax.get_xticklabels():
            label.set(ha="center" if n > 15 else "right", rotation_mode="default" if n > 15 else "anchor")
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    _style.without_frame(ax)
    colours = _style.palette(ax)
    if n <= _MOST_NUMBERED:  # lines between the cells
        ax.set_xticks(np.arange(n + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(n + 1) - 0.5, minor=True)
        ax.grid(True, which="minor", color=colours.grid, linewidth=0.8)
        ax.tick_params(which="minor", length=0)


def _number(ax: Axes, image: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    n = len(counts)
    size = 11 if n <= 4 else 8.5 if n <= 8 else 7.5 if n <= _MOST_SHARES else 6 if n <= 18 else 5
    has_shares = n <= _MOST_SHARES and 72 * _style.inches(ax)[0] / n > 3.2 * size  # the room that "12.3%" takes
    for row, column in zip(*np.nonzero(counts), strict=True):
        count, share = counts[row, column], shares[row, column]
        text = f"{count}\n{share:{'.0%' if share == 1 else '.1%'}}" if has_shares else f"{count}"
        colour = _style.readable(ax, image.to_rgba(share))
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour, linespacing=1.0)
