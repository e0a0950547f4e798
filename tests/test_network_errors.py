"""Bad networks and bad calls: the error says what is wrong, and nothing changes."""

import numpy as np
import pytest

import fastnn as fn


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: fn.Network([]), ValueError, ["at least one Dense"]),
        (lambda: fn.Network([fn.Input(3)]), ValueError, ["at least one Dense"]),
        (lambda: fn.Network([fn.Dense(3)]), ValueError, ["begin with an Input", "position 0"]),
        (lambda: fn.Network([fn.Input(3), fn.Dense(3), fn.Input(3)]), ValueError, ["no other", "position 2"]),
        (lambda: fn.Network([fn.Input(3), 64]), TypeError, ["layers only", "int 64", "position 1"]),
        (lambda: fn.Network(fn.Input(3)), TypeError, ["sequence of layers"]),
        (lambda: fn.Network([fn.Input(3), fn.Dense(3, "softmax"), fn.Dense(2)]), ValueError, ["softmax", "end"]),
        (lambda: fn.Network([fn.Input(3), fn.Dense(3)], seed=-1), ValueError, ["seed", "at least 0", "-1"]),
        (lambda: fn.Network([fn.Input(3), fn.Dense(3)], seed=2**64), ValueError, ["seed", "at most"]),
        (lambda: fn.Network([fn.Input(3), fn.Dense(3)], seed=1.5), TypeError, ["seed", "integer", "1.5"]),
        (lambda: fn.Network([fn.Input(3), fn.Dense(3)], dtype="float16"), ValueError, ["dtype", "did you mean"]),
        (lambda: fn.Network([fn.Input(3), fn.Dense(3)], dtype=np.int32), TypeError, ["dtype", "int32"]),
    ],
)
def test_bad_networks(make, error, fragments):
    with pytest.raises(error) as caught:
        make()
    for fragment in fragments:
        assert fragment in str(caught.value)


ROWS = np.ones((4, 7), dtype=np.float32)


def _with(value, row, column, dtype=np.float32):
    X = ROWS.astype(dtype)
    X[row, column] = value
    return X


@pytest.mark.parametrize(
    ("call", "error", "fragments"),
    [
        (lambda n: n.predict(ROWS[:, :6]), ValueError, ["X", "7 features", "got 6"]),
        (lambda n: n.predict(ROWS[0, :6]), ValueError, ["X", "(n, 7)", "(6,)"]),
        (lambda n: n.predict(ROWS[None]), ValueError, ["X", "(n, 7)", "(1, 4, 7)"]),
        (lambda n: n.predict(ROWS[:0]), ValueError, ["X", "at least one row"]),
        (lambda n: n.predict(_with(np.nan, 2, 5)), ValueError, ["X", "finite", "nan", "row 2", "column 5"]),
        (lambda n: n.predict(_with(-np.inf, 3, 0)), ValueError, ["X", "finite", "-inf", "row 3", "column 0"]),
        (lambda n: n.predict(_with(1e300, 1, 1, "f8")), ValueError, ["X", "fit in float32", "1e+300", "row 1"]),
        (lambda n: n.predict(_with(np.nan, 0, 1)[0]), ValueError, ["X", "finite", "column 1"]),
        (lambda n: n.predict(ROWS.astype(str)), TypeError, ["X", "real numbers", "<U"]),
        (lambda n: n.predict(ROWS.astype(object)), TypeError, ["X", "real numbers", "object"]),
        (lambda n: n.predict(ROWS.astype(complex)), TypeError, ["X", "real numbers", "complex128"]),
        (lambda n: n.predict([[1.0] * 7, [1.0]]), ValueError, ["X", "unequal length"]),
        (lambda n: n.predict(None), TypeError, ["X", "real numbers"]),
        (lambda n: n.predict(ROWS, out=np.empty((4, 2), "f4")), ValueError, ["out", "(4, 3)", "(4, 2)"]),
        (lambda n: n.predict(ROWS, out=np.empty((4, 3))), ValueError, ["out", "float32", "float64"]),
        (lambda n: n.predict(ROWS, out=[0.0] * 3), TypeError, ["out", "ndarray"]),
        (lambda n: n.predict(ROWS[0], out=np.empty((1, 3), "f4")), ValueError, ["out", "(3,)", "(1, 3)"]),
        (lambda n: n.predict(ROWS, out=np.broadcast_to(np.float32(0), (4, 3))), ValueError, ["out", "read-only"]),
        (lambda n: n.parameters["1.bias"], KeyError, ["0.weight", "'1.bias'", "did you mean"]),
        (lambda n: n.parameters.update({"x": 1}), KeyError, ["0.weight", "'x'"]),
        (lambda n: n.parameters.update({"0.bias": np.ones(15)}), ValueError, ["'0.bias'", "(16,)", "(15,)"]),
        (lambda n: n.parameters.update({"0.bias": [np.nan] * 16}), ValueError, ["'0.bias'", "finite", "row 0"]),
        (lambda n: n.parameters.update({"0.bias": [1e39] * 16}), ValueError, ["'0.bias'", "fit in float32"]),
        (lambda n: n.parameters.update({"0.bias": ["a"] * 16}), TypeError, ["'0.bias'", "real numbers"]),
    ],
)
def test_bad_calls_change_nothing(network, call, error, fragments):
    before = network.digest()
    with pytest.raises(error) as caught:
        call(network)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert network.digest() == before


def test_a_sparse_matrix_that_is_no_data_is_told_how_to_become_dense(network):
    sparse = pytest.importorskip("scipy.sparse")
    for name, values in network.parameters.items():
        with pytest.raises(TypeError, match="toarray"):
            network.parameters[name] = sparse.csr_matrix(np.atleast_2d(values))


@pytest.mark.parametrize(
    "sizes", [(2**31, 2**31), (2**32, 2**31), (2**62, 2**62), (2**64, 3), (3, 2**64), (2**40, 2**40)]
)
def test_sizes_beyond_whole_numbers_of_the_engine(sizes):
    features, units = sizes
    with pytest.raises(MemoryError, match=f"would take {4 * (features + 1) * units:,} bytes"):
        fn.Network([fn.Input(features), fn.Dense(units)])
