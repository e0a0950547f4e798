"""Labels of classes as scikit-learn has them: their dtypes, and errors that name them."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd
import sklearn.neural_network

from fastnn.sklearn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
PLACES = np.arange(60) % 3
TEXTS = np.array(["a", "bb", "ccc"])[PLACES]
TRUE = PLACES > 0
LABELS = {
    "texts": TEXTS,
    "texts in a list": TEXTS.tolist(),
    "texts as objects": TEXTS.astype(object),
    "texts of two classes, as objects": np.array(["no", "yes"], object)[PLACES // 2],
    "one class, as objects": np.array(["a"] * 60, object),
    "a column of texts": TEXTS[:, None],
    **{name: PLACES.astype(name) for name in ("int8", "uint8", "int32", "int64", "uint64", ">i8", "float32", ">f8")},
    "integers in a list": PLACES.tolist(),
    "integers in a tuple": tuple(PLACES.tolist()),
    "floats in a list": PLACES.astype(float).tolist(),
    "bool": TRUE,
    "truth values in a list": TRUE.tolist(),
    "dates": np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]")[PLACES],
    "Series": pd.Series(PLACES),
    "Series of texts": pd.Series(TEXTS),
    "Series of objects": pd.Series(TEXTS.astype(object), dtype=object),
    "DataFrame of one column": pd.DataFrame({"y": PLACES}),
    "Categorical": pd.Categorical(TEXTS),
    "category": pd.Series(TEXTS, dtype="category"),
    "category of integers": pd.Series(PLACES, dtype="category"),
    "category of truth values": pd.Series(TRUE, dtype="category"),
    **{name: pd.Series(PLACES, dtype=name) for name in ("Int8", "Int64", "Float64")},
    "boolean": pd.Series(TRUE, dtype="boolean"),
    "string": pd.Series(TEXTS, dtype="string"),
    "several labels, int32": np.eye(3, dtype=np.int32)[PLACES],
    "several labels, bool": np.eye(3, dtype=bool)[PLACES],
}
BAD = {
    "bytes": np.array([b"a", b"bb"])[PLACES // 2],
    "integers as objects": PLACES.astype(object),
    "truth values as objects": TRUE.astype(object),
    "mixed": np.array([1, "a", 2.5], object)[PLACES],
    "numbers": PLACES + 0.5,
}


def fitted(cls, y):
    X = np.random.default_rng(0).normal(size=(60, 4))
    with np.errstate(all="ignore"):
        model = cls((3,), max_iter=2, random_state=0).fit(X, y)
    return model, model.predict(X)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_classes_and_predictions_have_scikit_learns_dtype(y):
    ours, predicted = fitted(MLPClassifier, y)
    theirs, expected = fitted(sklearn.neural_network.MLPClassifier, y)
    assert (ours.classes_.dtype, predicted.dtype) == (theirs.classes_.dtype, expected.dtype)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    assert predicted.shape == expected.shape


@pytest.mark.parametrize("y", BAD.values(), ids=BAD)
def test_what_scikit_learn_refuses_is_refused(y):
    for cls in (MLPClassifier, sklearn.neural_network.MLPClassifier):
        with pytest.raises((TypeError, ValueError)):
            fitted(cls, y)


@pytest.mark.parametrize("store", [np.asarray, lambda y: y.astype(object), pd.Series])
def test_later_fits_know_labels_however_they_are_held(store):
    """The classes of the first fit are texts; those of the next ones may be objects."""
    X, y = np.random.default_rng(0).normal(size=(60, 4)), store(TEXTS)
    warm = MLPClassifier((3,), max_iter=1, warm_start=True, random_state=0).fit(X, y).fit(X, y)
    step = MLPClassifier((3,), random_state=0).partial_fit(X, y, classes=["a", "bb", "ccc"]).partial_fit(X, y)
    for model in (warm, step):
        assert model.classes_.dtype == model.predict(X).dtype == "<U3"
    weighted = MLPClassifier((3,), max_iter=1, class_weight={"a": 2.0}, early_stopping=True, random_state=0).fit(X, y)
    assert weighted.score(X, y) == np.mean(weighted.predict(X) == TEXTS)


@pytest.mark.parametrize(
    ("labels", "named"), [(("cat", "dog"), "cat"), ((2, 7), "2"), ((False, True), "False"), ((0.0, 2.0), "0.0")]
)
def test_a_class_of_one_row_is_named_as_the_user_named_it(labels, named):
    y = np.array(labels)[[0] + [1] * 40]
    X = np.random.default_rng(0).normal(size=(41, 4))
    with pytest.raises(ValueError, match=rf"Classes with too few members are: \['?{named}'?\]"):
        MLPClassifier(early_stopping=True).fit(X, y)
