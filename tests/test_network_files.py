"""Files of networks: what is saved is loaded, and damage is noticed."""

import json
import os
import re
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fastnn as fn
from fastnn._storage import files


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


def test_metadata_travel_with_the_file_and_change_nothing_else(tmp_path):
    network = fn.Network([fn.Input(3), fn.Dense(2)], seed=4)
    digest = network.digest()
    network.metadata = {"classes": ["no", "yes"], "scale": 0.5}
    network.save(tmp_path / "network.safetensors")
    loaded = fn.Network.load(tmp_path / "network.safetensors")
    assert loaded.metadata == {"classes": ["no", "yes"], "scale": 0.5}
    assert loaded.digest() == digest
    assert fn.Network([fn.Input(3), fn.Dense(2)]).metadata == {}


def test_an_onnx_file_is_told_from_a_damaged_one(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x09\x12\x07example" * 9)
    with pytest.raises(ValueError, match=r"not a fastnn model .*; fn\.onnx\.load reads ONNX files$"):
        fn.Network.load(path)
