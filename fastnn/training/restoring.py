"""How a run stood, from a file: looked at before it is believed, since the engine is told to go on from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._input import checks
from fastnn.history import History
from fastnn.training.class_weights import class_weight
from fastnn.training.events import Event

if TYPE_CHECKING:
    from fastnn.training.state import Run

_MOST = 2**53  # steps that float64 still counts one by one
_EVENTS = ("on_epoch_begin", "on_step_end", "on_epoch_end")


def restore(run: Run, metadata: Mapping[str, Any], state: Mapping[str, np.ndarray]) -> None:
    """Bring a new trainer to where another stood.

    Raises
    ------
    KeyError, TypeError, ValueError
        If that is nowhere a trainer can stand.
    """
    history = _history(metadata["history"])
    columns = tuple(checks.text(name, "a column") for name in checks.listed(metadata["columns"], str, "columns"))
    epoch_rows = checks.integer(metadata["epoch_rows"], "epoch_rows", 0, _MOST)
    _check_state(state, run.state.training.get_state(), epoch_rows)
    untold = None if metadata["untold"] is None else _event(metadata["untold"])
    if run.state.plateau is not None:
        run.state.plateau.set_state(metadata["plateau"])
    if metadata["weight_by_class"] is not None:
        weights = class_weight(metadata["weight_by_class"], run.loss, run.network.n_outputs)
        if not isinstance(weights, np.ndarray):
            raise ValueError(f"weight_by_class must hold numbers; got {checks.described(weights)}")
        run.state.weight_by_class = weights
    run.state.history, run.state.columns, run.state.epoch_rows, run.state.untold = history, columns, epoch_rows, untold
    run.state.training.set_state(state)


def _history(given: Any) -> History:
    columns = checks.mapping(given, "history")
    for name, values in columns.items():
        if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
            raise ValueError(f"history must hold a list of numbers in each column; not so in {name!r}")
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError("history must have columns of one length")
    return History({name: [float(value) for value in values] for name, values in columns.items()})


def _check_state(state: Mapping[str, np.ndarray], like: Mapping[str, np.ndarray], epoch_rows: int) -> None:
    """Compare shapes with those of a new trainer; the engine does not."""
    for name, expected in like.items():
        if name not in state:
            raise ValueError(f"the optimizer's state lacks {name!r}")
        found = state[name]
        if found.shape != expected.shape or found.dtype != expected.dtype:
            raise ValueError(
                f"the optimizer's {name!r} must have shape {expected.shape} and dtype {expected.dtype}; "
                f"got shape {found.shape} and dtype {found.dtype}"
            )
    steps, position = map(int, state["counters"])
    checks.integer(steps, "steps", 0, _MOST)
    checks.integer(position, "the position in the epoch", 0, epoch_rows)
    if position and not 0.0 < float(state["sums"][2]) < math.inf:
        raise ValueError(f"the weights of the epoch's rows must have a sum above 0; got {state['sums'][2]}")


def _event(given: Any) -> Event:
    """Return an event that callbacks have yet to hear of. Only such a method is called, with numbers of its kind."""
    name, arguments, waiting = checks.listed(given, str, "untold")
    checks.choice(name, _EVENTS, "untold")
    number, *values = checks.listed(arguments, str, "the arguments of untold")
    checks.integer(number, "the argument of untold", 0)
    if len(values) != (name == "on_epoch_end"):
        raise ValueError(f"untold must have the arguments of {name}; got {len(values) + 1}")
    for column, value in (checks.mapping(values[0], "untold") if values else {}).items():
        if type(value) not in (int, float):
            raise TypeError(f"untold must hold numbers; got {checks.described(value)} for {column!r}")
    keys = [checks.text(key, "a callback of untold") for key in checks.listed(waiting, str, "untold")]
    return Event(name, [number, *values], keys)
