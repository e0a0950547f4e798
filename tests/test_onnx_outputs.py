"""ONNX files of several outputs: one is chosen by its name, and what serves the others alone does not matter."""

import warnings

import numpy as np
import pytest

import fastnn as fn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")
from onnx_models import model_of, node, run  # noqa: E402

import fastnn.onnx  # noqa: E402

RNG = np.random.default_rng(7)
X = RNG.normal(size=(200, 5)).astype(np.float32)


def actor_critic(folder):
    nodes = [
        node("Gemm", "x W B", "g"),
        node("Tanh", "g", "h"),
        node("Gemm", "h A", "actions"),
        node("Gemm", "h C", "v"),
    ]
    tensors = {
        "W": RNG.normal(size=(5, 6)),
        "B": RNG.normal(size=6),
        "A": RNG.normal(size=(6, 2)),
        "C": np.ones((6, 1)),
    }
    tensors = {name: array.astype(np.float32) for name, array in tensors.items()}
    onnx.save(model_of(nodes, tensors, features=5, outputs=("actions", "v")), folder / "policy.onnx")
    return folder / "policy.onnx"


@pytest.mark.parametrize("output", ["actions", "v"])
def test_actor_critic(output, tmp_path):
    path = actor_critic(tmp_path)
    net = fn.onnx.load(path, output=output)
    assert net.layers == (fn.Input(5), fn.Dense(6, "tanh"), fn.Dense({"actions": 2, "v": 1}[output]))
    np.testing.assert_allclose(net.predict(X), run(path, X, output), rtol=1e-5, atol=1e-6)


def test_an_output_of_which_another_is_made(tmp_path):
    nodes = [node("Gemm", "x W", "y"), node("Sigmoid", "y", "p")]
    onnx.save(model_of(nodes, {"W": np.ones((5, 2), "f4")}, features=5, outputs=("y", "p")), tmp_path / "a.onnx")
    assert fn.onnx.load(tmp_path / "a.onnx", output="y").layers == (fn.Input(5), fn.Dense(2))
    assert fn.onnx.load(tmp_path / "a.onnx", output="p").layers == (fn.Input(5), fn.Dense(2, "sigmoid"))


def test_the_outputs_to_choose_from_are_listed(tmp_path):
    path = actor_critic(tmp_path)
    with pytest.raises(ValueError, match=r"several outputs: choose one by output=; they are 'actions', 'v'"):
        fn.onnx.load(path)
    with pytest.raises(ValueError, match=r"output must be one of .*policy\.onnx': 'actions', 'v'; got 'value'"):
        fn.onnx.load(path, output="value")
    with pytest.raises(TypeError, match="output must be a string, the name of an output; got int 0"):
        fn.onnx.load(path, output=0)
    fn.onnx.export(fn.Network([fn.Input(1), fn.Dense(1)]), tmp_path / "own.onnx")
    assert fn.onnx.load(tmp_path / "own.onnx", output="outputs").n_outputs == 1
    with pytest.raises(ValueError, match=r"output must be one of .*'outputs'; got 'y'"):
        fn.onnx.load(tmp_path / "own.onnx", output="y")


TARGETS = {
    "two": (X[:, 0] > 0).astype(int),
    "three": np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])],
    "labels": (X[:, :3] > 0).astype(int),
}


@pytest.mark.parametrize("zipmap", [False, True])
@pytest.mark.parametrize("name", TARGETS)
def test_classifiers_of_skl2onnx(name, zipmap, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: nothing to convert with")
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        classifier = MLPClassifier((8,), max_iter=5, random_state=0)
        model = make_pipeline(StandardScaler(), classifier).fit(X, TARGETS[name])
    zipmap = zipmap and name != "labels"
    converted = skl2onnx.to_onnx(model, X[:1], options={"zipmap": zipmap})
    (tmp_path / "m.onnx").write_bytes(converted.SerializeToString())
    net = fn.onnx.load(tmp_path / "m.onnx", output="output_probability" if zipmap else "probabilities")
    np.testing.assert_allclose(net.predict(X), model.predict_proba(X), rtol=1e-4, atol=1e-5)
    ending = ["'sigmoid'", "Dense(2)"] if name == "two" else ["'sigmoid'" if name == "labels" else "'softmax'"]
    assert all(end in repr(layer) for end, layer in zip(ending, net.layers[-len(ending) :], strict=True))
    with pytest.raises(ValueError, match=r"node .*: fastnn has no such layer|which is no activation"):
        fn.onnx.load(tmp_path / "m.onnx", output="output_label" if zipmap else "label")


@pytest.mark.parametrize("scaler", ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"])
def test_regressors_of_skl2onnx(scaler, dtype, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: nothing to convert with")
    from sklearn import neural_network, pipeline, preprocessing

    rows = X.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regressor = neural_network.MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", max_iter=5, random_state=0)
        model = pipeline.make_pipeline(getattr(preprocessing, scaler)(), regressor).fit(rows, rows[:, 1])
    (tmp_path / "m.onnx").write_bytes(skl2onnx.to_onnx(model, rows[:1]).SerializeToString())
    net = fn.onnx.load(tmp_path / "m.onnx")
    assert net.layers == (fn.Input(5), fn.Dense(8, "tanh"), fn.Dense(1))
    np.testing.assert_allclose(net.predict(rows)[:, 0], model.predict(rows), rtol=1e-4, atol=1e-5)
