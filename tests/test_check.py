import numpy as np
import pytest

from fastnn._input import checks


def test_integers():
    assert checks.integer(np.int8(3), "n") == 3
    for value in (True, 1.0, "1", None, np.bool_(True), [1]):
        with pytest.raises(TypeError, match=r"n must be an integer; got"):
            checks.integer(value, "n")
    with pytest.raises(ValueError, match=r"n must be an integer of at least 1 and at most 5; got 6"):
        checks.integer(6, "n", 1, 5)


def test_numbers():
    for value in (1, 1.0, np.float32(1), np.array(1.0)):
        assert checks.number(value, "x") == 1.0
        assert type(checks.number(value, "x")) is float
    for value in (True, "1", None, [1.0, 2.0], 1j):
        with pytest.raises(TypeError, match=r"x must be a number; got"):
            checks.number(value, "x")
    with pytest.raises(ValueError, match=r"x must be a finite number above 0 and at most 1; got 0\.0"):
        checks.number(0, "x", 0, 1, above=True)
    with pytest.raises(ValueError, match="x must be a finite number; got inf"):
        checks.number(float("inf"), "x")


def test_choices():
    assert checks.choice("relu", ("relu", "elu"), "f") == "relu"
    with pytest.raises(ValueError, match=r"f must be one of 'relu', 'elu'; got 'RELU' \(did you mean 'relu'\?\)"):
        checks.choice("RELU", ("relu", "elu"), "f")
    with pytest.raises(ValueError, match=r"got 'zzz'$"):
        checks.choice("zzz", ("relu", "elu"), "f")


def test_long_values_are_not_printed():
    with pytest.raises(TypeError) as caught:
        checks.number(np.ones(1000), "x")
    assert str(caught.value) == "x must be a number; got a ndarray"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed", "vector"])
def test_the_first_nonfinite_value_is_found_wherever_it_is(dtype, layout, rng):
    for _ in range(50):
        X = rng.normal(size=(23, 1) if layout == "vector" else (23, 17)).astype(dtype)
        places = [(rng.integers(23), rng.integers(X.shape[1])) for _ in range(2)]
        for place in places:
            X[place] = rng.choice([np.nan, np.inf, -np.inf])
        row, column = min(places)
        value = X[row, column]
        if layout == "F":
            X = np.asfortranarray(X)
        elif layout == "strided":
            X = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
        elif layout == "reversed":
            X = np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
        elif layout == "vector":
            X = X[:, 0]
        with pytest.raises(ValueError, match="X must be finite") as caught:
            checks.finite(X, "X")
        where = f"row {row}" if layout == "vector" else f"row {row}, column {column}"
        assert str(caught.value) == f"X must be finite; got {value} in {where}"


def test_finite_data_pass(rng):
    for shape in [(1,), (0,), (33,), (1, 1), (40, 33)]:
        X = rng.normal(size=shape)
        checks.finite(X, "X")
        checks.finite(np.full(shape, np.finfo(np.float32).max, dtype=np.float32), "X")


def test_features_are_not_copied():
    X = np.ones((9, 8), dtype=np.float32)
    for given in (X, X[::2], X.T[:8].T, np.asfortranarray(X)):
        assert np.shares_memory(checks.features(given, 8, np.dtype("float32")), given)
