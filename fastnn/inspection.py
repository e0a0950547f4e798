"""A look into a trained network: the outputs of its layers, and the units that do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn._engine.model import Model
from fastnn._input import checks
from fastnn._input.calls import explained
from fastnn._lowering.lowering import lowered
from fastnn._runtime import instruction_sets
from fastnn.layers import Input
from fastnn.network import Network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_BLOCK_ROWS = 4096


@explained
def activations(network: Network, X: ArrayLike) -> dict[int, np.ndarray]:
    """Return the outputs of each layer, as in `Network.predict`: dropout is off.

    Parameters
    ----------
    network : Network
    X : array_like, shape (n, n_features)

    Returns
    -------
    dict of int to ndarray, shape (n, units)
        By the layer's place in ``network.layers``, from 1 on, in the network's dtype. The last one is what ``predict``
        returns, and an array of its own; layers that change nothing share that of the layer before.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Reproducibility
    ---------------
    The same bits on every machine, as the network's own: each layer is computed by the network's kernels, in its dtype.

    Examples
    --------
    >>> hidden = activations(net, X)[1]
    """
    return _Layers(network).outputs(_rows(network, X))


@explained
def dead_units(network: Network, X: ArrayLike) -> dict[int, np.ndarray]:
    """Return the units whose output is 0 for every row: with ReLU they learn nothing from these data either.

    Parameters
    ----------
    network : Network
    X : array_like, shape (n, n_features)

    Returns
    -------
    dict of int to int64 ndarray
        The numbers of a layer's dead units, ascending; an entry for each `Dense`, `Activation` and `LayerNorm`, by its
        place in ``network.layers``.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    """
    layers = _Layers(network)
    rows = _rows(network, X)
    alive: dict[int, np.ndarray] = {}
    for start in range(0, len(rows), _BLOCK_ROWS):
        for place, outputs in layers.outputs(rows[start : start + _BLOCK_ROWS]).items():
            if network.layers[place].predicts:
                seen = (outputs != 0).any(axis=0)
                alive[place] = alive[place] | seen if place in alive else seen
    return {place: np.flatnonzero(~seen) for place, seen in alive.items()}


class _Layers:
    """Each layer of a network as a model of its own, with a copy of its parameters."""

    def __init__(self, network: Network) -> None:
        checks.instance(network, Network, "network")
        self.models: dict[int, Model | None] = {}
        tables = instruction_sets.tables(network.dtype)
        below = network.plan.rows[:1] + network.plan.rows[:-1]
        for place, (row, units) in enumerate(zip(network.plan.rows, (row.units for row in below), strict=True)):
            program = lowered((Input(units), row.layer)) if place and row.layer.predicts else None
            if program is None or not program.operations:
                self.models[place] = None
                continue
            model = self.models[place] = Model(units, program.operations, network.dtype, tables)
            for kind, name in row.names.items():
                model.write(0, kind, network.parameters[name])

    def outputs(self, rows: np.ndarray) -> dict[int, np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for place, model in self.models.items():
            if model is not None:
                below, rows = rows, np.empty((len(rows), model.n_outputs), rows.dtype)
                model.forward(below, rows)
            if place:
                found[place] = rows
        return found


def _rows(network: Network, X: ArrayLike) -> np.ndarray:
    dense = checks.numeric(X, "X")  # of sparse rows, every layer's outputs would be dense
    return checks.features(dense, network.n_features, network.plan.dtype)
