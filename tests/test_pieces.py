"""Long work in pieces gives what it gives in one, and ends between two of them when it has to."""

import mmap

import numpy as np
import pytest
import scipy.sparse
from oracles import words

import fastnn as fn
from fastnn._engine import random
from fastnn._input import interruptible, memory_maps

PIECE = 1 << 22  # of the engine's shuffle


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(interruptible, "BYTES", 1000)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (251,), (1000,), (0, 3), (83, 3), (84, 3), (1, 999), (7, 2, 31)])
def test_slices_are_all_rows_in_order(small, shape):
    array = np.zeros(shape)
    if not array.ndim:
        return np.testing.assert_array_equal(interruptible.converted(array, np.dtype("f4")), 0)
    found = list(interruptible.slices(array))
    assert [row for rows in found for row in range(len(array))[rows]] == list(range(len(array)))
    assert all(array[rows].nbytes <= 1000 or rows.stop - rows.start == 1 for rows in found)


def test_the_same_row_throughout_is_one_piece(small):
    assert list(interruptible.slices(np.broadcast_to(np.zeros(3), (2**58, 3)))) == [slice(0, 2**58)]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "bool"])
def test_converted_and_taken(small, rng, order, dtype):
    array = np.asarray(rng.normal(size=(301, 7)) * 9, order=order).astype(dtype)
    index = rng.integers(0, 301, 500)
    for given in (array, array[::-2, ::3], array[:, 0]):
        found = interruptible.converted(given, np.dtype("float32"))
        np.testing.assert_array_equal(found, given.astype("float32"), strict=True)
        assert found.strides == given.astype("float32").strides
        rows = index % len(given)
        np.testing.assert_array_equal(interruptible.taken(given, rows), given[rows], strict=True)


def test_a_nan_is_found_whatever_the_piece(small):
    for place in (0, 124, 125, 126, 999):
        X = np.zeros((1000, 1))
        X[place] = np.nan
        assert memory_maps.first_nonfinite(X) == place
        assert memory_maps.first_nonfinite(X.reshape(100, 10)) == place


@pytest.mark.parametrize("n", [PIECE - 1, PIECE, 2 * PIECE + 5])
def test_a_shuffle_of_many_rows_sorts_by_key_and_row(n):
    order = random.permutation(n, 3, 8)
    blocks = sorted({0, 1, PIECE // 4 - 1, PIECE // 4, n // 4})  # whose keys the oracle is asked for
    keys = words(3, blocks, 8, 1).reshape(-1)
    rows = np.array([4 * block + word for block in blocks for word in range(4)])
    keys, rows = keys[rows < n], rows[rows < n]
    place = np.full(n, -1)
    place[order] = np.arange(n)
    assert place.min() == 0, "a row is missing"
    np.testing.assert_array_equal(np.argsort(place[rows]), np.lexsort((rows, keys)))
    # The keys are uniform: a row stands where its key says, up to chance.
    np.testing.assert_allclose(place[rows] / n, keys / 2**32, atol=0.002)


def test_a_shuffle_ends_where_its_check_raises():
    calls = []

    def check():
        calls.append(0)
        if len(calls) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        random.permutation(2 * PIECE, 1, 1, check)
    assert len(calls) == 7
    random.permutation(2 * PIECE, 1, 1, lambda: calls.append(0))
    assert len(calls) == 7 + 2 * 8, "two pieces of drawing, of three passes' counting and placing, and of the end"


@pytest.mark.parametrize("rows", [10, 64, 103])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_in_blocks_are_those_of_all_rows(rng, rows, dtype):
    network = fn.Network([fn.Input(7), fn.Dense(9, "tanh"), fn.Dense(3)], dtype=dtype)
    X = (rng.normal(size=(103, 7)) * (rng.random((103, 7)) < 0.3)).astype(dtype)
    expected = network.predict(X)
    network._block_rows = rows
    out = np.empty((103, 6), dtype)[:, ::2]
    assert network.predict(X, out=out) is out
    np.testing.assert_array_equal(out, expected)
    for given in (X[::-1][::-1], X.astype(np.float64), X.tolist(), scipy.sparse.csr_array(X)):
        np.testing.assert_array_equal(network.predict(given), expected)
    out[:] = -1
    X[-1, 0] = np.nan
    with pytest.raises(ValueError, match="finite; got nan in row 102"):
        network.predict(X, out=out)
    assert (out == -1).all(), "nothing is written before all rows have been looked at"
    X[-1, 0], out.flags.writeable = 0, False
    with pytest.raises(ValueError, match="out must be writeable"):
        network.predict(X, out=out)


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="needs madvise")
def test_predictions_from_a_large_map_give_its_pages_back(rng, tmp_path, monkeypatch):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (103, 7))
    X[:] = rng.normal(size=X.shape)
    network, given = fn.Network([fn.Input(7), fn.Dense(3)]), []
    expected = network.predict(X)
    network._block_rows = 10
    monkeypatch.setattr(memory_maps, "BUDGET", 100)
    monkeypatch.setattr(memory_maps, "give_back", given.append)
    np.testing.assert_array_equal(network.predict(X), expected)
    assert len(given) >= 11
    assert all(isinstance(file, mmap.mmap) for file in given)
