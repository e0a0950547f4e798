"""What the page draws: the run as it begins, in JSON, and a picture of it now, in bytes.

A frame is a header in JSON, after its length in four bytes, and arrays one after another, which the header names:
``float32`` first, so that each begins where the page can look at it as it is. Pictures are ``int8``, from -127 to 127
for minus and plus their scale.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

import fastnn as fn
from fastnn import elementary, gradients, inspection
from fastnn.playground import problem as problems
from fastnn.playground.session import Session

UNIT_POINTS = 32  # of the picture of a unit, each way
PLANE_POINTS = 96  # of that of the outputs
_REGRESSION_SCALE = 2.0  # standard deviations of the target that have the full colour


def beginning(session: Session) -> dict[str, Any]:
    """Return what does not change in a run: settings, points, the plane and the units of each layer."""
    found, settings = session.problem, session.settings
    ends = problems.plane((found.train[0], found.held_out[0]))
    train, held_out = session.targets()
    return {
        "settings": settings.as_texts(),
        "query": settings.to_query(),
        "units": [2, *settings.layers, found.n_outputs],
        "classes": list(found.classes),
        "names": list(found.names),
        "file": session.table.file if session.table else "",
        "header": list(session.table.header) if session.table else [],
        "columns": list(session.table.chosen) if session.table else [],
        "plane": ends,
        "labels": [_labels(session, axis, ends[axis]) for axis in range(2)],
        "train": {"X": _rounded(found.train[0]), "y": _rounded(train)},
        "heldOut": {"X": _rounded(found.held_out[0]), "y": _rounded(held_out)},
        "updatesPerEpoch": session.updates_per_epoch,
        "parameters": session.trainer.network.n_parameters,
        "unitPoints": UNIT_POINTS,
        "planePoints": PLANE_POINTS,
    }


def _rounded(values: np.ndarray) -> list[Any]:
    return np.round(values.astype(np.float64), 4).tolist()


def _labels(session: Session, axis: int, ends: tuple[float, float]) -> list[str]:
    """Return what to write at the ends of an axis: numbers as the user's table has them."""
    scaler = session.problem.scaler
    if scaler is not None and scaler.mean is not None and scaler.scale is not None:
        ends = (ends[0] * scaler.scale[axis] + scaler.mean[axis], ends[1] * scaler.scale[axis] + scaler.mean[axis])
    digits = 1 - math.floor(math.log10(ends[1] - ends[0]))
    if abs(digits) > 5:  # too small or too large a stretch to be written out
        return [f"{end:.4g}" for end in ends]
    return [f"{round(end, digits):.{max(0, digits)}f}" for end in ends]


class Camera:
    """Takes frames of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        found = session.problem
        self._ends = problems.plane((found.train[0], found.held_out[0]))
        self._unit_rows = self._grid(UNIT_POINTS)
        self._plane_rows = self._grid(PLANE_POINTS)

    def _grid(self, points: int) -> np.ndarray:
        """Return the middles of the cells that the plane is cut into, from its top left corner on."""
        x, y = (np.linspace(*ends, 2 * points + 1)[1::2] for ends in self._ends)
        columns, rows = np.meshgrid(x, y[::-1])
        return np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float32)

    def frame(self, **more: Any) -> bytes:
        """Return the run as it stands: how far, how good, and all pictures; ``more``: what else the header says."""
        session = self.session
        trainer, network = session.trainer, session.look()
        train, held_out = (_finite(scores) for scores in session.scores())
        pictures = [self._unit_rows, *inspection.activations(network, self._unit_rows).values()]
        units = np.nan_to_num(np.concatenate([layer.T for layer in pictures]))
        scales = np.abs(units).max(axis=1)
        scales[2:] = np.maximum(scales[2:], 1.0)  # what a unit hardly puts out is pale
        winners, surface = self._plane(np.nan_to_num(network.predict(self._plane_rows)).astype(np.float64))
        arrays = {
            "parameters": _joined(dict(network.parameters)),
            "gradients": _joined(self._gradients(network)),
            "scales": scales.astype(np.float32),
            "units": _signed(units, scales[:, None]),
            "plane": surface,
            "winners": winners,
        }
        header = {
            **more,
            "updates": trainer.steps,
            "epochs": trainer.epoch,
            "train": train,
            "heldOut": held_out,
            "digest": trainer.network.digest(),
            "arrays": [[name, array.dtype.name, array.size] for name, array in arrays.items()],
        }
        text = json.dumps(header, allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        return b"".join([len(text).to_bytes(4, "little"), text, *(array.tobytes() for array in arrays.values())])

    def _gradients(self, network: fn.Network) -> dict[str, np.ndarray]:
        try:
            return gradients.gradient(network, self.session.problem.loss, *self.session.problem.train)
        except FloatingPointError:  # the parameters are finite, and what comes of them is not
            return {name: np.zeros_like(array) for name, array in network.parameters.items()}

    def _plane(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the class that wins at each point, if there are three or more, and how sure the network is of it."""
        if outputs.shape[1] > 1:
            winners = outputs.argmax(axis=1)
            odds = elementary.exp(outputs - outputs.max(axis=1, keepdims=True))
            return winners.astype(np.uint8), _signed(1 / odds.sum(axis=1), 1.0)
        none = np.empty(0, np.uint8)
        if self.session.problem.classes:
            return none, _signed(2 * elementary.sigmoid(outputs[:, 0]) - 1, 1.0)
        return none, _signed(outputs[:, 0], _REGRESSION_SCALE)


def _finite(scores: dict[str, float]) -> dict[str, float | None]:
    """Return numbers as JSON has them: it knows no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def _joined(arrays: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays.values()]).astype("<f4")


def _signed(values: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    return np.rint(np.clip(values / scale, -1, 1) * 127).astype(np.int8)
