import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

import fastnn as fn
from fastnn.data import split_rows


def test_digits_are_the_known_ones(digits):
    X, y = digits
    known = load_digits()
    assert (X.dtype, y.dtype, X.shape, y.shape) == (np.float32, np.int64, (1797, 64), (1797,))
    np.testing.assert_array_equal(X, known.data)
    np.testing.assert_array_equal(y, known.target)


@pytest.mark.parametrize("n", [2, 3, 10, 103])
@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.999])
def test_split_parts_rows(n, fraction):
    count = int(n * fraction + 0.5)
    if not 0 < count < n:
        with pytest.raises(ValueError, match=f"at least one row in each part; got {fraction} of {n} rows"):
            split_rows(n, fraction)
        return
    train, test = split_rows(n, fraction, seed=4)
    assert len(test) == count
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()


def test_split_is_seeded_and_keeps_rows_together():
    X, y = np.arange(300).reshape(100, 3), np.arange(100)
    parts = fn.data.split(X, y, 0.3, seed=1)
    X_train, X_test, y_train, y_test = parts
    assert (len(X_train), len(X_test)) == (70, 30)
    np.testing.assert_array_equal(X_train[:, 0], 3 * y_train)
    np.testing.assert_array_equal(X_test[:, 0], 3 * y_test)
    for part, again in zip(parts, fn.data.split(X, y, 0.3, seed=1), strict=True):
        np.testing.assert_array_equal(part, again)
    assert not np.array_equal(y_test, fn.data.split(X, y, 0.3, seed=2)[3])


def test_each_row_has_the_same_chance():
    counts = np.zeros(20)
    for seed in range(1000):
        counts[split_rows(20, 0.25, seed)[1]] += 1
    assert np.abs(counts - 250).max() < 5 * np.sqrt(1000 * 0.25 * 0.75)


def test_stratified_split(rng):
    y = rng.choice(["a", "b", "c"], 211, p=[0.7, 0.25, 0.05])
    X = np.arange(211)
    _, X_test, _, y_test = fn.data.split(X, y, 0.3, stratify=True)
    assert len(X_test) == 63
    for label in "abc":
        assert abs((y_test == label).sum() - 0.3 * (y == label).sum()) < 1
    np.testing.assert_array_equal(y[X_test], y_test)


def test_standardizer_is_scikit_learns(rng, dtype):
    X = (rng.normal(size=(301, 9)) * 10.0 ** np.arange(-4, 5) + 7).astype(dtype)
    X[:, 3] = 0.1
    other = rng.normal(size=(10, 9)).astype(dtype)
    expected = StandardScaler().fit(X.astype(float))
    scaler = fn.data.Standardizer().fit(X)
    np.testing.assert_allclose(scaler.mean, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaler.scale, expected.scale_, rtol=1e-9)
    transformed = scaler.transform(other)
    assert transformed.dtype == dtype
    np.testing.assert_allclose(transformed, expected.transform(other.astype(float)), rtol=1e-5)
    assert np.abs(scaler.transform(X)[:, 3]).max() < 1e-6
    both = fn.data.standardize(X, other)
    np.testing.assert_array_equal(both[1], transformed)
    np.testing.assert_array_equal(fn.data.standardize(X), both[0])


def test_a_spread_too_small_to_square_is_none():
    scaler = fn.data.Standardizer().fit(np.array([[1e-200], [2e-200]]))
    assert scaler.scale[0] == 1.0
    assert np.isfinite(scaler.transform([[1.0]])).all()


def test_standardizer_of_integers_and_layouts(rng):
    X = rng.integers(0, 17, (97, 5))
    expected = fn.data.standardize(X)
    assert expected.dtype == np.float64
    for given in (X.astype(np.uint8), np.asfortranarray(X), X.tolist(), np.repeat(X, 2, axis=0)[::2]):
        np.testing.assert_array_equal(fn.data.standardize(given), expected)


def test_fingerprint_is_of_shape_dtype_and_values(rng):
    X, y = rng.normal(size=(31, 4)).astype(np.float32), rng.integers(0, 3, 31)
    expected = hashlib.sha256(b"X (31, 4) <f4\n" + X.tobytes() + b"y (31,) <i8\n" + y.tobytes()).hexdigest()
    assert fn.data.fingerprint(X, y) == expected
    assert fn.data.fingerprint(np.asfortranarray(X), y.astype(">i8")) == expected
    changed = X.copy()
    changed[30, 3] += 1
    for other in ((X, y[::-1]), (X.astype(float), y), (X.reshape(62, 2), y), (changed, y)):
        assert fn.data.fingerprint(*other) != expected


def test_fingerprint_in_blocks(rng, monkeypatch, tmp_path):
    X, y = rng.normal(size=(31, 4)), np.array(["a", "bc"] * 15 + ["d"])
    whole = fn.data.fingerprint(X, y)
    monkeypatch.setattr(fn.data, "_BLOCK_BYTES", 100)
    assert fn.data.fingerprint(X, y) == whole
    np.save(tmp_path / "X.npy", X)
    assert fn.data.fingerprint(np.load(tmp_path / "X.npy", mmap_mode="r"), y) == whole


@pytest.mark.parametrize(
    ("call", "error", "fragments"),
    [
        (lambda: fn.data.split(np.ones((3, 1)), np.ones(2)), ValueError, ["y", "as many rows as X, 3", "2"]),
        (lambda: fn.data.split(np.ones((3, 1)), np.ones(3), 1.0), ValueError, ["fraction", "below 1"]),
        (lambda: fn.data.split(1, 2), ValueError, ["rows"]),
        (lambda: fn.data.split(np.ones((3, 1)), np.ones((3, 1)), stratify=True), ValueError, ["y", "1-D"]),
        (lambda: fn.data.standardize(np.ones(3)), ValueError, ["X", "(n, n_features)", "(3,)"]),
        (lambda: fn.data.standardize([[1.0], [np.nan]]), ValueError, ["X", "nan", "row 1, column 0"]),
        (lambda: fn.data.standardize([["a"]]), TypeError, ["X", "real numbers"]),
        (lambda: fn.data.Standardizer().transform([[1.0]]), ValueError, ["fitted"]),
        (lambda: fn.data.standardize([[1.0]], [[1.0, 2.0]]), ValueError, ["1 features", "got 2"]),
        (lambda: fn.data.fingerprint(np.array([None]), [1]), TypeError, ["X", "object"]),
    ],
)
def test_bad_arguments(call, error, fragments):
    with pytest.raises(error) as caught:
        call()
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("value", [1.2379400392854257e29, 0.1, -1 / 3, 1e-310, 0.0, 1e308])
@pytest.mark.parametrize("n", [1, 3, 10, 97])
def test_a_constant_feature_becomes_zero(value, n):
    X = np.column_stack([np.full(n, value), np.arange(n)])
    np.testing.assert_array_equal(fn.data.standardize(X)[:, 0], 0.0)
