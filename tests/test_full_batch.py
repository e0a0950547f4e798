"""The loss as a function of one vector, and the penalty whose strength the rows of a batch share."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.training.full_batch import FullBatchObjective


def network(dtype="float64"):
    layers = [fn.Input(7), fn.Dense(37, "tanh"), fn.LayerNorm(), fn.Dense(19, "gelu"), fn.Dense(3)]
    return fn.Network(layers, seed=5, dtype=dtype)


def weights_of(net):
    return [array for name, array in net.parameters.items() if array.ndim == 2]


def test_the_sum_of_the_squared_weights(isa, dtype):
    """Wide layers and a narrow one, whose weight lies transposed; biases and norms are left out."""
    net = network(dtype)
    expected = sum(float((w.astype(np.float64) ** 2).sum()) for w in weights_of(net))
    training = fn.Trainer(net, "cross_entropy").state.training
    assert training.squared_weights == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_the_value(weighted, blobs, rng):
    X, y = blobs
    weights = rng.uniform(0.0, 2.0, len(X)) if weighted else None
    net = network()
    function = FullBatchObjective(net, fn.CrossEntropy(), X, y, weights, 1.7, 12.0, 1)
    start = function.vector
    value, gradient = function(start)
    total = len(X) if weights is None else weights.sum()
    loss = fn.Trainer(net, "cross_entropy").evaluate(X, y, weights)["loss"]
    squares = sum(float((w**2).sum()) for w in weights_of(net))
    assert value == pytest.approx(1.7 * loss + 0.5 * 12.0 / total * squares, rel=1e-10)
    assert function.loss == pytest.approx(loss, rel=1e-10)
    for direction in rng.normal(size=(5, len(start))):
        h = 1e-6
        slope = (function(start + h * direction)[0] - function(start - h * direction)[0]) / (2 * h)
        assert gradient @ direction == pytest.approx(slope, rel=1e-5, abs=1e-7)
    function.set_vector(2.0 * start)
    np.testing.assert_array_equal(function.vector, 2.0 * start)


@pytest.mark.parametrize("factor", [1e39, 1e200])
def test_what_overflows_is_infinite(factor, blobs):
    X, y = blobs
    function = FullBatchObjective(network("float32"), fn.CrossEntropy(), X, y, None, 1.0, 0.0, 1)
    value, gradient = function(np.full(len(function.vector), factor))
    assert value == np.inf
    assert not gradient.any()
    assert np.isfinite(function.vector).all()


@pytest.mark.parametrize("optimizer", [fn.Adam, fn.SGD, fn.RMSprop])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_penalty_on_the_total_is_divided_by_the_weight_of_the_batch(optimizer, threads, isa, dtype, rng):
    X, y = rng.normal(size=(96, 7)), rng.integers(0, 3, 96)
    weights = np.tile([0.5, 1.5, 2.0, 0.0], 24)  # 64 in the first 64 rows, 32 in the last 32

    def trained(batches, **penalty):
        net = network(dtype)
        for rows in batches:
            trainer = fn.Trainer(net, "cross_entropy", optimizer(0.01, **penalty), threads=threads)
            trainer.step(X[rows], y[rows], weights[rows])
        return net.digest()

    first, last = slice(0, 64), slice(64, 96)
    assert trained([first], l2_total=0.5) == trained([first], l2=0.5 / 64)
    assert trained([last], l2_total=0.5) == trained([last], l2=0.5 / 32) != trained([last], l2=0.5 / 64)
    assert trained([last], l2_total=0.5, l2=0.25) == trained([last], l2=0.25 + 0.5 / 32)
    every = [first] if optimizer is fn.SGD else [first, last]
    assert trained(every, l2_total=0.5, decay_all=True) != trained(every, l2_total=0.5)


def test_a_penalty_on_the_total_resumes(blobs, make_trainer, tmp_path):
    X, y = blobs
    whole = make_trainer(optimizer=fn.Adam(0.01, l2_total=0.7))
    whole.fit(X, y, epochs=4)
    half = make_trainer(optimizer=fn.Adam(0.01, l2_total=0.7))
    half.fit(X, y, epochs=2)
    half.save(tmp_path / "half")
    half = fn.Trainer.load(tmp_path / "half")
    assert half.optimizer.l2_total == 0.7
    half.fit(X, y, epochs=2)
    assert half.network.digest() == whole.network.digest()


def test_a_rate_that_changes_carries_the_momentum_on(blobs):
    """velocity ← momentum · velocity - rate · gradient, as in Sutskever et al.: velocities outlive a change of rate."""
    X, y = blobs
    net = network()
    trainer = fn.Trainer(net, "cross_entropy", fn.SGD(0.1, momentum=0.9), batch_size="full", shuffle=False)
    velocity = {name: np.zeros(array.shape) for name, array in net.parameters.items()}
    mirror = network()
    for rate in (0.1, 0.02, 0.5):
        if rate != 0.1:
            trainer.set_learning_rate(rate, scales_momentum=True)
        trainer.fit(X, y, epochs=1)
        gradients = fn.Trainer(mirror, "cross_entropy").state.training.gradient(X.astype(np.float64), y)[1]
        for name, tensor in mirror.plan.tensors.items():
            velocity[name] = 0.9 * velocity[name] - rate * gradients[tensor]
            mirror.parameters[name] = mirror.parameters[name] + velocity[name]
    assert trainer.history["learning_rate"] == [0.1, 0.02, 0.5]
    for name, array in net.parameters.items():
        np.testing.assert_allclose(array, mirror.parameters[name], rtol=1e-9, atol=1e-12)
