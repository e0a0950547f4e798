"""The engine's `Model`: its parameters and its predictions, driven as the Python layer drives it."""

import threading

import numpy as np
import pytest
from engine_oracle import (
    DROPOUT,
    NETWORKS,
    activation,
    assert_close,
    dense,
    empty_model,
    layer_norm,
    layouts,
    make_model,
    net,
    outputs_of,
    regression,
)

from fastnn.layers import ACTIVATIONS


def test_attributes(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    assert (model.n_inputs, model.n_outputs, model.dtype) == (7, 3, dtype)
    assert model.tensors == [
        (0, "weight", (7,)),
        (0, "bias", (7,)),
        (1, "weight", (19, 7)),
        (1, "bias", (19,)),
        (2, "weight", (19,)),
        (2, "bias", (19,)),
        (4, "weight", (3, 19)),
        (4, "bias", (3,)),
    ]


@pytest.mark.parametrize("n_in", [1, 2, 7, 8, 15, 16, 17, 31, 33, 67])
@pytest.mark.parametrize("n_out", [1, 3, 4, 8, 16, 31, 32, 33, 65])
def test_read_gives_what_write_set(isa, dtype, rng, n_in, n_out):
    model = empty_model(net(n_in, dense(n_out), layer_norm()), dtype)
    written = {}
    for operation, kind, shape in model.tensors:
        assert not model.read(operation, kind).any(), "parameters begin at zero"
        written[operation, kind] = rng.normal(size=shape).astype(dtype)
        model.write(operation, kind, written[operation, kind])
    for (operation, kind), array in written.items():
        got = model.read(operation, kind)
        assert got.dtype == dtype
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, array)
        got[...] = 5  # a copy
        np.testing.assert_array_equal(model.read(operation, kind), array)


@pytest.mark.parametrize(
    "strided",
    [np.asfortranarray, lambda a: a[::-1, ::-1].copy()[::-1, ::-1], lambda a: np.repeat(a, 3, axis=1)[:, ::3]],
    ids=["fortran", "reversed", "sliced"],
)
def test_write_takes_any_strides(isa, dtype, rng, strided):
    model = empty_model(net(9, dense(35)), dtype)
    array = rng.normal(size=(35, 9)).astype(dtype)
    assert not strided(array).flags.c_contiguous
    model.write(0, "weight", strided(array))
    np.testing.assert_array_equal(model.read(0, "weight"), array)


def test_unknown_tensor_and_operation():
    model, _ = make_model(NETWORKS["one layer"], "float32")
    with pytest.raises(KeyError):
        model.read(1, "weight")
    with pytest.raises(ValueError, match="unknown kind of operation 'conv'; there are dense, activation, dropout"):
        empty_model(net(3, {"kind": "conv"}), "float32")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n", [1, 2, 9, 130])
def test_forward(isa, dtype, network, n):
    model, oracle = make_model(NETWORKS[network], dtype)
    X, _ = regression(model, n)
    assert_close(outputs_of(model, X), oracle.forward(X), dtype)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_of_every_activation(isa, dtype, name):
    for operations in ([dense(37, name)], [dense(37), activation(name)], [activation(name)]):
        model, oracle = make_model(net(5, *operations), dtype)
        X, _ = regression(model, 11)
        assert_close(outputs_of(model, X), oracle.forward(X), dtype)


def test_dropout_is_off_in_forward(isa, dtype):
    model, oracle = make_model(DROPOUT, dtype)
    X, _ = regression(model, 40)
    assert_close(outputs_of(model, X), oracle.forward(X), dtype)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_forward_does_not_depend_on_threads_or_rows(isa, dtype, threads):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, _ = regression(model, 300)
    whole = outputs_of(model, X, 1)
    assert outputs_of(model, X, threads).tobytes() == whole.tobytes()
    for rows in (slice(0, 1), slice(7, 8), slice(100, 103), slice(120, 250)):
        assert outputs_of(model, X[rows], threads).tobytes() == whole[rows].tobytes()


def test_forward_reads_any_strides(isa, dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, _ = regression(model, 133)
    expected = outputs_of(model, X)
    for name, view in layouts(X, np.nan).items():
        got = outputs_of(model, view)
        np.testing.assert_array_equal(got, np.tile(expected[:1], (133, 1)) if "repeated" in name else expected, name)


def test_forward_writes_any_strides(isa, dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, _ = regression(model, 133)
    expected = outputs_of(model, X)
    for name, view in layouts(np.zeros_like(expected), 7).items():
        if "repeated" in name:
            continue
        model.forward(X, view)
        np.testing.assert_array_equal(view, expected, name)
        if view.base is not None and view.base.size > view.size:
            assert (view.base == 7).sum() == view.base.size - view.size, f"{name}: wrote between"


def test_forward_refuses_a_read_only_out(dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    X, out = regression(model, 3)
    out.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        model.forward(X, out)


def test_forward_of_no_rows(dtype):
    model, _ = make_model(NETWORKS["relu"], dtype)
    model.forward(np.empty((0, 5), dtype), np.empty((0, 3), dtype))


def test_predictions_from_several_python_threads(dtype):
    model, _ = make_model(NETWORKS["norms"], dtype)
    X, _ = regression(model, 700)
    expected, wrong = outputs_of(model, X).tobytes(), []

    def predict(threads):
        wrong.extend(1 for _ in range(20) if outputs_of(model, X, threads).tobytes() != expected)

    running = [threading.Thread(target=predict, args=(n,)) for n in (1, 2, 3, 2)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong
