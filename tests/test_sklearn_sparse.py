"""Sparse rows in fastnn's estimators for scikit-learn: the same networks as from dense ones, and never made dense."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 15, "learning_rate_init": 0.01, "random_state": 0}


@pytest.fixture(autouse=True)
def _never_dense(monkeypatch):
    def refuse(self, *arguments, **keywords):
        raise AssertionError("sparse rows were made dense")

    for cls in (sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        monkeypatch.setattr(cls, "toarray", refuse)
        monkeypatch.setattr(cls, "todense", refuse)


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(150, 40)) * (rng.random((150, 40)) < 0.1)
    y = np.where(X[:, :10].sum(axis=1) > 0, "up", "down")
    return X, y


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str)
def test_like_dense_rows(options, dtype, form, rows):
    X, y = rows
    X = X.astype(dtype)
    dense, thin = (MLPClassifier(**(SMALL | options)).fit(each, y) for each in (X, form(X)))
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(thin.predict_proba(form(X)), dense.predict_proba(X), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(thin.predict_proba(form(X)), thin.predict_proba(sparse.csr_matrix(X)))
    assert thin.network_.dtype == np.dtype(dtype).name
    assert thin.score(form(X), y) == pytest.approx(dense.score(X, y), abs=0.02)


def test_weights_validation_rows_and_partial_fit(rows, rng):
    X, _ = rows
    weights = rng.uniform(0.0, 2.0, 150)
    target = X[:, 0] - X[:, 3]
    found = []
    for form in (np.asarray, sparse.csr_matrix):
        fitted = MLPRegressor(**SMALL).fit(form(X[:100]), target[:100], weights[:100], form(X[100:]), target[100:])
        for _ in range(3):
            fitted.partial_fit(form(X[:30]), target[:30])
        found.append(fitted.predict(form(X)))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9, atol=1e-9)


def test_text(rng):
    words = np.array([f"word{k}" for k in range(3000)])
    labels = rng.integers(0, 2, 120)
    texts = [" ".join(words[rng.integers(0, 1500, 25) + 1500 * label]) for label in labels]
    pipeline = make_pipeline(TfidfVectorizer(), MLPClassifier(**SMALL)).fit(texts, labels)
    assert pipeline.score(texts, labels) == 1.0


def test_what_is_wrong_with_sparse_rows_is_said(rows):
    X, y = rows
    fitted = MLPClassifier(**SMALL).fit(sparse.csr_matrix(X), y)
    with pytest.raises(ValueError, match="expecting 40 features"):
        fitted.predict(sparse.csr_matrix(X[:, :39]))
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(sparse.csr_matrix(X))
