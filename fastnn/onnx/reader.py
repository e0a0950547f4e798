"""Networks from the ONNX graphs of other programs: nodes in sequence, each a layer or part of one."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from fastnn.layers import Dense, RMSNorm
from fastnn.network import Network
from fastnn.onnx import formulas, norms, operators, templates
from fastnn.onnx.chain import Chain, named
from fastnn.onnx.constants import FLOATS, attributes_of

_OLDEST_OPSET = 7  # before, operators were told about broadcasting by attributes

_HINTS = {
    "ArgMax": ": it picks the label; the probabilities may be another output of the file",
    "LogSoftmax": ": choose or export what goes into it, which is what the loss 'cross_entropy' takes",
}


def read_network(model: ModelProto, output: str | None = None) -> Network:
    """Return the network that a checked model is, up to one of its outputs.

    Raises
    ------
    ValueError
        If it holds anything but layers in sequence that fastnn has; the message names the node.
    """
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if version < _OLDEST_OPSET:
        raise ValueError(f"its operator set must be at least {_OLDEST_OPSET}; it is {version}")
    chain = Chain(model.graph, output)
    declared = chain.shape[1] if len(chain.shape) == 2 else 0
    while chain.value != chain.output:
        if chain.value not in chain.users:
            raise ValueError(f"what the output depends on does not end in it, but in {chain.value!r}")
        node = chain.users[chain.value][0]
        try:
            _read(chain, node)
        except ValueError as error:
            raise ValueError(f"{named(node)}: {error}") from None
    if len(chain.shape) > 2:
        chain.check_rows()
    return _network(chain, declared)


def _network(chain: Chain, declared: int) -> Network:
    layers, tensors, dtype = chain.found.complete(declared)
    if not any(isinstance(layer, Dense) for layer in layers):
        raise ValueError("it has no dense layer")
    if declared and declared != layers[0].features:  # type: ignore[attr-defined]
        raise ValueError(f"its input has {declared} features, its first layer takes {chain.found.features}")
    for element_type in chain.computed:
        if FLOATS.get(element_type) != dtype:
            came = TensorProto.DataType.Name(element_type).lower()
            raise ValueError(f"its layers are {dtype}, what they compute with is {came}")
    network = Network(layers, dtype=dtype)
    network.parameters.update(dict(zip(network.parameters, tensors, strict=True)))
    return network


def _read(chain: Chain, node: NodeProto) -> None:
    """Read what the value goes into, and move it on."""
    chain.take_shape()
    users = chain.users[chain.value]
    if not users:
        raise ValueError(f"nothing but the shape of {chain.value!r} goes into the output")
    if len(users) > 1 or not _is_known(users[0]):
        if not _read_pattern(chain):
            if len(users) == 1:
                domain, hint = users[0].domain, _HINTS.get(users[0].op_type, "")
                raise ValueError("fastnn has no such layer" + (f" (of the domain {domain!r})" if domain else "") + hint)
            others = ", ".join(map(named, users[1:3]))
            raise ValueError(f"its input goes into {others} too, which is no activation that fastnn has")
        return
    (node,) = users
    unknown = [name for name in node.input if name and name != chain.value and name not in chain.constants]
    if unknown or list(node.input).count(chain.value) != 1:
        raise ValueError(f"its inputs must be one value and constants; they are {', '.join(node.input)}")
    if node.input[0] != chain.value and node.op_type not in operators.IN_ANY_PLACE:
        raise ValueError(f"what varies must be its first input; that is {node.input[0]!r}")
    if node.domain == "ai.onnx.ml":
        operators.MACHINE_LEARNING[node.op_type](chain, node, attributes_of(node))
    elif node.op_type in operators.COMPUTING:
        operators.COMPUTING[node.op_type](chain, node, attributes_of(node))
        chain.computed.add(chain.element_type)
    else:
        operators.PASSING[node.op_type](chain, node, attributes_of(node))
    chain.value = node.output[0]


def _is_known(node: NodeProto) -> bool:
    if node.domain in ("", "ai.onnx"):
        return node.op_type in operators.COMPUTING or node.op_type in operators.PASSING
    return node.domain == "ai.onnx.ml" and node.op_type in operators.MACHINE_LEARNING


def _read_pattern(chain: Chain) -> bool:
    """Read what several nodes spell out; return whether there is such a thing."""
    given = chain.value, chain.users, chain.constants
    norm = norms.find(*given)
    if norm is not None:
        chain.check_rows()
        tensors = {"weight": None} | ({} if isinstance(norm.layer, RMSNorm) else {"bias": None})
        chain.found.normalization(norm.layer, None, **tensors)
        chain.computed.add(chain.element_type)
        chain.value = norm.output
        return True
    gelu = templates.gelu_64(*given)
    if gelu is not None:
        chain.add_activation("gelu", None)
        chain.value = gelu
        return True
    both = _complement(chain)
    if both is not None:
        real = chain.found.dtype
        chain.computed.add(chain.element_type)
        chain.found.dense(np.array([[-1.0], [1.0]], real), np.array([1.0, 0.0], real))
        chain.value = both
        return True
    found = formulas.find(*given)
    if found is None:
        return False
    name, alpha, output = found
    chain.add_activation(name, alpha)
    chain.value = output
    return True


def _complement(chain: Chain) -> str | None:
    """Return the output of (1 - p, p): the probabilities of two classes, from that of the second one."""
    users = {node.op_type: node for node in chain.users[chain.value]}
    if set(users) != {"Sub", "Concat"} or chain.found.units != 1 or len(chain.shape) != 2:
        return None
    less, both = users["Sub"], users["Concat"]
    one = chain.constants.get(less.input[0])
    is_one = one is not None and one.size == 1 and one.ndim <= 2 and one.item() == 1
    axis = attributes_of(both).get("axis")
    if is_one and list(both.input) == [less.output[0], chain.value] and axis in (1, -1):
        return both.output[0]
    return None
