"""Every gradient against central differences in float64: through `fastnn.gradient_check`, and independently of it."""

import math

import numpy as np
import pytest
from suited import kind_of_targets

import fastnn as fn
from fastnn import gradients
from fastnn._engine import training

ROWS = 12
ACTIVATIONS = [
    "identity",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    fn.Activation("leaky_relu", alpha=0.3),
    fn.Activation("elu", alpha=0.4),
]
LOSSES = {name: (cls(), 3, kind_of_targets(cls)) for name, cls in fn.losses.LOSSES.items()}
LOSSES |= {
    "huber, delta": (fn.Huber(0.3), 3, "reals"),
    "pinball, quantiles": (fn.Pinball([0.1, 0.5, 0.9]), 3, "one"),
    "pinball, two targets": (fn.Pinball([0.2, 0.7]), 4, "two"),
    "cross_entropy, smoothing": (fn.CrossEntropy(label_smoothing=0.2), 3, "labels"),
    "cross_entropy, soft": ("cross_entropy", 3, "probabilities"),
    "binary_cross_entropy, one": ("binary_cross_entropy", 1, "bits"),
    "binary_cross_entropy, soft": ("binary_cross_entropy", 3, "shares"),
}


def network(layers, n_outputs=3, dtype="float64", features=5):
    """With every parameter moved off its initial value."""
    net = fn.Network([fn.Input(features), *layers, fn.Dense(n_outputs)], seed=1, dtype=dtype)
    rng = np.random.default_rng(2)
    for name, array in net.parameters.items():
        net.parameters[name] = array + (0.2 * rng.normal(size=array.shape)).astype(array.dtype)
    return net


def targets_of(kind, n_outputs, rows=ROWS):
    rng = np.random.default_rng(4)
    if kind == "labels":
        return rng.integers(0, n_outputs, rows)
    if kind == "probabilities":
        return rng.dirichlet(np.ones(n_outputs), rows)
    if kind == "counts":
        return rng.poisson(2.0, (rows, n_outputs)).astype(float)
    if kind == "bits":
        return rng.integers(0, 2, (rows, n_outputs))
    if kind == "shares":
        return rng.uniform(size=(rows, n_outputs))
    return rng.normal(size=(rows, {"one": 1, "two": 2, "reals": n_outputs}[kind]))


def inputs(rows=ROWS, features=5):
    return np.random.default_rng(3).normal(size=(rows, features))


# ------------------------------------------------------------- gradient_check


@pytest.mark.parametrize("apart", [False, True], ids=["", "apart"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_every_activation(activation, apart):
    hidden = [fn.Dense(7, activation), fn.LayerNorm(), fn.Dense(6, activation)]
    if apart:
        layer = activation if isinstance(activation, fn.Activation) else fn.Activation(activation)
        hidden = [fn.Dense(7), layer, fn.Dense(6), fn.LayerNorm(), layer]
    check = fn.gradient_check(network(hidden), "mean_squared", inputs(), targets_of("reals", 3))
    assert check.max < 1e-6, check


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "softmax"], ids=str)
def test_every_activation_of_the_output(activation):
    net = fn.Network([fn.Input(5), fn.Dense(6, "tanh"), fn.Dense(3, activation)], seed=6, dtype="float64")
    assert fn.gradient_check(net, "mean_squared", inputs(), targets_of("reals", 3)).max < 1e-6


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name, weighted):
    loss, n_outputs, kind = LOSSES[name]
    weights = np.random.default_rng(5).uniform(0, 3, ROWS) if weighted else None
    net = network([fn.Dense(6, "tanh")], n_outputs)
    check = fn.gradient_check(net, loss, inputs(), targets_of(kind, n_outputs), weights)
    assert check.max < 1e-6, check
    assert set(check) == {"0.weight", "0.bias", "2.weight", "2.bias"}


@pytest.mark.parametrize(
    ("last", "loss", "kind"), [("softmax", "cross_entropy", "labels"), ("sigmoid", "binary_cross_entropy", "shares")]
)
def test_losses_that_undo_the_last_activation(last, loss, kind):
    for layers in ([fn.Dense(3, last)], [fn.Dense(3), fn.Activation(last)]):
        net = fn.Network([fn.Input(5), fn.Dense(6, "tanh"), *layers], seed=6, dtype="float64")
        assert fn.gradient_check(net, loss, inputs(), targets_of(kind, 3)).max < 1e-6


@pytest.mark.parametrize(
    "layers",
    [
        [fn.LayerNorm(), fn.Dense(6, "tanh"), fn.LayerNorm(0.1)],
        [fn.Dropout(0.3), fn.Dense(20, "relu"), fn.Dropout(0.5), fn.LayerNorm(), fn.Dropout(0.1)],
        [fn.Activation("tanh"), fn.Dense(6), fn.Activation("gelu"), fn.Activation("softplus")],
        [fn.Dense(37, "silu"), fn.Dense(1, "tanh"), fn.Dense(35, "relu")],
        [fn.Dense(6, "relu"), fn.Activation("relu"), fn.Dropout(0.2), fn.Activation("mish")],
    ],
    ids=["norms", "dropout", "activations", "widths", "mixed"],
)
def test_every_layer(layers):
    net = network(layers)
    check = fn.gradient_check(net, "cross_entropy", inputs(40), targets_of("labels", 3, 40))
    assert check.max < 1e-6, check


def test_several_shards_and_chunks():
    net = network([fn.Dense(6, "tanh"), fn.LayerNorm()], features=3)
    X, y = inputs(2100, 3), targets_of("labels", 3, 2100)
    assert fn.gradient_check(net, "cross_entropy", X, y).max < 1e-5


def test_a_float32_network_is_checked_in_float64_and_left_alone():
    net = network([fn.Dense(6, "tanh")], dtype="float32")
    before = net.digest()
    assert fn.gradient_check(net, "mean_squared", inputs(), targets_of("reals", 3)).max < 1e-6
    assert net.digest() == before
    assert net.dtype == "float32"


def test_what_it_gives():
    check = fn.gradient_check(network([fn.Dense(6, "tanh")]), "mean_squared", inputs(), targets_of("reals", 3))
    assert isinstance(check, fn.GradientCheck)
    assert check.max == max(check.values())
    assert all(value >= 0 for value in check.values())
    assert "0.weight" in repr(check)


# -------------------------------------------------- it notices what is wrong


class Perturbed(training.Training):
    """A training whose gradient is wrong in one entry of one tensor."""

    key, entry, factor, shift = (1, "weight"), 0, 1.0, 0.0

    def gradient(self, X, y, weights=None):
        loss, found = super().gradient(X, y, weights)
        found[self.key].ravel()[self.entry] = found[self.key].ravel()[self.entry] * self.factor + self.shift
        return loss, found


@pytest.mark.parametrize(
    "wrong", [{"factor": -1.0}, {"factor": 1.001}, {"shift": 0.01}, {"factor": 0.0}, {"shift": math.nan}], ids=str
)
@pytest.mark.parametrize("key", [(0, "weight"), (0, "bias"), (1, "weight"), (1, "bias")], ids=str)
def test_a_wrong_gradient_is_noticed(monkeypatch, wrong, key):
    net, X, y = network([fn.Dense(6, "tanh")]), inputs(), targets_of("reals", 3)
    right = fn.gradient_check(net, "mean_squared", X, y)
    assert right.max < 1e-6
    monkeypatch.setattr(gradients, "Training", type("Wrong", (Perturbed,), wrong | {"key": key, "entry": 1}))
    check = fn.gradient_check(net, "mean_squared", X, y)
    name = f"{2 * key[0]}.{key[1]}"
    assert not check[name] < 1e-4, check
    assert not check.max < 1e-4, check
    for other in set(check) - {name}:
        assert check[other] == right[other]


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_gradient_of_zeros_is_refused(activation):
    """Dead units: a check of them would pass whatever the code."""
    net = network([fn.Dense(6, activation)])
    net.parameters["0.weight"] = np.zeros((6, 5))
    net.parameters["0.bias"] = np.full(6, -60.0)
    with pytest.raises(ValueError, match=r"0\.weight.* is zero in every entry"):
        fn.gradient_check(net, "mean_squared", inputs(), targets_of("reals", 3))


def test_a_gradient_of_zeros_is_refused_where_the_data_cause_it():
    with pytest.raises(ValueError, match=r"0\.weight.* is zero in every entry"):
        fn.gradient_check(network([fn.Dense(6, "tanh")]), "mean_squared", 0 * inputs(), targets_of("reals", 3))


# --------------------------------------------------- independently of the tool


def loss_of(kind, parameter, outputs, y):
    """The mean loss in float64 NumPy, from the raw outputs."""
    if kind == "mean_squared":
        return ((outputs - y) ** 2).mean()
    if kind == "cross_entropy":
        top = outputs.max(1, keepdims=True)
        log_p = outputs - top - np.log(np.exp(outputs - top).sum(1, keepdims=True))
        t = (1 - parameter) * np.eye(outputs.shape[1])[y] + parameter / outputs.shape[1]
        return -(t * log_p).sum(1).mean()
    if kind == "poisson":
        return (np.exp(outputs) - y * outputs).mean()
    assert kind == "binary_cross_entropy"
    return (np.maximum(outputs, 0) - outputs * y + np.log1p(np.exp(-np.abs(outputs)))).mean()


@pytest.mark.parametrize(
    ("loss", "parameter", "kind"),
    [
        ("mean_squared", 0, "reals"),
        (fn.CrossEntropy(label_smoothing=0.1), 0.1, "labels"),
        ("poisson", 0, "counts"),
        ("binary_cross_entropy", 0, "shares"),
    ],
    ids=str,
)
@pytest.mark.parametrize("activation", ["tanh", "gelu", "silu", "mish", "softplus", "sigmoid"])
def test_differences_of_the_forward_pass(loss, parameter, kind, activation):
    """Of `predict` and a loss in NumPy: nothing of the backward pass, nor of the loss kernels, is on this side."""
    net = network([fn.Dense(7, activation), fn.LayerNorm(), fn.Dense(6), fn.Activation(activation)])
    X, y = inputs(), targets_of(kind, 3)
    trainer = fn.Trainer(net, loss, fn.SGD(), batch_size=ROWS)
    value, found = trainer.state.training.gradient(X, y, None)
    names = {name: found[tensor] for name, tensor in net.plan.tensors.items()}
    assert value == pytest.approx(loss_of(trainer.loss.kind, parameter, net.predict(X), y), rel=1e-12)
    rng = np.random.default_rng(9)
    for name, gradient in names.items():
        array = net.parameters[name]
        assert np.abs(gradient).max() > 0
        for _ in range(4):
            direction = rng.normal(size=array.shape)
            h, slopes = 1e-5, []
            for step in (h, -h):
                net.parameters[name] = array + step * direction
                slopes.append(loss_of(trainer.loss.kind, parameter, net.predict(X), y))
            net.parameters[name] = array
            slope = (slopes[0] - slopes[1]) / (2 * h)
            scale = np.abs(gradient).max() * np.abs(direction).max()
            assert abs(slope - (gradient * direction).sum()) < 1e-7 * max(scale, 1e-2), name


@pytest.mark.parametrize("optimizer", [fn.SGD(1.0), fn.SGD(1.0, momentum=0.9)], ids=str)
def test_the_first_step_of_gradient_descent_is_the_gradient(optimizer):
    """What training takes off the parameters is what the check has checked."""
    net = network([fn.Dense(7, "tanh"), fn.LayerNorm()])
    X, y = inputs(), targets_of("labels", 3)
    trainer = fn.Trainer(net, "cross_entropy", optimizer, batch_size=ROWS)
    _, found = trainer.state.training.gradient(X, y, None)
    before = dict(net.parameters)
    trainer.step(X, y)
    for name, tensor in net.plan.tensors.items():
        np.testing.assert_allclose(before[name] - net.parameters[name], found[tensor], rtol=0, atol=1e-15)
