"""Arrays and data frames of other libraries, wherever data are handed in: the same results, without a copy."""

import subprocess
import sys
import tracemalloc

import hypothesis
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import fastnn as fn
from fastnn._input import arrays, checks

FLOAT32, FLOAT64 = np.dtype("float32"), np.dtype("float64")
ROWS, FEATURES = 29, 7


def library(name):
    return pytest.importorskip(name, reason=f"{name} is not installed: nothing to hand in")


@pytest.fixture
def X(rng):
    return rng.normal(size=(ROWS, FEATURES)).astype(np.float32)


@pytest.fixture
def labels(rng):
    return rng.integers(0, 3, ROWS)


NAMES = [f"column {j}" for j in range(FEATURES)]


class OnlyDLPack:
    """An array that has no other protocol."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def in_torch(X):
    return library("torch").from_numpy(X)


def in_jax(X):
    return library("jax").numpy.asarray(X)


def in_pandas(X):
    return library("pandas").DataFrame(X, columns=NAMES, copy=False)


def in_polars(X):
    return library("polars").from_numpy(np.asfortranarray(X), schema=NAMES)


def in_pyarrow(X):
    pyarrow = library("pyarrow")
    return pyarrow.table({name: pyarrow.array(column) for name, column in zip(NAMES, X.T, strict=True)})


HOLDERS = {
    "torch": in_torch,
    "jax": in_jax,
    "pandas": in_pandas,
    "polars": in_polars,
    "pyarrow": in_pyarrow,
    "DLPack": OnlyDLPack,
    "lists": lambda X: X.tolist(),
}


def vector(name, values):
    """A column of a library."""
    if name == "torch":
        return library("torch").from_numpy(values)
    if name == "jax":
        return library("jax").numpy.asarray(values, dtype=values.dtype)
    if name in ("pandas", "polars"):
        return library(name).Series(values)
    return library("pyarrow").array(values) if name == "pyarrow" else values.tolist()


@pytest.mark.parametrize("name", HOLDERS)
def test_every_door_takes_them(name, X, labels, make_trainer):
    """What is computed has the bits that it has from NumPy arrays."""
    plain, other = make_trainer(), make_trainer()
    weights = np.linspace(0.5, 1.5, ROWS).astype(np.float32)
    given_X, given_y, given_weights = HOLDERS[name](X), vector(name, labels.astype(np.int32)), vector(name, weights)
    expected = plain.fit(X, labels, epochs=2, sample_weight=weights, validation_data=(X, labels))
    found = other.fit(given_X, given_y, epochs=2, sample_weight=given_weights, validation_data=(given_X, given_y))
    assert found == expected
    assert other.step(given_X, given_y, given_weights) == plain.step(X, labels, weights)
    assert other.evaluate(given_X, given_y, given_weights) == plain.evaluate(X, labels, weights)
    assert other.network.digest() == plain.network.digest()
    np.testing.assert_array_equal(other.network.predict(given_X), plain.network.predict(X))
    row = vector(name, X[0])
    np.testing.assert_array_equal(other.network.predict(row), plain.network.predict(X)[0])
    net = plain.network
    assert fn.gradient_check(net, "cross_entropy", given_X, given_y) == fn.gradient_check(
        net, "cross_entropy", X, labels
    )
    scaler, reference = fn.data.Standardizer().fit(given_X), fn.data.Standardizer().fit(X)
    if name != "lists":  # of Python floats, hence float64
        np.testing.assert_array_equal(scaler.transform(given_X), reference.transform(X))


@pytest.mark.parametrize("name", ["torch", "jax", "pandas", "polars", "DLPack"])
def test_nothing_is_copied(name, X):
    held = HOLDERS[name](X)
    first, second = (checks.features(held, FEATURES, FLOAT32) for _ in range(2))
    assert np.shares_memory(first, second)
    if name in ("torch", "pandas", "DLPack"):
        assert np.shares_memory(first, X)
    np.testing.assert_array_equal(first, X)


@pytest.mark.parametrize("name", ["torch", "jax", "pandas", "polars", "pyarrow"])
def test_nothing_is_copied_of_columns(name):
    values = np.arange(1000)
    held = vector(name, values.astype(np.float32))
    found = [checks.numeric(held, "y") for _ in range(2)]
    assert np.shares_memory(*found)


@pytest.mark.parametrize("name", ["torch", "pandas", "polars"])
def test_no_memory_is_taken_for_the_rows(name):
    X = np.zeros((50_000, 8), dtype=np.float32, order="F" if name == "polars" else "C")
    held = {"torch": in_torch, "pandas": lambda X: library("pandas").DataFrame(X, copy=False)}.get(
        name, lambda X: library("polars").from_numpy(X)
    )(X)
    checks.features(held, 8, FLOAT32)  # what is made once
    tracemalloc.start()
    try:
        checks.features(held, 8, FLOAT32)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 10


@settings(max_examples=150, deadline=None)
@hypothesis.given(
    npst.arrays(
        st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<f2", ">f2", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u8", "?"]),
        st.tuples(st.integers(1, 9), st.just(3)),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    st.sampled_from([FLOAT32, FLOAT64]),
    st.sampled_from(["C", "F", "reversed", "strided", "read-only"]),
)
def test_every_dtype_byte_order_and_layout(array, dtype, layout):
    if layout == "F":
        held = np.asfortranarray(array)
    elif layout == "reversed":
        held = array[::-1].copy()[::-1]
    elif layout == "strided":
        held = np.zeros((2 * len(array), 9), array.dtype)[::2, ::3]
        held[:] = array
    else:
        held = array.copy()
        held.flags.writeable = layout != "read-only"
    with np.errstate(over="ignore"):
        expected = array.astype(np.float64).astype(dtype) if array.dtype.kind == "f" else array.astype(dtype)
    if not np.isfinite(expected).all():
        with pytest.raises(ValueError, match="X must fit in float32"):
            checks.features(held, 3, dtype)
        return
    result = checks.features(held, 3, dtype)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, expected)
    assert np.shares_memory(result, held) == (held.dtype == dtype)


# ------------------------------------------------------------------------ tensors


def test_tensors_that_need_something_first(X, make_trainer):
    torch = library("torch")
    net = make_trainer().network
    tensor = torch.from_numpy(X)
    cases = [
        (tensor.clone().requires_grad_(), r"X must not require a gradient; got a Tensor .*: use \.detach\(\)"),
        (tensor.to("meta"), r"X must be an array that NumPy can read; got a Tensor of dtype torch\.float32"),
        (tensor.to_sparse(), r"X must be an array that NumPy can read; got a Tensor .*to_dense"),
        (tensor.to(torch.complex64), r"X must hold real numbers; got a Tensor of dtype torch\.complex64"),
    ]
    for given, message in cases:
        with pytest.raises(TypeError, match=message):
            net.predict(given)
    np.testing.assert_array_equal(net.predict(tensor.clone().requires_grad_().detach()), net.predict(X))
    strided = torch.from_numpy(np.repeat(np.repeat(X, 2, axis=0), 3, axis=1))[::2, ::3]
    np.testing.assert_array_equal(net.predict(strided), net.predict(X))


class OnAnotherDevice:
    """A tensor on a GPU, as far as one can tell without having one."""

    dtype, device = "float32", "cuda:0"

    def __dlpack__(self, **_):
        raise AssertionError("must not be asked for")

    def __dlpack_device__(self):
        return (2, 0)

    def __array__(self, *_, **__):
        raise AssertionError("must not be asked for")


def test_arrays_on_another_device(make_trainer):
    message = r"X must lie in the memory of the processor; got a OnAnotherDevice of dtype float32 on cuda:0: copy it"
    for call in (make_trainer().network.predict, lambda X: make_trainer().fit(X, [0])):
        with pytest.raises(TypeError, match=message):
            call(OnAnotherDevice())


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision(half, X, make_trainer):
    torch, jax = library("torch"), library("jax")
    net = make_trainer().network
    tensor = torch.from_numpy(X).to(getattr(torch, half))
    expected = net.predict(tensor.float().numpy())
    np.testing.assert_array_equal(net.predict(tensor), expected)
    np.testing.assert_array_equal(net.predict(jax.numpy.asarray(X).astype(half)), expected)


def test_masked_arrays(X, make_trainer):
    net = make_trainer().network
    np.testing.assert_array_equal(net.predict(np.ma.array(X, mask=False)), net.predict(X))
    np.testing.assert_array_equal(net.predict(np.ma.array(X)), net.predict(X))
    with pytest.raises(ValueError, match="X must not have masked values"):
        net.predict(np.ma.array(X, mask=X > 1))


def test_what_is_no_array(make_trainer):
    net = make_trainer().network
    stream = library("pyarrow").table({"a": [1.0]}).to_reader()
    with pytest.raises(TypeError, match=r"got a RecordBatchReader: pyarrow\.table\(\) makes a table of it"):
        net.predict(stream)
    for given in (object(), library("polars").LazyFrame({"a": [1.0]})):
        with pytest.raises(TypeError, match=f"X must be an array of real numbers; got an? {type(given).__name__}"):
            net.predict(given)
    with pytest.raises(ValueError, match="rows of unequal length"):
        net.predict([[1.0], [1.0, 2.0]])
    with pytest.raises(TypeError, match="X must hold real numbers; got an array of dtype <U1"):
        net.predict([["a"] * FEATURES])


# -------------------------------------------------------------------- data frames


def frame(name, columns):
    module = library(name)
    return module.table(columns) if name == "pyarrow" else module.DataFrame(columns)


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
def test_numbers_of_any_kind_beside_one_another(name):
    columns = {
        "small": np.array([1, 2, 3], np.int8),
        "large": np.array([0.5, 1.5, -2.0], np.float32),
        "flag": np.array([True, False, True]),
        "count": np.array([7, 8, 9], np.uint64),
    }
    expected = np.stack([column.astype(float) for column in columns.values()], axis=1)
    for dtype in (FLOAT32, FLOAT64):
        np.testing.assert_array_equal(checks.features(frame(name, columns), 4, dtype), expected)


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
def test_frames_without_columns_or_rows(name):
    with pytest.raises(ValueError, match="X must have 2 features a row; got 0"):
        checks.features(frame(name, {}), 2, FLOAT32)
    with pytest.raises(ValueError, match="X must have at least one row"):
        checks.features(frame(name, {"a": np.empty(0), "b": np.empty(0)}), 2, FLOAT32)


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_texts_and_missing_values_are_refused_by_column(name, dtype):
    good = [1.0, 2.0, 3.0]
    with pytest.raises(TypeError, match=r"X must hold real numbers; got the column 'town' of dtype"):
        checks.features(frame(name, {"age": good, "town": ["a", "b", "c"]}), 2, dtype)
    with pytest.raises(
        TypeError, match=r"got the column 'town' of dtype .* with missing values \(the first in row 1\)"
    ):
        checks.features(frame(name, {"age": good, "town": ["a", None, "c"]}), 2, dtype)
    for missing in ([1.0, None, 3.0], [1, None, 3]):
        with pytest.raises(ValueError, match=r"X must be finite; got nan in row 1, column 1 \('age'\)"):
            checks.features(frame(name, {"x": good, "age": missing}), 2, dtype)


def test_columns_of_pandas():
    pandas = library("pandas")
    good = [1.0, 2.0, 3.0]

    def features(columns):
        return checks.features(pandas.DataFrame(columns), len(columns), FLOAT64)

    for dtype in ("Int64", "Float64", "boolean"):
        found = features({"x": good, "n": pandas.array([1, 0, 1], dtype=dtype)})
        np.testing.assert_array_equal(found, np.stack([good, [1, 0, 1]], axis=1))
        missing = pandas.array([1, None, 1], dtype=dtype)
        with pytest.raises((TypeError, ValueError), match=r"'n'"):
            features({"x": good, "n": missing})
    for categories in (["a", "b", "a"], [1, 2, 1]):
        with pytest.raises(TypeError, match=r"the column 'kind' of categories \(category\): encode them first"):
            features({"x": good, "kind": pandas.Categorical(categories)})
    with pytest.raises(TypeError, match=r"the column 'o' of dtype object"):
        features({"x": good, "o": pandas.Series([1.0, 2.0, 3.0], dtype=object)})
    with pytest.raises(TypeError, match=r"the column 'when' of dtype datetime64"):
        features({"x": good, "when": pandas.to_datetime(["2020-01-01"] * 3)})
    doubled = pandas.concat([pandas.DataFrame({"x": good}), pandas.DataFrame({"x": [True, False, True]})], axis=1)
    np.testing.assert_array_equal(checks.features(doubled, 2, FLOAT32), np.stack([good, [1, 0, 1]], axis=1))


def test_columns_of_pandas_that_are_named_like_methods():
    names = ["requires_grad", "column_names", "schema", "filled", "mask", "dtype", "float", "toarray", "device"]
    frame = library("pandas").DataFrame({name: [float(j), 1.0] for j, name in enumerate(names)})
    expected = np.stack([np.arange(9), np.ones(9)])
    np.testing.assert_array_equal(checks.features(frame, 9, FLOAT32), expected)


def test_columns_of_polars():
    polars = library("polars")
    for series, message in (
        (polars.Series(["a", "b"], dtype=polars.Categorical), r"the column 'k' of categories \(Categorical"),
        (polars.Series(["a", "b"], dtype=polars.Enum(["a", "b"])), r"the column 'k' of categories \(Enum"),
        (polars.Series(["2020-01-01", "2021-01-01"]).str.to_date(), r"the column 'k' of dtype Date"),
        (polars.Series([True, None]), r"must be finite; got nan in row 1, column 1 \('k'\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            checks.features(polars.DataFrame({"x": [1.0, 2.0], "k": series}), 2, FLOAT32)


def test_categories_of_pyarrow():
    pyarrow = library("pyarrow")
    table = pyarrow.table({"x": [1, 2, 1], "k": pyarrow.array([1, 2, 1]).dictionary_encode()})
    with pytest.raises(TypeError, match=r"the column 'k' of categories \(dictionary"):
        checks.features(table, 2, FLOAT32)


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_targets_with_missing_values(name, X, make_trainer):
    targets = library(name).Series([0, 1, None] + [2] * (ROWS - 3), dtype="Int64" if name == "pandas" else None)
    with pytest.raises(ValueError, match="y must hold integer labels"):
        make_trainer().fit(X, targets)
    flags = library(name).Series([True, None] * 20, dtype="boolean" if name == "pandas" else None)
    trainer = fn.Trainer(fn.Network([fn.Input(FEATURES), fn.Dense(1)]), "binary_cross_entropy")
    with pytest.raises((TypeError, ValueError), match=r"missing values \(the first in row 1\)|must be finite; got nan"):
        trainer.fit(np.zeros((40, FEATURES)), flags)


def test_names_of_columns_are_for_frames_alone(X):
    assert arrays.column_names(in_pandas(X)) == NAMES
    for given in (X, X.tolist(), None, in_torch(X)):
        assert arrays.column_names(given) is None


def test_the_core_imports_none_of_the_libraries():
    code = (
        "import sys, numpy as np, fastnn as fn\n"
        "net = fn.Network([fn.Input(2), fn.Dense(1)])\n"
        "net.predict([[1, 2]]); fn.Trainer(net, 'mean_squared', batch_size=1).fit([[1, 2]], [0])\n"
        "print({'torch', 'jax', 'pandas', 'polars', 'pyarrow', 'ml_dtypes', 'onnx'} & set(sys.modules))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


@pytest.mark.parametrize("name", ["tocsr", "format", "data"])
def test_a_column_of_a_frame_does_not_make_it_sparse(rng, name):
    X = rng.normal(size=(5, 2)).astype(np.float32)
    frame = library("pandas").DataFrame(X, columns=[name, "b"])
    net = fn.Network([fn.Input(2), fn.Dense(3)], seed=0)
    np.testing.assert_array_equal(net.predict(frame), net.predict(X))
