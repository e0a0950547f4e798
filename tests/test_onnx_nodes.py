"""The tests that the ONNX package has for its operators: those of operators that fastnn reads.

Each case is a node with inputs and outputs. Its first input is what varies; the others become constants. A network
takes rows, so a case of more dimensions is tried as it is, which is refused, and with the dimensions but the last made
one; a dense layer that multiplies by 1 is put in front. Every case passes or is refused for a reason listed here.
"""

import re
import warnings

import numpy as np
import pytest

import fastnn as fn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to test")
from onnx import helper, numpy_helper  # noqa: E402

import fastnn.onnx  # noqa: E402
from fastnn.onnx import operators  # noqa: E402

OPERATORS = {*operators.COMPUTING, *operators.PASSING}

# Why a network of rows cannot be a case: what the error says, and the names of the cases.
REFUSED = {
    r"must be float32 or float64; they are \w+|it casts them to \w+": (
        r"(add|sub|mul|div|max)_u?int\d+(_trunc)?|clip_default_int8_\w+|cast(like)?_\w+|\w+_float16(_\w+)?"
    ),
    r"must be one number, or one for each unit": r"add|sub|mul|div|swiglu_expanded",
    r"its bias must have one number for each of 4 units": r"gemm_default_matrix_bias",
    r"it multiplies otherwise, or transposes x": r"gemm_(transposeA|all_attributes)",
    r"its weight '\w+' must be a matrix": r"matmul_(3d|4d|bcast|1d_3d|4d_1d|1d_1d)",
    r"must have one gain for each unit|must be over the units of a row": (
        r"(layer|rms)_normalization_(2d_axis(0|_negative_2)|[34]d_axis([0-3]|_negative_[2-4])(_epsilon)?)"
    ),
    r"a softmax must be over the units of a row": r"softmax_axis_[02]",
    r"it normalises by each batch": r"batchnorm_(example|epsilon)_training_mode",
    r"fastnn has the exact GELU only": r"gelu_tanh_[12]",
    r"fastnn's SELU has other parameters": r"selu(_example)?",
    r"fastnn's SiLU is x sigmoid": r"swiglu_alpha_expanded",
    r"fastnn has no activation that clips between": r"clip(_\w+)?",
    r"fastnn has no activation that is a maximum but ReLU": r"max_\w+",
    r"it drops units at random": r"training_dropout\w*",
    r"a Flatten must leave rows as they are": r"flatten_(axis[023]|negative_axis[2-4])",
    r"a Reshape must leave rows as they are": r"reshape_\w+",
    r"a Squeeze must be of rows of one unit": r"squeeze\w*",
    r"an Unsqueeze must make rows of one unit": r"unsqueeze_\w+",
    r"it has no dense layer": r"identity_(sequence|opt)",  # of no tensors
}


NO_ROWS = {"softmax_axis_1"}  # over a dimension that rows do not have


def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from onnx.backend.test.case.node import collect_testcases

            found = collect_testcases(None)
        except ImportError:  # what it makes its cases with may be missing
            return []
    return [case for case in found if {node.op_type for node in case.model.graph.node} <= OPERATORS and case.data_sets]


CASES = {case.name.removeprefix("test_"): case for case in cases()}


def load(case, X, others, rows, tmp_path):
    """Read the model of a case: as rows with a dense layer in front, or as it is."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    name, element_type = graph.input[0].name, graph.input[0].type.tensor_type.elem_type
    for given, array in zip(graph.input[1:], others, strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(array), given.name))
    del graph.input[1:]
    if rows:
        graph.initializer.append(numpy_helper.from_array(np.eye(X.shape[1], dtype=X.dtype), "the identity"))
        nodes = list(graph.node)
        del graph.node[:]
        graph.node.append(helper.make_node("MatMul", ["the input", "the identity"], [name], name="in front"))
        graph.node.extend(nodes)
        graph.input[0].CopyFrom(helper.make_tensor_value_info("the input", element_type, ["n", X.shape[1]]))
    path = tmp_path / "case.onnx"
    path.write_bytes(model.SerializeToString())
    outputs = [value.name for value in graph.output]
    return fn.onnx.load(path, output=outputs[0] if len(outputs) > 1 else None)


def array_of(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def refused(name, error):
    """Whether a case may be refused so."""
    return any(re.fullmatch(names, name) and re.search(reason, str(error)) for reason, names in REFUSED.items())


def channels_last(name, array):
    """Rows of what batch normalisation has numbers for: the second dimension."""
    return np.moveaxis(array, 1, -1) if name.startswith("batchnorm") else array


@pytest.mark.parametrize("name", CASES)
def test_node(name, tmp_path):
    case = CASES[name]
    (inputs, outputs), *_ = case.data_sets
    X, *others = map(array_of, inputs)
    rows = isinstance(X, np.ndarray)
    if rows and X.ndim > 2:
        with pytest.raises(ValueError, match=r"case\.onnx"):
            load(case, X, others, False, tmp_path)
    if name in NO_ROWS:
        return
    X = channels_last(name, X)
    X = X.reshape(-1, X.shape[-1] if X.shape[-1] < 100 else 1) if rows else X
    try:
        net = load(case, X, others, rows, tmp_path)
    except ValueError as error:
        if not refused(name, error):
            raise
        return
    expected = channels_last(name, array_of(outputs[0])).reshape(-1, net.n_outputs)
    finite = np.isfinite(X).all(axis=1)  # a network takes no others
    np.testing.assert_allclose(net.predict(X[finite]), expected[finite], rtol=1e-5, atol=1e-6)


def test_most_cases_that_may_be_rows_pass():
    """So that a list of refusals does not come to hide them all."""
    cases = [name for name in CASES if not any(re.fullmatch(names, name) for names in REFUSED.values())]
    assert len(cases) > 60
    assert {CASES[name].model.graph.node[0].op_type for name in cases} >= {"Gemm", "BatchNormalization", "Relu", "Add"}
