"""From layers to what the engine runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from fastnn._input import checks
from fastnn._lowering.program import Program
from fastnn.layers import Dense, Input, Layer

_PADDING = 64  # units that a layer is padded by are fewer
_MOST_OUTPUTS = sys.maxsize >> 18  # bytes for a row: no buffer for the rows of all threads overflows


def checked(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return the layers as a tuple, if they make a network."""
    if isinstance(layers, (str, Layer)) or not hasattr(layers, "__iter__"):
        hint = ": they go in a list, fn.Network([fn.Input(30), fn.Dense(1)])" if isinstance(layers, Layer) else ""
        raise TypeError(f"layers must be a sequence of layers; got {checks.described(layers)}{hint}")
    result = tuple(layers)
    for position, layer in enumerate(result):
        if not isinstance(layer, Layer):
            came = f"the class {layer.__name__}" if isinstance(layer, type) else checks.described(layer)
            raise TypeError(f"layers must hold layers only; got {came} at position {position}{_meant(result, layer)}")
        if isinstance(layer, Input) != (position == 0):
            hint = "" if position else ": fn.Input(features) says how many numbers a row of the data holds"
            raise ValueError(
                f"layers must begin with an Input and hold no other; got {layer!r} at position {position}{hint}"
            )
        if layer.activation_name == "softmax" and position < len(result) - 1:
            raise ValueError(
                f"the activation 'softmax' must be at the end of a network; got {layer!r} at position {position}"
            )
    if not any(isinstance(layer, Dense) for layer in result):
        raise ValueError(f"layers must hold at least one Dense; got {list(result)}")
    return result


def _meant(layers: tuple[object, ...], layer: object) -> str:
    """Return a hint at the layer that something else was meant for, or nothing."""
    if isinstance(layer, type) and issubclass(layer, Layer):
        return f": write fn.{layer.__name__}(…)"
    if isinstance(layer, str):
        return f": an activation is fn.Activation({layer!r})"
    if len(layers) > 1 and all(type(size) is int for size in layers):
        first, *hidden, last = layers
        inner = "".join(f"fn.Dense({size}, 'relu'), " for size in hidden)
        return f": fn.Network([fn.Input({first}), {inner}fn.Dense({last})]) has these sizes"
    return ""


def lowered(layers: tuple[Layer, ...]) -> Program:
    """Return the program of layers that have been checked."""
    program = Program()
    following = following_activations(layers)
    for position, layer in enumerate(layers):
        program.position, program.following = position, following[position]
        layer.lower(program)
    return program


def n_parameters(layers: tuple[Layer, ...]) -> int:
    """Return how many numbers the parameters of such a network hold."""
    return total_size(tensor.shape for tensor in lowered(layers).tensors.values())


def following_activations(layers: tuple[Layer, ...]) -> list[str]:
    """Return for each layer the first activation of it or after it, before the next dense layer."""
    found = ["identity"] * len(layers)
    for position in range(len(layers) - 1, -1, -1):
        name, following = layers[position].activation_name, position + 1
        if name == "identity" and following < len(layers) and not isinstance(layers[following], Dense):
            name = found[following]
        found[position] = name
    return found


def check_size(program: Program, item: int) -> None:
    """Raise MemoryError before sizes, in numbers of ``item`` bytes, leave the range of the engine's whole numbers."""
    shapes = [tensor.shape for tensor in program.tensors.values()]
    if total_size(shapes, _PADDING) * item > sys.maxsize // 16:  # with optimizer state, and to spare
        wanted = total_size(shapes) * item
        raise MemoryError(f"the parameters of the network would take {wanted:,} bytes: more than can be addressed")
    written = program.units[1:]
    units = sum(written)
    if (units + _PADDING * len(written)) * item > _MOST_OUTPUTS:
        raise MemoryError(
            f"the outputs of the layers would take {units * item:,} bytes a row: more than can be addressed"
        )


def total_size(shapes: Iterable[tuple[int, ...]], padding: int = 0) -> int:
    """Return numbers in tensors of these shapes."""
    return sum((shape[0] + padding) * (shape[1] + padding if len(shape) > 1 else 1) for shape in shapes)
