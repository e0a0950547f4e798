"""Numbers that multiply or are added, and normalisations spelled out, in ONNX files: folded into layers."""

import numpy as np
import pytest

import fastnn as fn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")
from onnx import helper  # noqa: E402
from onnx_models import model_of, node, run  # noqa: E402

import fastnn.onnx  # noqa: E402

RNG = np.random.default_rng(5)
W, V = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))
B, C, D = RNG.normal(size=3), RNG.uniform(0.5, 2, 3), RNG.uniform(0.5, 2, (1, 4))
VARIANCE = RNG.uniform(0.5, 2, 3)
NUMBERS = {"W": W, "V": V, "B": B, "C": C, "D": D, "G": VARIANCE, "two": np.array(2.0), "one": np.ones(1)}
AXES = {"axes": [-1], "keepdims": 1}


def layer_norm(value, output, divide=True, square="Pow", differences=1):
    """The nodes of a layer normalisation without gain and bias."""
    other = f"{output}d" if differences == 1 else f"{output}e"
    nodes = [
        node("ReduceMean", value, f"{output}m", **AXES),
        node("Sub", f"{value} {output}m", f"{output}d"),
        node("Pow", f"{output}d two", f"{output}q")
        if square == "Pow"
        else node("Mul", f"{output}d {output}d", f"{output}q"),
        node("ReduceMean", f"{output}q", f"{output}v", **AXES),
        node("Add", f"{output}v eps", f"{output}a"),
        node("Sqrt", f"{output}a", f"{output}s"),
    ]
    if differences == 2:
        nodes.append(node("Sub", f"{value} {output}m", other))
    if divide:
        return [*nodes, node("Div", f"{other} {output}s", output)]
    return [*nodes, node("Reciprocal", f"{output}s", f"{output}r"), node("Mul", f"{output}r {other}", output)]


def rms_norm(value, output):
    return [
        node("Mul", f"{value} {value}", f"{output}q"),
        node("ReduceMean", f"{output}q", f"{output}v", **AXES),
        node("Add", f"{output}v eps", f"{output}a"),
        node("Sqrt", f"{output}a", f"{output}s"),
        node("Div", f"{value} {output}s", output),
    ]


FIRST = node("MatMul", "x W", "g")
LAST = node("Gemm", "r V B")
DENSE = ["Dense(3)"]
TWO = ["Dense(3, 'relu')", "Dense(3)"]
CASES = {
    "after": ([FIRST, node("Mul", "g C", "m"), node("Add", "B m", "n"), node("Relu", "n", "r"), LAST], TWO),
    "in front": (
        [node("Sub", "x D", "d"), node("Div", "d D", "e"), node("MatMul", "e W", "g"), node("Relu", "g", "r"), LAST],
        TWO,
    ),
    "one number in front": ([node("Div", "x two", "d"), node("Gemm", "d W B", "g"), node("Relu", "g", "r"), LAST], TWO),
    "between": ([FIRST, node("Relu", "g", "n"), node("Mul", "n C", "m"), node("Sub", "B m", "r"), LAST], TWO),
    "of its own": (
        [FIRST, node("Relu", "g", "n"), node("Mul", "C n", "m"), node("Sub", "m B", "k"), node("Relu", "k", "r"), LAST],
        ["Dense(3, 'relu')", "Dense(3, 'relu')", "Dense(3)"],
    ),
    "at the end": ([FIRST, node("Neg", "g", "n"), node("Div", "n C", "m"), node("Add", "m one")], DENSE),
    "after an activation, at the end": (
        [FIRST, node("Relu", "g", "n"), node("Mul", "two n")],
        ["Dense(3, 'relu')", "Dense(3)"],
    ),
    "batch normalisation": (
        [FIRST, node("BatchNormalization", "g C B B G", "n", epsilon=1e-3), node("Relu", "n", "r"), LAST],
        TWO,
    ),
    "Gemm with factors": (
        [node("Gemm", "x W B", "g", alpha=0.25, beta=0.5), node("Relu", "g", "r"), LAST],
        TWO,
    ),
    "clipped at 0": (
        [FIRST, node("Clip", "g zero", "n"), node("Max", "n zero", "r"), LAST],
        ["Dense(3, 'relu')", "Activation('relu')", "Dense(3)"],
    ),
    "a layer norm": (
        [FIRST, *layer_norm("g", "l"), node("Mul", "l C", "m"), node("Add", "m B", "r"), LAST],
        ["Dense(3)", "LayerNorm(epsilon=0.001)", "Dense(3)"],
    ),
    "a layer norm with reciprocals": (
        [FIRST, *layer_norm("g", "r", divide=False, square="Mul"), LAST],
        ["Dense(3)", "LayerNorm(epsilon=0.001)", "Dense(3)"],
    ),
    "a layer norm of two differences": (
        [FIRST, *layer_norm("g", "r", differences=2), LAST],
        ["Dense(3)", "LayerNorm(epsilon=0.001)", "Dense(3)"],
    ),
    "a layer norm first": (
        [*layer_norm("x", "l"), node("Mul", "l two", "m"), node("MatMul", "m W")],
        ["LayerNorm(epsilon=0.001)", "Dense(3)"],
    ),
    "an RMS norm": (
        [FIRST, *rms_norm("g", "l"), node("Mul", "l C", "r"), LAST],
        ["Dense(3)", "RMSNorm(epsilon=0.001)", "Dense(3)"],
    ),
    "an RMS norm with a shift": (
        [FIRST, *rms_norm("g", "l"), node("Add", "l C", "r"), LAST],
        ["Dense(3)", "RMSNorm(epsilon=0.001)", "Dense(3)"],
    ),
    "no shape": (
        [FIRST, node("Shape", "g", "h"), node("Reshape", "g h", "n"), node("Relu", "n", "r"), LAST],
        TWO,
    ),
    "computed constants": (
        [
            helper.make_node("ConstantOfShape", ["sizes"], ["zeros"]),
            node("Mul", "V two", "k"),
            node("Transpose", "k", "t"),
            node("Add", "B zeros", "b"),
            FIRST,
            node("Relu", "g", "r"),
            node("Gemm", "r t b"),
        ],
        TWO,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_folded(name, dtype, tmp_path):
    nodes, layers = CASES[name]
    numbers = {key: array.astype(dtype) for key, array in NUMBERS.items()}
    numbers |= {"eps": np.array(1e-3, dtype), "zero": np.zeros((), dtype), "sizes": np.array([3])}
    if name == "computed constants" and dtype == "float64":
        numbers["zeros"], nodes = np.zeros(3), nodes[1:]  # float32 is the default
    onnx.save(model_of(nodes, numbers, dtype=dtype), tmp_path / "other.onnx")
    net = fn.onnx.load(tmp_path / "other.onnx")
    assert [repr(layer) for layer in net.layers[1:]] == layers
    assert net.dtype == dtype
    X = np.random.default_rng(0).normal(size=(9, 4)).astype(dtype)
    tolerance = {"float32": 3e-6, "float64": 1e-13}[dtype]
    expected = run(tmp_path / "other.onnx", X)
    # Attributes are float32 in the format, and ours what they were meant to be.
    tolerance = 1e-6 if name == "batch normalisation" else tolerance
    np.testing.assert_allclose(net.predict(X), expected, rtol=tolerance, atol=tolerance)


def test_folding_rounds_once(tmp_path):
    """0.1 · 3 · 7 in float64, and not a float32 number after each factor."""
    numbers = {"W": np.full((1, 1), 0.1, "f4"), "a": np.array(3, "f4"), "b": np.array(7.7, "f4")}
    nodes = [node("MatMul", "x W", "g"), node("Mul", "g a", "m"), node("Div", "m b")]
    onnx.save(model_of(nodes, numbers, features=1), tmp_path / "other.onnx")
    exact = float(np.float32(0.1)) * 3 / float(np.float32(7.7))
    assert fn.onnx.load(tmp_path / "other.onnx").parameters["0.weight"] == np.float32(exact)


def test_what_is_not_touched_keeps_its_bits(tmp_path):
    weight = RNG.normal(size=(4, 3)).astype("f4")
    bias = RNG.normal(size=3).astype("f4")
    nodes = [node("MatMul", "x W", "g"), node("Add", "g B")]
    onnx.save(model_of(nodes, {"W": weight, "B": bias}), tmp_path / "other.onnx")
    net = fn.onnx.load(tmp_path / "other.onnx")
    np.testing.assert_array_equal(net.parameters["0.weight"], weight.T)
    np.testing.assert_array_equal(net.parameters["0.bias"], bias)


@pytest.mark.parametrize("end", ["Squeeze", "Reshape", "both"])
def test_rows_of_one_unit_may_become_one_dimension(end, tmp_path):
    numbers = {"W": W[:, :1].astype("f4"), "a": np.array([1]), "s": np.array([-1]), "c": np.array([-1, 1])}
    nodes = [node("MatMul", "x W", "g")]
    if end == "both":
        nodes += [node("Squeeze", "g a", "q"), node("Sigmoid", "q", "p"), node("Reshape", "p c")]
    else:
        nodes += [node(end, "g a" if end == "Squeeze" else "g s", "q"), node("Sigmoid", "q")]
    onnx.save(model_of(nodes, numbers, rank=2 if end == "both" else 1), tmp_path / "other.onnx")
    net = fn.onnx.load(tmp_path / "other.onnx")
    assert net.layers == (fn.Input(4), fn.Dense(1, "sigmoid"))
    X = np.random.default_rng(0).normal(size=(9, 4)).astype("f4")
    np.testing.assert_allclose(net.predict(X).ravel(), run(tmp_path / "other.onnx", X).ravel(), rtol=1e-5)


def test_numbers_for_each_row_of_one_dimension_are_refused(tmp_path):
    numbers = {"W": W[:, :1].astype("f4"), "a": np.array([1]), "B": B.astype("f4")}
    nodes = [node("MatMul", "x W", "g"), node("Squeeze", "g a", "q"), node("Add", "q B")]
    onnx.save(model_of(nodes, numbers, rank=1), tmp_path / "other.onnx")
    with pytest.raises(ValueError, match=r"my Add.*its rows must be"):
        fn.onnx.load(tmp_path / "other.onnx")
