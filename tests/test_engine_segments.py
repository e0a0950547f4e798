"""Operations whose outputs threads share instead of rows: first layers that dominate have the bits of one thread."""

import functools

import numpy as np
import pytest
from engine_oracle import (
    CROSS_ENTROPY,
    activation,
    add,
    bits_of,
    dense,
    dropout,
    layer_norm,
    make_model,
    net,
    rates,
    reading,
)

import fastnn as fn
from fastnn._engine.sparse import SparseMatrix
from fastnn._engine.training import Training

FEATURES = 784
DOMINATED = {
    "plain": net(FEATURES, dense(512, "relu"), dense(10)),
    "gelu": net(FEATURES, dense(200, "gelu"), dense(10)),
    "with dropout": net(FEATURES, dense(300, "relu"), dropout(0.3), layer_norm(), dense(10)),
    "panels that nobody fills": net(FEATURES, dense(67), activation("tanh"), dense(10)),
    "one of two that read the inputs": net(FEATURES, dense(512, "relu"), dense(10), reading(dense(10), 0), add(2, 3)),
    "the second operation": net(
        FEATURES, dense(10, "relu"), reading(dense(300, "silu"), 0), dense(10), add(1, 3), dense(10)
    ),
    "between others that read the inputs": net(
        FEATURES, dense(3), reading(dense(300, "relu"), 0), reading(dense(300), 2), reading(dense(3), 0), add(1, 4),
        dense(10), reading(dense(10), 3), add(6, 7),
    ),
}  # fmt: skip


def trained(name, dtype, threads, batch, n, is_sparse=False):
    model, _ = make_model(DOMINATED[name], dtype)
    rng = np.random.default_rng(2)
    X, labels = rng.normal(size=(n, FEATURES)).astype(dtype), rng.integers(0, 10, n)
    if is_sparse:  # of so many entries that they become dense rows
        columns, starts = np.tile(np.arange(FEATURES, dtype=np.int32), n), np.arange(n + 1, dtype=np.int64) * FEATURES
        X = SparseMatrix(X.ravel(), columns, starts, FEATURES)
    training = Training(model, CROSS_ENTROPY, fn.Adam().specification(), 3, threads)
    loss, gradients = training.gradient(X[:batch], labels[:batch], None)
    training.run(X, labels, None, None, batch, rates(-(-n // batch), 0.01), 100)
    assert training.position == n
    return loss, b"".join(g.tobytes() for g in gradients.values()), training.sums, bits_of(model)


@functools.lru_cache(maxsize=1)  # what the next test, of another number of threads, is compared with as well
def trained_by_one_thread(isa, name, dtype):
    return trained(name, dtype, 1, 64, 137)


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("name", DOMINATED)
def test_batches_of_64(isa, dtype, name, threads):
    """The last one of 9 rows, fewer than the threads' shares."""
    assert trained(name, dtype, threads, 64, 137) == trained_by_one_thread(isa, name, dtype)


@pytest.mark.parametrize("batch", [1, 2, 8, 9, 391, 392])
@pytest.mark.parametrize("name", DOMINATED)
def test_batches_of_any_size(name, batch):
    """With one row some threads have none; from half as many rows as inputs on, rows are shared."""
    n = batch + 1
    expected = trained(name, "float32", 1, batch, n)
    assert trained(name, "float32", 2, batch, n) == expected
    assert trained(name, "float32", 3, batch, n) == expected


@pytest.mark.parametrize("name", DOMINATED)
def test_sparse_rows_that_become_dense(dtype, name):
    expected = trained(name, dtype, 1, 64, 137)
    assert all(trained(name, dtype, threads, 64, 137, True) == expected for threads in (1, 2, 3))
