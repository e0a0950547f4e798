"""ONNX files of other programs: which are read as networks, and which are refused, by the name of a node."""

import io
import warnings

import numpy as np
import pytest
from runtime import assert_same_outputs

import fastnn as fn
from fastnn.layers import ACTIVATIONS

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_models import model_of, node  # noqa: E402

import fastnn.onnx  # noqa: E402


def loaded(model, tmp_path):
    onnx.save(model, tmp_path / "other.onnx")
    return fn.onnx.load(tmp_path / "other.onnx")


W = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
B = np.arange(3, dtype=np.float32)
SQUARE = np.random.default_rng(2).normal(size=(4, 4)).astype(np.float32)
TORCH_OPSETS = [11, 13, 17, 18, 20]


def exported(module, opset, X, folder):
    """Have PyTorch write net.onnx."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to export with")
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter is the older one
        arguments = {"input_names": ["features"], "dynamic_axes": {"features": {0: "batch"}}, "dynamo": False}
        torch.onnx.export(module, (torch.from_numpy(X),), file, opset_version=opset, **arguments)
    (folder / "net.onnx").write_bytes(file.getvalue())


@pytest.mark.parametrize("opset", TORCH_OPSETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_files_that_torch_exports(opset, dtype, tmp_path, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to export with")
    nn = torch.nn
    torch.manual_seed(opset)
    norm = [nn.LayerNorm(9, eps=1e-3)] if opset >= 17 else []
    module = nn.Sequential(
        *(nn.Flatten(), nn.Linear(5, 9), nn.GELU(), nn.Linear(9, 9, bias=False), nn.SiLU(), *norm, nn.Mish()),
        *(nn.Dropout(0.2), nn.Identity(), nn.Linear(9, 6), nn.Softplus(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.SELU()),
        *(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 4), nn.Sigmoid(), nn.ReLU(), nn.Softmax(1)),
    )
    module = module.to(getattr(torch, dtype)).eval()
    X = rng.normal(size=(30, 5)).astype(dtype)
    exported(module, opset, X, tmp_path)
    net = fn.onnx.load(tmp_path / "net.onnx")
    assert net.dtype == dtype
    expected = module(torch.from_numpy(X)).detach().numpy()
    # Attributes are float32 in the format, of a float64 network too.
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-5, atol=1e-6 if dtype == "float32" else 1e-8)
    if dtype == "float32":
        assert_same_outputs(net, tmp_path / "net.onnx", X)
        assert fn.Activation("elu", 0.7) in net.layers or "alpha=0.7" in repr(net)


@pytest.mark.parametrize("opset", TORCH_OPSETS)
@pytest.mark.parametrize("name", [name for name, kind in ACTIVATIONS.items() if kind.torch])
def test_activations_that_torch_exports(name, opset, dtype, tmp_path):
    net = fn.Network([fn.Input(5), fn.Dense(9, name)], dtype=dtype)
    exported(net.to_torch(), opset, np.ones((30, 5), dtype), tmp_path)
    loaded = fn.onnx.load(tmp_path / "net.onnx")
    assert loaded.digest() == net.digest()
    assert fn.layers.activation_of(loaded.layers[1]).name == name


def test_matmul_and_add(tmp_path):
    nodes = [
        node("Cast", "x", "c", to=TensorProto.FLOAT),
        node("MatMul", "c W", "m"),
        node("Add", "B m", "a"),
        node("Relu", "a", "r"),
        node("MatMul", "r V", "n"),
        node("Reshape", "n shape", "s"),
        node("Identity", "s"),
    ]
    nodes[1].name = ""  # names are unique, or left out
    tensors = {"W": W, "B": B[None, :], "V": W[:3, :1], "shape": np.array([-1, 1])}
    net = loaded(model_of(nodes, tensors), tmp_path)
    assert net.layers == (fn.Input(4), fn.Dense(3, "relu"), fn.Dense(1))
    X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    expected = np.maximum(X.astype(float) @ W + B, 0) @ W[:3, :1]
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-5, atol=1e-6)
    assert_same_outputs(net, tmp_path / "other.onnx", X)


def test_constants_by_nodes_transposed_and_broadcast(tmp_path):
    nodes = [
        helper.make_node("Constant", [], ["C"], value=numpy_helper.from_array(np.ascontiguousarray(W.T))),
        helper.make_node("Constant", [], ["b"], value_float=0.5),
        node("Transpose", "C", "W"),
        node("Identity", "W", "V"),
        node("Gemm", "x V b", "g"),
        node("Dropout", "g", "d"),
        node("Tanh", "d"),
    ]
    net = loaded(model_of(nodes, {}), tmp_path)
    X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(X), np.tanh(X @ W + 0.5), rtol=1e-5, atol=1e-6)
    assert_same_outputs(net, tmp_path / "other.onnx", X)


def gelu_nodes(order):
    """GELU with its multiplications in one of the orders that exporters use."""
    halves = {
        0: [node("Mul", "g e1", "p"), node("Mul", "p half")],
        1: [node("Mul", "half g", "p"), node("Mul", "p e1")],
        2: [node("Mul", "e1 half", "p"), node("Mul", "g p")],
    }[order]
    return [
        node("Gemm", "x W", "g"),
        node("Div", "g root", "z"),
        node("Erf", "z", "e"),
        node("Add", "one e", "e1"),
        *halves,
    ]


@pytest.mark.parametrize("order", range(3))
def test_gelu_in_any_order(order, tmp_path):
    tensors = {name: np.array(value, np.float32) for name, value in (("root", 2**0.5), ("one", 1), ("half", 0.5))}
    net = loaded(model_of(gelu_nodes(order), {"W": W} | tensors), tmp_path)
    assert net.layers == (fn.Input(4), fn.Dense(3, "gelu"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_softplus_that_is_its_input_where_that_is_large(dtype, tmp_path):
    nodes = [
        *(node("Gemm", "x W", "g"), node("Softplus", "g", "s")),
        *(node("Greater", "g t", "above"), node("Where", "above g s")),
    ]
    net = loaded(model_of(nodes, {"W": W.astype(dtype), "t": np.array(20, dtype)}, dtype=dtype), tmp_path)
    assert net.layers == (fn.Input(4), fn.Dense(3, "softplus"))
    X = np.linspace(-60, 60, 400, dtype=dtype).reshape(100, 4)  # onnxruntime has no Softplus in float64
    given = X.astype(np.float64) @ W.astype(np.float64)
    np.testing.assert_allclose(net.predict(X), np.logaddexp(given, 0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("bound", "where"), [(3, "above g s"), (20, "above s g")])
def test_another_choice_is_no_softplus(bound, where, tmp_path):
    nodes = [
        *(node("Gemm", "x W", "g"), node("Softplus", "g", "s")),
        *(node("Greater", "g t", "above"), node("Where", where)),
    ]
    with pytest.raises(ValueError, match=r"my Where': fastnn has no such layer|its inputs must be"):
        loaded(model_of(nodes, {"W": W, "t": np.array(bound, "f4")}), tmp_path)


def test_damage_is_told_in_one_line(tmp_path):
    model = model_of([node("Add", "c B", "b"), node("MatMul", "x b", "c"), node("Identity", "c")], {"B": B})
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"(?s)is damaged or not an ONNX model: .*sorted") as caught:
        fn.onnx.load(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


def test_a_gelu_with_another_number_is_none(tmp_path):
    tensors = {name: np.array(value, np.float32) for name, value in (("root", 1.5), ("one", 1), ("half", 0.5))}
    with pytest.raises(ValueError, match="no activation that fastnn has"):
        loaded(model_of(gelu_nodes(0), {"W": W} | tensors), tmp_path)


def gemm(*more, **attributes):
    return [node("Gemm", "x W B", "g" if more else "y", **attributes), *more]


TRUE = np.array(True)
REFUSED = {
    "an unknown operator": (gemm(node("Cos", "g")), {}, {}, r"the Cos node 'my Cos': fastnn has no such layer"),
    "a residual": (
        [node("Gemm", "x S", "g"), node("Relu", "g", "r"), node("Add", "g r")],
        {"S": SQUARE},
        {},
        r"the Relu node 'my Relu': its input goes into the Add node 'my Add' too",
    ),
    "a skip from the input": (
        [node("Gemm", "x S", "g"), node("Add", "x g")],
        {"S": SQUARE},
        {},
        r"the Gemm node 'my Gemm': its input goes into the Add node",
    ),
    "a number for each row": (
        gemm(node("Add", "g C")),
        {"C": np.ones((3, 1), "f4")},
        {},
        r"the Add node 'my Add': its constant must be one number, or one for each unit; it has shape \(3, 1\)",
    ),
    "numbers for other units": (
        gemm(node("Mul", "g C")),
        {"C": np.ones(4, "f4")},
        {},
        r"my Mul.*must take the 3 units",
    ),
    "numbers of another dtype": (gemm(node("Mul", "g C")), {"C": np.ones(3)}, {}, r"my Mul.*must be float32 like"),
    "a number divided": (gemm(node("Div", "B g")), {}, {}, r"my Div.*no layer for a number divided by"),
    "division by zero": (gemm(node("Div", "g B")), {}, {}, r"my Div.*must be finite"),
    "numbers after a softmax": (
        gemm(node("Softmax", "g", "s"), node("Add", "s B")),
        {},
        {},
        r"my Add.*follows a softmax",
    ),
    "a ReLU6": (
        gemm(node("Clip", "g low high")),
        {"low": np.array(0, "f4"), "high": np.array(6, "f4")},
        {},
        r"my Clip.*clips between 0 and 6 \(ReLU6\)",
    ),
    "a batch normalisation in training": (
        gemm(node("BatchNormalization", "g B B B B", training_mode=1)),
        {},
        {},
        r"my BatchNormalization.*in evaluation mode",
    ),
    "a value squared": (gemm(node("Mul", "g g")), {}, {}, r"my Mul.*one value and constants"),
    "transposed input": ([node("Gemm", "x W", transA=1)], {"W": SQUARE}, {}, r"a dense layer must be x W"),
    "W x": ([node("MatMul", "S x")], {"S": SQUARE}, {}, r"my MatMul.*it is W x"),
    "a bias of the wrong size": (
        [node("Gemm", "x W C")],
        {"C": np.ones(2, "f4")},
        {},
        r"one number for each of 3 units",
    ),
    "a bias for each row": (
        [node("Gemm", "x W C")],
        {"C": np.ones((3, 1), "f4")},
        {},
        r"its bias must have one number",
    ),
    "sizes that do not fit": (gemm(node("Gemm", "g W")), {}, {}, r"the Gemm node .*must take the 3 units"),
    "a weight of three dimensions": ([node("MatMul", "x V")], {"V": np.ones((1, 4, 2), "f4")}, {}, r"must be a matrix"),
    "another number of features": (gemm(), {}, {"features": 5}, r"its input has 5 features, its first layer takes 4"),
    "images": (gemm(), {}, {"shape": ["n", 2, 2]}, r"the input has 3 dimensions"),
    "a softmax inside": (
        gemm(node("Softmax", "g", "s"), node("Relu", "s")),
        {},
        {},
        r"the Relu node 'my Relu': it follows a softmax",
    ),
    "a softmax over rows": (gemm(node("Softmax", "g", axis=0)), {}, {}, r"my Softmax.*its axis is 0"),
    "a tanh GELU": (gemm(node("Gelu", "g", approximate="tanh")), {}, {"opset": 20}, r"my Gelu.*approximate='tanh'"),
    "another SELU": (gemm(node("Selu", "g", alpha=1.0)), {}, {}, r"my Selu.*other parameters"),
    "a negative slope": (gemm(node("LeakyRelu", "g", alpha=-1.0)), {}, {}, r"my LeakyRelu.*alpha must be"),
    "dropout in prediction": (
        gemm(node("Dropout", "g ratio on")),
        {"ratio": np.array(0.5, "f4"), "on": TRUE},
        {},
        r"my Dropout.*drops units at random",
    ),
    "a reshape": (gemm(node("Reshape", "g s")), {"s": np.array([3, -1])}, {}, r"my Reshape.*leave rows"),
    "a flatten of rows": (gemm(node("Flatten", "g", axis=0)), {}, {}, r"my Flatten.*its axis is 0"),
    "a norm over rows": (
        gemm(node("LayerNormalization", "g B", axis=0)),
        {},
        {},
        r"my LayerNormalization.*its axis is 0",
    ),
    "a cast to another dtype": (
        [node("Cast", "x", "c", to=TensorProto.DOUBLE), node("Gemm", "c W")],
        {},
        {},
        r"its layers are float32, what they compute with is double",
    ),
    "an input of another dtype": (gemm(), {}, {"dtype": "float64"}, r"what they compute with is double"),
    "computed constants": (
        [node("Cos", "W", "V"), node("Gemm", "x V")],
        {},
        {},
        r"the Cos node 'my Cos': fastnn cannot read constants that are computed so",
    ),
    "constants without an end": (
        [node("ConstantOfShape", "s", "V"), node("Gemm", "x V")],
        {"s": np.array([2**40, 2**20])},
        {},
        r"my ConstantOfShape.*fastnn cannot read constants",
    ),
    "constants broadcast without an end": (
        [node("Transpose", "s", "t"), node("Add", "s t", "V"), node("Gemm", "x V")],
        {"s": np.zeros((2**14, 1), np.int8)},
        {},
        r"my Add.*fastnn cannot read constants",
    ),
    "a log softmax": (gemm(node("LogSoftmax", "g")), {}, {}, r"no such layer: .* the loss 'cross_entropy' takes"),
    "a label": (gemm(node("ArgMax", "g")), {}, {}, r"no such layer: it picks the label"),
    "a squeeze of several units": (
        gemm(node("Squeeze", "g a")),
        {"a": np.array([1])},
        {},
        r"my Squeeze.*rows of one unit",
    ),
    "the value in another place": (
        gemm(node("Unsqueeze", "c g")),
        {"c": np.ones(1, "f4")},
        {},
        r"my Unsqueeze.*what varies must be its first input; that is 'c'",
    ),
    "nothing but the shape": (gemm(node("Shape", "g")), {}, {}, r"nothing but the shape of 'g' goes into the output"),
    "a cast to whole numbers": (gemm(node("Cast", "g", to=TensorProto.INT64)), {}, {}, r"my Cast.*casts them to int64"),
    "an input without dimensions": (gemm(), {}, {"shape": []}, r"its input must be rows of features"),
    "two outputs": (gemm(node("Relu", "g")), {}, {"outputs": ("y", "g")}, r"choose one by output=; they are 'y', 'g'"),
    "no dense layer": ([node("Relu", "x")], {}, {}, r"it has no dense layer"),
    "an old operator set": (gemm(), {}, {"opset": 6}, r"operator set must be at least 7; it is 6"),
    "NaN": ([node("Gemm", "x N")], {"N": np.full((4, 2), np.nan, "f4")}, {}, r"'0\.weight' must be finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_fastnn_does_not_have_is_refused_by_name(case, tmp_path):
    nodes, tensors, options, message = REFUSED[case]
    model = model_of(nodes, {"W": W, "B": B} | tensors, **options)
    with pytest.raises(ValueError, match=message):
        loaded(model, tmp_path)


def test_nodes_that_the_output_does_not_need_do_not_matter(tmp_path):
    nodes = gemm(node("Relu", "g"), node("Cos", "g", "unused"))
    assert loaded(model_of(nodes, {"W": W, "B": B}), tmp_path).layers == (fn.Input(4), fn.Dense(3, "relu"))


@pytest.mark.parametrize("place", ["constant", "initializer"])
def test_a_model_cannot_name_a_file_to_be_read(place, tmp_path, monkeypatch):
    """Whoever made it would learn from the network what was in that file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.bin").write_bytes(W.tobytes())
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=W.shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="mine.bin")
    if place == "constant":
        model = model_of([node("Constant", "", "w", value=tensor), node("MatMul", "x w")], {})
    else:
        model = model_of([node("MatMul", "x w")], {})
        model.graph.initializer.append(tensor)
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="the tensor 'w' lies in another file"):
        fn.onnx.load("other.onnx")
