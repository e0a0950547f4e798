"""Factors and shifts of units, folded into the layers beside them.

A number that multiplies or adds to each unit is part of a dense layer before it (its rows and its bias) or after it
(its columns and its bias), or of the gain and bias of a normalisation before it. Where there is none of these, it is a
dense layer with a diagonal weight. All is computed in float64 and rounded once: outputs may differ in the last bits
from those of the numbers applied one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fastnn.layers import Activation, Dense, Layer, LayerNorm, RMSNorm, activation_of


class Affine:
    """A factor and a shift of each unit."""


@dataclass
class Piece:
    """A layer and its tensors; one that is missing is what changes nothing: a factor 1, a shift 0."""

    layer: Layer | Affine
    tensors: list[np.ndarray | None]

    @property
    def factor(self) -> np.ndarray:
        return np.ones(1) if self.tensors[0] is None else self.tensors[0].astype(np.float64)

    @property
    def shift(self) -> np.ndarray:
        return np.zeros(1) if self.tensors[1] is None else self.tensors[1].astype(np.float64)


def folded(pieces: Iterable[Piece], features: int, dtype: str) -> tuple[list[Layer], list[np.ndarray]]:
    """Return the layers, none of them an `Affine`, and their tensors in order."""
    layers: list[Layer] = []
    tensors: list[np.ndarray] = []
    units = features
    for piece in _forwards(_backwards(pieces)):
        layer = piece.layer
        if isinstance(layer, Affine):
            layer, piece = _diagonal(piece, units)
        last = layers[-1] if layers else None
        if isinstance(layer, Activation) and isinstance(last, Dense) and activation_of(last).name == "identity":
            layers[-1] = Dense(last.units, layer)
            continue
        if isinstance(layer, Dense):
            units = layer.units
        layers.append(layer)
        for position, tensor in enumerate(piece.tensors):
            array = np.full(1, 1.0 if position == 0 else 0.0) if tensor is None else tensor
            tensors.append(np.ascontiguousarray(_each(array, units), dtype))
    return layers, tensors


def _backwards(pieces: Iterable[Piece]) -> list[Piece]:
    """Fold each affine map into what it follows."""
    result: list[Piece] = []
    for piece in pieces:
        last = result[-1] if result else None
        if last is not None and isinstance(piece.layer, Affine) and _takes(last.layer, piece):
            result[-1] = _followed(last, piece.factor, piece.shift)
        else:
            result.append(piece)
    return result


def _takes(layer: Layer | Affine, affine: Piece) -> bool:
    return isinstance(layer, (Affine, Dense, LayerNorm)) or (isinstance(layer, RMSNorm) and not affine.shift.any())


def _followed(piece: Piece, factor: np.ndarray, shift: np.ndarray) -> Piece:
    if isinstance(piece.layer, RMSNorm):
        return Piece(piece.layer, [piece.factor * factor])
    first = piece.factor * (factor[:, None] if isinstance(piece.layer, Dense) else factor)
    return Piece(piece.layer, [first, piece.shift * factor + shift])


def _forwards(pieces: Sequence[Piece]) -> list[Piece]:
    """Fold each affine map that is left into the dense layer after it."""
    result: list[Piece] = []
    for piece in pieces:
        if result and isinstance(result[-1].layer, Affine) and isinstance(piece.layer, Dense):
            affine = result.pop()
            weight, bias = piece.factor, piece.shift
            if affine.shift.any():
                for column, shift in zip(weight.T, _each(affine.shift, weight.shape[1]), strict=True):
                    bias = bias + column * shift  # in this order everywhere
            piece = Piece(piece.layer, [weight * affine.factor, bias])
        result.append(piece)
    return result


def _diagonal(affine: Piece, units: int) -> tuple[Dense, Piece]:
    if not units:
        raise ValueError("the number of features must be known where a number multiplies or is added to them")
    layer = Dense(units)
    weight = np.zeros((units, units))
    weight[np.arange(units), np.arange(units)] = affine.factor
    return layer, Piece(layer, [weight, _each(affine.shift, units)])


def _each(array: np.ndarray, units: int) -> np.ndarray:
    """Return one number for each unit, of an array that may hold one for all; matrices remain as they are."""
    return np.full(units, array[0]) if array.ndim == 1 and array.size == 1 else array
