"""Where values lie: graphs of any shape compute what the oracle does, so no buffer is overwritten too soon."""

import tracemalloc

import numpy as np
import oracles
import pytest
from engine_oracle import (
    CROSS_ENTROPY,
    DROPOUT_STREAM,
    MSE,
    SGD,
    Oracle,
    activation,
    add,
    assert_close,
    dense,
    dropout,
    dropout_masks,
    layer_norm,
    make_model,
    net,
    outputs_of,
    parameters_of,
    reading,
    regression,
    softmax,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn._engine.sparse import SparseMatrix
from fastnn._engine.training import Training
from fastnn.layers import ACTIVATIONS

SIZES = st.sampled_from([1, 2, 4, 5, 17, 33])


@st.composite
def graphs(draw):
    """Up to nine operations of every kind on any values, and a sum of all that those leave unread."""
    units, operations, unread = [draw(SIZES)], [], set()

    def append(operation, *inputs):
        operations.append(reading(operation, *inputs))
        units.append(operation.get("units", units[inputs[0]]))
        unread.difference_update(inputs)
        unread.add(len(operations))

    append(dense(draw(SIZES)), 0)
    for k in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["dense", "activation", "add", "layer_norm", "dropout"]))
        value = draw(st.integers(0, k + 1))
        if kind == "dense":
            append(dense(draw(SIZES), draw(st.sampled_from(["identity", "relu", "gelu", "tanh"]))), value)
        elif kind == "activation":
            append(activation(draw(st.sampled_from(sorted(ACTIVATIONS)))), value)
        elif kind == "add":
            alike = [other for other in range(k + 2) if units[other] == units[value]]
            append({"kind": "add"}, value, *draw(st.lists(st.sampled_from(alike), min_size=1, max_size=3)))
        elif kind == "layer_norm":
            append(layer_norm(0.1), value)
        else:
            append(dropout(draw(st.sampled_from([0.2, 0.5])), DROPOUT_STREAM + k), value)
    if len(unread) > 1:
        size, parts = draw(SIZES), sorted(unread)
        for value in parts:
            append(dense(size), value)
        append({"kind": "add"}, *sorted(unread))
    return net(units[0], *operations)


@settings(deadline=None, max_examples=300)
@given(graphs(), st.integers(1, 30))
def test_outputs_of_any_graph(described, n):
    model, oracle = make_model(described, "float64")
    X, _ = regression(model, n)
    found = outputs_of(model, X, 1)
    assert outputs_of(model, X, 3).tobytes() == found.tobytes()
    expected = oracle.forward(X)
    scale = max(np.abs(value).max() for value in oracle.values)
    assert np.abs(found - expected).max() <= 1e-11 * scale


@settings(deadline=None, max_examples=300)
@given(graphs(), st.integers(1, 30))
def test_gradients_of_any_graph(described, n):
    model, oracle = make_model(described, "float64")
    X, y = regression(model, n)
    masks = dropout_masks(described, 0, range(n))
    loss, gradients = Training(model, MSE, SGD, 5, 1).gradient(X, y, None)
    other_loss, others = Training(model, MSE, SGD, 5, 3).gradient(X, y, None)
    row_losses, deltas, _ = oracles.loss("mean_squared", oracle.forward(X, masks), targets=y, scale=1 / n)
    assert loss == other_loss == pytest.approx(row_losses.mean(), rel=1e-10)
    expected = oracle.backward(deltas, masks)
    assert gradients.keys() == expected.keys()
    scale = max(1e-3, *(np.abs(gradient).max() for gradient in expected.values()))
    for key, gradient in gradients.items():
        assert gradient.tobytes() == others[key].tobytes()
        assert np.abs(gradient - expected[key]).max() <= 1e-10 * scale, key


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_what_predictions_leave_behind_changes_no_other(described):
    """Buffers of an earlier prediction are used again, whatever lies in them."""
    model, _ = make_model(described, "float32")
    X, _ = regression(model, 9)
    expected = outputs_of(model, X, 1)
    outputs_of(model, np.full_like(X, np.nan), 1)
    assert outputs_of(model, X, 1).tobytes() == expected.tobytes()
    assert outputs_of(model, X[:2], 1).tobytes() == expected[:2].tobytes()


@pytest.mark.parametrize("kind", ["cross_entropy", "mean_squared"])
def test_softmax_of_a_sum(isa, dtype, kind):
    """Cross-entropy is computed from the sum itself, and evaluate still gives what predict gives."""
    described = net(6, dense(9, "relu"), dense(5), reading(dense(5), 1), add(2, 3), activation("softmax"))
    model, oracle = make_model(described, dtype)
    X, _ = regression(model, 60)
    labels = np.random.default_rng(0).integers(0, 5, 60)
    targets = np.eye(5, dtype=dtype)[labels]
    training = Training(model, {"kind": kind}, SGD)
    loss, gradients = training.gradient(X, targets, None)
    outputs, direct = oracle.forward(X), kind == "cross_entropy"
    seen = np.log(outputs) if direct else outputs
    row_losses, deltas, _ = oracles.loss(kind, seen, targets=targets, scale=1 / 60)
    assert_close(loss, row_losses.mean(), dtype)
    for key, expected in oracle.backward(deltas, skip_last_activation=direct).items():
        assert_close(gradients[key], expected, dtype, 10)
    out = np.empty_like(targets)
    training.evaluate(X, targets, None, out)
    assert out.tobytes() == outputs_of(model, X).tobytes()


@pytest.mark.parametrize(("name", "loss"), [("sigmoid", "binary_cross_entropy"), ("softmax", "cross_entropy")])
def test_an_activation_that_joins_what_wrote_its_operand_leaves_nothing_behind(isa, dtype, name, loss):
    """The sum at the end takes its place: no loss undoes what that has not."""
    described = net(6, dense(5), reading(dense(5), 0), reading(activation(name), 1), add(3, 2))
    model, oracle = make_model(described, dtype)
    X, y = regression(model, 30)
    targets, outputs = softmax(y).astype(dtype), oracle.forward(X)
    training, out = Training(model, {"kind": loss}, SGD), np.empty_like(y)
    found, gradients = training.gradient(X, targets, None)
    row_losses, deltas, _ = oracles.loss(loss, outputs, targets=targets, scale=1 / 30)
    assert_close(found, row_losses.mean(), dtype)
    for key, expected in oracle.backward(deltas).items():
        assert_close(gradients[key], expected, dtype, 10)
    training.evaluate(X, targets, None, out)
    assert_close(out, outputs, dtype)


def test_updates_reach_both_branches(isa, dtype):
    """The transposed copies of the weights of each follow, by training and when somebody else writes."""
    described = net(6, dense(18, "tanh"), dense(18), reading(dense(18, "relu"), 1), add(2, 3, 1), dense(3))
    model, _ = make_model(described, dtype)
    X, y = regression(model, 30)
    training = Training(model, MSE, SGD)

    def check():
        oracle = Oracle(described, parameters_of(model))
        _, deltas, _ = oracles.loss("mean_squared", oracle.forward(X), targets=y, scale=1 / 30)
        _, gradients = training.gradient(X, y, None)
        for key, expected in oracle.backward(deltas).items():
            assert_close(gradients[key], expected, dtype, 10)

    training.step(X, y, None, 0.1)
    check()
    for operation in (1, 2, 4):
        model.write(operation, "weight", -model.read(operation, "weight"))
    check()


# ---------------------------------------------------------------------- memory


def peak_of(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_deep_prediction_takes_the_buffers_of_a_shallow_one():
    """Of 40 blocks as of two: values that nobody needs any more make room."""

    def peak(blocks):
        operations = []
        for value in range(0, 3 * blocks, 3):
            operations += [dense(256, "gelu"), dense(256), add(value, value + 2)]
        model, _ = make_model(net(256, *operations), "float32")
        X, _ = regression(model, 500)
        return peak_of(lambda: outputs_of(model, X, 1))

    assert peak(40) < 1.2 * peak(2)


N_FEATURES = 40_000


def wide_rows(n):
    starts = np.arange(n + 1, dtype=np.int64) * 3
    columns = np.tile(np.array([1, 700, N_FEATURES - 1], np.int32), n)
    return SparseMatrix(np.ones(3 * n, np.float32), columns, starts, N_FEATURES)


@pytest.mark.parametrize("others", [[dense(3, "relu")], [dense(3), dense(3)]], ids=["two", "three"])
def test_all_that_read_sparse_rows_take_their_entries(others):
    """No dense rows are made: those of a prediction would take 20 MB, those of a batch 80 MB."""
    branches = [dense(3), *[reading(other, 0) for other in others]]
    model, _ = make_model(net(N_FEATURES, *branches, add(*range(1, len(branches) + 1))), "float32")
    X, labels = wide_rows(500), np.zeros(500, np.int64)
    out = np.empty((500, 3), np.float32)
    assert peak_of(lambda: model.forward_sparse(X, out, 1)) < 5e6
    training = Training(model, CROSS_ENTROPY, SGD, threads=1)
    assert peak_of(lambda: training.step(X, labels, None, 0.1)) < 5e6
    assert peak_of(lambda: training.evaluate(X, labels)) < 5e6


def test_a_reader_that_needs_every_input_makes_them_dense():
    branches = [dense(3), reading(layer_norm(), 0), dense(3), add(1, 3)]
    model, _ = make_model(net(N_FEATURES, *branches), "float32")
    X, out = wide_rows(500), np.empty((500, 3), np.float32)
    assert peak_of(lambda: model.forward_sparse(X, out, 1)) > 10e6
    assert out.tobytes() == outputs_of(model, dense_of(X)).tobytes()


def dense_of(X):
    rows = np.zeros(X.shape, np.float32)
    for r in range(len(X)):
        rows[r, X.columns[X.starts[r] : X.starts[r + 1]]] = X.values[X.starts[r] : X.starts[r + 1]]
    return rows
