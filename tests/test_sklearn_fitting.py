"""How fastnn's estimators for scikit-learn are fitted: weights, stopping, going on, and what they have beyond."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, r2_score

import fastnn as fn
from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 15, "learning_rate_init": 0.01, "random_state": 0}
BOTH = pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])


@pytest.fixture
def classes(blobs):
    X, y = blobs
    return X.astype(np.float64), np.array(["a", "b", "c"])[y]


def targets(estimator, X, y):
    return y if estimator is MLPClassifier else X[:, 0] - 2.0 * X[:, 1]


# ------------------------------------------------------------------------- weights


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@BOTH
def test_integer_weights_are_repetitions(estimator, solver, classes, rng):
    X, y = classes
    y = targets(estimator, X, y)
    counts = rng.integers(0, 3, len(X))
    options = SMALL | {"solver": solver, "batch_size": 1000, "alpha": 0.5, "shuffle": False, "max_iter": 8}
    with pytest.warns(UserWarning, match="batch_size") if solver != "lbfgs" else pytest.warns(ConvergenceWarning):
        weighted = estimator(**options).fit(X, y, counts)
        repeated = estimator(**options).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    for one, other in zip(weighted.coefs_, repeated.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-6)


def test_class_weights_are_sample_weights(classes):
    X, y = classes
    for given, row in (
        ({"a": 3.0, "c": 0.5}, {"a": 3.0, "b": 1.0, "c": 0.5}),
        ("balanced", {k: len(y) / (3 * (y == k).sum()) for k in "abc"}),
    ):
        weights = np.array([row[label] for label in y])
        weighted = MLPClassifier(**SMALL).fit(X, y, weights)
        by_class = MLPClassifier(class_weight=given, **SMALL).fit(X, y)
        assert by_class.network_.digest() == weighted.network_.digest()
        twice = MLPClassifier(class_weight=given, **SMALL).fit(X, y, weights)
        assert twice.network_.digest() == MLPClassifier(**SMALL).fit(X, y, weights * weights).network_.digest()
    lbfgs = SMALL | {"solver": "lbfgs"}
    by_class = MLPClassifier(class_weight="balanced", **lbfgs).fit(X, y)
    np.testing.assert_allclose(by_class.coefs_[0], MLPClassifier(**lbfgs).fit(X, y, weights).coefs_[0], rtol=1e-6)
    with pytest.raises(ValueError, match="balanced"):
        MLPClassifier(class_weight="balanced", **SMALL).partial_fit(X, y, classes=list("abc"))


def test_rare_classes_are_found_with_balanced_weights(rng):
    y = (rng.random(600) < 0.06).astype(int)
    X = rng.normal(size=(600, 4)) + 1.2 * y[:, None]
    options = {"hidden_layer_sizes": (8,), "max_iter": 60, "random_state": 0}
    recall = [MLPClassifier(class_weight=w, **options).fit(X, y).predict(X)[y == 1].mean() for w in (None, "balanced")]
    assert recall[1] > recall[0] + 0.1


# ------------------------------------------------------------------------ stopping


@BOTH
def test_early_stopping_holds_out_rows_and_keeps_the_best(estimator, classes):
    X, y = classes
    y = targets(estimator, X, y)
    options = SMALL | {"early_stopping": True, "max_iter": 300, "n_iter_no_change": 5, "validation_fraction": 0.2}
    fitted = estimator(**options).fit(X, y)
    scores = fitted.validation_scores_
    assert 6 < fitted.n_iter_ == len(scores) == len(fitted.loss_curve_) < 300
    assert fitted.best_loss_ is None
    assert fitted.best_validation_score_ == max(scores)
    assert fitted.t_ == fitted.n_iter_ * 82
    assert all(scores[k] < max(scores[:k]) + 1e-4 for k in range(len(scores) - 6, len(scores)))


@pytest.mark.parametrize(
    "scoring", [None, "neg_log_loss", lambda estimator, X, y: -log_loss(y, estimator.predict_proba(X))]
)
def test_rows_of_ones_own_to_stop_on(scoring, classes):
    X, y = classes
    train, val = slice(0, 70), slice(70, None)
    options = SMALL | {"learning_rate_init": 0.05, "max_iter": 200, "scoring": scoring}
    fitted = MLPClassifier(**options).fit(X[train], y[train], X_val=X[val], y_val=y[val])
    if scoring is None:
        score = accuracy_score(y[val], fitted.predict(X[val]))
    else:
        score = -log_loss(y[val], fitted.predict_proba(X[val]))
    assert fitted.best_validation_score_ == pytest.approx(score) == max(fitted.validation_scores_)
    assert fitted.n_iter_ < 200
    assert fitted.t_ == 70 * fitted.n_iter_
    assert fitted.network_ != MLPClassifier(**(options | {"max_iter": fitted.n_iter_})).fit(X[train], y[train]).network_


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_the_default_scores_are_scikit_learns(loss, classes, rng):
    X, _ = classes
    Y = np.exp(0.3 * X[:, :2])
    weights = rng.uniform(0.0, 2.0, len(X))
    fitted = MLPRegressor(loss, early_stopping=True, **SMALL).fit(X, Y, weights)
    again = MLPRegressor(loss, **SMALL).fit(X[:80], Y[:80], X_val=X[80:], y_val=Y[80:])
    assert again.best_validation_score_ == pytest.approx(r2_score(Y[80:], again.predict(X[80:])))
    assert len(fitted.validation_scores_) == 15


def test_the_weighted_validation_score(classes, rng):
    from sklearn.model_selection import train_test_split

    X, y = classes
    weights = rng.uniform(0.0, 2.0, len(X))
    fitted = MLPClassifier(early_stopping=True, **SMALL).fit(X, y, weights)
    _, rows = train_test_split(np.arange(len(X)), random_state=0, test_size=0.1)
    expected = accuracy_score(y[rows], fitted.predict(X[rows]), sample_weight=weights[rows])
    assert fitted.best_validation_score_ == pytest.approx(expected)


def test_no_improvement_ends_the_run_quietly(classes, recwarn):
    X, y = classes
    fitted = MLPClassifier(**(SMALL | {"tol": 10.0, "n_iter_no_change": 3})).fit(X, y)
    assert fitted.n_iter_ == 5  # the first counts as better than none
    assert not recwarn.list
    assert MLPClassifier(**(SMALL | {"tol": 10.0, "n_iter_no_change": np.inf})).fit(X, y).n_iter_ == 15


def test_max_seconds(classes, recwarn):
    X, y = classes
    fitted = MLPClassifier(**(SMALL | {"max_iter": 10**7, "max_seconds": 0.05, "tol": 0.0, "n_iter_no_change": 10**7}))
    assert 0 < fitted.fit(X, y).n_iter_ < 10**6
    assert not recwarn.list
    fitted.partial_fit(X[:50], y[:50])


# ------------------------------------------------------------------------ going on


@BOTH
def test_partial_fit_is_fit_an_epoch_at_a_time(estimator, classes):
    X, y = classes
    y = targets(estimator, X, y)
    options = SMALL | {"max_iter": 4, "dropout": 0.2, "alpha": 0.1}
    whole = estimator(**options).fit(X, y)
    parts = estimator(**options)
    for number in range(4):
        more = {"classes": list("abc")} if estimator is MLPClassifier and number == 0 else {}
        assert parts.partial_fit(X, y, **more) is parts
        assert parts.n_iter_ == 1
    assert parts.network_.digest() == whole.network_.digest()
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.t_ == whole.t_ == 4 * 103


def test_partial_fit_of_growing_batches_some_without_a_class(classes):
    X, y = classes
    estimator = MLPClassifier(**SMALL)
    for n in (3, 50, 103, 7) * 10:
        estimator.partial_fit(X[:n], y[:n], classes=["a", "b", "c"])
    assert list(estimator.classes_) == ["a", "b", "c"]
    assert estimator.score(X, y) > 0.7
    assert estimator.predict_proba(X).shape == (103, 3)


@BOTH
def test_warm_start_goes_on(estimator, classes):
    X, y = classes
    y = targets(estimator, X, y)
    cold = estimator(**(SMALL | {"max_iter": 5}))
    first = cold.fit(X, y).loss_curve_
    assert cold.fit(X, y).loss_curve_ == first
    warm = estimator(warm_start=True, **(SMALL | {"max_iter": 5}))
    digests = []
    for number in range(4):
        warm.fit(X, y)
        digests.append(warm.network_.digest())
        assert warm.n_iter_ == 5
        assert len(warm.loss_curve_) == 5 * (number + 1)
    assert warm.loss_curve_[:5] == first
    assert warm.loss_curve_[-1] < first[-1]
    assert len(set(digests)) == 4
    assert warm.t_ == 20 * 103


def test_every_warm_start_has_an_order_and_dropout_masks_of_its_own(classes):
    X, y = classes
    options = {"solver": "sgd", "learning_rate_init": 1e-300, "alpha": 0.0, "max_iter": 1, "dropout": 0.5}
    estimator = MLPClassifier(warm_start=True, **(SMALL | options))
    losses = [estimator.fit(X, y).loss_ for _ in range(3)]
    assert len(set(losses)) == 3
    assert estimator.seed_ == 0


def test_warm_start_after_other_solvers(classes):
    X, y = classes
    estimator = MLPClassifier(warm_start=True, **(SMALL | {"solver": "lbfgs", "max_iter": 60})).fit(X, y)
    before = estimator.loss_
    estimator.set_params(solver="adam", learning_rate_init=1e-4, max_iter=3).fit(X, y)
    assert estimator.loss_curve_[0] == pytest.approx(before, rel=0.05)
    estimator.partial_fit(X, y)


# --------------------------------------------------------------- beyond scikit-learn


def test_dropout_and_activations_make_the_layers(classes):
    X, y = classes
    estimator = MLPClassifier((6, 5), ["logistic", fn.Activation("elu", 0.5)], dropout=[0.0, 0.25], max_iter=2).fit(
        X, y
    )
    initializer = {"weight_initializer": "glorot_uniform"}
    assert estimator.network_.layers == (
        fn.Input(7), fn.Dense(6, "sigmoid", **initializer), fn.Dense(5, fn.Activation("elu", 0.5), **initializer),
        fn.Dropout(0.25), fn.Dense(3, "softmax", **initializer),
    )  # fmt: skip
    for activation in ("gelu", "silu", "mish", "selu", "softplus", "leaky_relu", "elu"):
        assert MLPClassifier(activation=activation, **(SMALL | {"max_iter": 60})).fit(X, y).score(X, y) > 0.7


def test_the_trainer_of_fastnn_does_the_same(classes):
    """An object for a solver: the steps of `fastnn.Trainer`, penalty apart."""
    X, y = classes
    solver = fn.NAdam(fn.schedules.Cosine(0.02, steps=30), clip_norm=1.0)
    estimator = MLPClassifier(solver=solver, alpha=0.0, dropout=0.2, batch_size=20, **(SMALL | {"tol": 0.0})).fit(X, y)
    begun = MLPClassifier(dropout=0.2, **(SMALL | {"learning_rate_init": 1e-300, "solver": "sgd", "max_iter": 1}))
    network = begun.fit(X, y).network_
    trainer = fn.Trainer(network, "cross_entropy", solver, batch_size=20, seed=0)
    history = trainer.fit(X, np.unique(y, return_inverse=True)[1], epochs=15)
    assert estimator.network_.digest() == network.digest()
    assert estimator.loss_curve_ == history["loss"]


@pytest.mark.parametrize("name", fn.optimizers.OPTIMIZERS)
def test_other_optimizers_by_name(name, classes):
    X, y = classes
    assert MLPClassifier(solver=name, **(SMALL | {"max_iter": 100})).fit(X, y).score(X, y) > 0.65


def test_losses(classes, rng):
    X, y = classes
    smooth = MLPClassifier(loss=fn.CrossEntropy(0.2), **SMALL).fit(X, y == "a")
    assert smooth.n_outputs_ == 2
    assert smooth.out_activation_ == "softmax"
    assert smooth.predict_proba(X).shape == (103, 2)
    target = X[:, 0] + rng.standard_cauchy(103) * 0.1
    options = SMALL | {"max_iter": 300, "solver": "adam"}
    robust = MLPRegressor("absolute_error", **options).fit(X, target)
    assert mean_absolute_error(target, robust.predict(X)) < mean_absolute_error(target, np.full(103, np.median(target)))
    assert MLPRegressor(fn.Huber(0.5), **options).fit(X, target).loss_ < 1.0
    quantiles = MLPRegressor(fn.Pinball([0.1, 0.9]), **options).fit(X, X[:, 0] + rng.normal(size=103)).predict(X)
    assert quantiles.shape == (103, 2)
    assert (quantiles[:, 0] < quantiles[:, 1]).mean() > 0.9


def test_poisson_predicts_rates(classes, rng):
    X, _ = classes
    y = rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)
    fitted = MLPRegressor("poisson", **(SMALL | {"max_iter": 200})).fit(X, y)
    assert fitted.predict(X).min() > 0.0
    assert fitted.predict(X).mean() == pytest.approx(y.mean(), rel=0.2)
    np.testing.assert_allclose(fitted.predict(X), np.exp(fitted.network_.predict(X)[:, 0]))


def test_callbacks_see_the_run_and_the_validation_loss(classes):
    X, y = classes
    seen = []
    watch = fn.LambdaCallback(on_epoch_end=lambda trainer, epoch, values: seen.append(dict(values)))
    fitted = MLPClassifier(callbacks=watch, alpha=0.0, **SMALL).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    assert [row["loss"] for row in seen] == fitted.loss_curve_
    assert all(row["val_accuracy"] == score for row, score in zip(seen, fitted.validation_scores_, strict=True))
    stopped = MLPClassifier(callbacks=[fn.LambdaCallback(on_epoch_end=lambda t, e, v: t.stop())], **SMALL).fit(X, y)
    assert stopped.n_iter_ == 1


def test_verbose_prints_like_scikit_learn(classes, capsys):
    X, y = classes
    fitted = MLPClassifier(verbose=True, early_stopping=True, **(SMALL | {"max_iter": 2})).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Iteration 1, loss = {fitted.loss_curve_[0]:.8f}"
    assert lines[1] == f"Validation score: {fitted.validation_scores_[0]:f}"


def test_ctrl_c_keeps_what_was_learnt(classes):
    X, y = classes

    def press(trainer, epoch, values):
        if epoch == 3:
            raise KeyboardInterrupt

    estimator = MLPClassifier(callbacks=fn.LambdaCallback(on_epoch_end=press), **SMALL)
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 3
    assert estimator.predict(X).shape == (103,)


def test_a_single_class(rng):
    X = rng.normal(size=(20, 3))
    estimator = MLPClassifier(max_iter=2).fit(X, np.full(20, "only"))
    assert set(estimator.predict(X)) == {"only"}
    np.testing.assert_array_equal(estimator.predict_proba(X), np.ones((20, 1)))


# -------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (0,)), ("hidden_layer_sizes", "big"), ("activation", "rely"), ("activation", "softmax"),
        ("activation", ["relu", "tanh"]), ("solver", "newton"), ("solver", fn.Adam), ("alpha", -1.0),
        ("batch_size", 0), ("batch_size", "all"), ("learning_rate", "cosine"), ("learning_rate_init", 0.0),
        ("max_iter", 0), ("max_iter", 1.5), ("shuffle", "yes"), ("random_state", "x"), ("random_state", -1),
        ("tol", -1e-3), ("momentum", 1.1), ("validation_fraction", 1.0), ("beta_1", 1.0), ("epsilon", 0.0),
        ("n_iter_no_change", 0), ("max_fun", 0), ("dropout", 1.0), ("dropout", [0.1, 0.2]), ("scoring", 3),
        ("callbacks", [print]), ("max_seconds", 0), ("progress", "always"), ("threads", 0), ("verbose", "loud"),
        ("loss", "hinge"), ("loss", 3), ("class_weight", "even"),
    ],
)  # fmt: skip
def test_bad_parameters_are_named_before_anything_is_fitted(name, value, classes):
    X, y = classes
    for estimator in (MLPClassifier, MLPRegressor):
        if name in estimator().get_params():
            made = estimator(**(SMALL | {name: value}))
            with pytest.raises(ValueError, match=name) as caught:
                made.fit(X, targets(estimator, X, y))
            assert isinstance(caught.value, TypeError)  # as scikit-learn's InvalidParameterError
            assert not hasattr(made, "network_")


@pytest.mark.parametrize(
    ("arguments", "parameters", "message"),
    [
        ({"X_val": 1}, {}, "together"),
        ({"X_val": 1, "y_val": 1}, {"solver": "lbfgs"}, "stochastic solver"),
        ({}, {"solver": "lbfgs", "dropout": 0.1}, "stochastic solver"),
        ({}, {"solver": "lbfgs", "callbacks": fn.EarlyStopping()}, "stochastic solver"),
        ({"sample_weight": -1.0}, {}, "at least 0"),
        ({"sample_weight": 0.0}, {}, "non-zero"),
        ({"sample_weight": [1.0, 2.0]}, {}, "sample_weight.shape"),
        ({}, {"early_stopping": True, "validation_fraction": 0.001}, "validation"),
    ],
)
def test_bad_arguments(arguments, parameters, message, classes):
    X, y = classes
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**(SMALL | parameters)).fit(X, y, **arguments)


def test_bad_targets(classes):
    X, y = classes
    with pytest.raises(ValueError, match="Unknown label type"):
        MLPClassifier(**SMALL).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="Multioutput"):
        MLPClassifier(**SMALL).fit(X, np.arange(206).reshape(103, 2) % 5)
    with pytest.raises(ValueError, match="classes must be passed"):
        MLPClassifier(**SMALL).partial_fit(X, y)
    fitted = MLPClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="not the same as on last call"):
        fitted.partial_fit(X, y, classes=["a", "b"])
    with pytest.raises(ValueError, match="classes not in"):
        fitted.partial_fit(X, np.full(103, "d"))
    with pytest.raises(ValueError, match="classes not in"):
        fitted.fit(X, y, X_val=X, y_val=np.full(103, "d"))
    with pytest.raises(ValueError, match="same classes"):
        MLPClassifier(warm_start=True, **SMALL).fit(X, y).fit(X[y != "a"], y[y != "a"])
    with pytest.raises(ValueError, match="layers of the previous"):
        MLPClassifier(warm_start=True, **SMALL).fit(X, y).set_params(hidden_layer_sizes=(9,)).fit(X, y)
    with pytest.raises(ValueError, match="at least 0"):
        MLPRegressor("poisson", **SMALL).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="early_stopping"):
        MLPRegressor(early_stopping=True, **SMALL).partial_fit(X, X[:, 0])
    with pytest.raises(AttributeError, match="partial_fit"):
        MLPRegressor(solver="lbfgs").partial_fit(X, X[:, 0])


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_what_leaves_the_finite_range_is_an_error(solver, classes):
    X, _ = classes
    huge = np.where(X[:, 0] > 0, 1e200, -1e200)
    with pytest.raises(ValueError, match="preprocessed"):
        MLPRegressor(**(SMALL | {"solver": solver})).fit(X, huge)
