"""What ONNX operators are among fastnn's layers: a function for each, which adds it to those found so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from fastnn.layers import ACTIVATIONS, LayerNorm, RMSNorm
from fastnn.onnx.chain import Chain
from fastnn.onnx.constants import FLOATS
from fastnn.onnx.norms import number

Attributes = dict[str, Any]
Reader = Callable[[Chain, NodeProto, Attributes], None]

_SELU = {"alpha": 1.67326319241, "gamma": 1.05070102214}

# ------------------------------------------------------------------- dense layers


def _gemm(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    chain.check_rows()
    if node.input[0] != chain.value or attributes.get("transA", 0):
        raise ValueError("a dense layer must be x W + b; it multiplies otherwise, or transposes x")
    weight = _matrix(chain, node)
    weight = weight if attributes.get("transB", 0) else weight.T
    alpha, beta = (attributes.get(name, 1.0) for name in ("alpha", "beta"))
    bias = chain.input(node, 2)
    chain.found.dense(_times(weight, alpha), None if bias is None else _times(_each(bias, len(weight)), beta))


def _times(array: np.ndarray, factor: float) -> np.ndarray:
    return array if factor == 1.0 else (array.astype(np.float64) * factor).astype(array.dtype)


def _matmul(chain: Chain, node: NodeProto, _: Attributes) -> None:
    chain.check_rows()
    if node.input[0] != chain.value:
        raise ValueError("a dense layer must be x W; it is W x")
    chain.found.dense(_matrix(chain, node).T, None)


def _matrix(chain: Chain, node: NodeProto) -> np.ndarray:
    name = node.input[1]
    array = chain.constants[name] if name else np.empty(0)
    if array.ndim != 2:
        raise ValueError(f"its weight {name!r} must be a matrix; it has shape {array.shape}")
    return array


def _each(array: np.ndarray, units: int) -> np.ndarray:
    """Return one number for each unit, from what NumPy's broadcasting would make that of."""
    if array.ndim > 2 or array.size not in (1, units) or (array.ndim and array.shape[-1] != array.size):
        raise ValueError(f"its bias must have one number for each of {units} units; it has shape {array.shape}")
    return np.ascontiguousarray(np.broadcast_to(array.reshape(-1), (units,)))


# --------------------------------------------------------------- factors and shifts


def _arithmetic(chain: Chain, node: NodeProto, _: Attributes) -> None:
    given = chain.input(node, 1 if node.input[0] == chain.value else 0)
    if given is None:
        raise ValueError("it must take one value and a constant")
    comes_first = node.input[0] != chain.value
    chain.found.arithmetic(node.op_type.lower(), _broadcast(chain, given), comes_first, given.dtype.name)


def _broadcast(chain: Chain, array: np.ndarray) -> np.ndarray:
    """Return a constant that goes with each row alike, as float64 of one number or of one for each unit."""
    if array.size != 1:
        chain.check_rows()
    if array.ndim > len(chain.shape) or (array.ndim and array.shape[-1] != array.size):
        raise ValueError(f"its constant must be one number, or one for each unit; it has shape {array.shape}")
    return array.reshape(-1).astype(np.float64)


def _negative(chain: Chain, _: NodeProto, __: Attributes) -> None:
    chain.found.affine(np.array([-1.0]), None)


def _scaler(chain: Chain, _: NodeProto, attributes: Attributes) -> None:
    chain.check_rows()
    chain.element_type = TensorProto.FLOAT  # whatever goes in
    offset, scale = (np.array(attributes.get(name, [usual])) for name, usual in (("offset", 0.0), ("scale", 1.0)))
    chain.found.affine(None, -offset, "float32")
    chain.found.affine(scale, None, "float32")


def _batch_normalization(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    chain.check_rows()
    if attributes.get("training_mode", 0):
        raise ValueError("it normalises by each batch; export the model in evaluation mode (module.eval())")
    given = [chain.input(node, place) for place in range(1, 5)]
    if any(array is None or array.ndim != 1 for array in given):
        raise ValueError("a normalisation must have four numbers for each unit")
    gain, bias, mean, variance = (array.astype(np.float64) for array in given if array is not None)
    with np.errstate(all="ignore"):
        factor = gain / np.sqrt(variance + _float(attributes.get("epsilon", 1e-5)))
    chain.found.affine(factor, bias - mean * factor, given[0].dtype.name)  # type: ignore[union-attr]


# ------------------------------------------------------------------ normalisations


def _layer_normalization(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    gain, epsilon = _gain(chain, node, attributes)
    bias = chain.input(node, 2)
    bias = None if bias is None else _each(bias, len(gain))
    chain.found.normalization(LayerNorm(epsilon), len(gain), weight=gain, bias=bias)


def _rms_normalization(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    gain, epsilon = _gain(chain, node, attributes)
    chain.found.normalization(RMSNorm(epsilon), len(gain), weight=gain)


def _gain(chain: Chain, node: NodeProto, attributes: Attributes) -> tuple[np.ndarray, float]:
    """Return the gain of a normalisation of rows, and its epsilon."""
    chain.check_rows()
    gain = chain.input(node, 1)
    if gain is None or gain.ndim != 1:
        raise ValueError("a normalisation must have one gain for each unit")
    if attributes.get("axis", -1) not in (1, -1):
        raise ValueError(f"a normalisation must be over the units of a row; its axis is {attributes['axis']}")
    return gain, _float(attributes.get("epsilon", 1e-5))


def _float(attribute: float) -> float:
    """Return an attribute as it was meant: 0.1 rather than 0.10000000149, the same in float32."""
    return number(np.float32(attribute))


# ---------------------------------------------------------------------- activations


def _activation(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    name, alpha = _ACTIVATIONS[node.op_type], None
    if ACTIVATIONS[name].alpha is not None:
        alpha = attributes.get("alpha", ACTIVATIONS[name].alpha)
    elif node.op_type == "Selu":
        if any(abs(attributes.get(name, value) - value) > 1e-6 for name, value in _SELU.items()):
            raise ValueError(f"fastnn's SELU has other parameters; it has {attributes}")
    elif node.op_type == "Gelu":
        approximate = attributes.get("approximate", b"none").decode()
        if approximate != "none":
            raise ValueError(f"fastnn has the exact GELU only; it has approximate={approximate!r}")
    elif node.op_type == "Swish":
        if attributes.get("alpha", 1.0) != 1.0:
            raise ValueError(f"fastnn's SiLU is x sigmoid(x); it has alpha={attributes['alpha']}")
    elif node.op_type == "Softmax":
        chain.check_rows()
        if attributes.get("axis", -1) not in (1, -1):
            raise ValueError(f"a softmax must be over the units of a row; its axis is {attributes['axis']}")
    chain.add_activation(name, alpha)


def _clip(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    bounds = []
    for place, (name, open_end) in enumerate((("min", -np.inf), ("max", np.inf)), 1):
        given = chain.input(node, place)
        bounds.append(attributes.get(name, open_end) if given is None else float(given.reshape(())))
    low, high = bounds
    largest = np.finfo(np.float32).max  # what older operator sets say if there is no bound
    if low <= -largest and high >= largest:
        return
    if low == 0 and high >= largest:
        chain.add_activation("relu", None)
        return
    named = {(0.0, 6.0): " (ReLU6)", (-1.0, 1.0): " (hard tanh)"}.get((low, high), "")
    raise ValueError(f"fastnn has no activation that clips between {low:g} and {high:g}{named}")


def _maximum(chain: Chain, node: NodeProto, _: Attributes) -> None:
    given = [chain.constants[name] for name in node.input if name != chain.value]
    if len(given) != 1 or given[0].size != 1 or given[0].any():
        raise ValueError("fastnn has no activation that is a maximum but ReLU, max(x, 0)")
    chain.add_activation("relu", None)


# ------------------------------------------------------------ what does nothing to rows


def _dropout(chain: Chain, node: NodeProto, _: Attributes) -> None:
    training = chain.input(node, 2)
    if training is not None and training.any():
        raise ValueError("it drops units at random in prediction too")
    if len(node.output) > 1 and node.output[1] == chain.output:
        raise ValueError("its mask is no value of a network")


def _cast(chain: Chain, _: NodeProto, attributes: Attributes) -> None:
    if attributes["to"] not in FLOATS:
        name = TensorProto.DataType.Name(attributes["to"]).lower()
        raise ValueError(f"the values of a network are float32 or float64; it casts them to {name}")
    chain.element_type = attributes["to"]


def _identity(_: Chain, __: NodeProto, ___: Attributes) -> None:
    pass


def _flatten(chain: Chain, _: NodeProto, attributes: Attributes) -> None:
    axis = attributes.get("axis", 1)
    if axis not in (1, 1 - len(chain.shape)) or len(chain.shape) < 2:
        raise ValueError(f"a Flatten must leave rows as they are; its axis is {axis}")
    chain.shape = _flat(chain)


def _flat(chain: Chain) -> list[int]:
    sizes = chain.shape[1:]
    return [0, int(np.prod(sizes)) if all(sizes) else 0]


def _reshape(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    given = chain.input(node, 1)
    shape = [] if given is None else given.tolist()
    units = chain.found.units if len(chain.shape) <= 2 else _flat(chain)[1]
    units = units or chain.shape[-1] * (len(chain.shape) == 2)
    if shape == [-1] and units == 1:
        chain.shape = [0]
        return
    allowed = [[0, -1]] + [[rows, units] for rows in (0, -1) if units]
    if len(chain.shape) == 2:
        allowed += [[0, 0], [-1, 0]]
    if shape not in allowed or (attributes.get("allowzero", 0) and 0 in shape):
        raise ValueError(f"a Reshape must leave rows as they are; its shape is {shape}")
    chain.shape = [0, units]


def _squeeze(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    chain.check_rows()
    given = chain.input(node, 1)
    axes = attributes.get("axes", [1]) if given is None else given.tolist()
    if axes not in ([1], [-1]) or chain.found.units != 1:
        raise ValueError(f"a Squeeze must be of rows of one unit; its axes are {axes}, the units {chain.found.units}")
    chain.shape = [0]


def _unsqueeze(chain: Chain, node: NodeProto, attributes: Attributes) -> None:
    given = chain.input(node, 1)
    axes = attributes.get("axes") if given is None else given.tolist()
    if axes not in ([1], [-1]) or len(chain.shape) != 1:
        raise ValueError(f"an Unsqueeze must make rows of one unit; its axes are {axes}")
    chain.shape = [0, 1]


_ACTIVATIONS = {kind.onnx: name for name, kind in ACTIVATIONS.items() if kind.onnx} | {"Swish": "silu"}

# Of the operators that compute, and of those that leave the numbers as they are.
COMPUTING: dict[str, Reader] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    "Neg": _negative,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "RMSNormalization": _rms_normalization,
    **dict.fromkeys(_ACTIVATIONS, _activation),
    "Clip": _clip,
    "Max": _maximum,
}
PASSING: dict[str, Reader] = {
    "Dropout": _dropout,
    "Cast": _cast,
    "Identity": _identity,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
}
MACHINE_LEARNING: dict[str, Reader] = {"Scaler": _scaler, "ZipMap": _identity}  # of the domain ai.onnx.ml
IN_ANY_PLACE = ("Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "Max")  # the value may be: they look where it is
