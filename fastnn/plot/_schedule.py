"""The learning rate over a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastnn import schedules
from fastnn._input import checks
from fastnn.callbacks import monitored
from fastnn.optimizers import Optimizer
from fastnn.plot import _curves, _style
from fastnn.plot._arguments import history_of
from fastnn.schedules import Schedule
from fastnn.training.plateau import PlateauState

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_STEPS = 20_000  # that are drawn; of more, evenly spaced ones


def schedule(
    schedule: Schedule | Optimizer | float,
    epochs: int,
    steps_per_epoch: int,
    ax: Axes | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
) -> Axes:
    """Draw the learning rate of each update.

    Parameters
    ----------
    schedule : Schedule, Optimizer or float
        Of an optimizer, its schedule; a number is a constant rate.
    epochs : int
    steps_per_epoch : int
        Updates in an epoch: the rows over the batch size, rounded up.
    ax : matplotlib Axes, optional
        By default a new figure's.
    history : mapping of str to sequence of float, optional
        What a run recorded, for `ReduceOnPlateau`, whose rates depend on it.

    Returns
    -------
    matplotlib Axes
        Each update is a step of the stairs drawn: it reaches over its part of an epoch. Of more than 20,000 updates,
        evenly spaced ones are drawn.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the schedule depends on a history that is not given or too short.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    given = schedule.schedule if isinstance(schedule, Optimizer) else schedule
    if not isinstance(given, Schedule):
        try:
            given = schedules.Constant(given)
        except TypeError:
            raise TypeError(
                f"schedule must be a Schedule, an Optimizer or a number; got {checks.described(schedule)}"
            ) from None
    epochs = checks.integer(epochs, "epochs")
    steps_per_epoch = checks.integer(steps_per_epoch, "steps_per_epoch")
    stride = -(-epochs * steps_per_epoch // _MOST_STEPS)
    edges, rates = [], []
    for epoch, reduced in enumerate(_reduced(given, epochs, history)):
        start, stop = epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch
        kept = np.arange(-(-start // stride) * stride, stop, stride)
        edges.append(kept / steps_per_epoch)
        rates.append(given.of_steps(start, stop, epoch, reduced)[kept - start])
    ax = _style.axes(ax)
    values = np.concatenate(rates)
    ax.stairs(
        values,
        np.concatenate([*edges, [float(epochs)]]),
        baseline=None,
        color=_style.palette(ax).training,
        linewidth=1.8,
    )
    ax.set_xlim(0, epochs)
    ax.set_ylim(0, 1.05 * values.max() or 1.0)
    ax.set_xlabel("epochs completed")
    ax.set_ylabel("learning rate")
    ticker = _style.matplotlib("ticker")
    ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=epochs > 3, steps=[1, 2, 5, 10]))
    _style.tidy(ax)
    return ax


def _reduced(given: Schedule, epochs: int, history: Mapping[str, Sequence[float]] | None) -> Iterator[float]:
    """Yield for each epoch what `ReduceOnPlateau` has come to, where one is in use."""
    plateau = given.plateau
    if plateau is None:
        yield from [0.0] * epochs
        return
    if history is None:
        raise ValueError(f"history must be given for {plateau!r}: its rates depend on what the run recorded; got None")
    history = history_of(history)
    column = monitored(plateau.monitor, tuple(history))
    if column not in history:
        raise ValueError(f"history must have the column {column!r}; got {', '.join(map(str, history)) or 'none'}")
    values = _curves.values_of(history[column], f"the column {column!r} of history")
    if len(values) < epochs - 1:
        raise ValueError(f"history must hold at least {epochs - 1} epochs for {epochs} of a run; got {len(values)}")
    state = PlateauState.of(plateau)
    for epoch in range(epochs):
        yield state.learning_rate
        if epoch < epochs - 1:
            state.update(values[epoch])
