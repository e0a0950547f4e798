"""ONNX models whose tensors lie in other files: read on request, from plain files beside the model and nowhere else."""

import os
import warnings

import numpy as np
import pytest

import fastnn as fn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")
from onnx import TensorProto  # noqa: E402
from onnx_models import model_of, node  # noqa: E402

import fastnn.onnx  # noqa: E402

W = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)


def write(folder, location="w.bin", data_type=TensorProto.FLOAT, dims=W.shape, place="initializer", **entries):
    """A model whose weight lies in ``w.bin``, after 8 other bytes."""
    (folder / "w.bin").write_bytes(b"12345678" + W.tobytes())
    tensor = TensorProto(name="w", data_type=data_type, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in ({"location": location, "offset": "8", "length": "48"} | entries).items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    if place == "initializer":
        model = model_of([node("MatMul", "x w")], {})
        model.graph.initializer.append(tensor)
    else:
        model = model_of([node("Constant", "", "w", value=tensor), node("MatMul", "x w")], {})
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder / "net.onnx"


@pytest.mark.parametrize("place", ["initializer", "constant"])
@pytest.mark.parametrize("length", ["48", None])
def test_a_file_beside_the_model(place, length, tmp_path, monkeypatch):
    path = write(tmp_path, place=place, length=length)
    net = fn.onnx.load(path, external_data=True)
    np.testing.assert_array_equal(net.parameters["0.weight"], W.T)
    monkeypatch.chdir(tmp_path)
    assert fn.onnx.load("net.onnx", external_data=True).digest() == net.digest()
    message = r"the tensor 'w' lies in another file, 'w\.bin': pass external_data=True"
    with pytest.raises(ValueError, match=message):
        fn.onnx.load(path)


def test_the_folder_is_that_of_the_model(tmp_path, monkeypatch):
    path = write(tmp_path)
    os.rename(tmp_path / "w.bin", tmp_path / "mine.bin")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "w.bin").write_bytes(b"12345678" + W.tobytes())
    with pytest.raises(FileNotFoundError):
        fn.onnx.load(path, external_data=True)


@pytest.mark.parametrize(
    "location",
    ["", ".", "..", "../w.bin", "./w.bin", "sub/w.bin", "sub\\w.bin", "/etc/hostname", "c:w.bin", "w.bin\0", "sub"],
)
def test_names_of_other_places_are_refused(location, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(b"12345678" + W.tobytes())
    path = write(tmp_path, location=location)
    with pytest.raises(ValueError, match=r"the tensor 'w': it must lie in a file beside the model|damaged"):
        fn.onnx.load(path, external_data=True)


def test_links_and_pipes_are_refused(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_bytes(b"12345678" + W.tobytes())
    os.symlink(tmp_path / "secret" / "key", tmp_path / "link.bin")
    os.symlink(tmp_path / "secret", tmp_path / "folder")
    os.symlink("w.bin", tmp_path / "near.bin")
    os.mkfifo(tmp_path / "pipe.bin")
    for location in ("link.bin", "near.bin", "pipe.bin", "folder"):
        with pytest.raises(ValueError, match=f"'{location}' is a link or no file"):
            fn.onnx.load(write(tmp_path, location=location), external_data=True)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": "9"}, r"must lie within the other file; that has 56 bytes, it would end at 57"),
        ({"offset": "-8"}, r"offset and length must be whole numbers; got '-8'"),
        ({"offset": "0x8"}, r"whole numbers"),
        ({"offset": "٨"}, r"whole numbers"),
        ({"offset": "9" * 30}, r"must lie within"),
        ({"length": "49"}, r"its shape and dtype need 48 bytes; its length in the other file is 49"),
        ({"length": "0"}, r"need 48 bytes"),
        ({"dims": (2**40, 2**20)}, r"need 4,611,686,018,427,387,904 bytes"),
        ({"dims": (2**40, 2**20), "length": None}, r"must lie within"),
        ({"dims": (-4, -3)}, r"must be plain numbers"),
        ({"data_type": TensorProto.STRING}, r"must be plain numbers"),
        ({"data_type": 99}, r"must be plain numbers"),
    ],
)
def test_what_the_file_does_not_hold(entries, message, tmp_path):
    with pytest.raises(ValueError, match=rf"net\.onnx': the tensor 'w': .*{message}|damaged"):
        fn.onnx.load(write(tmp_path, **entries), external_data=True)


def test_there_is_an_end_to_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("fastnn.onnx.external.MAX_BYTES", 47)
    with pytest.raises(ValueError, match="the model has more than 2 GB of parameters"):
        fn.onnx.load(write(tmp_path), external_data=True)


def test_it_must_be_true_or_false(tmp_path):
    with pytest.raises(TypeError, match="external_data must be"):
        fn.onnx.load(write(tmp_path), external_data="yes")


def test_what_torch_exports_by_default(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to export with")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: PyTorch's exporter needs it")
    module = torch.nn.Sequential(torch.nn.Linear(6, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, 6),), str(tmp_path / "mlp.onnx"), verbose=False)
    assert sorted(os.listdir(tmp_path)) == ["mlp.onnx", "mlp.onnx.data"]
    net = fn.onnx.load(tmp_path / "mlp.onnx", external_data=True)
    assert net.digest() == fn.Network.from_torch(module).digest()
