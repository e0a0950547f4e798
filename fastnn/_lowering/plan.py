"""What the layers of a network come to: for whoever runs, names, counts, draws or describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fastnn._input import checks
from fastnn._lowering import lowering
from fastnn.layers import Layer

_BLOCK_WORK = 2**29  # multiply-adds: some tens of milliseconds
_OVERHEAD = 16  # multiply-adds in the time that a number of a row's inputs and outputs takes


class LayerRow:
    """A layer in its place.

    Attributes
    ----------
    layer : Layer
    units : int
        Of its output.
    n_parameters : int
    names : dict of str to str
        Of its tensors, by kind: ``"weight"`` and ``"bias"``.
    """

    def __init__(self, layer: Layer, units: int, n_parameters: int, names: Mapping[str, str]) -> None:
        self.layer, self.units, self.n_parameters, self.names = layer, units, n_parameters, names


class Plan:
    """The layers of a network, lowered; it does not change, and a network has it as ``network.plan``.

    Parameters
    ----------
    layers : sequence of Layer
        Checked here.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    layers : tuple of Layer
    dtype : numpy.dtype
    operations : list
        What the engine runs, as it takes it.
    tensors : dict of str to (int, str)
        The engine's tensor, an operation and ``"weight"`` or ``"bias"``, for the name of each parameter.
    shapes : dict of str to tuple of int
        The shape of each parameter.
    initializers : dict of str to Initializer
        How each parameter begins.
    positions : dict of int to int
        Where the layer of each operation stands.
    rows : tuple of LayerRow
        Each layer with its units, number of parameters and their names.
    output_activation : str
        The activation at the end.
    n_features, n_outputs, n_parameters : int
    block_rows : int
        How many rows are evaluated at a time: some tens of milliseconds of work, a function of the layers alone.
    """

    def __init__(self, layers: Sequence[Layer], dtype: str) -> None:
        self.layers = lowering.checked(layers)
        self.dtype = np.dtype(checks.dtype_name(dtype))
        self._program = program = lowering.lowered(self.layers)
        self.operations, self.positions = program.operations, program.positions
        self.tensors = {name: (tensor.operation, tensor.kind) for name, tensor in program.tensors.items()}
        self.shapes = {name: tensor.shape for name, tensor in program.tensors.items()}
        self.initializers = {name: tensor.initializer for name, tensor in program.tensors.items()}
        self.rows = self._rows()
        self.output_activation = self.layers[-1].activation_name
        self.n_features, self.n_outputs = program.units[0], program.units[-1]
        self.n_parameters = lowering.total_size(self.shapes.values())
        row_work = self.n_parameters + _OVERHEAD * (self.n_features + self.n_outputs)
        self.block_rows = max(128, _BLOCK_WORK // row_work // 128 * 128)

    def _rows(self) -> tuple[LayerRow, ...]:
        names: list[dict[str, str]] = [{} for _ in self.layers]
        for name, (operation, kind) in self.tensors.items():
            names[self.positions[operation]][kind] = name
        written = {position: self._program.units[operation + 1] for operation, position in self.positions.items()}
        rows, units = [], self._program.units[0]
        for position, layer in enumerate(self.layers):
            units, own = written.get(position, units), names[position]
            rows.append(LayerRow(layer, units, lowering.total_size(self.shapes[name] for name in own.values()), own))
        return tuple(rows)

    def check_size(self) -> None:
        """Raise MemoryError if the network is too large for the engine's whole numbers."""
        lowering.check_size(self._program, self.dtype.itemsize)

    def check_shapes(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Raise ValueError unless ``parameters`` hold every tensor, in its shape."""
        missing = self.tensors.keys() - parameters.keys()
        if missing:
            raise ValueError(
                f"parameters must hold every tensor of the network; missing: {checks.listing(sorted(missing))}"
            )
        for name, shape in self.shapes.items():
            if parameters[name].shape != shape:
                raise ValueError(f"parameter {name!r} must have shape {shape}; got shape {parameters[name].shape}")
