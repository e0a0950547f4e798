"""Estimators as ONNX files: onnxruntime gives the labels, probabilities and values that they predict."""

import numpy as np
import pytest
from runtime import session_of

import fastnn as fn

pytest.importorskip("sklearn", reason="scikit-learn is not installed: no estimators")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")
import fastnn.onnx  # noqa: E402
from fastnn.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FEATURES = 5
CLASSES = {
    "texts": np.array(["no", "yes, ja"]),
    "objects": np.array(["a", "東京", "c"], dtype=object),
    "whole numbers": np.array([-3, 0, 7]),
    "two numbers": np.array([0, 1]),
    "floats": np.array([0.0, 2.0, 3.0]),
    "booleans": np.array([False, True]),
}


def data(n=200, dtype="float32"):
    return np.random.default_rng(0).normal(size=(n, FEATURES)).astype(dtype)


def positions(X, n_classes):
    return np.minimum((np.abs(X[:, 0]) * n_classes).astype(int), n_classes - 1)


def run(model, X, folder):
    fn.onnx.export(model, folder / "model.onnx")
    onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
    session = session_of(folder / "model.onnx")
    assert [entry.name for entry in session.get_inputs()] == ["X"]
    return dict(zip([entry.name for entry in session.get_outputs()], session.run(None, {"X": X}), strict=True))


def assert_same_classes(classifier, X, folder):
    found = run(classifier, X, folder)
    assert list(found) == ["label", "probabilities"]
    probabilities = classifier.predict_proba(X)
    np.testing.assert_allclose(found["probabilities"], probabilities, rtol=1e-5, atol=1e-6)
    assert found["label"].tolist() == classifier.predict(X).tolist()
    again = fn.onnx.load(folder / "model.onnx")
    assert again.digest() == classifier.network_.digest()


@pytest.mark.parametrize("name", CLASSES)
def test_classifiers(name, dtype, tmp_path):
    X = data(dtype=dtype)
    y = CLASSES[name][positions(X, len(CLASSES[name]))]
    assert_same_classes(MLPClassifier((7,), max_iter=5, random_state=0).fit(X, y), X, tmp_path)


def test_whole_numbers_beyond_int64_are_texts(tmp_path):
    X = data()
    classes = np.array([2**63, 2**63 + 1], dtype=np.uint64)
    classifier = MLPClassifier((7,), max_iter=5, random_state=0).fit(X, classes[positions(X, 2)])
    assert run(classifier, X, tmp_path)["label"].tolist() == list(map(str, classifier.predict(X)))


def test_a_subclass(tmp_path):
    class Mine(MLPClassifier):
        pass

    X = data()
    assert_same_classes(Mine((3,), max_iter=1).fit(X, X[:, 0] > 0), X, tmp_path)


def test_two_classes_by_cross_entropy(tmp_path):
    X = data()
    classifier = MLPClassifier((7,), max_iter=5, random_state=0, loss=fn.losses.CrossEntropy())
    assert_same_classes(classifier.fit(X, X[:, 0] > 0), X, tmp_path)


def test_one_class(tmp_path):
    X = data()
    classifier = MLPClassifier((7,), max_iter=2, random_state=0).fit(X, np.full(len(X), "only"))
    assert_same_classes(classifier, X, tmp_path)


def test_several_labels_at_once(tmp_path):
    X = data()
    classifier = MLPClassifier((7,), max_iter=5, random_state=0).fit(X, (X[:, :3] > 0).astype(int))
    assert_same_classes(classifier, X, tmp_path)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_regressors(loss, outputs, dtype, tmp_path):
    X = data(dtype=dtype)
    y = np.abs(X[:, 0] if outputs == 1 else X[:, :outputs]) * 3
    regressor = MLPRegressor(loss, (7,), max_iter=20, random_state=0).fit(X, y)
    found = run(regressor, X, tmp_path)
    assert list(found) == ["variable"]
    assert found["variable"].shape == (len(X), outputs)
    np.testing.assert_allclose(found["variable"].reshape(y.shape), regressor.predict(X), rtol=1e-5, atol=1e-5)


def test_coefficients_that_were_edited(tmp_path):
    X = data()
    regressor = MLPRegressor("squared_error", (7,), max_iter=2, random_state=0).fit(X, X[:, 0])
    regressor.intercepts_[-1][:] = 100.0
    found = run(regressor, X, tmp_path)["variable"]
    np.testing.assert_allclose(found[:, 0], regressor.predict(X), rtol=1e-5)
    assert found.mean() > 50


def test_what_cannot_be_exported(tmp_path):
    with pytest.raises(ValueError, match="model must be fitted; this MLPClassifier is not"):
        fn.onnx.export(MLPClassifier(), tmp_path / "model.onnx")
    X = data()
    classifier = MLPClassifier((3,), max_iter=1).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="activation is for networks"):
        fn.onnx.export(classifier, tmp_path / "model.onnx", activation="softmax")
    from sklearn.linear_model import LinearRegression

    with pytest.raises(TypeError, match=r"model must be .* an estimator of fastnn\.sklearn; got LinearRegression"):
        fn.onnx.export(LinearRegression(), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
