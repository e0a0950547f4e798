"""The command ``fastnn export``."""

import sys

import numpy as np
import pytest

pytest.importorskip("click", reason="click is not installed: there is no command")
pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")

import onnx
from click.testing import CliRunner

import fastnn as fn
import fastnn.onnx
from fastnn import tables
from fastnn.cli.commands import fastnn as command


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def model(tmp_path):
    """A model file of a network, and the network."""
    net = fn.Network([fn.Input(4), fn.Dense(5, "relu"), fn.Dense(3)])
    net.metadata["divisor"] = 16.0
    net.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors", net


def test_a_network(model):
    path, net = model
    result = run("export", path)
    assert result.exit_code == 0, result.output
    written = path.with_suffix(".onnx")
    assert f"{written}: a network, {written.stat().st_size:,} bytes" in result.output
    assert "divided by 16." in result.output
    assert fn.onnx.load(written) == net


def test_probabilities_elsewhere(model, tmp_path):
    path, net = model
    result = run("export", path, "-o", tmp_path / "other.onnx", "--activation", "softmax")
    assert result.exit_code == 0, result.output
    outputs = fn.onnx.load(tmp_path / "other.onnx").predict(np.ones((2, 4)))
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-6)
    assert fn.onnx.load(tmp_path / "other.onnx").digest() == net.digest()


def test_a_model_of_a_table(tmp_path, rng):
    columns = {"age": rng.normal(size=40), "town": np.array(["a", "b"], dtype=object)[np.arange(40) % 2]}
    prepared = tables.Preprocessor().fit(columns)
    target = tables.Quantity.fit("price", rng.normal(size=40))
    net = fn.Network([fn.Input(len(prepared.features)), fn.Dense(1)])
    table_model = tables.TableModel(prepared, net, target)
    table_model.save(tmp_path / "prices.safetensors")
    result = run("export", tmp_path / "prices.safetensors")
    assert result.exit_code == 0, result.output
    assert "a model of a table" in result.output
    inputs = onnx.load(tmp_path / "prices.onnx").graph.input
    assert [entry.name for entry in inputs] == ["age", "town"]
    loaded = fn.onnx.load(tmp_path / "prices.onnx")
    np.testing.assert_array_equal(loaded.predict(columns), table_model.predict(columns))
    result = run("export", tmp_path / "prices.safetensors", "--activation", "softmax")
    assert result.exit_code == 2
    assert "activation is for networks" in result.output


def test_wrong_usage(model, tmp_path, monkeypatch):
    path, _ = model
    before = path.read_bytes()
    (tmp_path / "text").write_text("not a model")
    for arguments, message in (
        ((tmp_path / "none",), "No such file"),
        ((tmp_path / "text",), "not a fastnn model"),
        ((path, "-o", path), "is the model itself"),
        ((path, "-o", tmp_path / "no folder" / "a.onnx"), "No such file"),
        ((path, "--activation", "relu"), "softmax"),
    ):
        result = run("export", *arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output
    assert path.read_bytes() == before
    for name in [name for name in sys.modules if name.startswith("fastnn.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run("export", path)
    assert result.exit_code == 2
    assert "pip install onnx" in result.output
