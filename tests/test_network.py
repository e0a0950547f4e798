import copy
import hashlib
import json
import os
import pickle
import re
import struct

import numpy as np
import pytest
from mirror import torch_network
from safetensors.numpy import load_file, save_file

import fastnn as fn
from fastnn._storage import files

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")


@pytest.fixture
def network():
    return fn.Network(
        [fn.Input(7), fn.Dense(16, "gelu"), fn.Dropout(0.1), fn.LayerNorm(), fn.Activation("relu"), fn.Dense(3)], seed=2
    )


def test_parameters_are_named_as_in_torch_sequential(network):
    mirror = torch_network(network)
    shapes = {name: tuple(tensor.shape) for name, tensor in mirror.state_dict().items()}
    assert {name: array.shape for name, array in network.parameters.items()} == shapes
    assert list(network.parameters) == ["0.weight", "0.bias", "3.weight", "3.bias", "5.weight", "5.bias"]
    assert network.n_parameters == sum(parameter.numel() for parameter in mirror.parameters())


def test_predict_is_torchs(network, rng):
    X = rng.normal(size=(301, 7)).astype(np.float32)
    mirror = torch_network(network).eval()
    expected = mirror(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-5)


def test_reading_parameters_gives_copies_and_setting_sets(network):
    bias = network.parameters["0.bias"]
    bias += 1
    assert not np.array_equal(network.parameters["0.bias"], bias)
    network.parameters["0.bias"] = bias
    np.testing.assert_array_equal(network.parameters["0.bias"], bias)
    weight = network.parameters["0.weight"]
    network.parameters["0.weight"] = np.asfortranarray(2 * weight)
    np.testing.assert_array_equal(network.parameters["0.weight"], 2 * weight)
    network.parameters["0.bias"] = list(range(16))
    np.testing.assert_array_equal(network.parameters["0.bias"], np.arange(16))
    with pytest.raises(TypeError, match="removed"):
        del network.parameters["0.bias"]


def test_update_sets_all_or_nothing(network):
    before = network.digest()
    with pytest.raises(ValueError, match=r"5\.bias"):
        network.parameters.update({"0.bias": np.ones(16), "5.bias": np.ones(4)})
    assert network.digest() == before


def test_predict_takes_what_holds_real_numbers(network, rng):
    X = rng.integers(0, 17, size=(12, 7))
    expected = network.predict(X.astype(np.float32))
    for given in (X, X.astype(np.uint8), X.astype(np.float64), X.astype(">f4"), X.astype(np.float16), X.tolist()):
        np.testing.assert_array_equal(network.predict(given), expected)
    wide = np.zeros((24, 21), dtype=np.float32)
    wide[::2, ::3] = X
    np.testing.assert_array_equal(network.predict(wide[::2, ::3]), expected)
    np.testing.assert_array_equal(network.predict(np.asfortranarray(X, dtype=np.float32)), expected)
    np.testing.assert_array_equal(network.predict(X.astype(np.float32)[::-1])[::-1], expected)
    frozen = X.astype(np.float32)
    frozen.flags.writeable = False
    np.testing.assert_array_equal(network.predict(frozen), expected)
    same = np.ndarray((12, 7), np.dtype("f4").newbyteorder("="), X.astype(np.float32).tobytes())
    np.testing.assert_array_equal(network.predict(same), expected)


def test_predict_of_one_row(network, rng):
    X = rng.normal(size=(5, 7)).astype(np.float32)
    expected = network.predict(X)
    for row, outputs in zip(X, expected, strict=True):
        np.testing.assert_array_equal(network.predict(row), outputs)
        out = np.empty(3, dtype=np.float32)
        assert network.predict(row, out=out) is out
        np.testing.assert_array_equal(out, outputs)


def test_predict_into_out(network, rng):
    X = rng.normal(size=(9, 7)).astype(np.float32)
    expected = network.predict(X)
    out = np.empty((9, 3), dtype=np.float32)
    assert network.predict(X, out=out) is out
    np.testing.assert_array_equal(out, expected)
    strided = np.empty((18, 6), dtype=np.float32)[::2, ::2]
    network.predict(X, out=strided)
    np.testing.assert_array_equal(strided, expected)


def test_a_memory_map_predicts(network, rng, tmp_path):
    X = rng.normal(size=(50, 7)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    np.testing.assert_array_equal(network.predict(np.load(tmp_path / "X.npy", mmap_mode="r")), network.predict(X))


def test_rows_do_not_depend_on_their_neighbours(network, rng):
    X = rng.normal(size=(300, 7)).astype(np.float32)
    together = network.predict(X)
    for rows in (slice(0, 1), slice(7, 30), slice(255, 300)):
        np.testing.assert_array_equal(network.predict(X[rows]), together[rows])


def test_digest_is_what_it_says(network):
    expected = hashlib.sha256(b"fastnn numerics 1\n")
    for name in sorted(network.parameters):
        array = network.parameters[name]
        expected.update(f"{name} {array.shape} float32\n".encode())
        expected.update(array.astype("<f4").tobytes())
    assert network.digest() == expected.hexdigest()


def test_digest_tells_networks_apart(network):
    other = copy.deepcopy(network)
    assert other.digest() == network.digest()
    assert other == network
    bias = other.parameters["5.bias"]
    bias[1] = np.nextafter(bias[1], np.float32(1))
    other.parameters["5.bias"] = bias
    assert other.digest() != network.digest()
    assert other != network
    assert network != "network"
    assert network.astype("float64").digest() != network.digest()


def test_every_nan_has_one_digest():
    from fastnn._storage.files import digest

    bits = [0x7FC00000, 0xFFC00000, 0x7F800001]
    digests = {digest({"a": np.array([1, b], dtype=np.uint32).view(np.float32)}) for b in bits}
    assert len(digests) == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_are_equal_and_independent(network, duplicate, dtype):
    network = network.astype(dtype)
    network.parameters["0.bias"] = np.arange(16)
    twin = duplicate(network)
    assert twin == network
    assert (twin.layers, twin.seed, twin.dtype) == (network.layers, network.seed, network.dtype)
    twin.parameters["0.bias"] = np.zeros(16)
    assert twin != network


def test_astype_rounds(network):
    wide = network.astype("float64")
    assert wide.dtype == "float64"
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(wide.parameters[name], array.astype(np.float64))
    assert wide.astype("float32") == network


def test_summary(network):
    assert network.summary() == (
        "layer               output shape  parameters\n"
        "--------------------------------------------\n"
        "Input(7)            (n, 7)\n"
        "Dense(16, 'gelu')   (n, 16)              128\n"
        "Dropout(0.1)        (n, 16)\n"
        "LayerNorm()         (n, 16)               32\n"
        "Activation('relu')  (n, 16)\n"
        "Dense(3)            (n, 3)                51\n"
        "--------------------------------------------\n"
        "total                                    211"
    )


def test_repr_is_the_call_that_makes_it(network):
    assert eval(repr(network), vars(fn)) == network


# ------------------------------------------------------------------------ files


def test_save_and_load(network, tmp_path, dtype):
    network = network.astype(dtype)
    path = tmp_path / "model.safetensors"
    network.save(path)
    loaded = fn.Network.load(path)
    assert loaded == network
    assert loaded.seed == network.seed
    tensors = load_file(path)
    assert tensors.keys() == network.parameters.keys()
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(tensors[name], array)


def test_the_same_network_gives_the_same_file(network, tmp_path):
    network.save(tmp_path / "a")
    network.save(str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_descriptions_survive_a_file(tmp_path):
    layers = [
        fn.Input(4),
        fn.Dense(5, fn.Activation("elu", 0.3), "orthogonal", fn.initializers.Constant(0.1)),
        fn.Dropout(0.25),
        fn.Activation("leaky_relu", 0.2),
        fn.LayerNorm(1e-3),
        fn.Dense(2, "softmax", fn.initializers.Orthogonal(gain=0.5)),
    ]
    network = fn.Network(layers, seed=2**64 - 1, dtype="float64")
    network.save(tmp_path / "model")
    assert fn.Network.load(tmp_path / "model").layers == tuple(layers)


def test_a_failed_save_leaves_the_old_file(network, tmp_path, monkeypatch):
    path = tmp_path / "model"
    network.save(path)
    before = path.read_bytes()
    network.parameters["0.bias"] = np.ones(16)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        network.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing"):
        fn.Network.load(tmp_path / "nothing")
    with pytest.raises(OSError, match="nowhere"):
        fn.Network([fn.Input(1), fn.Dense(1)]).save(tmp_path / "nowhere" / "model")


def test_a_truncated_file(network, tmp_path):
    path = tmp_path / "model"
    network.save(path)
    content = path.read_bytes()
    for length in (0, 4, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="truncated, damaged or not a fastnn model"):
            fn.Network.load(path)


def test_any_flipped_bit_is_noticed(network, tmp_path, rng):
    path = tmp_path / "model"
    network.save(path)
    content = path.read_bytes()
    (header,) = struct.unpack("<Q", content[:8])
    for position in [*range(8 + header), *rng.integers(8 + header, len(content), 50), len(content) - 1]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=re.escape(repr(str(path)))):
            fn.Network.load(path)


def test_the_damaged_tensor_is_named(network, tmp_path):
    path = tmp_path / "model"
    network.save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"the tensor '{max(network.parameters)}' does not have the checksum"):
        fn.Network.load(path)


HUGE = [{"type": "Input", "features": 4}, {"type": "Dense", "units": 10**9}]


def _rewritten(path, **changes):
    """A file with valid checksums that says something else."""
    metadata = json.loads(_metadata(path)["fastnn"]) | changes
    del metadata["sha256"]
    files.write(path, load_file(path), metadata)


def _metadata(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])["__metadata__"]


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"format": 1}, "format version 1; this fastnn knows 2"),
        ({"numerics": 9}, "numerics version 9"),
        ({"kind": "cat"}, "not a fastnn model"),
        ({"layers": [{"type": "os.system"}]}, "the type of a layer must be one of 'Input'"),
        ({"layers": [{"type": "Input", "features": 7}]}, "Dense"),
        ({"layers": 5}, "damaged"),
        ({"dtype": "float64"}, "digest"),
        ({"layers": HUGE}, r"must have shape \(1000000000, 4\)"),
        ({"digest": "0"}, "digest"),
        ({"seed": None}, "seed"),
    ],
)
def test_damaged_metadata(network, tmp_path, changes, fragment):
    path = tmp_path / "model"
    network.save(path)
    _rewritten(path, **changes)
    with pytest.raises(ValueError, match=fragment):
        fn.Network.load(path)


def test_a_safetensors_file_of_something_else(tmp_path):
    save_file({"a": np.ones(3)}, tmp_path / "other")
    with pytest.raises(ValueError, match="not a fastnn model"):
        fn.Network.load(tmp_path / "other")
    (tmp_path / "text").write_text("hello, this is no model at all")
    with pytest.raises(ValueError, match="not a fastnn model"):
        fn.Network.load(tmp_path / "text")


# -------------------------------------------------------------------- bad calls


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


def test_metadata_travel_with_the_file_and_change_nothing_else(tmp_path):
    network = fn.Network([fn.Input(3), fn.Dense(2)], seed=4)
    digest = network.digest()
    network.metadata = {"classes": ["no", "yes"], "scale": 0.5}
    network.save(tmp_path / "network.safetensors")
    loaded = fn.Network.load(tmp_path / "network.safetensors")
    assert loaded.metadata == {"classes": ["no", "yes"], "scale": 0.5}
    assert loaded.digest() == digest
    assert fn.Network([fn.Input(3), fn.Dense(2)]).metadata == {}


@pytest.mark.parametrize(
    "sizes", [(2**31, 2**31), (2**32, 2**31), (2**62, 2**62), (2**64, 3), (3, 2**64), (2**40, 2**40)]
)
def test_sizes_beyond_whole_numbers_of_the_engine(sizes):
    features, units = sizes
    with pytest.raises(MemoryError, match=f"would take {4 * (features + 1) * units:,} bytes"):
        fn.Network([fn.Input(features), fn.Dense(units)])


def test_many_tiny_layers():
    """Nothing about a layer takes longer the more of them there are."""
    network = fn.Network([fn.Input(1)] + [fn.Dense(1, weight_initializer=fn.initializers.Constant(1.0))] * 20_000)
    assert network.predict(np.ones(1, np.float32)) == 1
    assert network.n_parameters == 40_000


def test_the_plan_says_what_the_layers_come_to():
    layers = [fn.Input(5), fn.Dense(4, "tanh"), fn.Dropout(0.1), fn.LayerNorm(), fn.Activation(None), fn.Dense(3)]
    network = fn.Network([*layers, fn.Activation("softmax")], dtype="float64")
    plan = network.plan
    assert [row.layer for row in plan.rows] == list(plan.layers) == list(network.layers)
    assert [row.units for row in plan.rows] == [5, 4, 4, 4, 4, 3, 3]
    assert [row.n_parameters for row in plan.rows] == [0, 24, 0, 8, 0, 15, 0]
    assert sum(row.n_parameters for row in plan.rows) == plan.n_parameters == network.n_parameters
    assert plan.rows[3].names == {"weight": "3.weight", "bias": "3.bias"}
    assert plan.shapes == {name: array.shape for name, array in network.parameters.items()}
    assert plan.tensors.keys() == plan.shapes.keys()
    assert {layers[plan.positions[operation]] for operation, _ in plan.tensors.values()} == {*layers[1::2]}
    assert (plan.n_features, plan.n_outputs, plan.output_activation, plan.dtype) == (5, 3, "softmax", np.float64)
    assert fn.Network(layers[:3]).plan.output_activation == "identity"


def test_described_and_made_again():
    network = fn.Network([fn.Input(5), fn.Dense(4, "tanh"), fn.Dense(3)], seed=7, dtype="float64")
    network.parameters["0.bias"] = np.arange(4.0)
    parameters = {**network.parameters, "optimizer/0": np.zeros(3)}
    made = fn.Network.from_description({**network.describe(), "metadata": {"a": 1}}, parameters)
    assert made == network
    assert (made.seed, made.metadata) == (7, {"a": 1})
    parameters["0.bias"] = np.zeros(4)
    with pytest.raises(ValueError, match="'the description' is damaged: its parameters do not have the digest"):
        fn.Network.from_description(network.describe(), parameters)
    del parameters["0.bias"]
    with pytest.raises(ValueError, match=r"'x' is damaged or not a fastnn model: .*missing: 0\.bias"):
        fn.Network.from_description(network.describe(), parameters, "x")
