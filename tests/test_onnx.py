"""Networks as ONNX files: what other runtimes compute from them, and what is said of files that are damaged."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import networks, rows
from runtime import assert_same_outputs, run

import fastnn as fn
from fastnn.activations import ActivationKind
from fastnn.layers import ACTIVATIONS

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")
from onnx import TensorProto, numpy_helper  # noqa: E402

import fastnn.onnx  # noqa: E402
from fastnn.onnx.activations import write_activation  # noqa: E402
from fastnn.onnx.graph import Graph  # noqa: E402


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(net=networks(), activation=st.sampled_from([None, "softmax", "sigmoid"]))
def test_what_is_exported(tmp_path, net, activation):
    path = tmp_path / "net.onnx"
    net.metadata = {"classes": ["a", "b"], "threshold": 0.1}
    if activation and net.layers[-1] == fn.Activation("softmax"):
        activation = None
    elif activation and isinstance(net.layers[-1], (fn.Dense, fn.Activation)):
        activation = None if "sigmoid" in repr(net.layers[-1]) else activation
    fn.onnx.export(net, path, activation=activation)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    loaded = fn.onnx.load(path)
    assert loaded.digest() == net.digest()
    assert loaded.metadata == net.metadata
    assert loaded.layers == (net.layers if activation is None else (*net.layers, fn.Activation(activation)))
    assert (loaded == net) == (activation is None)
    assert loaded.seed == net.seed
    assert_same_outputs(loaded, path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(net=networks())
def test_read_without_its_description(tmp_path, net):
    """Files are read by their operators too; dropout is not among them."""
    fn.onnx.export(net, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    loaded = fn.onnx.load(tmp_path / "bare.onnx")
    assert loaded.metadata == {}
    assert not any(isinstance(layer, fn.Dropout) for layer in loaded.layers)
    np.testing.assert_array_equal(loaded.predict(rows(net)), net.predict(rows(net)))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_activations_over_their_whole_range(name, dtype, tmp_path):
    net = fn.Network([fn.Input(1), fn.Dense(1), fn.Activation(name)], dtype=dtype)
    net.parameters["0.weight"] = [[1.0]]
    fn.onnx.export(net, tmp_path / "net.onnx")
    X = np.concatenate([np.linspace(-40, 40, 2001), 10.0 ** -np.arange(12), [-1e3, 1e3]]).astype(dtype)[:, None]
    theirs, ours = run(tmp_path / "net.onnx", X), net.predict(X)
    # Relative to the larger of 1 and x: an error of the sigmoid in SiLU is multiplied by x.
    errors = np.abs(theirs - ours) / np.maximum(1, np.abs(X))
    assert errors.max() <= {"float32": 3e-7, "float64": 1e-15}[dtype]


@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_known_again_by_their_nodes(name, alpha, dtype, tmp_path):
    activation = fn.Activation(name, None if ACTIVATIONS[name].alpha is None else alpha)
    last = [] if name == "softmax" else [fn.Dense(2)]
    net = fn.Network([fn.Input(4), fn.Dense(3), activation, *last], dtype=dtype)
    fn.onnx.export(net, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    loaded = fn.onnx.load(tmp_path / "bare.onnx")
    assert loaded.layers == (fn.Input(4), fn.Dense(3, activation), *last)
    assert loaded.digest() == net.digest()


def test_an_activation_that_onnx_has_not_is_refused_by_name(dtype, monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "stair", ActivationKind())
    graph = Graph(dtype)
    with pytest.raises(ValueError, match="the activation 'stair' cannot be written: ONNX has no operator for it"):
        write_activation(graph, fn.Activation("stair"), "x")
    monkeypatch.setitem(ACTIVATIONS, "stair", ActivationKind(formula="floor(x)"))
    with pytest.raises(ValueError, match="got 'floor'"):
        write_activation(graph, fn.Activation("stair"), "x")
    monkeypatch.setitem(ACTIVATIONS, "stair", ActivationKind(formula="x ** 2"))
    with pytest.raises(ValueError, match=r"'x \*\* 2' has no place in the formula"):
        write_activation(graph, fn.Activation("stair"), "x")


@pytest.mark.parametrize("name", [name for name, kind in ACTIVATIONS.items() if kind.alpha is not None])
def test_defaults_of_alpha_are_those_of_onnx(name):
    attribute = onnx.defs.get_schema(ACTIVATIONS[name].onnx).attributes["alpha"]
    assert ACTIVATIONS[name].alpha == pytest.approx(attribute.default_value.f, rel=1e-7)


def test_names_shapes_and_texts(tmp_path):
    net = fn.Network([fn.Input(4), fn.Dense(3, "relu"), fn.Dropout(0.2), fn.Dense(2)], dtype="float64")
    fn.onnx.export(net, tmp_path / "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert [(value.name, value.type.tensor_type.elem_type) for value in (*graph.input, *graph.output)] == [
        ("X", TensorProto.DOUBLE),
        ("outputs", TensorProto.DOUBLE),
    ]
    sizes = [[dim.dim_param or dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim]]
    assert sizes == [["n", 4]]
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, array in net.parameters.items():
        np.testing.assert_array_equal(tensors[name], array)
    fn.onnx.export(net, tmp_path / "net.onnx", activation="softmax")
    assert onnx.load(tmp_path / "net.onnx").graph.output[0].name == "probabilities"
    for n in (1, 7, 300):
        assert_same_outputs(fn.onnx.load(tmp_path / "net.onnx"), tmp_path / "net.onnx", rows(net, n))


def test_the_same_network_gives_the_same_file(tmp_path):
    net = fn.Network([fn.Input(4), fn.Dense(3, "gelu"), fn.Dense(2)])
    for name in ("a", "b"):
        fn.onnx.export(net, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_export_that_fails_leaves_the_old_file(tmp_path):
    net = fn.Network([fn.Input(4), fn.Dense(3, "sigmoid")])
    path = tmp_path / "net.onnx"
    fn.onnx.export(net, path)
    before = path.read_bytes()
    net.metadata["unspeakable"] = object()
    with pytest.raises(TypeError, match="JSON"):
        fn.onnx.export(net, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"activation": "relu"}, ValueError, "activation must be one of 'softmax', 'sigmoid'; got 'relu'"),
        ({"activation": 1}, TypeError, "activation must be one of"),
        ({"model": 3}, TypeError, "model must be a Network, a TableModel or an estimator of fastnn.sklearn; got int 3"),
        (
            {"model": fn.Network([fn.Input(1), fn.Dense(2, "softmax")]), "activation": "softmax"},
            ValueError,
            "the network ends in Dense",
        ),
    ],
)
def test_what_cannot_be_exported(tmp_path, arguments, error, message):
    given = {"model": fn.Network([fn.Input(1), fn.Dense(1)]), "path": tmp_path / "x.onnx"} | arguments
    with pytest.raises(error, match=message):
        fn.onnx.export(**given)
    assert not list(tmp_path.iterdir())


def test_a_network_too_large_for_the_format(tmp_path, monkeypatch):
    monkeypatch.setattr("fastnn.onnx.files.MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"at most 2 GB .* 132 bytes"):
        fn.onnx.export(fn.Network([fn.Input(10), fn.Dense(3)]), tmp_path / "x.onnx")


# ------------------------------------------------------------------ damaged files


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    fn.onnx.export(fn.Network([fn.Input(4), fn.Dense(3, "elu"), fn.LayerNorm(), fn.Dense(2)]), path)
    return path.read_bytes()


def changed(content, tmp_path, change):
    model = onnx.load_model_from_string(content)
    change(model)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    return fn.onnx.load(tmp_path / "net.onnx")


def test_another_program_has_changed_the_graph(content, tmp_path):
    """The description no longer says what the file computes; the graph does."""

    def change(model):
        next(node for node in model.graph.node if node.op_type == "Elu").op_type = "Selu"
        del next(node for node in model.graph.node if node.op_type == "Selu").attribute[:]

    assert changed(content, tmp_path, change).layers[1] == fn.Dense(3, "selu")


def test_parameters_that_do_not_have_their_digest(content, tmp_path):
    def change(model):
        bias = next(tensor for tensor in model.graph.initializer if tensor.name == "0.bias")
        bias.CopyFrom(numpy_helper.from_array(np.ones(3, np.float32), "0.bias"))

    with pytest.raises(ValueError, match="damaged: its parameters do not have the digest"):
        changed(content, tmp_path, change)


@pytest.mark.parametrize("key", ["fastnn", "dims", "data", "text", "version"])
def test_inconsistent_files(key, content, tmp_path):
    def change(model):
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "0.weight")
        entry = next(entry for entry in model.metadata_props if entry.key == "fastnn")
        if key == "fastnn":
            entry.value = entry.value.replace('"elu"', '"nonsense"')
        elif key == "dims":
            tensor.dims[:] = [2**40, 2**20]
        elif key == "data":
            tensor.raw_data = tensor.raw_data[:-3]
        elif key == "text":
            entry.value = "{" + entry.value
        else:
            entry.value = entry.value.replace('"numerics": 1', '"numerics": 2')

    with pytest.raises(ValueError, match=r"net\.onnx' is damaged"):
        changed(content, tmp_path, change)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_crash(data, content, tmp_path):
    """A changed file either says that it is damaged, or is a network all the same."""
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "net.onnx").write_bytes(damaged[: data.draw(st.integers(0, len(damaged)) | st.none())])
    try:
        assert isinstance(fn.onnx.load(tmp_path / "net.onnx"), fn.Network)
    except ValueError as error:
        assert "net.onnx" in str(error)  # noqa: PT017  it need not be raised


def test_files_that_are_not_there_or_something_else(tmp_path):
    with pytest.raises(FileNotFoundError):
        fn.onnx.load(tmp_path / "none.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.onnx' is damaged or not an ONNX model"):
        fn.onnx.load(tmp_path / "empty.onnx")
    fn.Network([fn.Input(1), fn.Dense(1)]).save(tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match="not an ONNX model"):
        fn.onnx.load(tmp_path / "net.safetensors")


def test_without_onnx_the_error_says_how_to_get_it():
    code = "import sys; sys.modules['onnx'] = None\ntry: import fastnn.onnx\nexcept ImportError as error: print(error)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install onnx" in ran.stdout
