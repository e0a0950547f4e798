"""Constants of an ONNX graph: tensors, and what nodes make of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

FLOATS: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
_CASTS = FLOATS | {TensorProto.INT32: "int32", TensorProto.INT64: "int64"}
_NUMBERS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
_MOST = 2**26  # elements: a file of a few bytes can ask for more

Attributes = Mapping[str, Any]
Array = np.ndarray


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def check_inside(tensor: TensorProto) -> None:
    """Raise ValueError if the values lie in another file: whoever made the model would choose which one is opened."""
    if tensor.data_location == TensorProto.EXTERNAL:
        where = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        raise ValueError(
            f"the tensor {tensor.name!r} lies in another file, {where!r}: pass external_data=True to read it from the "
            "folder of the model, or save the model as one file"
        )


def array_of(tensor: TensorProto) -> np.ndarray:
    """Return the values of a tensor, which it has to hold itself."""
    check_inside(tensor)
    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as error:  # a KeyError for a dtype that does not exist
        raise ValueError(f"the tensor {tensor.name!r} does not hold what its shape and dtype say: {error}") from None


def evaluated(node: NodeProto, constants: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what a node makes of constants.

    Raises
    ------
    ValueError
        If fastnn does not know how.
    """
    attributes = attributes_of(node)
    if node.op_type in _EVALUATIONS and not node.domain:
        try:
            inputs = [constants[name] if name else None for name in node.input]
            _check_growth(node.op_type, [array for array in inputs if array is not None])
            with np.errstate(all="ignore"):
                return np.asarray(_EVALUATIONS[node.op_type](attributes, *inputs))
        except (IndexError, KeyError, TypeError, ValueError, OverflowError):
            pass
    raise ValueError("fastnn cannot read constants that are computed so")


def _check_growth(operator: str, arrays: list[Array]) -> None:
    """Raise ValueError if a node makes far more of its constants than there is in the largest."""
    sizes = [array.size for array in arrays]
    if operator in _BROADCASTING:
        size = math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))
    elif operator == "Concat":
        size = sum(sizes)
    elif operator == "Gather" and len(arrays) == 2:
        size = sizes[0] * sizes[1]
    else:
        return
    if size > max(_MOST, *sizes):
        raise ValueError("too large")


def _constant(attributes: Attributes) -> Array:
    ((name, value),) = attributes.items()
    return array_of(value) if name == "value" else np.array(value, _NUMBERS[name])


def _constant_of_shape(attributes: Attributes, shape: Array) -> Array:
    sizes = [int(size) for size in shape]
    value = array_of(attributes["value"]) if "value" in attributes else np.zeros(1, np.float32)
    if int(np.prod(sizes, dtype=object)) > _MOST:
        raise ValueError("too large")
    return np.full(sizes, value.reshape(()))


def _axes(attributes: Attributes, axes: Array | None, default: Any = None) -> Any:
    """Return axes, which older operator sets have as an attribute."""
    given = attributes.get("axes") if axes is None else axes.tolist()
    return default if given is None else tuple(given)


def _slice(attributes: Attributes, array: Array, *bounds: Array) -> Array:
    given: Sequence[Any] = [bound.tolist() for bound in bounds] or [attributes["starts"], attributes["ends"]]
    axes = given[2] if len(given) > 2 else attributes.get("axes", range(len(given[0])))
    steps = given[3] if len(given) > 3 else [1] * len(given[0])
    places = [slice(None)] * array.ndim
    for axis, *bound in zip(axes, given[0], given[1], steps, strict=True):
        places[axis] = slice(*bound)
    return array[tuple(places)]


def _reshape(_: Attributes, array: Array, shape: Array) -> Array:
    return array.reshape([array.shape[place] if size == 0 else size for place, size in enumerate(shape.tolist())])


_BROADCASTING = ("Add", "Sub", "Mul", "Div")
_EVALUATIONS: dict[str, Callable[..., Array]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Identity": lambda _, array: array,
    "Transpose": lambda attributes, array: array.transpose(attributes.get("perm")),
    "Cast": lambda attributes, array: array.astype(_CASTS[attributes["to"]]),
    "CastLike": lambda _, array, like: array.astype(like.dtype),
    "Reshape": _reshape,
    "Squeeze": lambda attributes, array, axes=None: array.squeeze(_axes(attributes, axes)),
    "Unsqueeze": lambda attributes, array, axes=None: np.expand_dims(array, _axes(attributes, axes, ())),
    "Concat": lambda attributes, *arrays: np.concatenate(arrays, attributes["axis"]),
    "Gather": lambda attributes, array, places: array.take(places, attributes.get("axis", 0)),
    "Slice": _slice,
    "Neg": lambda _, array: -array,
    "Sqrt": lambda _, array: np.sqrt(array),
    "Reciprocal": lambda _, array: 1 / array,
    "Add": lambda _, first, second: first + second,
    "Sub": lambda _, first, second: first - second,
    "Mul": lambda _, first, second: first * second,
    "Div": lambda _, first, second: first / second if first.dtype.kind == "f" else first // second,
}
