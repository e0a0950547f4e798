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


def compiled(
    checked: tuple[Layer, ...],
) -> tuple[list[tuple[Any, ...]], dict[str, Tensor], dict[int, int]]:
    """The engine's operations; its tensor for each parameter's name; where the layer of each operation stands."""
    operations: list[tuple[Any, ...]] = []
    names: dict[str, Tensor] = {}
    positions: dict[int, int] = {}
    module = units = 0

    def own() -> None:
        for kind in ("weight", "bias"):
            names[f"{module}.{kind}"] = (len(operations), kind)

    for number, layer in enumerate(checked):
        if isinstance(layer, Input):
            units = layer.features
        elif isinstance(layer, Dropout):
            operations.append(("dropout", units, layer.rate, random_streams.DROPOUT + number))
            module += 1
        elif isinstance(layer, LayerNorm):
            own()
            operations.append(("layer_norm", units, layer.epsilon))
            module += 1
        elif isinstance(layer, (Dense, Activation)):
            activation = activation_of(layer)
            alpha = activation.alpha or 0.0
            if isinstance(layer, Dense):
                own()
                operations.append(("dense", units, layer.units, activation.name, alpha))
                units = layer.units
                module += 1
            elif activation.name != "identity":
                operations.append(("activation", units, activation.name, alpha))
            module += activation.name != "identity"
        positions |= dict.fromkeys(range(len(positions), len(operations)), number)
    return operations, names, positions


def shape_of(operation: tuple[Any, ...], kind: str) -> tuple[int, ...]:
    if operation[0] == "dense":
        _, n_in, n_out, *_ = operation
        return (n_out, n_in) if kind == "weight" else (n_out,)
    return (operation[1],)


def n_parameters(checked: tuple[Layer, ...]) -> int:
    """How many numbers the parameters of such a network hold."""
    operations, names, _ = compiled(checked)
    return total_size(shape_of(operations[number], kind) for number, kind in names.values())


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


def check_size(operations: Sequence[tuple[Any, ...]], shapes: Iterable[tuple[int, ...]], item: int) -> None:
    """Raise MemoryError before sizes, in numbers of ``item`` bytes, leave the range of the engine's whole numbers."""
    shapes = list(shapes)
    if total_size(shapes, _PADDING) * item > sys.maxsize // 16:  # with optimizer state, and to spare
        wanted = total_size(shapes) * item
        raise MemoryError(f"the parameters of the network would take {wanted:,} bytes: more than can be addressed")
    units = sum(operation[2] if operation[0] == "dense" else operation[1] for operation in operations)
    if (units + _PADDING * len(operations)) * item > _MOST_OUTPUTS:
        raise MemoryError(
            f"the outputs of the layers would take {units * item:,} bytes a row: more than can be addressed"
        )


def total_size(shapes: Iterable[tuple[int, ...]], padding: int = 0) -> int:
    """Numbers in tensors of these shapes."""
    return sum((shape[0] + padding) * (shape[1] + padding if len(shape) > 1 else 1) for shape in shapes)
