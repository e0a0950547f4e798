"""Layers that adapters read elsewhere, one after the other, each with its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn._lowering.folding import Affine, Piece, folded
from fastnn.layers import Activation, Dense, Dropout, Input, Layer

if TYPE_CHECKING:
    from fastnn._input.names import DtypeName


class ImportedLayers:
    """The layers of a network to be, as they come. One that does not fit is a ValueError without a place.

    Attributes
    ----------
    features, units : int
        Of the input, and of the latest layer; 0 until something with a width tells.
    dtype : str
        Of the parameters; empty until there are any.
    """

    def __init__(self) -> None:
        self.features = self.units = 0
        self.dtype = ""
        self._pieces: list[Piece] = []
        self._ended = False  # by a softmax

    def dense(self, weight: np.ndarray, bias: np.ndarray | None) -> None:
        """Add a dense layer; a weight has shape (units, inputs), and a bias that is missing is zero."""
        units, inputs = weight.shape
        layer = Dense(units)
        self._take(inputs)
        self._keep(layer, weight, np.zeros(units, weight.dtype) if bias is None else bias)
        self.units = units

    def affine(self, factor: np.ndarray | None, shift: np.ndarray | None, dtype: str = "") -> None:
        """Multiply by a factor, then add a shift: float64 of one number, or of one for each unit.

        Both are folded into a layer beside them, or become a layer of their own. ``dtype`` is what they had where they
        are from; numbers that go with any have none.
        """
        for array in (factor, shift):
            if array is not None and array.size != 1:
                self._take(array.size)
            if array is not None and not np.isfinite(array).all():
                raise ValueError("what it multiplies by and adds must be finite")
        self._check_open()
        self._check_dtype(dtype)
        self._pieces.append(
            Piece(Affine(), [None if array is None else array.reshape(-1) for array in (factor, shift)])
        )

    def normalization(self, layer: Layer, units: int | None, **tensors: np.ndarray | None) -> None:
        """Add a normalisation with its tensors, in order; a weight that is missing is one, and a bias zero.

        ``units`` may be None: then it is over all that there are.
        """
        if units is None:
            self._check_open()
        else:
            self._take(units)
        self._keep(layer, *tensors.values())

    def arithmetic(self, kind: str, constant: np.ndarray, comes_first: bool, dtype: str) -> None:
        """Add ``"add"``, ``"sub"``, ``"mul"`` or ``"div"`` of each unit and a float64 constant, in the order told."""
        factor, shift = None, None
        if kind == "add":
            shift = constant
        elif kind == "sub":
            factor, shift = (np.array([-1.0]), constant) if comes_first else (None, -constant)
        elif kind == "mul":
            factor = constant
        elif comes_first:
            raise ValueError("fastnn has no layer for a number divided by what varies")
        else:
            with np.errstate(divide="ignore"):
                factor = 1.0 / constant
        self.affine(factor, shift, dtype)

    def dropout(self, rate: float) -> None:
        """Add a dropout."""
        layer = Dropout(rate)
        self._check_open()
        self._keep(layer)

    def activation(self, name: str, alpha: float | None = None) -> None:
        """Add an activation; right after a dense layer it becomes part of that."""
        activation = Activation(name, alpha)  # type: ignore[arg-type]
        self._check_open()
        self._ended = activation.name == "softmax"
        self._keep(activation)

    def complete(self, features: int = 0) -> tuple[list[Layer], list[np.ndarray], DtypeName]:
        """Return all layers, the input among them, their parameters in the order of a network's, and the dtype.

        ``features`` is how many there are where no layer tells.
        """
        dtype: DtypeName = self.dtype or "float32"  # type: ignore[assignment]
        features = self.features or features
        layers, tensors = folded(self._pieces, features, dtype)
        return [Input(features or 1), *layers], tensors, dtype

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

    def _keep(self, layer: Layer, *tensors: np.ndarray | None) -> None:
        for tensor in tensors:
            self._check_dtype("" if tensor is None else tensor.dtype.name)
        self._pieces.append(Piece(layer, list(tensors)))

    def _check_dtype(self, name: str) -> None:
        if name and name not in ("float32", "float64"):
            raise ValueError(f"its parameters must be float32 or float64; they are {name}")
        if name and name != (self.dtype or name):
            raise ValueError(f"its parameters must be {self.dtype} like those before them; they are {name}")
        self.dtype = name or self.dtype
