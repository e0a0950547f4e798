"""What early stopping does where there is nothing to score: rows without weight, and training that diverges."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning

from fastnn.sklearn import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(200, 4))
TARGETS = {MLPClassifier: (X[:, 0] > 0).astype(int), MLPRegressor: X[:, 0]}
BOTH = pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
DIVERGING = {"solver": "sgd", "activation": "identity", "learning_rate_init": 1.0, "max_iter": 20, "random_state": 0}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@BOTH
def test_held_out_rows_without_weight_are_an_error_that_names_the_arguments(estimator):
    weights = np.zeros(len(X))
    weights[:10] = 1.0
    said = "sample_weight must contain at least one non-zero number among the 20 of 200 rows that early_stopping"
    assert ends_of(estimator, weights) == {"fitted", f"{said} holds out"}
    theirs = ends_of(getattr(sklearn.neural_network, estimator.__name__), weights)
    assert theirs == {"fitted", "Sample weights must contain at least one non-zero number."}


def ends_of(estimator, weights):
    """How fits end, with rows held out in several ways."""
    found = set()
    for seed in range(20):
        model = estimator(hidden_layer_sizes=(4,), early_stopping=True, max_iter=1, random_state=seed)
        try:
            model.fit(X, X[:, 0] > 0 if "Classifier" in estimator.__name__ else X[:, 0], weights)
            found.add("fitted")
        except ValueError as error:
            found.add(str(error).partition(" (")[0])
    return found


@BOTH
def test_rows_to_train_on_without_weight_are_an_error_too(estimator):
    model = estimator(early_stopping=True, validation_fraction=0.5, random_state=0)
    _, held = train_and_held(model, TARGETS[estimator])
    weights = np.zeros(len(X))
    weights[held] = 1.0
    with pytest.raises(ValueError, match=r"sample_weight must .* among the 100 of 200 rows that early_stopping leaves"):
        model.fit(X, TARGETS[estimator], weights)


def train_and_held(model, y):
    from sklearn.model_selection import train_test_split

    strata = y if isinstance(model, MLPClassifier) else None
    return train_test_split(
        np.arange(len(y)), random_state=np.random.RandomState(0), test_size=model.validation_fraction, stratify=strata
    )


@pytest.mark.parametrize("rows", ["early_stopping", "X_val"])
def test_divergence_ends_the_fit_with_the_best_parameters(rows):
    """As in scikit-learn's own test of a loss that diverges."""
    y = 100.0 * X[:, 0]
    options = {"early_stopping": True} if rows == "early_stopping" else {}
    given = {} if options else {"X_val": X[:40], "y_val": y[:40]}
    with pytest.warns(ConvergenceWarning, match="training diverged in iteration .* best validation score") as caught:
        model = MLPRegressor(**DIVERGING, **options).fit(X, y, **given)
    assert len(caught) == 1
    assert isinstance(model.validation_scores_[-1], float)
    assert np.isnan(model.validation_scores_[-1])
    assert np.isnan(model.loss_curve_[-1])
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_scores_)
    assert model.t_ % model.n_iter_ == 0
    finite = [score for score in model.validation_scores_ if np.isfinite(score)]
    assert model.best_validation_score_ == max(finite, default=-np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        epochs = int(np.argmax(finite)) + 1 if finite else 0
        expected = MLPRegressor(**DIVERGING | {"max_iter": max(epochs, 1)}, **options).fit(X, y, **given)
    if finite:
        assert model.network_.digest() == expected.network_.digest()
    assert np.isfinite(model.predict(X)).all()


def test_divergence_before_any_score_leaves_the_initial_parameters():
    with pytest.warns(ConvergenceWarning, match="diverged in iteration 1:"):
        model = MLPRegressor(**DIVERGING | {"batch_size": 10}, early_stopping=True).fit(X, 1e60 * X[:, 0])
    fresh = MLPRegressor(**DIVERGING).partial_fit(X[:1], np.zeros(1)).network_
    assert model.n_iter_ == 1
    assert model.network_.layers == fresh.layers
    assert np.abs(np.concatenate([c.ravel() for c in model.coefs_])).max() < 1.0


def test_divergence_without_rows_to_stop_on_is_an_error():
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        MLPRegressor(**DIVERGING).fit(X, 1e60 * X[:, 0])
