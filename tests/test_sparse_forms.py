"""The forms of sparse rows that are taken, and errors that name what is wrong with others."""

import numpy as np
import pytest
from sparse_rows import labels, network, quacking, rows_of, scipy_sparse

import fastnn as fn


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_format_of_scipy(form, kind):
    X = rows_of(20, 30)
    given = scipy_sparse.csr_matrix(X) if kind == "matrix" else X
    assert network(30).predict(given.asformat(form)).tobytes() == network(30).predict(X.toarray()).tobytes()


@pytest.mark.parametrize("given", ["float64", "float32", "int64", "uint8", "bool", ">f8", "float16"])
def test_values_are_converted_as_those_of_dense_rows(given, dtype):
    X = rows_of(20, 30, 0.2, "float64")
    X.data = (X.data * 9).astype(given)
    dense = np.zeros(X.shape, given)
    dense[np.repeat(np.arange(20), np.diff(X.indptr)), X.indices] = X.data
    assert network(30, dtype=dtype).predict(X).tobytes() == network(30, dtype=dtype).predict(dense).tobytes()


@pytest.mark.parametrize("index", ["int32", "int64", "uint32", "uint64", ">i8", "int16"])
def test_anything_that_looks_like_csr(index):
    X = rows_of(20, 30)
    expected = network(30).predict(X.toarray())
    given = quacking(X, indices=X.indices.astype(index), indptr=X.indptr.astype(index))
    assert np.array_equal(network(30).predict(given), expected)
    strided = quacking(X, data=np.repeat(X.data, 2)[::2], indices=np.repeat(X.indices, 2)[::2])
    assert np.array_equal(network(30).predict(strided), expected)
    wide = quacking(given, indices=given.indices, shape=(20, 70_000))  # more than a column number of 16 bits can be
    assert np.isfinite(network(70_000).predict(wide)).all()


@pytest.mark.parametrize("column", [2**32, 2**63 + 5, 2**64 - 1])
def test_column_numbers_beyond_32_bits_are_not_taken_for_others(column):
    X = rows_of(20, 30)
    indices = X.indices.astype(np.uint64)
    indices[0] = column
    with pytest.raises(ValueError, match=r"X\.indices must be from 0 to 29"):
        network(30).predict(quacking(X, indices=indices))


def test_rows_that_begin_later_and_entries_that_belong_to_none():
    X = rows_of(20, 30)
    longer = {"data": np.append(X.data, np.float32(np.nan)), "indices": np.append(X.indices, np.int32(-5))}
    assert np.array_equal(network(30).predict(quacking(X, **longer)), network(30).predict(X.toarray()))
    later = quacking(X, indptr=X.indptr[5:], shape=(15, 30), data=X.data.copy())
    later.data[: X.indptr[5]] = np.inf
    assert np.array_equal(network(30).predict(later), network(30).predict(X.toarray()[5:]))


def test_entries_out_of_order_and_twice_are_put_in_order_in_a_copy():
    X = rows_of(20, 30, 0.3)
    reverse = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)])
    given = scipy_sparse.csr_array((X.data[reverse], X.indices[reverse], X.indptr), shape=X.shape)
    before = given.indices.copy(), given.data.copy()
    assert np.array_equal(network(30).predict(given), network(30).predict(X.toarray()))
    assert np.array_equal(given.indices, before[0])
    assert np.array_equal(given.data, before[1])
    twice = scipy_sparse.csr_array(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr.astype(np.int64)), shape=X.shape
    )
    assert np.array_equal(network(30).predict(twice), network(30).predict(X.toarray()))
    assert twice.nnz == 2 * X.nnz
    for wrong, message in ((given, "after a larger one in row"), (twice, "twice in row")):
        with pytest.raises(ValueError, match=message):
            network(30).predict(quacking(wrong))


# ---------------------------------------------------------------------- errors


def changed(array, **at):
    result = array.copy()
    for place, value in at.items():
        result[int(place[1:])] = value
    return result


BAD = {
    "decreasing starts": (lambda X: {"indptr": changed(X.indptr, _3=X.indptr[5])}, "X.indptr must rise .* for row 3"),
    "negative start": (lambda X: {"indptr": changed(X.indptr, _0=-1)}, "X.indptr must rise .* row 0"),
    "beyond the end": (lambda X: {"indptr": changed(X.indptr, _20=X.nnz + 1)}, "X.indptr must rise .* row 19"),
    "too few starts": (lambda X: {"indptr": X.indptr[:-1]}, r"X.indptr must have shape \(21,\)"),
    "starts of floats": (lambda X: {"indptr": X.indptr.astype(float)}, "X.indptr must hold integers"),
    "column too large": (lambda X: {"indices": changed(X.indices, _4=30)}, "X.indices must be from 0 to 29"),
    "negative column": (lambda X: {"indices": changed(X.indices, _4=-1)}, "X.indices must be from 0 to 29"),
    "huge column": (
        lambda X: {"indices": changed(X.indices.astype(np.int64), _4=2**32)},
        "X.indices must be from 0 to 29",
    ),
    "columns of floats": (lambda X: {"indices": X.indices.astype(float)}, "X.indices must hold integers"),
    "fewer values": (lambda X: {"data": X.data[:-1]}, "one entry each"),
    "complex values": (lambda X: {"data": X.data * 1j}, "X.data must hold real numbers"),
    "a matrix of values": (lambda X: {"data": X.data[None], "indices": X.indices[None]}, "one entry each"),
    "NaN": (lambda X: {"data": changed(X.data, _9=np.nan)}, "X must be finite; got nan in row"),
    "infinity": (lambda X: {"data": changed(X.data, _9=np.inf)}, "X must be finite; got inf in row"),
    "overflow": (lambda X: {"data": changed(X.data.astype(float), _9=1e300)}, r"X must fit in float32; got 1e\+300"),
    "features": (lambda X: {"shape": (20, 31)}, "X must have 30 features a row; got 31"),
    "no rows": (lambda X: {"shape": (0, 30), "indptr": X.indptr[:1]}, "at least one row"),
    "one dimension": (lambda X: {"shape": (30,)}, r"X must have shape \(n, 30\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_and_nothing_changes(case):
    change, message = BAD[case]
    X, y = rows_of(20, 30, 0.2), labels(20)
    trainer = fn.Trainer(network(30), "cross_entropy", batch_size=5)
    before = trainer.network.digest()
    wrong = quacking(X, **change(X))
    for call in (
        trainer.network.predict,
        lambda rows: trainer.fit(rows, y),
        lambda rows: trainer.step(rows, y),
        lambda rows: trainer.evaluate(rows, y),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            call(wrong)
    with pytest.raises((TypeError, ValueError), match="validation .*" + message.removeprefix("X")):
        trainer.fit(X, y, validation_data=(wrong, y))
    assert trainer.network.digest() == before
    assert trainer.steps == 0


def test_the_place_of_a_value_is_named():
    X = rows_of(20, 30, 0.2)
    row, column = (int(places[40]) for places in X.nonzero())
    X[row, column] = np.nan
    with pytest.raises(ValueError, match=f"got nan in row {row}, column {column}$"):
        network(30).predict(X)


def test_parts_that_are_missing():
    wrong = quacking(rows_of(20, 30))
    del wrong.indices
    with pytest.raises(TypeError, match="X must have data, indices and indptr"):
        network(30).predict(wrong)


def test_targets_must_be_as_many_as_rows():
    with pytest.raises(ValueError, match="y must have as many rows as X, 20; got 19"):
        fn.Trainer(network(30), "cross_entropy", batch_size=5).fit(rows_of(20, 30), labels(19))
