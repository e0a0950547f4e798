"""Predictions against the truth, for a regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastnn import metrics
from fastnn._display import notebook
from fastnn._input import checks
from fastnn.plot import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

_FLOAT64 = np.dtype(np.float64)


def predicted(
    y_true: ArrayLike, y_pred: ArrayLike, ax: Axes | None = None, *, quantiles: Sequence[float] | None = None
) -> Axes:
    """Draw predictions over the true values, the diagonal that they would lie on, and say R² and RMSE.

    Parameters
    ----------
    y_true : array_like, shape (n,) or (n, 1)
    y_pred : array_like, shape (n,) or (n, 1), or (n, q) for q quantiles
    ax : matplotlib Axes, optional
        By default a new figure's.
    quantiles : sequence of float, optional
        What the columns of ``y_pred`` are, for a network trained with `fastnn.Pinball`: each row gets a line from its
        lowest to its highest quantile, and a point at the one nearest to 0.5, which R² and RMSE are of. The title says
        what share of the rows lies within the lines.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, or a value is not finite.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    true, outputs = _column(y_true, "y_true", 1), _column(y_pred, "y_pred", None)
    checks.same_rows(len(true), len(outputs), "y_pred", "y_true")
    listed = _quantiles(quantiles, outputs.shape[1])
    middle = min(range(len(listed)), key=lambda i: abs(listed[i] - 0.5))
    points = outputs[:, middle]
    r2, rmse = (metric(outputs[:, [middle]], true) for metric in (metrics.R2(), metrics.RootMeanSquaredError()))
    true = true[:, 0]
    said = [f"R² {r2:.3f}", f"RMSE {rmse:.4g}", notebook.counted(len(true), "row")]

    ax = _style.axes(ax)
    colours = _style.palette(ax)
    n, many = len(true), len(true) > _style.MANY_POINTS
    if len(listed) > 1:
        low, high = outputs[:, int(np.argmin(listed))], outputs[:, int(np.argmax(listed))]
        within = (low <= true) & (true <= high)
        said.append(f"{within.mean():.1%} within the quantiles {min(listed):g} to {max(listed):g}")
        ax.vlines(
            true,
            low,
            high,
            color=colours.training,
            alpha=0.3 if n < 300 else 0.12,
            linewidth=2 if n < 300 else 1,
            rasterized=many,
        )
    ax.scatter(
        true,
        points,
        s=18 if n <= 300 else 9 if not many else 4,
        color=colours.training,
        alpha=0.75 if n <= 300 else 0.45 if not many else 0.25,
        linewidths=0,
        rasterized=many,
    )
    ends = [min(true.min(), points.min()), max(true.max(), points.max())]
    ax.plot(ends, ends, color=colours.validation, linewidth=1.2, linestyle=(0, (4, 3)), label="_diagonal")
    ax.set_xlabel("true value")
    ax.set_ylabel("predicted value")
    _style.title(ax, "   ".join(said))
    _style.tidy(ax)
    return ax


def _column(value: ArrayLike, argument: str, columns: int | None) -> np.ndarray:
    """Return float64 values, finite, in columns: one, unless ``columns`` leaves it open."""
    array = checks.converted(checks.numeric(value, argument), _FLOAT64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.shape[1] or (columns is not None and array.shape[1] != columns):
        expected = "(n,)" if columns else "(n,), or (n, q) with quantiles"
        raise ValueError(f"{argument} must have shape {expected}, one target at a time; got shape {np.shape(value)}")
    if not len(array):
        raise ValueError(f"{argument} must have at least one row; got none")
    checks.finite(array, argument)
    return array


def _quantiles(given: Sequence[float] | None, columns: int) -> list[float]:
    if given is None:
        if columns > 1:
            raise ValueError(f"quantiles must say what the {columns} columns of y_pred are; got None")
        return [0.5]
    listed = [checks.number(value, "quantiles", 0.0, 1.0, above=True, below=True) for value in np.atleast_1d(given)]
    if len(listed) != columns:
        raise ValueError(f"quantiles must name each of the {columns} columns of y_pred; got {len(listed)}")
    return listed
