"""The gradient of the engine's `Training`, of every kind of operation and batches of every size, against the oracle."""

import functools

import numpy as np
import oracles
import pytest
from engine_oracle import (
    DROPOUT,
    MSE,
    NETWORKS,
    SGD,
    Oracle,
    activation,
    assert_close,
    bits_of,
    dense,
    dropout_masks,
    make_model,
    net,
    parameters_of,
    rates,
    regression,
    same_state,
    softmax,
)

import fastnn as fn
from fastnn._engine.training import Training
from fastnn.layers import ACTIVATIONS


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
    for operations in ([dense(37, name), dense(2)], [dense(37), activation(name), dense(2, name)]):
        model, oracle = make_model(net(5, *operations), dtype)
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


@functools.lru_cache(maxsize=1)  # what the next test, of another number of threads, needs as well
def many_parameters(isa, dtype):
    """A network, data, and the loss and gradients by one thread."""
    model, _ = make_model(net(290, dense(300, "relu"), dense(3)), dtype)
    X, y = regression(model, 1300)
    return model, X, y, Training(model, MSE, SGD, threads=1).gradient(X, y, None)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_gradient_of_several_chunks_is_the_same_with_many_parameters(isa, dtype, threads):
    """Too many for each of 7 threads (in float64 of 3) to have sums of its own: they share every chunk."""
    model, X, y, (expected_loss, expected) = many_parameters(isa, dtype)
    loss, gradients = Training(model, MSE, SGD, threads=threads).gradient(X, y, None)
    assert loss == expected_loss
    for key, gradient in gradients.items():
        assert gradient.tobytes() == expected[key].tobytes()


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "identity"])
def test_threads_that_share_the_outputs_of_a_wide_first_layer_give_the_same(isa, dtype, activation, threads):
    """Its weights are most of the parameters, its inputs more than twice the rows; panels fewer than threads or not."""
    for n_out, n in ((7, 5), (67, 1), (67, 45), (131, 90)):
        model, _ = make_model(net(200, dense(n_out, activation), dense(3)), dtype)
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
    model, _ = make_model(net(3, dense(5, "tanh"), dense(1)), dtype)
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


def test_gradient_with_dropout_uses_the_masks_of_the_coming_step(isa, dtype):
    model, oracle = make_model(DROPOUT, dtype)
    X, y = regression(model, 150)
    training = Training(model, MSE, SGD, seed=5)
    for step in range(2):
        masks = dropout_masks(DROPOUT, step, range(150))
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
    masks = dropout_masks(DROPOUT, 0, [2599])
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
