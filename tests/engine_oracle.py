"""A network in float64 NumPy, as the textbooks write it, and the engine's models that are compared with it."""

import math
from collections import namedtuple

import numpy as np
import oracles

import fastnn as fn
from fastnn._engine.model import Model
from fastnn._runtime import instruction_sets
from fastnn.layers import ACTIVATIONS

ALPHA = {name: 0.3 for name, kind in ACTIVATIONS.items() if kind.alpha is not None} | {"elu": 1.3}
DROPOUT_STREAM = 9


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def activated(z, operation):
    if operation["activation"] == "softmax":
        return softmax(z)
    return oracles.activation(operation["activation"], z, operation["alpha"])


# ---------------------------------------------------------------- descriptions

Description = namedtuple("Description", ["n_inputs", "operations"])


def net(n_inputs, *operations):
    """A description; an operation that does not say what it reads, reads the value before it."""
    return Description(n_inputs, [{"inputs": [k]} | operation for k, operation in enumerate(operations)])


def reading(operation, *inputs):
    """The operation, reading these values: 0 is the network's inputs and k + 1 what operation k writes."""
    return operation | {"inputs": list(inputs)}


def dense(units, name="identity"):
    return {"kind": "dense", "units": units, "activation": name, "alpha": ALPHA.get(name, 0.0)}


def activation(name):
    return {"kind": "activation", "activation": name, "alpha": ALPHA.get(name, 0.0)}


def rms_norm(epsilon=1e-5):
    return {"kind": "rms_norm", "epsilon": epsilon}


def layer_norm(epsilon=1e-5):
    return {"kind": "layer_norm", "epsilon": epsilon}


def dropout(rate, stream=DROPOUT_STREAM):
    return {"kind": "dropout", "rate": rate, "stream": stream}


def add(*inputs):
    return {"kind": "add", "inputs": list(inputs)}


# Between them every kind of operation, at the bottom, in the middle and on top, next to every other.
NETWORKS = {
    "one layer": net(3, dense(2)),
    "relu": net(5, dense(33, "relu"), dense(17, "relu"), dense(3)),
    "norms": net(7, layer_norm(), dense(19), layer_norm(1e-3), activation("relu"), dense(3)),
    "apart": net(6, dense(21), activation("tanh"), activation("gelu"), dense(9, "relu"), activation("silu")),
    "bottom": net(4, activation("tanh"), dense(18, "mish"), activation("relu"), dense(2)),
    "rms norms": net(7, rms_norm(), dense(19), rms_norm(1e-3), activation("relu"), dense(3)),
    "top rms norm": net(5, dense(9, "elu"), rms_norm()),
    "top norm": net(5, dense(9, "elu"), layer_norm()),
    "softmax": net(8, dense(16, "selu"), dense(5, "softmax")),
    "softmax apart": net(8, dense(16, "softplus"), dense(5), activation("softmax")),
    "sigmoid": net(8, dense(16, "leaky_relu"), dense(4, "sigmoid")),
    "deep": net(4, dense(11, "relu"), dense(12), dense(13, "gelu"), dense(1)),
}
DROPOUT = net(
    6,
    dropout(0.2, DROPOUT_STREAM),
    dense(35, "relu"),
    dropout(0.5, DROPOUT_STREAM + 1),
    layer_norm(),
    dropout(0.1, DROPOUT_STREAM + 2),
    activation("tanh"),
    dense(3),
)

SGD, ADAM = fn.SGD().specification(), fn.Adam().specification()
MSE = {"kind": "mean_squared"}
CROSS_ENTROPY = {"kind": "cross_entropy"}

# ------------------------------------------------------------------ the oracle


class Oracle:
    """A network in float64 NumPy: its forward pass by values, and backpropagation from the last to the first."""

    def __init__(self, described, parameters):
        self.operations = described.operations
        self.parameters = {key: np.asarray(a, dtype=np.float64) for key, a in parameters.items()}

    def parts(self, index):
        return [self.parameters.get((index, part)) for part in ("weight", "bias")]

    def forward(self, X, masks=None):
        """The outputs; keeps what the backward pass needs. masks: of the dropout operations, by index."""
        self.values, self.before = [np.asarray(X, dtype=np.float64)], []
        for index, operation in enumerate(self.operations):
            x, *others = [self.values[value] for value in operation["inputs"]]
            weight, bias = self.parts(index)
            z = y = x
            if operation["kind"] == "dense":
                z = x @ weight.T + bias
                y = activated(z, operation)
            elif operation["kind"] == "activation":
                y = activated(x, operation)
            elif operation["kind"] == "layer_norm":
                z = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + operation["epsilon"])
                y = z * weight + bias
            elif operation["kind"] == "rms_norm":
                z = x / np.sqrt((x * x).mean(1, keepdims=True) + operation["epsilon"])
                y = z * weight
            elif operation["kind"] == "dropout":
                y = x if masks is None else x * masks[index]
            else:
                assert operation["kind"] == "add"
                y = sum(others, x)
            self.values.append(y)
            self.before.append(z)
        return self.values[-1]

    def backward(self, delta, masks=None, skip_last_activation=False):
        """dL/dparameters from dL/doutputs: a value that several read gets the sum of what they hand on."""
        gradients, deltas = {}, [np.zeros_like(value) for value in self.values]
        deltas[-1] = delta
        for index in reversed(range(len(self.operations))):
            operation, z, delta = self.operations[index], self.before[index], deltas[index + 1]
            kind, x = operation["kind"], self.values[operation["inputs"][0]]
            weight, _ = self.parts(index)
            is_last = index == len(self.operations) - 1
            if kind in ("dense", "activation") and not (is_last and skip_last_activation):
                delta = self.through(operation["activation"], operation["alpha"], z, delta)
            if kind == "dense":
                gradients[index, "weight"], gradients[index, "bias"] = delta.T @ x, delta.sum(0)
                delta = delta @ weight
            elif kind == "layer_norm":
                gradients[index, "weight"], gradients[index, "bias"] = (delta * z).sum(0), delta.sum(0)
                g = delta * weight
                centred = g - g.mean(1, keepdims=True) - z * (g * z).mean(1, keepdims=True)
                delta = centred / np.sqrt(x.var(1, keepdims=True) + operation["epsilon"])
            elif kind == "rms_norm":
                gradients[index, "weight"] = (delta * z).sum(0)
                g = delta * weight
                scale = np.sqrt((x * x).mean(1, keepdims=True) + operation["epsilon"])
                delta = (g - z * (g * z).mean(1, keepdims=True)) / scale
            elif kind == "dropout" and masks is not None:
                delta = delta * masks[index]
            for value in operation["inputs"]:
                deltas[value] = deltas[value] + delta
        return gradients

    @staticmethod
    def through(name, alpha, z, delta):
        if name == "softmax":
            y = softmax(z)
            return y * (delta - (delta * y).sum(1, keepdims=True))
        return delta * oracles.activation_derivative(name, z, alpha)


def dropout_masks(described, step, rows, seed=5):
    """The masks of the network's dropout operations, by operation."""
    masks, units = {}, [described.n_inputs]
    for k, operation in enumerate(described.operations):
        units.append(operation.get("units", units[operation["inputs"][0]]))
        if operation["kind"] == "dropout":
            masks[k] = oracles.dropout_mask(seed, step, operation["stream"], operation["rate"], rows, units[-1])
    return masks


# ------------------------------------------------------------------ the engine


def empty_model(described, dtype):
    """A model whose parameters are zero."""
    return Model(described.n_inputs, described.operations, dtype, instruction_sets.tables(dtype))


def make_model(described, dtype, seed=0):
    """A model with random parameters, and the same as an oracle."""
    model = empty_model(described, dtype)
    rng = np.random.default_rng(seed)
    parameters = {}
    for operation, kind, shape in model.tensors:
        scale = 1 / math.sqrt(shape[1]) if len(shape) > 1 else 0.3
        array = (scale * rng.normal(size=shape)).astype(dtype)
        if described.operations[operation]["kind"] in ("layer_norm", "rms_norm") and kind == "weight":
            array += 1
        model.write(operation, kind, array)
        parameters[operation, kind] = array
    return model, Oracle(described, parameters)


def rates(n, rate=0.05):
    return np.full(n, rate)


def parameters_of(model):
    return {(operation, kind): model.read(operation, kind) for operation, kind, _ in model.tensors}


def bits_of(model):
    return b"".join(array.tobytes() for array in parameters_of(model).values())


def outputs_of(model, X, threads=0):
    out = np.full((len(X), model.n_outputs), np.nan, model.dtype)
    model.forward(X, out, threads)
    return out


def regression(model, n, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, model.n_inputs)).astype(model.dtype)
    return X, rng.normal(size=(n, model.n_outputs)).astype(model.dtype)


TOLERANCE = {"float32": 3e-6, "float64": 1e-13}


def assert_close(got, expected, dtype, factor=1.0):
    """Relative to the largest entry of the tensor."""
    scale = max(np.abs(expected).max(), 1e-3)
    assert np.abs(got - expected).max() <= factor * TOLERANCE[dtype] * scale


def same_state(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert a[name].tobytes() == b[name].tobytes(), name


def layouts(array, fill):
    """The array in memory of various strides."""
    n, k = array.shape
    wide = np.full((n, 3 * k), fill, array.dtype)
    wide[:, 1::3] = array
    tall = np.full((2 * n, k), fill, array.dtype)
    tall[::2] = array
    offset = np.full((n, k + 5), fill, array.dtype)
    offset[:, 2 : 2 + k] = array
    return {
        "C": np.ascontiguousarray(array),
        "Fortran": np.asfortranarray(array),
        "rows reversed": array[::-1].copy()[::-1],
        "both reversed": array[::-1, ::-1].copy()[::-1, ::-1],
        "every third column": wide[:, 1::3],
        "every second row": tall[::2],
        "some columns": offset[:, 2 : 2 + k],
        "one row repeated": np.broadcast_to(array[:1], array.shape),
    }
