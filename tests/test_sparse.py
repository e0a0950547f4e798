"""Sparse rows through the whole of fastnn: the bits of dense rows, and errors that name what is wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fn

scipy_sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")


def rows_of(n, n_features, density=0.05, dtype="float32", seed=1):
    """Rows in CSR; some entries are stored zeros, some rows empty."""
    rng = np.random.default_rng(seed)
    X = scipy_sparse.random_array((n, n_features), density=density, format="csr", rng=rng, dtype=np.dtype(dtype))
    X.data -= X.dtype.type(0.5)
    X.data[::17] = 0
    return X


def labels(n, classes=3):
    return np.random.default_rng(2).integers(0, classes, n)


def network(n_features, hidden=20, dtype="float32", outputs=3, activation="relu"):
    return fn.Network([fn.Input(n_features), fn.Dense(hidden, activation), fn.Dense(outputs)], seed=1, dtype=dtype)


def outcome(net, X, y, epochs=2, **arguments):
    """All that a run leaves, as bytes."""
    options = {"loss": "cross_entropy", "optimizer": fn.Adam(0.01), "batch_size": 32, "seed": 3}
    fit = {name: arguments.pop(name) for name in ("sample_weight", "validation_fraction") if name in arguments}
    trainer = fn.Trainer(net, **(options | arguments))
    trainer.fit(X, y, epochs, **fit)
    state = trainer.state.training.get_state()
    return {
        "digest": net.digest(),
        "history": repr(dict(trainer.history)),
        "outputs": net.predict(X).tobytes(),
        "state": {name: array.tobytes() for name, array in state.items()},
    }


OPTIMIZERS = {name: cls(0.01) for name, cls in fn.optimizers.OPTIMIZERS.items()}
OPTIMIZERS |= {
    "sgd": fn.SGD(fn.schedules.Constant(0.1)),
    "momentum": fn.SGD(0.1, momentum=0.9, nesterov=True),
    "penalised sgd": fn.SGD(fn.schedules.Constant(0.1), l1=0.001, l2=0.01),
    "sgd penalised in total": fn.SGD(fn.schedules.Constant(0.1), l2_total=1.0),
    "clipped sgd": fn.SGD(fn.schedules.Constant(0.1), clip_norm=0.1),
    "values clipped": fn.SGD(fn.schedules.Constant(0.1), clip_value=0.001),
    "adam": fn.Adam(0.01, amsgrad=True),
    "adamw": fn.AdamW(0.01, weight_decay=0.1, clip_norm=0.5),
    "rmsprop": fn.RMSprop(0.01, momentum=0.5, centered=True),
    "adagrad": fn.Adagrad(0.05),
    "penalised adagrad": fn.Adagrad(0.05, l2=0.1),
    "adagrad penalised in total": fn.Adagrad(0.05, l2_total=1.0),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("hidden", [1, 4, 35])
def test_every_optimizer_gives_the_bits_of_dense_rows(optimizer, hidden, isa, dtype):
    X, y = rows_of(75, 90, dtype=dtype), labels(75)
    expected = outcome(network(90, hidden, dtype), X.toarray(), y, optimizer=OPTIMIZERS[optimizer])
    assert outcome(network(90, hidden, dtype), X, y, optimizer=OPTIMIZERS[optimizer]) == expected


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "clipped sgd"])
@pytest.mark.parametrize("batch_size", [1, 20, 64, 65, 130, "full"])
def test_every_batch_size(batch_size, optimizer):
    n = 30 if batch_size == 1 else 150
    X, y = rows_of(n, 150), labels(n)
    arguments = {"batch_size": batch_size if n == 150 else 1, "optimizer": OPTIMIZERS[optimizer], "epochs": 1}
    for hidden in (3, 67):
        expected = outcome(network(150, hidden), X.toarray(), y, threads=1, **arguments)
        for threads in (1, 2):
            assert outcome(network(150, hidden), X, y, threads=threads, **arguments) == expected


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "clipped sgd"])
def test_every_number_of_threads(threads, optimizer):
    """A few steps: more threads than processors are slow."""
    X, y = rows_of(70, 150), labels(70)
    arguments = {"batch_size": 40, "optimizer": OPTIMIZERS[optimizer], "epochs": 1}
    for hidden in (3, 67):
        expected = outcome(network(150, hidden), X.toarray(), y, threads=1, **arguments)
        assert outcome(network(150, hidden), X, y, threads=threads, **arguments) == expected


@pytest.mark.parametrize(("n", "n_features", "hidden"), [(2300, 40, 5), (1500, 3000, 67)])
def test_batches_of_several_chunks(n, n_features, hidden):
    """Together where parameters are many, apart from each other where they are few."""
    X, y = rows_of(n, n_features, 0.01), labels(n)
    for optimizer in ("adam", "sgd"):
        arguments = {"batch_size": "full", "optimizer": OPTIMIZERS[optimizer]}
        expected = outcome(network(n_features, hidden), X.toarray(), y, threads=1, **arguments)
        for threads in (1, 2):
            assert outcome(network(n_features, hidden), X, y, threads=threads, **arguments) == expected


@pytest.mark.parametrize("density", [0.0, 0.01, 0.2, 0.6, 1.0])
def test_any_density_with_weights_dropout_and_validation(density, isa, dtype):
    X, y = rows_of(110, 40, density, dtype), labels(110)
    layers = [fn.Input(40), fn.Dense(18, "gelu"), fn.Dropout(0.3), fn.LayerNorm(), fn.Dense(3)]
    arguments = {
        "sample_weight": np.arange(110) % 4 / 2,
        "validation_fraction": 0.2,
        "class_weight": "balanced",
        "metrics": [fn.metrics.TopK(2)],
    }
    found = [outcome(fn.Network(layers, dtype=dtype), rows, y, **arguments) for rows in (X.toarray(), X)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "first",
    [[fn.LayerNorm()], [fn.Dropout(0.2)], [fn.Activation("tanh")], [fn.Dropout(0.1), fn.LayerNorm()]],
    ids=["norm", "dropout", "activation", "both"],
)
def test_a_first_layer_that_needs_every_input(first, isa):
    X, y = rows_of(90, 50), labels(90)
    layers = [fn.Input(50), *first, fn.Dense(12, "relu"), fn.Dense(3)]
    found = [outcome(fn.Network(layers), rows, y, threads=2) for rows in (X.toarray(), X)]
    assert found[0] == found[1]


@pytest.mark.parametrize("activation", ["identity", "relu", "elu", "silu", "mish", "softplus"])
def test_the_first_layer_may_be_the_only_one(activation):
    X, y = rows_of(60, 80), np.random.default_rng(0).random((60, 2)).astype(np.float32)
    for outputs in (2, 1):
        layers = [fn.Input(80), fn.Dense(outputs, activation)]
        found = [outcome(fn.Network(layers), rows, y[:, :outputs], loss="mean_squared") for rows in (X.toarray(), X)]
        assert found[0] == found[1]


def test_softmax_at_the_end_of_the_first_layer():
    X, y = rows_of(60, 80), labels(60)
    found = [outcome(fn.Network([fn.Input(80), fn.Dense(5, "softmax")]), rows, y) for rows in (X.toarray(), X)]
    assert found[0] == found[1]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 90),
    st.integers(1, 80),
    st.integers(1, 40),
    st.integers(1, 70),
    st.floats(0, 1),
    st.sampled_from(["sgd", "adam"]),
)
def test_any_shape(n, n_features, hidden, batch_size, density, optimizer):
    X, y = rows_of(n, n_features, density), labels(n)
    arguments = {"batch_size": min(n, batch_size), "optimizer": OPTIMIZERS[optimizer], "threads": 1, "epochs": 1}
    expected = outcome(network(n_features, hidden), X.toarray(), y, **arguments)
    assert outcome(network(n_features, hidden), X, y, **arguments) == expected


def test_one_trainer_takes_sparse_and_dense_rows_in_turn():
    """The buffers of one kind are not those of the other."""
    X, y = rows_of(60, 200), labels(60)
    nets = network(200), network(200)
    turns = [[X.toarray(), X, X.toarray(), X], [X.toarray()] * 4]
    for net, rows in zip(nets, turns, strict=True):
        trainer = fn.Trainer(net, "cross_entropy", batch_size=20, threads=2)
        for part in rows:
            trainer.fit(part, y)
            trainer.step(part[:7], y[:7])
            trainer.evaluate(part, y)
            net.predict(part)
    assert nets[0].digest() == nets[1].digest()


def test_step_evaluate_and_out(isa, dtype):
    X, y = rows_of(50, 70, dtype=dtype), labels(50)
    trainers = [fn.Trainer(network(70, dtype=dtype), "cross_entropy", metrics=[fn.metrics.TopK(2)]) for _ in range(2)]
    weights = np.linspace(0, 1, 50)
    for n in (50, 1, 33):
        losses = [
            trainer.step(rows[:n], y[:n], weights[:n] + 1)
            for trainer, rows in zip(trainers, (X, X.toarray()), strict=True)
        ]
        assert losses[0] == losses[1]
    assert trainers[0].evaluate(X, y, weights) == trainers[1].evaluate(X.toarray(), y, weights)
    net = trainers[0].network
    expected = net.predict(X.toarray())
    out = np.zeros((3, 100), dtype)[:, ::2].T
    assert net.predict(X, out) is out
    assert np.array_equal(out, expected)
    for r in range(50):
        assert net.predict(X[r : r + 1]).tobytes() == expected[r].tobytes()
    with pytest.raises(ValueError, match=r"out must be an ndarray of shape \(50, 3\)"):
        net.predict(X, np.zeros((50, 2), dtype))
    out = np.zeros((50, 3), dtype)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        net.predict(X, out)


def test_a_run_that_was_broken_off_goes_on(tmp_path):
    X, y = rows_of(80, 60), labels(80)
    whole = outcome(network(60), X, y, epochs=4)
    trainer = fn.Trainer(network(60), "cross_entropy", fn.Adam(0.01), 32, seed=3)
    trainer.fit(X, y, 2)
    trainer.save(tmp_path / "trainer.safetensors")
    resumed = fn.Trainer.load(tmp_path / "trainer.safetensors")
    resumed.fit(X, y, 2)
    assert resumed.network.digest() == whole["digest"]


def test_gradient_check_takes_sparse_rows():
    X, y = rows_of(30, 25, 0.2, "float64"), labels(30)
    for hidden in (2, 10):
        assert fn.gradient_check(network(25, hidden, activation="tanh"), "cross_entropy", X, y).max < 1e-6


# ----------------------------------------------------------------------- forms


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


def quacking(X, **changes):
    """What has the attributes of CSR and nothing else."""
    parts = {"format": "csr", "data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    return SimpleNamespace(**(parts | changes))


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


# ------------------------------------------------------------------------ data


def test_split_gives_rows_in_csr(rng):
    X, y = rows_of(50, 30), labels(50)
    dense = fn.data.split(X.toarray(), y, 0.3, seed=4, stratify=True)
    for form in ("csr", "coo"):
        found = fn.data.split(X.asformat(form), y, 0.3, seed=4, stratify=True)
        assert [part.format for part in found[:2]] == ["csr", "csr"]
        for got, expected in zip(found, dense, strict=True):
            assert np.array_equal(got.toarray() if got.ndim == 2 else got, expected)
    with pytest.raises(ValueError, match="y must have as many rows as X, 50; got 49"):
        fn.data.split(X, y[:-1])


def test_fingerprint_is_of_the_entries_and_not_of_their_form():
    X, y = rows_of(50, 30, 0.2), labels(50)
    first = fn.data.fingerprint(X, y)
    same = [X.tocsc(), scipy_sparse.csr_matrix(X), quacking(X, indices=X.indices.astype(np.int64))]
    same.append(quacking(X, data=X.data.astype(">f4")))
    reverse = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)])
    same.append(scipy_sparse.csr_array((X.data[reverse], X.indices[reverse], X.indptr), shape=X.shape))
    assert {fn.data.fingerprint(other, y) for other in same} == {first}
    moved, larger = X.copy(), scipy_sparse.csr_array((X.data, X.indices, X.indptr), shape=(50, 31))
    moved.data[3] += 1
    others = [moved, larger, X.astype(np.float64), X.toarray()]
    weighted = fn.data.fingerprint(X, y, np.ones(50))
    digests = {fn.data.fingerprint(other, y) for other in others} | {first, weighted, fn.data.fingerprint(X, y + 1)}
    assert len(digests) == len(others) + 3


def test_a_run_on_sparse_rows_is_recorded_and_repeated():
    from fastnn.records import run_record
    from fastnn.reproduction import reproduce

    X, y = rows_of(60, 30), labels(60)
    trainer = fn.Trainer(network(30), "cross_entropy", batch_size=20)
    trainer.fit(X, y, 2, validation_data=(X[:9], y[:9]))
    record = run_record(trainer, X, y, validation_data=(X[:9], y[:9]))
    assert record["data"]["X_shape"] == [60, 30]
    assert reproduce(record, X, y, validation_data=(X[:9], y[:9])).is_same
    with pytest.raises(ValueError, match="data"):
        reproduce(record, 2 * X, y, validation_data=(X[:9], y[:9]))


# ------------------------------------------------------------------------ size


def test_memory_does_not_grow_with_rows_times_features():
    """Dense, the rows would take 6 GB, and a batch's worth of them 60 MB a buffer."""
    import tracemalloc

    n, n_features = 30_000, 50_000
    starts = np.arange(n + 1, dtype=np.int64) * 4
    columns = np.tile(np.array([1, 700, 30_000, 49_999], np.int32), n)
    X = SimpleNamespace(
        format="csr", data=np.ones(4 * n, np.float32), indices=columns, indptr=starts, shape=(n, n_features)
    )
    net = fn.Network([fn.Input(n_features), fn.Dense(2, "relu"), fn.Dense(2)], seed=0)
    trainer = fn.Trainer(net, "cross_entropy", fn.SGD(0.1), "full", threads=1)
    tracemalloc.start()
    try:
        trainer.fit(X, labels(n, 2), validation_data=(X, labels(n, 2)))
        net.predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6
