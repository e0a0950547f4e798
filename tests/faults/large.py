"""More than 2³¹ elements, for real: rows, entries of sparse rows and the weights of a layer; needs 20 GB of memory.

python -m faults.large [NAME ...], in this folder's parent

Each part compares with the same work done in small: a number that did not fit would come out somewhere else.
"""

import hashlib
import json
import sys
import tempfile
import time
import types

import numpy as np
import pytest

import fastnn as fn
from fastnn._engine import random

EDGE = 2**31


def _digest(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


def dense_rows():
    """An array of 2³¹ + 6,400 elements: predictions, evaluation and a shuffled epoch are those of its small parts."""
    n_features, batch = 64, 4096
    X = np.empty((EDGE // n_features + 100, n_features), np.float32)
    block = np.random.default_rng(0).normal(size=(4099, n_features)).astype(np.float32)  # a prime: no two parts alike
    for start in range(0, len(X), len(block)):
        X[start : start + len(block)] = block[: len(X) - start]
    y = X[:, :1] * 2 - X[:, 1:2]
    whole, parts = (fn.Trainer(_network(n_features), "mean_squared", batch_size=batch, seed=3) for _ in range(2))
    out = whole.network.predict(X)
    for start in (0, EDGE // n_features - 5, len(X) - 7):
        rows = slice(start, start + 7)
        assert _digest(out[rows]) == _digest(whole.network.predict(X[rows].copy()))
    whole.fit(X, y, epochs=1)
    order = random.permutation(len(X), 3, 0)
    for start in range(0, len(X), batch):
        rows = order[start : start + batch]
        parts.step(X[rows], y[rows])
    assert whole.network.digest() == parts.network.digest()
    X[-1, -1] = np.nan
    with pytest.raises(ValueError, match=f"got nan in row {len(X) - 1}, column 63"):
        whole.network.predict(X, out=out)
    return {"elements": X.size, "steps": whole.steps}


def many_rows():
    """2³¹ + 100 rows, all the same one, in an epoch and in an evaluation."""
    n, batch = EDGE + 100, 2**16
    X, y = np.broadcast_to(np.float32([[0.5]]), (n, 1)), np.broadcast_to(np.float32([[2.0]]), (n, 1))
    whole, parts = (
        fn.Trainer(fn.Network([fn.Input(1), fn.Dense(1)], seed=1), "mean_squared", "sgd", batch, shuffle=False)
        for _ in range(2)
    )
    whole.fit(X, y, epochs=1)
    for _ in range(n // batch):
        parts.step(X[:batch], y[:batch])
    parts.step(X[: n % batch], y[: n % batch])
    assert whole.network.digest() == parts.network.digest()
    assert abs(whole.evaluate(X, y)["loss"] - parts.evaluate(X[:5], y[:5])["loss"]) < 1e-12
    return {"rows": n, "steps": whole.steps}


def sparse_rows():
    """2³¹ + 10,000 entries of sparse rows, whose last ones decide: the same as those rows alone."""
    per_row, n = 1000, EDGE // 1000 + 10
    columns = np.resize(np.arange(per_row, dtype=np.int32), n * per_row)
    with tempfile.NamedTemporaryFile() as file:
        values = np.memmap(file.name, np.float32, "w+", shape=n * per_row)  # a file that is mostly a hole
        tail = np.random.default_rng(0).normal(size=20 * per_row)
        values[-len(tail) :] = tail
        starts = np.arange(n + 1, dtype=np.int64) * per_row
        X = types.SimpleNamespace(format="csr", shape=(n, per_row), data=values, indices=columns, indptr=starts)
        last = values[-len(tail) :].reshape(20, per_row)
        network = _network(per_row)
        out = network.predict(X)
        np.testing.assert_array_equal(out[-20:], network.predict(last))
        np.testing.assert_array_equal(out[:-20], np.broadcast_to(network.predict(last[:1] * 0), (n - 20, 1)))
        trainer, parts = (
            fn.Trainer(_network(per_row), "mean_squared", "sgd", 1024, shuffle=False, seed=3) for _ in range(2)
        )
        y = np.zeros((n, 1), np.float32)
        trainer.fit(X, y, epochs=1)
        for start in range(0, n, 1024):
            rows = np.array(values[start * per_row : (start + 1024) * per_row]).reshape(-1, per_row)
            parts.step(rows, y[start : start + 1024])
        assert trainer.network.digest() == parts.network.digest()
    return {"entries": n * per_row, "steps": trainer.steps}


def weights():
    """A layer with 2³¹ + 2,048 weights: its outputs, and an update by one row, as NumPy computes them in parts."""
    n_in, n_out = 2**26 + 64, 32  # no panel is padded, which would double the memory

    def row(k):
        return np.random.default_rng(k).standard_normal(n_in, np.float32)

    network = fn.Network([fn.Input(n_in), fn.Dense(n_out, weight_initializer=fn.initializers.Zeros())])
    given = np.empty((n_out, n_in), np.float32)
    for k in range(n_out):
        given[k] = row(k)
    network.parameters["0.weight"] = given
    del given  # there is memory for two of them
    x = np.random.default_rng(n_out).standard_normal((1, n_in), np.float32)
    expected = np.array([np.dot(row(k).astype(np.float64), x[0].astype(np.float64)) for k in range(n_out)])
    outputs = network.predict(x)
    # One chain of 2²⁶ float32 sums errs by some thousandths of what its terms come to in all.
    np.testing.assert_allclose(outputs[0], expected, rtol=0, atol=1e-2 * n_in**0.5)
    target = outputs - np.arange(1, n_out + 1, dtype=np.float32)
    fn.Trainer(network, "mean_squared", fn.SGD(0.1), threads=1).step(x, target)
    delta = 2 * (outputs - target)[0].astype(np.float64) / n_out
    changed = network.parameters["0.weight"]
    for k in range(n_out):
        np.testing.assert_allclose(changed[k], row(k) - 0.1 * delta[k] * x[0], rtol=1e-5, atol=1e-5)
    return {"weights": n_in * n_out}


def _network(n_features):
    return fn.Network([fn.Input(n_features), fn.Dense(16, "tanh"), fn.Dense(1)], seed=2)


PARTS = {part.__name__: part for part in (dense_rows, many_rows, sparse_rows, weights)}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        start = time.perf_counter()
        print(json.dumps({name: PARTS[name]() | {"seconds": round(time.perf_counter() - start, 1)}}), flush=True)
