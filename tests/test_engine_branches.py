"""Values that several operations read, and sums of values: outputs, gradients and training, with the same bits."""

import numpy as np
import oracles
import pytest
from engine_branches import BRANCHES, WITH_DROPOUT
from engine_oracle import (
    ADAM,
    MSE,
    SGD,
    assert_close,
    bits_of,
    dropout_masks,
    make_model,
    outputs_of,
    parameters_of,
    rates,
    regression,
    same_state,
)

import fastnn as fn
from fastnn._engine.sparse import SparseMatrix
from fastnn._engine.training import Training
from fastnn._runtime import instruction_sets

THREADS = (1, 2, 3, 7)
CHUNKED = 1100  # rows of a batch that is taken in pieces


def gradient_bits(found):
    loss, gradients = found
    assert all(np.abs(gradient).max() > 0 for gradient in gradients.values())
    return np.float64(loss).tobytes() + b"".join(gradient.tobytes() for gradient in gradients.values())


def sparse(X):
    """Rows in CSR."""
    rows, columns = np.nonzero(X)
    starts = np.searchsorted(rows, np.arange(len(X) + 1)).astype(np.int64)
    return SparseMatrix(X[rows, columns], columns.astype(np.int32), starts, X.shape[1])


def thin(model, n):
    """Rows with few entries, dense, and targets."""
    X, y = regression(model, n)
    X[np.random.default_rng(6).random(X.shape) > 0.08] = 0
    return X, y


def on_every_instruction_set(function):
    """The results, each once."""
    before, found = instruction_sets.current(), set()
    try:
        for name in instruction_sets.available():
            instruction_sets.use(name)
            found.add(function())
    finally:
        instruction_sets.use(before)
    return found


# --------------------------------------------------------------------- outputs


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("n", [1, 9, 130])
def test_outputs(isa, dtype, name, n):
    model, oracle = make_model(BRANCHES[name], dtype)
    X, _ = regression(model, n)
    whole = outputs_of(model, X, 1)
    assert_close(whole, oracle.forward(X), dtype, 2)
    for threads in THREADS:
        assert outputs_of(model, X, threads).tobytes() == whole.tobytes()
    assert outputs_of(model, X[n // 2 :]).tobytes() == whole[n // 2 :].tobytes()


@pytest.mark.parametrize("name", BRANCHES)
def test_outputs_of_sparse_rows_and_of_evaluate(isa, dtype, name):
    model, oracle = make_model(BRANCHES[name], dtype)
    X, y = thin(model, 131)
    expected = outputs_of(model, X)
    out = np.full_like(expected, np.nan)
    model.forward_sparse(sparse(X), out)
    assert out.tobytes() == expected.tobytes()
    row_losses, _, _ = oracles.loss("mean_squared", oracle.forward(X), targets=y)
    found = set()
    for rows in (X, sparse(X)):
        for threads in (1, 2, 3):
            out[:] = np.nan
            found.add(Training(model, MSE, SGD, threads=threads).evaluate(rows, y, None, out))
            assert out.tobytes() == expected.tobytes()
    assert len(found) == 1
    assert_close(found.pop()[0], row_losses.mean(), dtype)


# ------------------------------------------------------------------- gradients


@pytest.mark.parametrize("n", [1, 37, CHUNKED])
@pytest.mark.parametrize("name", BRANCHES)
def test_gradients(isa, dtype, name, n):
    model, oracle = make_model(BRANCHES[name], dtype)
    X, y = regression(model, n)
    masks = dropout_masks(BRANCHES[name], 0, range(n))
    outputs = oracle.forward(X, masks)
    row_losses, deltas, _ = oracles.loss("mean_squared", outputs, targets=y, scale=1 / n)
    expected, found = oracle.backward(deltas, masks), set()
    for threads in THREADS:
        loss, gradients = Training(model, MSE, SGD, 5, threads).gradient(X, y, None)
        found.add(gradient_bits((loss, gradients)))
        assert_close(loss, row_losses.mean(), dtype)
        assert gradients.keys() == expected.keys()
        for key, gradient in gradients.items():
            assert gradient.shape == expected[key].shape
            assert_close(gradient, expected[key], dtype, 20)
    assert len(found) == 1


@pytest.mark.parametrize("name", BRANCHES)
def test_gradients_against_central_differences(isa, name):
    """Of the loss that training computes, dropout's masks among it."""
    model, _ = make_model(BRANCHES[name], "float64")
    X, y = regression(model, 30)
    training = Training(model, MSE, SGD, 5)
    _, gradients = training.gradient(X, y, None)
    rng, h = np.random.default_rng(8), 1e-6
    for key, array in parameters_of(model).items():
        assert np.abs(gradients[key]).max() > 0, key
        for _ in range(2):
            direction, losses = rng.normal(size=array.shape), []
            for step in (h, -h):
                model.write(*key, array + step * direction)
                losses.append(training.gradient(X, y, None)[0])
            model.write(*key, array)
            slope = (losses[0] - losses[1]) / (2 * h)
            scale = np.abs(gradients[key]).max() * np.abs(direction).sum()
            assert abs(slope - (gradients[key] * direction).sum()) < 1e-8 + 1e-7 * scale, key


@pytest.mark.parametrize("name", sorted(set(BRANCHES) - set(WITH_DROPOUT)))
def test_differences_of_the_outputs(isa, name):
    """Of predictions and a loss in NumPy: neither the backward pass nor its plan of buffers is on this side."""
    model, _ = make_model(BRANCHES[name], "float64")
    X, y = regression(model, 30)
    loss, gradients = Training(model, MSE, SGD).gradient(X, y, None)
    assert loss == pytest.approx(((outputs_of(model, X) - y) ** 2).mean(), rel=1e-12)
    rng, h = np.random.default_rng(8), 1e-6
    for key, array in parameters_of(model).items():
        direction, losses = rng.normal(size=array.shape), []
        for step in (h, -h):
            model.write(*key, array + step * direction)
            losses.append(((outputs_of(model, X) - y) ** 2).mean())
        model.write(*key, array)
        assert np.abs(gradients[key]).max() > 0, key
        scale = np.abs(gradients[key]).max() * np.abs(direction).sum()
        slope = (losses[0] - losses[1]) / (2 * h)
        assert abs(slope - (gradients[key] * direction).sum()) < 1e-8 + 1e-7 * scale, key


@pytest.mark.parametrize("n", [1, 70, CHUNKED])
@pytest.mark.parametrize("name", BRANCHES)
def test_gradients_of_sparse_rows(dtype, name, n):
    def found():
        model, _ = make_model(BRANCHES[name], dtype)
        X, y = thin(model, n)
        if n == 1:
            X[0, 3] = 0.7
        results = set()
        for threads in THREADS:
            for rows in (X, sparse(X)):
                results.add(gradient_bits(Training(model, MSE, SGD, 5, threads).gradient(rows, y, None)))
        assert len(results) == 1
        return results.pop()

    assert len(on_every_instruction_set(found)) == 1


# -------------------------------------------------------------------- training

OPTIMIZERS = {
    "sgd": SGD,
    "clipped adam": fn.AdamW(clip_norm=0.3, weight_decay=0.01).specification(),
    "penalised momentum": fn.SGD(momentum=0.9, l2=0.01).specification(),
}


def trained(name, dtype, optimizer, n, batch, threads=1, is_sparse=False):
    """Two epochs' parameters, state and sums as bytes."""
    model, _ = make_model(BRANCHES[name], dtype)
    X, y = thin(model, n)
    rows = sparse(X) if is_sparse else X
    training = Training(model, MSE, optimizer, 3, threads)
    for _ in range(2):
        order = np.random.default_rng(4).permutation(n)
        training.run(rows, y, None, order, batch, rates(-(-n // batch), 0.03), 100)
        assert training.position == n
        sums = training.sums
        training.end_epoch()
    state = b"".join(array.tobytes() for array in training.get_state().values())
    return bits_of(model) + state + np.array(sums).tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", BRANCHES)
def test_training_has_the_same_bits_everywhere(dtype, name, optimizer):
    """Over threads, instruction sets, and dense and sparse rows, the last batch ragged."""

    def found():
        results = {
            trained(name, dtype, OPTIMIZERS[optimizer], 50, 20, threads, is_sparse)
            for threads in THREADS
            for is_sparse in (False, True)
        }
        assert len(results) == 1
        return results.pop()

    assert len(on_every_instruction_set(found)) == 1


@pytest.mark.parametrize("name", BRANCHES)
def test_training_of_large_batches_has_the_same_bits_everywhere(dtype, name):
    results = {
        trained(name, dtype, optimizer, CHUNKED, CHUNKED, threads, is_sparse)
        for threads in THREADS
        for is_sparse in (False, True)
        for optimizer in [OPTIMIZERS["clipped adam"]]
    }
    assert len(results) == 1


@pytest.mark.parametrize("name", BRANCHES)
def test_a_batch_of_one_row(dtype, name):
    """Whose step takes the factors of the gradient."""
    bits = {
        trained(name, dtype, fn.SGD(clip_norm=limit).specification(), 7, 1, threads, is_sparse)
        for limit in (None, 1e9)  # one that is never met: the gradient is written down first
        for threads in (1, 2)
        for is_sparse in (False, True)
    }
    assert len(bits) == 1


@pytest.mark.parametrize("name", BRANCHES)
def test_training_learns(name):
    model, _ = make_model(BRANCHES[name], "float32")
    X, y = regression(model, 64)
    training = Training(model, MSE, ADAM, threads=2)
    before, _ = training.evaluate(X, y)
    for _ in range(60):
        training.run(X, y, None, None, 16, rates(4, 0.01), 100)
        training.end_epoch()
    assert training.evaluate(X, y)[0] < 0.7 * before


@pytest.mark.parametrize("name", BRANCHES)
def test_a_state_continues_to_the_last_bit(isa, dtype, name):
    def start(threads):
        model, _ = make_model(BRANCHES[name], dtype)
        return model, Training(model, MSE, OPTIMIZERS["clipped adam"], 3, threads)

    (whole, unbroken), (model, first), (other, second) = start(1), start(2), start(3)
    X, y = regression(whole, 45)
    for training, steps in ((unbroken, 6), (first, 2)):
        training.run(X, y, None, None, 8, rates(steps, 0.02), 100)
    for key, array in parameters_of(model).items():
        other.write(*key, array)
    second.set_state(first.get_state())
    second.run(X, y, None, None, 8, rates(4, 0.02), 100)
    assert second.steps == 6
    assert bits_of(other) == bits_of(whole)
    same_state(second.get_state(), unbroken.get_state())
