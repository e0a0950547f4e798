"""fastnn's estimators beside scikit-learn's, step by step: from the same parameters, on all rows in the same order."""

import inspect
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7", reason="scikit-learn's own networks take no sample weights before 1.7")

from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from fastnn.sklearn import MLPClassifier, MLPRegressor

PAIRS = [(MLPClassifier, neural_network.MLPClassifier), (MLPRegressor, neural_network.MLPRegressor)]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True, scope="module")
def _one_thread_for_scikit_learn():
    with threadpool_limits(1):
        yield


def data(kind, rng, n=61):
    """Rows, and targets of a kind."""
    X = rng.normal(size=(n, 5))
    score = X @ rng.normal(size=(5, 3)) + 0.3 * rng.normal(size=(n, 3))
    return X, {
        "binary": np.array(["no", "yes"])[(score[:, 0] > 0).astype(int)],
        "multiclass": score.argmax(axis=1) + 3,
        "multilabel": (score > 0).astype(int),
        "numbers": score[:, 0],
        "vectors": score,
        "counts": rng.poisson(np.exp(0.3 * score[:, 0])).astype(float),
    }[kind]


def both(kind, rng, **parameters):
    """The two estimators of a kind of target, of which scikit-learn's begins with the parameters of fastnn's."""
    ours, theirs = PAIRS[0] if kind in ("binary", "multiclass", "multilabel") else PAIRS[1]
    # fastnn's epsilon is PyTorch's, added after the correction of the moments; so small a one makes no difference.
    options = {"hidden_layer_sizes": (7, 4), "random_state": 3, "max_iter": 12, "tol": 1e-9, "epsilon": 1e-14}
    options |= parameters
    X, y = data(kind, rng)
    begun = ours(**(options | {"solver": "sgd", "learning_rate_init": 1e-300, "max_iter": 1})).fit(X, y)
    initial = list(zip(begun.coefs_, begun.intercepts_, strict=True))

    class FromHere(theirs):
        def _init_coef(self, fan_in, fan_out, dtype):
            coef, intercept = initial.pop(0)
            assert coef.shape == (fan_in, fan_out)
            return coef.astype(dtype), intercept.astype(dtype)

    return ours(**options), FromHere(**options), X, y


SOLVERS = {
    "adam": {"solver": "adam", "learning_rate_init": 0.02},
    "adam, other betas": {"solver": "adam", "learning_rate_init": 0.02, "beta_1": 0.8, "beta_2": 0.95},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.0},
    "momentum": {"solver": "sgd", "learning_rate_init": 0.05, "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.7},
    "invscaling": {"solver": "sgd", "learning_rate_init": 0.2, "learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {
        **{"solver": "sgd", "learning_rate_init": 0.1, "learning_rate": "adaptive", "tol": 0.01},
        **{"n_iter_no_change": 2, "max_iter": 40},
    },
}


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "numbers", "vectors", "counts"])
def test_the_same_losses_and_parameters_epoch_by_epoch(kind, name, weighted, rng):
    options = {"shuffle": False, "batch_size": 200, "alpha": 0.3, **SOLVERS[name]}
    if kind == "counts":
        options["loss"] = "poisson"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Got `batch_size`")
        ours, theirs, X, y = both(kind, rng, **options)
        weights = rng.uniform(0.2, 3.0, len(X)) if weighted else None
        ours.fit(X, y, weights)
        theirs.fit(X, y, weights)
    assert ours.n_iter_ == theirs.n_iter_ > 5
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    for mine, its in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-7, atol=1e-10)
    for attribute in ("loss_", "best_loss_", "t_", "n_layers_", "n_outputs_", "n_features_in_"):
        assert getattr(ours, attribute) == pytest.approx(getattr(theirs, attribute), rel=2e-6), attribute
    assert ours.out_activation_ == theirs.out_activation_


def test_the_adaptive_rate_is_divided_when_scikit_learn_does_it(rng, capsys):
    options = {"shuffle": False, "batch_size": 61, "verbose": True, **SOLVERS["adaptive"]}
    ours, theirs, X, y = both("numbers", rng, **options)
    capsys.readouterr()
    ours.fit(X, y)
    printed = capsys.readouterr().out
    theirs.fit(X, y)
    assert "Setting learning rate to" in printed
    assert printed == capsys.readouterr().out


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_every_activation(activation, rng):
    ours, theirs, X, y = both("multiclass", rng, activation=activation, shuffle=False, batch_size=61)
    np.testing.assert_allclose(ours.fit(X, y).loss_curve_, theirs.fit(X, y).loss_curve_, rtol=1e-7)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "numbers"])
def test_minibatches_the_last_of_them_ragged(kind, rng):
    """The penalty of each batch is divided by its own rows; in the reported loss it is interpolated."""
    options = {"shuffle": False, "batch_size": 13, "alpha": 0.5, "learning_rate_init": 0.01}
    ours, theirs, X, y = both(kind, rng, **options)
    ours.fit(X, y)
    theirs.fit(X, y)
    for mine, its in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-3)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "numbers", "counts"])
def test_lbfgs(kind, weighted, rng):
    options = {"solver": "lbfgs", "alpha": 0.3, "max_iter": 15, "tol": 1e-4}
    if kind == "counts":
        options["loss"] = "poisson"
    ours, theirs, X, y = both(kind, rng, **options)
    weights = rng.uniform(0.2, 3.0, len(X)) if weighted else None
    ours.fit(X, y, weights)
    theirs.fit(X, y, weights)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-3, atol=1e-5)
    assert not hasattr(ours, "loss_curve_")


def test_lbfgs_of_several_outputs_reaches_a_minimum(rng):
    """scikit-learn's value and gradient do not belong together there; fastnn's do."""
    X, y = data("vectors", rng)
    ours = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.7, max_iter=500, tol=1e-8).fit(X, y)
    A = np.column_stack([X, np.ones(len(X))])
    penalty = np.diag([0.7] * 5 + [0.0])
    exact = np.linalg.solve(A.T @ A + penalty, A.T @ y)
    np.testing.assert_allclose(np.vstack([ours.coefs_[0], ours.intercepts_[0]]), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "numbers", "vectors", "counts"])
def test_outputs_agree_when_parameters_are_copied(kind, dtype, rng):
    options = {"loss": "poisson"} if kind == "counts" else {}
    ours, theirs, X, y = both(kind, rng, max_iter=30, learning_rate_init=0.02, **options)
    X = X.astype(dtype)
    theirs.fit(X, y)
    ours.fit(X, y)
    ours.coefs_, ours.intercepts_ = theirs.coefs_, theirs.intercepts_
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-12}
    if isinstance(ours, MLPRegressor):
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), **tolerance)
    else:
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype == theirs.predict(X).dtype
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-4)
    for method in ("predict_proba", "predict_log_proba"):
        assert hasattr(ours, method) == hasattr(theirs, method)
        if hasattr(ours, method):
            mine, its = getattr(ours, method)(X), getattr(theirs, method)(X)
            assert mine.dtype == its.dtype
            if method == "predict_log_proba" and dtype == np.float32:
                mine, its = np.exp(mine), np.exp(its)  # 1 - p of a p close to 1 has few digits
            np.testing.assert_allclose(mine, its, **tolerance)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_parameter_is_there_with_the_same_default(ours, theirs):
    mine = inspect.signature(ours.__init__).parameters
    for name, parameter in inspect.signature(theirs.__init__).parameters.items():
        if name != "self":
            assert mine[name].default == parameter.default, name
            assert mine[name].kind == parameter.kind, name
    positional = [
        [name for name, p in inspect.signature(cls).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        for cls in (ours, theirs)
    ]
    assert positional[0] == positional[1]


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_public_attribute_and_method_is_there(ours, theirs, options, rng):
    kind = "multiclass" if ours is MLPClassifier else "numbers"
    X, y = data(kind, rng)
    fitted = [cls(hidden_layer_sizes=(4,), max_iter=3, **options).fit(X, y) for cls in (ours, theirs)]
    mine, its = ({name for name in dir(each) if not name.startswith("_") and hasattr(each, name)} for each in fitted)
    if options.get("solver") == "lbfgs":
        mine.add("partial_fit")  # scikit-learn's regressor has one that does nothing of the kind
    assert its <= mine
    for name in ("fit", "partial_fit"):
        if hasattr(theirs(), name):
            wanted = list(inspect.signature(getattr(theirs, name)).parameters)
            assert list(inspect.signature(getattr(ours, name)).parameters)[: len(wanted)] == wanted


def test_the_initial_parameters_are_uniform_within_the_same_limits(rng):
    X, y = rng.normal(size=(30, 200)), rng.integers(0, 2, 30)
    for activation, factor in (("relu", 6.0), ("logistic", 2.0)):
        begun = MLPClassifier(
            (300,), activation, solver="sgd", learning_rate_init=1e-300, max_iter=1, random_state=0
        ).fit(X, y)
        for coef, intercept in zip(begun.coefs_, begun.intercepts_, strict=True):
            limit = np.sqrt(factor / sum(coef.shape))
            assert 0.97 * limit < np.abs(coef).max() <= limit
            assert np.abs(intercept).max() <= limit
            assert abs(coef.mean()) < 0.1 * limit
        limit = np.sqrt(factor / 500)
        assert begun.intercepts_[0].std() == pytest.approx(limit / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("options", [{"solver": "adam"}, {"solver": "lbfgs"}])
def test_convergence_warnings(options, rng):
    X, y = data("numbers", rng)
    for cls in PAIRS[1]:
        with pytest.warns(ConvergenceWarning):
            cls(max_iter=2, **options).fit(X, y)
