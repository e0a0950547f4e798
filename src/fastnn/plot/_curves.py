"""Pictures of a run, drawn with matplotlib (the extra ``plot``)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastnn.metrics import is_maximised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

__all__ = ["learning_curve"]

TRAINING, VALIDATION, BEST = "#1f5fa8", "#d1620b", "#6b7280"
FIGURE_SIZE = (7.0, 4.2)  # inches


def _matplotlib(module: str) -> Any:
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise ImportError("fastnn.plot needs matplotlib: pip install 'fastnn[plot]'") from error


def best_epoch(values: Sequence[float], larger_is_better: bool = False) -> int:
    """Index of the best finite value, the earliest of equals; -1 if there is none.

    Parameters
    ----------
    values : sequence of float
        One value an epoch.
    larger_is_better : bool
        True for a metric such as accuracy, False for a loss.
    """
    finite = [(-value if larger_is_better else value, i) for i, value in enumerate(values) if abs(value) < float("inf")]
    return min(finite)[1] if finite else -1


def learning_curve(history: Mapping[str, Sequence[float]], ax: Axes | None = None, metric: str = "loss") -> Axes:
    """Draws a metric over the epochs, for the training and the validation data, and marks the best epoch.

    Parameters
    ----------
    history : mapping of str to sequence of float
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
    are any. A loss that is positive and falls by more than a factor of ten is drawn on a logarithmic scale.
    """
    validation = f"val_{metric}"
    drawn = [name for name in (metric, validation) if name in history]
    if not drawn:
        raise ValueError(f"metric must be a column of the history ({', '.join(history)}); got {metric!r}")
    if not len(history[drawn[0]]):
        raise ValueError(f"history must hold at least one epoch; its column {drawn[0]!r} is empty")

    ticker = _matplotlib("ticker")
    if ax is None:
        ax = _matplotlib("pyplot").subplots(figsize=FIGURE_SIZE, layout="constrained")[1]
    for name, colour, label in ((metric, TRAINING, "training"), (validation, VALIDATION, "validation")):
        if name in history:
            values = history[name]
            marker = "o" if len(values) == 1 else None
            ax.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.8, marker=marker, label=label)

    judged = history[drawn[-1]]
    larger_is_better = is_maximised(metric)
    best = best_epoch(judged, larger_is_better)
    if best >= 0:
        ax.axvline(best + 1, color=BEST, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        colour = VALIDATION if validation in history else TRAINING
        ax.plot(
            [best + 1],
            [judged[best]],
            linestyle="none",
            marker="o",
            markersize=6,
            color=colour,
            markeredgecolor="white",
            label=f"best: epoch {best + 1}, {judged[best]:.4g}",
        )

    values = [value for name in drawn for value in history[name] if abs(value) < float("inf")]
    if not larger_is_better and values and min(values) > 0 and max(values) > 10 * min(values):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric.replace("_", " "))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.grid(True, color="#e5e7eb", linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(frameon=False)
    return ax
