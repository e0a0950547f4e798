"""From layers to what the engine runs: its operations, and the names that their tensors have for users."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from fastnn._input import checks
from fastnn._lowering import random_streams
from fastnn.layers import Activation, Dense, Dropout, Input, Layer, LayerNorm, activation_of

_PADDING = 64  # units that a layer is padded by are fewer
_MOST_OUTPUTS = sys.maxsize >> 18  # bytes for a row: no buffer for the rows of all threads overflows
Tensor = tuple[int, str]  # what the engine calls a parameter tensor: (operation, "weight" or "bias")


def checked(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers as a tuple, if they make a network."""
    if isinstance(layers, (str, Layer)) or not hasattr(layers, "__iter__"):
        raise TypeError(f"layers must be a sequence of layers; got {checks.described(layers)}")
    result = tuple(layers)
    for position, layer in enumerate(result):
        if not isinstance(layer, Layer):
            raise TypeError(f"layers must hold layers only; got {checks.described(layer)} at position {position}")
        if isinstance(layer, Input) != (position == 0):
            raise ValueError(f"layers must begin with an Input and hold no other; got {layer!r} at position {position}")
        is_softmax = isinstance(layer, (Dense, Activation)) and activation_of(layer).name == "softmax"
        if is_softmax and position < len(result) - 1:
            raise ValueError(
                f"the activation 'softmax' must be at the end of a network; got {layer!r} at position {position}"
            )
    if not any(isinstance(layer, Dense) for layer in result):
        raise ValueError(f"layers must hold at least one Dense; got {list(result)}")
    return result


class Lowered:
    """What layers become for the engine.

    Attributes
    ----------
    n_inputs : int
    operations : list of dict
        As `fastnn._engine.model.Model` takes them.
    names : dict of str to Tensor
        The engine's tensor for each parameter's name.
    shapes : dict of str to tuple of int
    positions : dict of int to int
        Where the layer of each operation stands.
    units : list of int
        Of what each operation writes.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.n_inputs = 0
        self.operations: list[dict[str, Any]] = []
        self.names: dict[str, Tensor] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.positions: dict[int, int] = {}
        self.units: list[int] = []
        module = units = 0
        for number, layer in enumerate(layers):
            if isinstance(layer, Input):
                self.n_inputs = units = layer.features
            elif isinstance(layer, Dropout):
                self._add(number, units, kind="dropout", rate=layer.rate, stream=random_streams.DROPOUT + number)
                module += 1
            elif isinstance(layer, LayerNorm):
                self._own(module, (units,), (units,))
                self._add(number, units, kind="layer_norm", epsilon=layer.epsilon)
                module += 1
            elif isinstance(layer, (Dense, Activation)):
                activation = activation_of(layer)
                described = {"activation": activation.name, "alpha": activation.alpha or 0.0}
                if isinstance(layer, Dense):
                    self._own(module, (layer.units, units), (layer.units,))
                    units = layer.units
                    self._add(number, units, kind="dense", units=units, **described)
                    module += 1
                elif activation.name != "identity":
                    self._add(number, units, kind="activation", **described)
                module += activation.name != "identity"

    def _own(self, module: int, weight: tuple[int, ...], bias: tuple[int, ...]) -> None:
        for kind, shape in (("weight", weight), ("bias", bias)):
            self.names[f"{module}.{kind}"] = (len(self.operations), kind)
            self.shapes[f"{module}.{kind}"] = shape

    def _add(self, number: int, written: int, /, **described: Any) -> None:
        self.positions[len(self.operations)] = number
        self.operations.append({"inputs": [len(self.operations)], **described})
        self.units.append(written)


def n_parameters(checked: tuple[Layer, ...]) -> int:
    """How many numbers the parameters of such a network hold."""
    return total_size(Lowered(checked).shapes.values())


def following_activation(layers: tuple[Layer, ...], position: int) -> str:
    """The first activation of the dense layer at ``position`` or after it, before the next dense layer."""
    name = activation_of(layers[position]).name  # type: ignore[arg-type]
    for following in range(position + 1, len(layers)):
        layer = layers[following]
        if name != "identity" or isinstance(layer, Dense):
            break
        if isinstance(layer, Activation):
            name = layer.name
    return name


def check_size(lowered: Lowered, item: int) -> None:
    """Raises MemoryError before sizes, in numbers of ``item`` bytes, leave the range of the engine's whole numbers."""
    shapes = lowered.shapes.values()
    if total_size(shapes, _PADDING) * item > sys.maxsize // 16:  # with optimizer state, and to spare
        wanted = total_size(shapes) * item
        raise MemoryError(f"the parameters of the network would take {wanted:,} bytes: more than can be addressed")
    units = sum(lowered.units)
    if (units + _PADDING * len(lowered.units)) * item > _MOST_OUTPUTS:
        raise MemoryError(
            f"the outputs of the layers would take {units * item:,} bytes a row: more than can be addressed"
        )


def total_size(shapes: Iterable[tuple[int, ...]], padding: int = 0) -> int:
    """Numbers in tensors of these shapes."""
    return sum((shape[0] + padding) * (shape[1] + padding if len(shape) > 1 else 1) for shape in shapes)
