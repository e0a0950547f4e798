"""Learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from fastnn._input import checks
from fastnn.metrics import is_maximised
from fastnn.plot import _style
from fastnn.plot._arguments import history_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnn.plot._arguments import Estimator
    from fastnn.training import Trainer

    Curves = Mapping[str, Sequence[float]]

_MANY_RUNS = 12  # more have no legend


def best_epoch(values: Sequence[float], larger_is_better: bool = False) -> int:
    """Return the index of the best finite value, the earliest of equals; -1 if there is none.

    Parameters
    ----------
    values : sequence of float
        One value an epoch.
    larger_is_better : bool
        True for a metric such as accuracy, False for a loss.
    """
    values, larger_is_better = values_of(values, "values"), checks.boolean(larger_is_better, "larger_is_better")
    finite = [(-value if larger_is_better else value, i) for i, value in enumerate(values) if math.isfinite(value)]
    return min(finite)[1] if finite else -1


def learning_curve(history: Curves | Trainer | Estimator, ax: Axes | None = None, metric: str = "loss") -> Axes:
    """Draw a metric over the epochs, for the training and the validation data, and mark the best epoch.

    Parameters
    ----------
    history : mapping of str to sequence of float, Trainer or fitted estimator of `fastnn.sklearn`
        What ``Trainer.fit`` returns: column name to one value an epoch. ``history[metric]`` and, if there is one,
        ``history["val_" + metric]`` are drawn.
    ax : matplotlib Axes, optional
        Where to draw; by default on a new figure of pyplot's, which notebooks show by themselves.
    metric : str
        A column of the history, such as ``"loss"`` or ``"accuracy"``.

    Returns
    -------
    matplotlib Axes
        For further changes, or ``ax.figure.savefig(path)``.

    Raises
    ------
    ValueError
        If the history has no such column, or no epoch yet.
    ImportError
        If matplotlib is missing; the message says how to install it.

    Notes
    -----
    The best epoch is that with the smallest value, or the largest of an accuracy or R², on the validation data if there
    are any. A loss that is positive and falls by more than a factor of ten is drawn on a logarithmic scale. A value
    that is not finite leaves a gap.
    """
    history = history_of(history)
    drawn = _columns(history, checks.text(metric, "metric"), "history")
    validation = f"val_{metric}"
    ax = _style.axes(ax)
    colours = _style.palette(ax)
    for name, colour, label in ((metric, colours.training, "training"), (validation, colours.validation, "validation")):
        if name in drawn:
            _line(ax, history[name], color=colour, linewidth=1.8, label=label)

    judged = history[drawn[-1]]
    best = best_epoch(judged, is_maximised(metric))
    if best >= 0:
        ax.axvline(best + 1, color=colours.muted, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        colour = colours.validation if validation in drawn else colours.training
        _mark(ax, best, judged[best], colour, f"best: epoch {best + 1}, {judged[best]:.4g}")
    _finish(ax, [history[name] for name in drawn], metric)
    ax.legend(frameon=False)
    return ax


def learning_curves(
    runs: Mapping[str, Curves | Trainer | Estimator], metric: str = "loss", ax: Axes | None = None
) -> Axes:
    """Draw a metric of several runs over each other, each in a colour of its own, and mark the best epoch of each.

    Parameters
    ----------
    runs : mapping of str to history
        What each run is called, and its history as for `learning_curve`.
    metric : str
        A column of every history, as it is or with ``"val_"`` before it. Training is dotted where there are validation
        data.
    ax : matplotlib Axes, optional
        By default a new figure's.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If there is no run, or a history has no such column, or no epoch yet.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    must = "runs must be a mapping of names to histories"
    if not isinstance(runs, Mapping):
        raise TypeError(f"{must}; got {checks.described(runs)}")
    if not runs:
        raise ValueError("runs must hold at least one history; got none")
    checks.text(metric, "metric")
    histories = {name: history_of(run, f"{must}: {name!r}") for name, run in runs.items()}
    columns = {name: _columns(history, metric, f"the history of {name!r}") for name, history in histories.items()}
    ax = _style.axes(ax)
    shown = []
    palette = _style.palette(ax)
    for (name, history), colour in zip(histories.items(), _style.class_colours(len(runs), palette), strict=True):
        drawn = columns[name]
        for column in drawn:
            dotted = column != drawn[-1]
            style, width = ((0, (1, 1.6)), 1.2) if dotted else ("-", 1.8)
            _line(ax, history[column], color=colour, linewidth=width, linestyle=style, label="_")
            shown.append(history[column])
        judged = history[drawn[-1]]
        best = best_epoch(judged, is_maximised(metric))
        label = _style.name(name) + (f": {judged[best]:.4g}, epoch {best + 1}" if best >= 0 else ": no finite value")
        _mark(ax, max(best, 0), judged[best] if best >= 0 else math.nan, colour, label)
    _finish(ax, shown, metric)
    if len(runs) <= _MANY_RUNS:
        ax.legend(frameon=False, title="best", alignment="left", fontsize=9 if len(runs) <= 5 else 8)
    return ax


def _columns(history: Curves, metric: str, argument: str) -> list[str]:
    """Return the columns to draw, what is judged last."""
    drawn = [name for name in (metric, f"val_{metric}") if name in history]
    if not drawn:
        raise ValueError(f"metric must be a column of {argument} ({', '.join(map(str, history))}); got {metric!r}")
    for name in drawn:
        values_of(history[name], f"the column {name!r} of {argument}")
    if not len(history[drawn[0]]):
        raise ValueError(f"{argument} must hold at least one epoch; its column {drawn[0]!r} is empty")
    return drawn


def values_of(values: Any, argument: str) -> Sequence[float]:
    """Return one number an epoch, finite or not."""
    if not hasattr(values, "__len__") or isinstance(values, (str, bytes, Mapping)):
        raise TypeError(f"{argument} must be a sequence of numbers, one an epoch; got {checks.described(values)}")
    for value in values:
        if not isinstance(value, Real):
            raise TypeError(f"{argument} must hold numbers; got {checks.described(value)}")
    return values


def _line(ax: Axes, values: Sequence[float], **style: Any) -> None:
    """Draw values over the epochs 1, 2, …; one without a finite neighbour, which has no line, as a dot."""
    finite = [False, *(math.isfinite(value) for value in values), False]
    alone = [i for i in range(len(values)) if finite[i + 1] and not finite[i] and not finite[i + 2]]
    shown = [value if math.isfinite(value) else math.nan for value in values]
    marker = "o" if alone else None
    ax.plot(range(1, len(values) + 1), shown, marker=marker, markersize=4, markevery=alone or None, **style)


def _mark(ax: Axes, epoch: int, value: float, colour: object, label: str) -> None:
    edge = _style.palette(ax).surface
    ax.plot(
        [epoch + 1],
        [value],
        linestyle="none",
        marker="o",
        markersize=6,
        color=colour,
        markeredgecolor=edge,
        label=label,
    )


def _finish(ax: Axes, curves: Sequence[Sequence[float]], metric: str) -> None:
    """Set scale, labels and grid."""
    ticker = _style.matplotlib("ticker")
    values = [value for curve in curves for value in curve if math.isfinite(value)]
    epochs = max(map(len, curves))
    if values and epochs > 1:  # epochs without a finite value belong to the run as well
        ax.update_datalim([(1, values[0]), (epochs, values[0])])
        ax.autoscale_view()
    else:
        ax.set_xlim(0.5, epochs + 0.5)
    if not values:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no finite value", transform=ax.transAxes, ha="center", color=_style.palette(ax).muted)
    if not is_maximised(metric) and values and min(values) > 0 and max(values) > 10 * min(values):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    ax.set_xlabel("epoch")
    ax.set_ylabel(_style.name(metric.replace("_", " ")))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    _style.tidy(ax)
