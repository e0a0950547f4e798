"""Networks: named parameters, predictions like PyTorch's, digests, copies and plans."""

import copy
import hashlib
import pickle

import numpy as np
import pytest
from mirror import torch_network

import fastnn as fn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")


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
    bias = network.parameters["0.bias"].copy()
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


@pytest.mark.parametrize("change", [lambda a: a.__setitem__(0, 5.0), lambda a: a.__iadd__(1.0), lambda a: a.fill(0.0)])
def test_writing_into_what_was_read_is_an_error_because_it_would_be_lost(change, network):
    before = network.digest()
    for array in (network.parameters["0.bias"], *network.parameters.values(), network.parameters.get("0.weight")):
        with pytest.raises(ValueError, match="read-only"):
            change(array)
    assert network.digest() == before


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
    bias = other.parameters["5.bias"].copy()
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


@pytest.mark.parametrize("n", [2, 128, 129, 1000])
@pytest.mark.parametrize("overlap", [lambda a: (a[:-1], a[1:]), lambda a: (a[1:], a[:-1]), lambda a: (a[::-1], a)])
def test_outputs_that_share_memory_with_the_rows(n, overlap, dtype, rng):
    net = fn.Network([fn.Input(4), fn.Dense(300, "relu"), fn.Dense(4)], seed=0, dtype=dtype)
    rows, out = overlap(rng.normal(size=(n, 4)).astype(dtype))
    expected = net.predict(rows.copy())
    assert net.predict(rows, out=out) is out
    np.testing.assert_array_equal(out, expected)
