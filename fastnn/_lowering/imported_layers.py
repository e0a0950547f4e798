"""Layers that adapters read elsewhere, one after the other, each with its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn.layers import Activation, Dense, Dropout, Input, Layer, activation_of

if TYPE_CHECKING:
    from fastnn._input.names import DtypeName


class ImportedLayers:
    """The layers of a network to be, as they come. One that does not fit is a ValueError without a place.

    Attributes
    ----------
    layers : list of Layer
        So far, without the input.
    features, units : int
        Of the input, and of the latest layer; 0 until a layer with parameters tells.
    dtype : str
        Of the parameters; empty until there are any.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.features = self.units = 0
        self.dtype = ""
        self._tensors: list[np.ndarray] = []
        self._ended = False  # by a softmax

    def dense(self, weight: np.ndarray, bias: np.ndarray | None) -> None:
        """Add a dense layer; a weight has shape (units, inputs), and a bias that is missing is zero."""
        units, inputs = weight.shape
        layer = Dense(units)
        self._take(inputs)
        self._keep(weight, np.zeros(units, weight.dtype) if bias is None else bias)
        self.layers.append(layer)
        self.units = units

    def normalization(self, layer: Layer, units: int, **tensors: np.ndarray | None) -> None:
        """Add a normalisation with its tensors, in order; a weight that is missing is one, and a bias zero."""
        self._take(units)
        dtype = next((tensor.dtype for tensor in tensors.values() if tensor is not None), self.dtype or "float32")
        for kind, tensor in tensors.items():
            missing = np.full(units, 1.0 if kind == "weight" else 0.0, dtype)
            self._keep(missing if tensor is None else tensor)
        self.layers.append(layer)

    def dropout(self, rate: float) -> None:
        """Add a dropout."""
        layer = Dropout(rate)
        self._check_open()
        self.layers.append(layer)

    def activation(self, name: str, alpha: float | None = None) -> None:
        """Add an activation; right after a dense layer it becomes part of that."""
        activation = Activation(name, alpha)  # type: ignore[arg-type]
        self._check_open()
        self._ended = activation.name == "softmax"
        last = self.layers[-1] if self.layers else None
        if isinstance(last, Dense) and activation_of(last).name == "identity":
            self.layers[-1] = Dense(last.units, activation)
        else:
            self.layers.append(activation)

    def complete(self) -> tuple[list[Layer], list[np.ndarray], DtypeName]:
        """Return all layers, the input among them, their parameters in the order of a network's, and the dtype."""
        return [Input(self.features or 1), *self.layers], self._tensors, self.dtype or "float32"  # type: ignore[return-value]

    def _take(self, inputs: int) -> None:
        self._check_open()
        if self.units and inputs != self.units:
            raise ValueError(f"it must take the {self.units} units of the layer before it; it takes {inputs}")
        if inputs < 1:
            raise ValueError("it must take at least one unit; it takes none")
        self.features = self.features or inputs
        self.units = inputs

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError("it follows a softmax, which must be the last layer")

    def _keep(self, *tensors: np.ndarray) -> None:
        for tensor in tensors:
            name = tensor.dtype.name
            if name not in ("float32", "float64"):
                raise ValueError(f"its parameters must be float32 or float64; they are {name}")
            if name != (self.dtype or name):
                raise ValueError(f"its parameters must be {self.dtype} like those before them; they are {name}")
            self.dtype = name
            self._tensors.append(tensor)
