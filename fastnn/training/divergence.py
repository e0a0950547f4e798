"""The error that a run ends with when its loss or a parameter leaves the finite range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn._engine.training import Diverged
from fastnn.errors import DivergedError

if TYPE_CHECKING:
    from fastnn.training.state import Run


def diverged_error(run: Run, error: Diverged) -> DivergedError:
    """Say what the engine's ``error`` means in terms of the run's layers and epochs."""
    what, layer, network, state = error.what, None, run.network, run.state
    if error.operation >= 0:
        layer = network.plan.positions[error.operation]
        part = "outputs" if what == "the loss" else "update of the parameters"
        what = f"the {part} of layer {layer}, {network.layers[layer]!r},"
    rate = float(state.rates(error.step - 1, error.step)[0])
    return DivergedError(state.history.epochs + 1, error.step, rate, what, layer)
