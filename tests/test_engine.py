"""The engine's own interface: `Model` and `Training`, driven as the Python layer drives them."""

import math
import threading
import time

import numpy as np
import oracles
import pytest
from kernels import kernels

import fastnn as fn
from fastnn._engine import model as models
from fastnn._engine import random
from fastnn._engine import threads as workers
from fastnn._engine import training as trainings
from fastnn._runtime import instruction_sets

Model, Training, Diverged = models.Model, trainings.Training, trainings.Diverged

ACTIVATIONS = tuple(kernels(instruction_sets.current(), "float32").activations.entries)
ALPHA = {"leaky_relu": 0.2, "elu": 1.3}
DROPOUT_STREAM = 9

sigmoid = np.vectorize(lambda z: 1 / (1 + math.exp(-z)) if z > -700 else math.exp(z), otypes=[float])
softplus = np.vectorize(lambda z: max(z, 0) + math.log1p(math.exp(-abs(z))), otypes=[float])
normal_cdf = np.vectorize(lambda z: math.erfc(-z / math.sqrt(2)) / 2, otypes=[float])
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


FUNCTIONS = {
    "identity": lambda z, a: z,
    "relu": lambda z, a: np.maximum(z, 0),
    "leaky_relu": lambda z, a: np.where(z > 0, z, a * z),
    "elu": lambda z, a: np.where(z > 0, z, a * np.expm1(z)),
    "selu": lambda z, a: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(z)),
    "gelu": lambda z, a: z * normal_cdf(z),
    "silu": lambda z, a: z * sigmoid(z),
    "mish": lambda z, a: z * np.tanh(softplus(z)),
    "tanh": lambda z, a: np.tanh(z),
    "sigmoid": lambda z, a: sigmoid(z),
    "softplus": lambda z, a: softplus(z),
    "softmax": lambda z, a: softmax(z),
}
DERIVATIVES = {
    "identity": lambda z, a: np.ones_like(z),
    "relu": lambda z, a: (z > 0) * 1.0,
    "leaky_relu": lambda z, a: np.where(z > 0, 1, a),
    "elu": lambda z, a: np.where(z > 0, 1, a * np.exp(z)),
    "selu": lambda z, a: SELU_SCALE * np.where(z > 0, 1, SELU_ALPHA * np.exp(z)),
    "gelu": lambda z, a: normal_cdf(z) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi),
    "silu": lambda z, a: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
    "mish": lambda z, a: np.tanh(softplus(z)) + z * sigmoid(z) / np.cosh(softplus(z)) ** 2,
    "tanh": lambda z, a: 1 / np.cosh(z) ** 2,
    "sigmoid": lambda z, a: sigmoid(z) * (1 - sigmoid(z)),
    "softplus": lambda z, a: sigmoid(z),
}


class Oracle:
    """A network in float64 NumPy: its forward pass, and backpropagation as the textbooks write it."""

    def __init__(self, operations, parameters):
        self.operations = operations
        self.parameters = {key: np.asarray(a, dtype=np.float64) for key, a in parameters.items()}

    def forward(self, X, masks=None):
        """The outputs; keeps what the backward pass needs. masks: of the dropout operations, by index."""
        y, self.tape = np.asarray(X, dtype=np.float64), []
        for index, (kind, *arguments) in enumerate(self.operations):
            x = y
            weight, bias = (self.parameters.get((index, part)) for part in ("weight", "bias"))
            z = None
            if kind == "dense":
                z = x @ weight.T + bias
                y = FUNCTIONS[arguments[2]](z, arguments[3])
            elif kind == "activation":
                z = x
                y = FUNCTIONS[arguments[1]](z, arguments[2])
            elif kind == "layer_norm":
                z = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + arguments[1])
                y = z * weight + bias
            elif masks is not None:
                y = x * masks[index]
            self.tape.append((x, z))
        return y

    def backward(self, delta, masks=None, skip_last_activation=False):
        """dL/dparameters from dL/doutputs."""
        gradients = {}
        for index in reversed(range(len(self.operations))):
            kind, *arguments = self.operations[index]
            x, z = self.tape[index]
            weight = self.parameters.get((index, "weight"))
            is_last = index == len(self.operations) - 1
            if kind in ("dense", "activation") and not (is_last and skip_last_activation):
                delta = self.through(arguments[-2], arguments[-1], z, delta)
            if kind == "dense":
                gradients[index, "weight"], gradients[index, "bias"] = delta.T @ x, delta.sum(0)
                delta = delta @ weight
            elif kind == "layer_norm":
                gradients[index, "weight"], gradients[index, "bias"] = (delta * z).sum(0), delta.sum(0)
                g = delta * weight
                centred = g - g.mean(1, keepdims=True) - z * (g * z).mean(1, keepdims=True)
                delta = centred / np.sqrt(x.var(1, keepdims=True) + arguments[1])
            elif kind == "dropout" and masks is not None:
                delta = delta * masks[index]
        return gradients

    @staticmethod
    def through(activation, alpha, z, delta):
        if activation == "softmax":
            y = softmax(z)
            return y * (delta - (delta * y).sum(1, keepdims=True))
        return delta * DERIVATIVES[activation](z, alpha)


def make_model(operations, dtype, seed=0):
    """A model with random parameters, and the same as an oracle."""
    model = Model(operations, dtype, instruction_sets.tables(dtype))
    rng = np.random.default_rng(seed)
    parameters = {}
    for operation, kind, shape in model.tensors:
        scale = 1 / math.sqrt(shape[1]) if len(shape) > 1 else 0.3
        array = (scale * rng.normal(size=shape)).astype(dtype)
        if operations[operation][0] == "layer_norm" and kind == "weight":
            array += 1
        model.write(operation, kind, array)
        parameters[operation, kind] = array
    return model, Oracle(operations, parameters)


def dense(n_in, n_out, activation="identity"):
    return ("dense", n_in, n_out, activation, ALPHA.get(activation, 0.0))


def activation(n, name):
    return ("activation", n, name, ALPHA.get(name, 0.0))


# Between them every kind of operation, at the bottom, in the middle and on top, next to every other.
NETWORKS = {
    "one layer": [dense(3, 2)],
    "relu": [dense(5, 33, "relu"), dense(33, 17, "relu"), dense(17, 3)],
    "norms": [("layer_norm", 7, 1e-5), dense(7, 19), ("layer_norm", 19, 1e-3), activation(19, "relu"), dense(19, 3)],
    "apart": [
        dense(6, 21),
        activation(21, "tanh"),
        activation(21, "gelu"),
        dense(21, 9, "relu"),
        activation(9, "silu"),
    ],
    "bottom": [activation(4, "tanh"), dense(4, 18, "mish"), activation(18, "relu"), dense(18, 2)],
    "top norm": [dense(5, 9, "elu"), ("layer_norm", 9, 1e-5)],
    "softmax": [dense(8, 16, "selu"), dense(16, 5, "softmax")],
    "softmax apart": [dense(8, 16, "softplus"), dense(16, 5), activation(5, "softmax")],
    "sigmoid": [dense(8, 16, "leaky_relu"), dense(16, 4, "sigmoid")],
    "deep": [dense(4, 11, "relu"), dense(11, 12), dense(12, 13, "gelu"), dense(13, 1)],
}
DROPOUT = [
    ("dropout", 6, 0.2, DROPOUT_STREAM),
    dense(6, 35, "relu"),
    ("dropout", 35, 0.5, DROPOUT_STREAM + 1),
    ("layer_norm", 35, 1e-5),
    ("dropout", 35, 0.1, DROPOUT_STREAM + 2),
    activation(35, "tanh"),
    dense(35, 3),
]
TOLERANCE = {"float32": 3e-6, "float64": 1e-13}

SGD, ADAM = fn.SGD().specification(), fn.Adam().specification()
MSE = {"kind": "mean_squared"}
CROSS_ENTROPY = {"kind": "cross_entropy"}


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


def assert_close(got, expected, dtype, factor=1.0):
    """Relative to the largest entry of the tensor."""
    scale = max(np.abs(expected).max(), 1e-3)
    assert np.abs(got - expected).max() <= factor * TOLERANCE[dtype] * scale


def same_state(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert a[name].tobytes() == b[name].tobytes(), name


# ----------------------------------------------------------------- parameters


def test_attributes(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    assert (model.n_inputs, model.n_outputs, model.dtype) == (7, 3, dtype)
    assert model.tensors == [
        (0, "weight", (7,)),
        (0, "bias", (7,)),
        (1, "weight", (19, 7)),
        (1, "bias", (19,)),
        (2, "weight", (19,)),
        (2, "bias", (19,)),
        (4, "weight", (3, 19)),
        (4, "bias", (3,)),
    ]


@pytest.mark.parametrize("n_in", [1, 2, 7, 8, 15, 16, 17, 31, 33, 67])
@pytest.mark.parametrize("n_out", [1, 3, 4, 8, 16, 31, 32, 33, 65])
def test_read_gives_what_write_set(isa, dtype, rng, n_in, n_out):
    model = Model([dense(n_in, n_out), ("layer_norm", n_out, 1e-5)], dtype, instruction_sets.tables(dtype))
    written = {}
    for operation, kind, shape in model.tensors:
        assert not model.read(operation, kind).any(), "parameters begin at zero"
        written[operation, kind] = rng.normal(size=shape).astype(dtype)
        model.write(operation, kind, written[operation, kind])
    for (operation, kind), array in written.items():
        got = model.read(operation, kind)
        assert got.dtype == dtype
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, array)
        got[...] = 5  # a copy
        np.testing.assert_array_equal(model.read(operation, kind), array)


@pytest.mark.parametrize(
    "strided",
    [np.asfortranarray, lambda a: a[::-1, ::-1].copy()[::-1, ::-1], lambda a: np.repeat(a, 3, axis=1)[:, ::3]],
    ids=["fortran", "reversed", "sliced"],
)
def test_write_takes_any_strides(isa, dtype, rng, strided):
    model = Model([dense(9, 35)], dtype, instruction_sets.tables(dtype))
    array = rng.normal(size=(35, 9)).astype(dtype)
    assert not strided(array).flags.c_contiguous
    model.write(0, "weight", strided(array))
    np.testing.assert_array_equal(model.read(0, "weight"), array)


def test_what_the_kernels_do_not_have_is_refused():
    model, _ = make_model(NETWORKS["one layer"], "float32")
    for operation in (dense(3, 2, "swish"), activation(3, "swish")):
        with pytest.raises(ValueError, match=r"unknown activation 'swish'; the kernels have identity, .*, softmax"):
            Model([operation], "float32", instruction_sets.tables("float32"))
    with pytest.raises(ValueError, match=r"unknown loss 'hinge'; the kernels have mean_squared, .*, cross_entropy"):
        Training(model, {"kind": "hinge"}, SGD)
    with pytest.raises(ValueError, match=r"unknown optimizer 'lion'; the kernels have sgd, .*, adagrad"):
        Training(model, MSE, SGD | {"kind": "lion"})
    with pytest.raises(ValueError, match=r"unknown numbers 'lion' of an optimizer; the engine has plain, .*, adagrad"):
        Training(model, MSE, SGD | {"numbers": "lion"})


def test_unknown_tensor_and_operation():
    model, _ = make_model(NETWORKS["one layer"], "float32")
    with pytest.raises(KeyError):
        model.read(1, "weight")
    with pytest.raises(ValueError, match="unknown operation 'conv'"):
        Model([("conv", 3, 3)], "float32", instruction_sets.tables("float32"))


# -------------------------------------------------------------------- forward


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n", [1, 2, 9, 130])
def test_forward(isa, dtype, network, n):
    model, oracle = make_model(NETWORKS[network], dtype)
    X, _ = regression(model, n)
    assert_close(outputs_of(model, X), oracle.forward(X), dtype)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_of_every_activation(isa, dtype, name):
    for operations in ([dense(5, 37, name)], [dense(5, 37), activation(37, name)], [activation(5, name)]):
        model, oracle = make_model(operations, dtype)
        X, _ = regression(model, 11)
        assert_close(outputs_of(model, X), oracle.forward(X), dtype)


def test_dropout_is_off_in_forward(isa, dtype):
    model, oracle = make_model(DROPOUT, dtype)
    X, _ = regression(model, 40)
    assert_close(outputs_of(model, X), oracle.forward(X), dtype)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_forward_does_not_depend_on_threads_or_rows(isa, dtype, threads):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, _ = regression(model, 300)
    whole = outputs_of(model, X, 1)
    assert outputs_of(model, X, threads).tobytes() == whole.tobytes()
    for rows in (slice(0, 1), slice(7, 8), slice(100, 103), slice(120, 250)):
        assert outputs_of(model, X[rows], threads).tobytes() == whole[rows].tobytes()


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


def test_forward_reads_any_strides(isa, dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, _ = regression(model, 133)
    expected = outputs_of(model, X)
    for name, view in layouts(X, np.nan).items():
        got = outputs_of(model, view)
        np.testing.assert_array_equal(got, np.tile(expected[:1], (133, 1)) if "repeated" in name else expected, name)


def test_forward_writes_any_strides(isa, dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, _ = regression(model, 133)
    expected = outputs_of(model, X)
    for name, view in layouts(np.zeros_like(expected), 7).items():
        if "repeated" in name:
            continue
        model.forward(X, view)
        np.testing.assert_array_equal(view, expected, name)
        if view.base is not None and view.base.size > view.size:
            assert (view.base == 7).sum() == view.base.size - view.size, f"{name}: wrote between"


def test_forward_refuses_a_read_only_out(dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, out = regression(model, 3)
    out.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        model.forward(X, out)


def test_forward_of_no_rows(dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    model.forward(np.empty((0, 5), dtype), np.empty((0, 3), dtype))


def test_predictions_from_several_python_threads(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, _ = regression(model, 700)
    expected, wrong = outputs_of(model, X).tobytes(), []

    def predict(threads):
        wrong.extend(1 for _ in range(20) if outputs_of(model, X, threads).tobytes() != expected)

    running = [threading.Thread(target=predict, args=(n,)) for n in (1, 2, 3, 2)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong


# ------------------------------------------------------------------- gradient


@pytest.mark.parametrize("network", NETWORKS)
def test_gradient(isa, dtype, network):
    model, oracle = make_model(NETWORKS[network], dtype)
    X, y = regression(model, 37)
    loss, gradients = Training(model, MSE, SGD).gradient(X, y, None)
    row_losses, deltas, _ = oracles.loss("mean_squared", oracle.forward(X), targets=y, scale=1 / 37)
    assert_close(loss, row_losses.mean(), dtype)
    expected = oracle.backward(deltas)
    assert gradients.keys() == expected.keys()
    for key, gradient in gradients.items():
        assert gradient.shape == expected[key].shape
        assert_close(gradient, expected[key], dtype, 10)


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"softmax"}))
def test_gradient_through_every_activation(isa, dtype, name):
    for operations in ([dense(5, 37, name), dense(37, 2)], [dense(5, 37), activation(37, name), dense(37, 2, name)]):
        model, oracle = make_model(operations, dtype)
        X, y = regression(model, 70)
        _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
        _, deltas, _ = oracles.loss("mean_squared", oracle.forward(X), targets=y, scale=1 / 70)
        expected = oracle.backward(deltas)
        for key, gradient in gradients.items():
            assert_close(gradient, expected[key], dtype, 10)


@pytest.mark.parametrize("n", [1, 5, 63, 64, 65, 200, 513, 1500, 2600])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_gradient_of_batches_of_any_size(dtype, n, threads):
    """Up to several shards, and several chunks."""
    model, oracle = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, n)
    weights = np.random.default_rng(2).uniform(0.1, 2, n)
    loss, gradients = Training(model, MSE, SGD, threads=threads).gradient(X, y, weights)
    row_losses, deltas, _ = oracles.loss(
        "mean_squared", oracle.forward(X), targets=y, weights=weights, scale=1 / weights.sum()
    )
    assert_close(loss, row_losses.sum() / weights.sum(), dtype)
    for key, expected in oracle.backward(deltas).items():
        assert_close(gradients[key], expected, dtype, 10)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_gradient_of_several_chunks_is_the_same_with_many_parameters(isa, dtype, threads):
    """Too many for each of 7 threads (in float64 of 3) to have sums of its own: they share every chunk."""
    model, _ = make_model([dense(290, 300, "relu"), dense(300, 3)], dtype)
    X, y = regression(model, 1300)
    expected_loss, expected = Training(model, MSE, SGD, threads=1).gradient(X, y, None)
    loss, gradients = Training(model, MSE, SGD, threads=threads).gradient(X, y, None)
    assert loss == expected_loss
    for key, gradient in gradients.items():
        assert gradient.tobytes() == expected[key].tobytes()


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "identity"])
def test_threads_that_share_the_outputs_of_a_wide_first_layer_give_the_same(isa, dtype, activation, threads):
    """Its weights are most of the parameters, its inputs more than twice the rows; panels fewer than threads or not."""
    for n_out, n in ((7, 5), (67, 1), (67, 45), (131, 90)):
        model, _ = make_model([dense(200, n_out, activation), dense(n_out, 3)], dtype)
        X, y = regression(model, n)
        expected_loss, expected = Training(model, MSE, SGD, threads=1).gradient(X, y, None)
        loss, gradients = Training(model, MSE, SGD, threads=threads).gradient(X, y, None)
        assert loss == expected_loss
        for key, gradient in gradients.items():
            assert gradient.tobytes() == expected[key].tobytes()


def tree(parts):
    """The contract's sum of shards."""
    if len(parts) == 1:
        return parts[0]
    split = 1 << (len(parts) - 1).bit_length() - 1
    return tree(parts[:split]) + tree(parts[split:])


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [64, 65, 128, 193, 448, 513, 1500, 2600, 5000])
def test_gradient_adds_shards_by_the_fixed_tree_across_chunks(isa, dtype, n, threads):
    """To the last bit: biases under a mean absolute error, whose deltas all are plus or minus 1 / n."""
    model, _ = make_model([dense(3, 5, "tanh"), dense(5, 1)], dtype)
    X, y = regression(model, n)
    y += np.where(y > 0, 10, -10).astype(dtype)  # out of the outputs' reach: the signs are those of -y
    _, gradients = Training(model, {"kind": "mean_absolute"}, SGD, threads=threads).gradient(X, y, None)
    deltas = (-np.sign(y[:, 0]) * (1 / n)).astype(dtype)
    shards = []
    for start in range(0, n, 64):
        chain = np.zeros((), dtype)
        for delta in deltas[start : start + 64]:
            chain = chain + delta
        shards.append(chain)
    assert gradients[1, "bias"].tobytes() == tree(shards).tobytes()


def dropout_masks(step, rows, seed=5):
    """The masks of the network DROPOUT, by operation."""
    masks = {}
    for k, (kind, n, *arguments) in enumerate(DROPOUT):
        if kind == "dropout":
            rate, stream = arguments
            masks[k] = oracles.dropout_mask(seed, step, stream, rate, rows, n)
    return masks


def test_gradient_with_dropout_uses_the_masks_of_the_coming_step(isa, dtype):
    model, oracle = make_model(DROPOUT, dtype)
    X, y = regression(model, 150)
    training = Training(model, MSE, SGD, seed=5)
    for step in range(2):
        masks = dropout_masks(step, range(150))
        loss, gradients = training.gradient(X, y, None)
        outputs = oracle.forward(X, masks)
        row_losses, deltas, _ = oracles.loss("mean_squared", outputs, targets=y, scale=1 / 150)
        assert_close(loss, row_losses.mean(), dtype)
        for key, expected in oracle.backward(deltas, masks).items():
            assert_close(gradients[key], expected, dtype, 10)
        assert training.step(X, y, None, 0.0) == loss  # a rate of 0 changes nothing but the step


def test_dropout_masks_do_not_depend_on_chunks_or_threads(isa, dtype):
    model, _ = make_model(DROPOUT, dtype)
    X, y = regression(model, 2600)
    found = {
        b"".join(g.tobytes() for g in Training(model, MSE, SGD, 5, threads).gradient(X, y, None)[1].values())
        for threads in (1, 2, 3, 7)
    }
    assert len(found) == 1
    masks = dropout_masks(0, [2599])
    weights = np.zeros(2600)
    weights[2599] = 1  # the last row of the last chunk alone
    oracle = Oracle(DROPOUT, parameters_of(model))
    _, deltas, _ = oracles.loss("mean_squared", oracle.forward(X[2599:], masks), targets=y[2599:])
    _, gradients = Training(model, MSE, SGD, 5).gradient(X, y, weights)
    for key, expected in oracle.backward(deltas, masks).items():
        assert_close(gradients[key], expected, dtype, 10)


@pytest.mark.parametrize("network", ["softmax", "softmax apart"])
@pytest.mark.parametrize("kind", ["cross_entropy", "mean_squared"])
def test_softmax_under_a_loss(isa, dtype, network, kind):
    """Cross-entropy is computed from the values before the softmax, other losses from its outputs."""
    model, oracle = make_model(NETWORKS[network], dtype)
    X, y = regression(model, 60)
    targets = softmax(y).astype(dtype)
    loss, gradients = Training(model, {"kind": kind}, SGD).gradient(X, targets, None)
    outputs = oracle.forward(X)
    direct = kind == "cross_entropy"
    seen = np.log(outputs) if direct else outputs
    row_losses, deltas, _ = oracles.loss(kind, seen, targets=targets, scale=1 / 60)
    assert_close(loss, row_losses.mean(), dtype)
    for key, expected in oracle.backward(deltas, skip_last_activation=direct).items():
        assert_close(gradients[key], expected, dtype, 10)


def test_sigmoid_under_binary_cross_entropy(isa, dtype):
    model, oracle = make_model(NETWORKS["sigmoid"], dtype)
    X, y = regression(model, 60)
    targets = (y > 0).astype(dtype)
    loss, gradients = Training(model, {"kind": "binary_cross_entropy"}, SGD).gradient(X, targets, None)
    outputs = oracle.forward(X)
    logits = np.log(outputs / (1 - outputs))
    row_losses, deltas, _ = oracles.loss("binary_cross_entropy", logits, targets=targets, scale=1 / 60)
    assert_close(loss, row_losses.mean(), dtype)
    for key, expected in oracle.backward(deltas, skip_last_activation=True).items():
        assert_close(gradients[key], expected, dtype, 10)


def test_gradient_changes_nothing(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 50)
    training = Training(model, MSE, fn.Adam(clip_norm=0.5).specification())
    training.run(X, y, None, None, 20, rates(2), 10)
    state, before = training.get_state(), bits_of(model)
    training.gradient(X, y, None)
    same_state(training.get_state(), state)
    assert bits_of(model) == before


def test_gradient_leaves_penalties_and_clipping_out(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 50)
    plain = Training(model, MSE, SGD).gradient(X, y, None)
    options = {"clip_norm": 1e-3, "clip_value": 1e-4, "l1": 1.0, "l2": 1.0, "weight_decay": 1.0, "decay_all": True}
    other = Training(model, MSE, fn.SGD(**options).specification()).gradient(X, y, None)
    assert plain[0] == other[0]
    for key, gradient in plain[1].items():
        np.testing.assert_array_equal(gradient, other[1][key])


# -------------------------------------------------------------------- updates


@pytest.mark.parametrize("n", [5, 200, 2600])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_clipping_by_norm(dtype, n, threads):
    """With chunks too: what is clipped is the gradient of the whole batch."""
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, n)
    before = parameters_of(model)
    _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
    norm = math.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients.values()))
    for limit in (0.5 * norm, 2 * norm):
        for key, array in before.items():
            model.write(*key, array)
        Training(model, MSE, fn.SGD(clip_norm=limit).specification(), threads=threads).step(X, y, None, 0.1)
        factor = min(1, limit / (norm + 1e-6))
        for key, array in parameters_of(model).items():
            assert_close(array, before[key] - 0.1 * factor * gradients[key], dtype)


def test_clipping_by_value(dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, 30)
    before = parameters_of(model)
    _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
    Training(model, MSE, fn.SGD(clip_value=0.01).specification()).step(X, y, None, 0.1)
    assert max(abs(g).max() for g in gradients.values()) > 0.01
    for key, array in parameters_of(model).items():
        assert_close(array, before[key] - 0.1 * np.clip(gradients[key], -0.01, 0.01), dtype)


def test_penalties_leave_biases_and_norms_alone_unless_asked(dtype):
    X, y = regression(make_model(NETWORKS["norms"], dtype)[0], 30)
    for decay_all in (False, True):
        model, _ = make_model(NETWORKS["norms"], dtype)
        before = parameters_of(model)
        _, gradients = Training(model, MSE, SGD).gradient(X, y, None)
        optimizer = fn.SGD(l1=0.01, l2=0.02, weight_decay=0.03, decay_all=decay_all)
        Training(model, MSE, optimizer.specification()).step(X, y, None, 0.1)
        for (operation, kind), array in parameters_of(model).items():
            w, g = before[operation, kind].astype(np.float64), gradients[operation, kind]
            if decay_all or w.ndim == 2:
                g, w = g + 0.01 * np.sign(w) + 0.02 * w, w * (1 - 0.1 * 0.03)
            assert_close(array, w - 0.1 * g, dtype)


def test_updates_are_seen_by_forward_and_by_the_next_backward(isa, dtype):
    """The transposed copy of the weights follows: by training, and when somebody else writes."""
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, 30)
    training = Training(model, MSE, SGD)

    def check():
        oracle = Oracle(NETWORKS["relu"], parameters_of(model))
        _, deltas, _ = oracles.loss("mean_squared", oracle.forward(X), targets=y, scale=1 / 30)
        _, gradients = training.gradient(X, y, None)
        for key, expected in oracle.backward(deltas).items():
            assert_close(gradients[key], expected, dtype, 10)

    training.step(X, y, None, 0.1)
    check()
    model.write(1, "weight", -model.read(1, "weight"))
    check()
    other = Training(model, MSE, SGD)
    other.step(X, y, None, 0.1)
    check()


# ----------------------------------------------------------------------- runs

TRAINED = {
    "adam": (ADAM, CROSS_ENTROPY),
    "momentum, clipped": (fn.SGD(momentum=0.9, nesterov=True, clip_norm=0.3).specification(), CROSS_ENTROPY),
    "rmsprop": (
        fn.RMSprop(smoothing=0.9, epsilon=1e-6, momentum=0.5, centered=True, l2=0.01).specification(),
        CROSS_ENTROPY,
    ),
    "nadam": (fn.NAdam(weight_decay=0.1).specification(), CROSS_ENTROPY),
    "adagrad": (fn.Adagrad(epsilon=1e-8, initial_accumulator=0.1).specification(), CROSS_ENTROPY),
    "amsgrad": (fn.Adam(amsgrad=True).specification(), {"kind": "cross_entropy", "parameter": 0.1}),
}
N, BATCH = 157, 20
STEPS = -(-N // BATCH)


class Case:
    """A training of a network with dropout on labelled, weighted, shuffled rows, the last batch ragged."""

    def __init__(self, name, dtype, threads=1):
        optimizer, loss = TRAINED[name]
        self.model, _ = make_model(DROPOUT, dtype)
        rng = np.random.default_rng(4)
        self.X = rng.normal(size=(N, 6)).astype(dtype)
        self.y = rng.integers(0, 3, N)
        self.weights = rng.uniform(0, 2, N)
        self.training = Training(self.model, loss, optimizer, 3, threads)
        self.epoch = 0

    def run(self, rates=None, seconds=100.0):
        order = random.permutation(N, 1, self.epoch)
        remaining = -(-(N - self.training.position) // BATCH)
        rates = np.linspace(0.03, 0.01, STEPS)[STEPS - remaining :] if rates is None else rates
        self.training.run(self.X, self.y, self.weights, order, BATCH, rates, seconds)

    def finish(self):
        self.run()
        assert self.training.position == N
        self.training.end_epoch()
        self.epoch += 1


@pytest.mark.parametrize("name", TRAINED)
def test_run_in_slices_gives_the_same_bits(isa, dtype, name):
    whole, sliced = Case(name, dtype), Case(name, dtype, threads=2)
    for _ in range(2):
        whole.run()
        calls = 0
        while sliced.training.position < N:
            before = sliced.training.steps
            sliced.run(seconds=0)
            calls += 1
            assert sliced.training.steps == before + 1
        assert calls == STEPS
        assert whole.training.sums == sliced.training.sums
        assert whole.training.steps == sliced.training.steps
        same_state(whole.training.get_state(), sliced.training.get_state())
        assert bits_of(whole.model) == bits_of(sliced.model)
        for case in (whole, sliced):
            case.training.end_epoch()
            case.epoch += 1
            assert case.training.position == 0
            assert case.training.sums == (0, 0, 0)


@pytest.mark.parametrize("name", TRAINED)
def test_step_gives_the_bits_of_run(dtype, name):
    whole, stepped = Case(name, dtype), Case(name, dtype, threads=3)
    whole.run()
    order, losses = random.permutation(N, 1, 0), []
    for start, rate in zip(range(0, N, BATCH), np.linspace(0.03, 0.01, STEPS), strict=True):
        rows = order[start : start + BATCH]
        losses.append(stepped.training.step(stepped.X[rows], stepped.y[rows], stepped.weights[rows], rate))
    assert bits_of(whole.model) == bits_of(stepped.model)
    assert stepped.training.steps == whole.training.steps == STEPS
    assert stepped.training.position == 0
    batch_weights = [whole.weights[order[s : s + BATCH]].sum() for s in range(0, N, BATCH)]
    np.testing.assert_allclose(whole.training.sums[0], np.dot(losses, batch_weights), rtol=1e-12)
    np.testing.assert_allclose(whole.training.sums[2], whole.weights.sum(), rtol=1e-12)


def test_run_ends_with_the_learning_rates(dtype):
    case = Case("adam", dtype)
    case.run(rates=rates(3, 0.03))
    assert (case.training.position, case.training.steps) == (3 * BATCH, 3)


def test_a_step_between_slices_leaves_the_epoch_as_it_stands(dtype):
    case = Case("adam", dtype)
    case.run(rates=rates(3, 0.03))
    before = case.training.position, case.training.sums
    case.training.step(case.X[:5], case.y[:5], None, 0.01)
    assert (case.training.position, case.training.sums) == before
    case.finish()


@pytest.mark.parametrize("name", TRAINED)
def test_set_state_continues_to_the_last_bit(isa, dtype, name):
    unbroken, first = Case(name, dtype), Case(name, dtype)
    unbroken.finish()
    unbroken.finish()
    first.finish()
    for _ in range(3):  # into the middle of the second epoch
        first.run(seconds=0)
    state = first.training.get_state()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    second = Case(name, dtype, threads=2)
    for key, array in parameters_of(first.model).items():
        second.model.write(*key, array)
    second.training.set_state(state)
    same_state(second.training.get_state(), state)
    assert (second.training.position, second.training.steps) == (first.training.position, first.training.steps)
    assert second.training.sums == first.training.sums
    second.epoch = 1
    second.finish()
    assert bits_of(second.model) == bits_of(unbroken.model)
    # The place in the epoch is the only difference between states taken before and after end_epoch.
    same_state(second.training.get_state(), unbroken.training.get_state())


def test_state_moves_between_instruction_sets(dtype):
    """It is unpacked: panels of other widths take it."""
    first, bits, before = None, [], instruction_sets.current()
    try:
        for name in instruction_sets.available():
            instruction_sets.use(name)
            case = Case("amsgrad", dtype)
            if first is None:
                case.run(seconds=0)
                first = case.training.get_state(), parameters_of(case.model)
            state, parameters = first
            for key, array in parameters.items():
                case.model.write(*key, array)
            case.training.set_state(state)
            case.finish()
            bits.append(bits_of(case.model))
    finally:
        instruction_sets.use(before)
    assert len(set(bits)) == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_run_reads_any_strides(isa, dtype, threads):
    def trained(X, y):
        model, _ = make_model(NETWORKS["relu"], dtype)
        Training(model, MSE, ADAM, 0, threads).run(X, y, None, None, 10, rates(7, 0.01), 100)
        return bits_of(model)

    X, y = regression(make_model(NETWORKS["relu"], dtype)[0], 67)
    expected = trained(X, y)
    for (name, X_view), y_view in zip(layouts(X, np.nan).items(), layouts(y, np.nan).values(), strict=True):
        if "repeated" not in name:
            assert trained(X_view, y_view) == expected, name
    model, _ = make_model(NETWORKS["softmax"], dtype)
    labels = np.random.default_rng(0).integers(0, 5, 67)
    spread = np.full(3 * 67, -99)
    spread[::3] = labels
    X, _ = regression(model, 67)
    losses = {Training(model, CROSS_ENTROPY, SGD).gradient(X, y, None)[0] for y in (labels, spread[::3])}
    assert len(losses) == 1


def in_background(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread


def long_training(dtype):
    """A training, and the arguments of a run of some seconds."""
    model, _ = make_model([dense(64, 256, "relu"), dense(256, 64)], dtype)
    X, y = regression(model, 4000)
    return Training(model, MSE, SGD), lambda n: (X, y, None, None, 1, rates(n, 1e-5), 1000)


def test_interrupt_from_another_thread(dtype):
    training, arguments = long_training(dtype)
    whole, _ = long_training(dtype)
    running = in_background(training.run, *arguments(4000))
    while training.steps < 5:
        time.sleep(0)
    start = time.monotonic()
    training.interrupt()
    running.join()
    assert time.monotonic() - start < 0.25
    steps = training.steps
    assert 5 <= steps == training.position < 4000
    assert training.get_state()["counters"].tolist() == [steps, steps]
    training.run(*arguments(3))  # goes on with the same bits
    whole.run(*arguments(steps + 3))
    same_state(training.get_state(), whole.get_state())


def test_interrupt_before_a_run_ends_the_next_one(dtype):
    case = Case("adam", dtype)
    case.training.interrupt()
    case.run()
    assert case.training.steps <= 1
    case.finish()
    unbroken = Case("adam", dtype)
    unbroken.finish()
    assert bits_of(case.model) == bits_of(unbroken.model)


def test_two_runs_at_once_are_refused(dtype):
    training, arguments = long_training(dtype)
    running = in_background(training.run, *arguments(4000))
    while training.steps < 5:
        time.sleep(0)
    X, y, *_ = arguments(1)
    with pytest.raises(RuntimeError, match="already running"):
        training.gradient(X[:1], y[:1], None)
    training.interrupt()
    running.join()
    training.run(*arguments(1))


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_a_run_that_gets_no_workers_has_the_same_bits(dtype, threads):
    """Another run has the team: this one computes alone what it had shared out among more."""
    expected, case = Case("adam", dtype), Case("adam", dtype, threads)
    expected.finish()
    assert workers._taken.acquire(False)
    try:
        case.finish()
    finally:
        workers._taken.release()
    assert bits_of(case.model) == bits_of(expected.model)
    case.finish()
    expected.finish()
    assert bits_of(case.model) == bits_of(expected.model)


def test_trainings_in_several_python_threads(dtype):
    """One gets the team of workers, the others compute alone: the same bits."""
    cases = [Case(name, dtype, threads=2) for name in ("adam", "nadam", "adam", "nadam")]

    def train(case):
        for _ in range(3):
            case.finish()

    running = [threading.Thread(target=train, args=(case,)) for case in cases]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert bits_of(cases[0].model) == bits_of(cases[2].model)
    assert bits_of(cases[1].model) == bits_of(cases[3].model)
    alone = Case("adam", dtype)
    train(alone)
    assert bits_of(alone.model) == bits_of(cases[0].model)


# ------------------------------------------------------------------- divergence


def finite(model):
    return all(np.isfinite(array).all() for array in parameters_of(model).values())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_huge_learning_rate_diverges(isa, dtype, threads):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, y = regression(model, 157)
    training = Training(model, MSE, SGD, 0, threads)
    training.run(X, y, None, None, 20, rates(2), 100)
    before = bits_of(model)
    with pytest.raises(Diverged) as caught:
        training.run(X, y, None, None, 20, rates(6, 1e30), 100)
    assert isinstance(caught.value, FloatingPointError)
    step = caught.value.step
    assert 3 <= step <= 8
    assert f"step {step}" in str(caught.value)
    assert finite(model)
    assert bits_of(model) != before
    # The loss is found before the update, a parameter after it.
    assert training.steps == (step - 1 if caught.value.what == "the loss" else step)
    assert training.position == 20 * training.steps


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_infinite_loss_diverges_before_the_update(isa, threads):
    model, _ = make_model(NETWORKS["relu"], "float64")
    X, y = regression(model, 50)
    y[33] = 1e200  # its square overflows
    training = Training(model, MSE, ADAM, 0, threads)
    training.run(X, y, None, None, 10, rates(3), 100)
    before, state = bits_of(model), training.get_state()
    assert training.steps == 3
    with pytest.raises(Diverged, match="the loss is not finite at step 4") as caught:
        training.run(X, y, None, None, 10, rates(2), 100)
    assert caught.value.step == 4
    with pytest.raises(Diverged, match="step 4"):
        training.step(X[30:40], y[30:40], None, 0.1)
    with pytest.raises(Diverged, match="step 4"):
        training.gradient(X[30:40], y[30:40], None)
    assert bits_of(model) == before
    same_state(training.get_state(), state)
    y[33] = 0  # good data go on
    training.run(X, y, None, None, 10, rates(2), 100)
    assert training.position == 50


def test_an_infinite_loss_in_a_late_chunk_diverges_before_the_update(dtype):
    model, _ = make_model([dense(2, 2)], dtype)
    model.write(0, "weight", np.full((2, 2), np.finfo(dtype).max, dtype))
    X, y = regression(model, 5000)
    X[:4990] = 0
    before = bits_of(model)
    with pytest.raises(Diverged, match="the loss is not finite at step 1"):
        Training(model, MSE, fn.SGD(clip_norm=1.0).specification()).step(4 * X, y, None, 0.1)
    assert bits_of(model) == before


def test_a_parameter_that_would_overflow_keeps_its_value(dtype):
    model, _ = make_model([dense(2, 1)], dtype)
    largest = np.finfo(dtype).max
    X, y = np.array([[1, 0]], dtype), np.array([[0]], dtype)
    weight = np.array([[1, 2]], dtype)
    model.write(0, "weight", weight)
    training = Training(model, MSE, SGD)
    rate = float(largest)
    with pytest.raises(Diverged, match="a parameter is not finite at step 1"):
        training.step(100 * X, y, None, rate)
    assert finite(model)
    np.testing.assert_array_equal(model.read(0, "weight"), weight)


# ------------------------------------------------------------------- evaluate


@pytest.mark.parametrize("n", [1, 128, 129, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_evaluate(isa, dtype, n, weighted):
    model, oracle = make_model(DROPOUT, dtype)
    X, _ = regression(model, n)
    rng = np.random.default_rng(3)
    labels, weights = rng.integers(0, 3, n), rng.uniform(0.1, 3, n) if weighted else None
    out = np.full((n, 3), np.nan, dtype)
    loss, hits = Training(model, CROSS_ENTROPY, SGD).evaluate(X, labels, weights, out)
    row_losses, _, row_hits = oracles.loss("cross_entropy", oracle.forward(X), labels=labels, weights=weights)
    total = n if weights is None else weights.sum()
    assert_close(loss, row_losses.sum() / total, dtype)
    np.testing.assert_allclose(hits, row_hits.sum() / total, rtol=1e-12)
    assert out.tobytes() == outputs_of(model, X).tobytes()


def test_evaluate_does_not_depend_on_threads_or_strides(isa, dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 300)
    results = set()
    for threads in (1, 2, 3, 7):
        training = Training(model, MSE, SGD, threads=threads)
        for (name, X_view), y_view in zip(layouts(X, np.nan).items(), layouts(y, np.nan).values(), strict=True):
            if "repeated" not in name:
                out = layouts(np.zeros_like(y), 7)[name]
                results.add((training.evaluate(X_view, y_view, None, out), out.tobytes()))
    assert len(results) == 1


def test_evaluate_gives_the_outputs_that_predict_gives(isa, dtype):
    """Softmax applied, though the loss is computed from the values before it."""
    for network in ("softmax", "softmax apart"):
        model, _ = make_model(NETWORKS[network], dtype)
        X, _ = regression(model, 140)
        out = np.empty((140, 5), dtype)
        labels = np.random.default_rng(0).integers(0, 5, 140)
        training = Training(model, CROSS_ENTROPY, SGD)
        loss, _ = training.evaluate(X, labels, None, out)
        assert out.tobytes() == outputs_of(model, X).tobytes()
        np.testing.assert_allclose(out.sum(1), 1, rtol=1e-5)
        assert_close(loss, -np.log(out[np.arange(140), labels].astype(np.float64)).mean(), dtype)


def test_evaluate_and_gradient_agree_on_the_loss(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 200)
    training = Training(model, MSE, SGD)
    assert training.evaluate(X, y, None)[0] == training.gradient(X, y, None)[0]


def test_evaluate_of_weights_that_are_zero(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 20)
    assert Training(model, MSE, SGD).evaluate(X, y, np.zeros(20)) == (0, 0)


def test_rows_of_weight_zero_count_for_nothing(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, y = regression(model, 64)
    weights = (np.arange(64) < 40) * 1.0
    training = Training(model, MSE, SGD)
    loss, gradients = training.gradient(X, y, weights)
    fewer_loss, fewer = training.gradient(X[:40], y[:40], None)
    assert_close(loss, fewer_loss, dtype)
    for key, gradient in gradients.items():
        assert_close(gradient, fewer[key], dtype)
