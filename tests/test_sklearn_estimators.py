"""fastnn's estimators among scikit-learn's: its own checks, its tools around them, pickles, bits and threads."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import joblib
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import fastnn as fn
from fastnn.sklearn import MLPClassifier, MLPRegressor, _workers

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 15, "learning_rate_init": 0.01, "random_state": 0}


@pytest.fixture
def classes(blobs):
    X, y = blobs
    return X.astype(np.float64), np.array(["a", "b", "c"])[y]


@pytest.mark.filterwarnings("ignore")  # what the checks provoke
@pytest.mark.parametrize(
    "estimator",
    [MLPClassifier(), MLPRegressor(), MLPClassifier(solver="sgd"), MLPRegressor(loss="huber")],
    ids=repr,
)
def test_scikit_learns_checks(estimator):
    results = check_estimator(estimator, on_fail=None)
    assert len(results) > 40
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not failed
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert skipped <= {"check_array_api_input", "check_classifiers_multilabel_output_format_decision_function"}


def test_pipelines_grids_and_cross_validation(classes):
    X, y = classes
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    assert pipeline.fit(X, y).score(X, y) > 0.6
    grid = {"mlpclassifier__dropout": [0.0, 0.3], "mlpclassifier__solver": ["adam", fn.AdamW(0.02)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.6
    assert len(search.cv_results_["params"]) == 4
    assert cross_val_score(MLPRegressor(**SMALL), X, X[:, 0], cv=3).shape == (3,)


def test_the_same_bits_by_any_number_of_jobs_and_threads(classes):
    X, y = classes
    searches = [
        GridSearchCV(MLPClassifier(**SMALL), {"alpha": [1e-4, 1.0]}, cv=2, n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2)
    ]
    one, two = (search.best_estimator_.network_.digest() for search in searches)
    assert one == two
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(searches[0].cv_results_[name], searches[1].cv_results_[name])
    digests = {MLPClassifier(threads=threads, **SMALL).fit(X, y).network_.digest() for threads in (1, 2, 3, "auto")}
    assert len(digests) == 1


def test_a_worker_process_has_one_thread_unless_told_otherwise(classes, monkeypatch):
    X, y = classes
    monkeypatch.delenv("FASTNN_NUM_THREADS", raising=False)
    with joblib.parallel_config("loky", n_jobs=2):
        GridSearchCV(MLPClassifier(**SMALL), {"alpha": [1e-4, 1.0]}, cv=2).fit(X, y)  # the workers unpickle estimators
        assert joblib.Parallel()(joblib.delayed(fn.get_num_threads)() for _ in range(4)) == [1] * 4


@pytest.mark.parametrize(
    ("is_worker", "variable", "chosen", "expected"),
    [(False, None, 4, 4), (True, None, 4, 1), (True, "4", 4, 4), (True, None, 3, 3)],
)
def test_when_a_process_is_limited_to_one_thread(is_worker, variable, chosen, expected, monkeypatch):
    monkeypatch.setattr("multiprocessing.parent_process", lambda: object() if is_worker else None)
    monkeypatch.setattr(_workers, "_default", 4)
    monkeypatch.delenv("FASTNN_NUM_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("FASTNN_NUM_THREADS", variable)
    before = fn.get_num_threads()
    try:
        fn.set_num_threads(chosen)
        _workers.limit_threads()
        assert fn.get_num_threads() == expected
    finally:
        fn.set_num_threads(before)


def test_calibration_stacking_and_voting(classes):
    X, y = classes
    calibrated = CalibratedClassifierCV(MLPClassifier(**SMALL), cv=2).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    stacked = StackingClassifier(
        [("mlp", MLPClassifier(**SMALL)), ("linear", LogisticRegression())], cv=2, final_estimator=LogisticRegression()
    ).fit(X, y)
    assert stacked.score(X, y) > 0.7
    voting = VotingRegressor([("mlp", MLPRegressor(**SMALL)), ("ridge", Ridge())]).fit(X, X[:, 0])
    assert voting.predict(X).shape == (103,)


@pytest.mark.parametrize("store", ["pickle", "joblib"])
@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}, {"early_stopping": True}, {"solver": fn.NAdam(0.01)}])
def test_pickles_predict_and_go_on(store, options, classes, tmp_path):
    X, y = classes
    estimator = MLPClassifier(**(SMALL | options)).fit(X, y)
    if store == "pickle":
        restored = pickle.loads(pickle.dumps(estimator))
    else:
        joblib.dump(estimator, tmp_path / "model.joblib")
        restored = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(restored.predict_proba(X), estimator.predict_proba(X))
    assert restored.get_params().keys() == estimator.get_params().keys()
    if not options:
        for each in (estimator, restored):
            each.partial_fit(X, y)
        assert restored.network_.digest() == estimator.network_.digest()


def test_pickles_do_not_hold_the_data(rng):
    X = rng.normal(size=(5000, 20))
    estimator = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, early_stopping=True).fit(X, X[:, 0])
    assert len(pickle.dumps(estimator)) < 20_000


def test_clones_are_unfitted_and_equal(classes):
    X, y = classes
    estimator = MLPClassifier(
        (5, 4), ["gelu", fn.Activation("leaky_relu", 0.2)], solver=fn.AdamW(fn.OneCycle(0.01, steps=30)),
        dropout=[0.1, 0.2], callbacks=[fn.EarlyStopping(3)], class_weight={"a": 2.0}, random_state=1, max_iter=5,
    ).fit(X, y)  # fmt: skip
    copy = clone(estimator)
    assert not hasattr(copy, "network_")
    assert not hasattr(copy, "coefs_")
    assert repr(copy) == repr(estimator)
    assert copy.fit(X, y).network_.digest() == estimator.network_.digest()


def test_what_was_drawn_is_recorded(classes):
    X, y = classes
    options = SMALL | {"random_state": None}
    first, second = MLPClassifier(**options).fit(X, y), MLPClassifier(**options).fit(X, y)
    assert first.seed_ != second.seed_
    again = MLPClassifier(**(options | {"random_state": first.seed_})).fit(X, y)
    assert again.network_.digest() == first.network_.digest()
    np.random.seed(5)
    third = MLPClassifier(**options).fit(X, y)
    np.random.seed(5)
    assert MLPClassifier(**options).fit(X, y).seed_ == third.seed_
    drawn = MLPClassifier(**(options | {"random_state": np.random.RandomState(7)})).fit(X, y).seed_
    assert drawn == np.random.RandomState(7).randint(2**31 - 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_stay(dtype, classes):
    X, y = classes
    X = X.astype(dtype)
    classifier = MLPClassifier(**SMALL).fit(X, y)
    assert {array.dtype for array in classifier.coefs_ + classifier.intercepts_} == {np.dtype(dtype)}
    assert classifier.predict_proba(X).dtype == classifier.predict_log_proba(X).dtype == dtype
    assert MLPRegressor(**SMALL).fit(X, X[:, 0]).predict(X).dtype == dtype
    assert MLPClassifier(**SMALL).fit(np.abs(X * 10).astype(int), y).network_.dtype == "float64"


def test_feature_names(classes):
    pandas = pytest.importorskip("pandas")
    X, y = classes
    frame = pandas.DataFrame(X, columns=[f"f{k}" for k in range(7)])
    estimator = MLPClassifier(**SMALL).fit(frame, y)
    assert list(estimator.feature_names_in_) == list(frame.columns)
    with pytest.warns(UserWarning, match="valid feature names"):
        np.testing.assert_array_equal(estimator.predict(X), estimator.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame.rename(columns={"f0": "g"}))


def test_metadata_routing(classes):
    import sklearn

    X, y = classes
    weights = np.linspace(0.1, 2.0, len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = MLPClassifier(**SMALL).set_fit_request(sample_weight=True, X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), estimator)
        pipeline.fit(X, y, sample_weight=weights, X_val=X, y_val=y)
    scaled = StandardScaler().fit_transform(X)
    expected = MLPClassifier(**SMALL).fit(scaled, y, weights, X, y)
    assert pipeline[-1].network_.digest() == expected.network_.digest()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_lone_row_and_all_layouts(dtype, classes):
    X, y = classes
    X = X.astype(dtype)
    estimator = MLPClassifier(**SMALL).fit(X, y)
    expected = estimator.predict_proba(X)
    for same in (np.asfortranarray(X), X[::-1][::-1], np.hstack([X, X])[:, :7], X.tolist()):
        np.testing.assert_allclose(estimator.predict_proba(same), expected, rtol=1e-6)
    np.testing.assert_array_equal(estimator.predict_proba(X[3:4]), expected[3:4])


def test_multilabel_dense_and_sparse(classes, rng):
    X, _ = classes
    Y = (X[:, :3] + 0.2 * rng.normal(size=(103, 3)) > 0).astype(int)
    estimator = MLPClassifier(**(SMALL | {"max_iter": 80})).fit(X, Y)
    assert estimator.predict(X).shape == (103, 3)
    assert estimator.score(X, Y) > 0.6
    np.testing.assert_array_equal(estimator.predict(X), estimator.predict_proba(X) > 0.5)
    of_sparse = MLPClassifier(**(SMALL | {"max_iter": 80})).fit(X, sparse.csr_matrix(Y))
    assert of_sparse.network_.digest() == estimator.network_.digest()
    assert sparse.issparse(of_sparse.predict(X))
    np.testing.assert_array_equal(of_sparse.predict(X).toarray(), estimator.predict(X))


def test_the_network_is_fastnns(classes, tmp_path):
    X, y = classes
    estimator = MLPClassifier(**SMALL).fit(X, y)
    np.testing.assert_array_equal(estimator.network_.predict(X), estimator.predict_proba(X))
    estimator.network_.save(tmp_path / "net.safetensors")
    assert fn.Network.load(tmp_path / "net.safetensors") == estimator.network_


def test_coefs_can_be_assigned_and_edited_in_place(classes):
    X, y = classes
    estimator = MLPClassifier(**SMALL).fit(X, y)
    before = estimator.predict_proba(X)
    assert [coef.shape for coef in estimator.coefs_] == [(7, 8), (8, 3)]
    assert estimator.coefs_ is estimator.coefs_
    estimator.intercepts_[1][0] += 100.0
    assert set(estimator.predict(X)) == {"a"}
    estimator.intercepts_[1] = estimator.intercepts_[1] - np.array([100.0, 0.0, 0.0])
    np.testing.assert_allclose(estimator.predict_proba(X), before, atol=1e-10)
    estimator.coefs_ = [2.0 * coef for coef in estimator.coefs_]
    doubled = estimator.predict_proba(X)
    assert not np.allclose(doubled, before)
    estimator.coefs_[0] /= 2.0
    estimator.coefs_[1][:] /= 2.0
    restored = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_allclose(restored.predict_proba(X), before, atol=1e-10)
    estimator.coefs_[0][:] = 0.0
    estimator.partial_fit(X, y)
    assert np.abs(estimator.coefs_[0]).max() < 0.1
    with pytest.raises(ValueError, match=r"coefs_\[1\] must have shape \(8, 3\)"):
        estimator.coefs_ = [estimator.coefs_[0], np.zeros((3, 8))]
    with pytest.raises(ValueError, match="must be a list of 2 arrays"):
        estimator.intercepts_ = []


def test_the_callbacks_of_scikit_learn(classes):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has none")
    X, y = classes

    class Watcher:
        def __init__(self):
            self.heard, self.kept = [], []

        def setup(self, estimator, context):
            self.heard.append("setup")

        def teardown(self, estimator, context):
            self.heard.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            self.heard.append(f"begin {context.task_name}")

        def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
            self.heard.append(fitted_estimator.score(X, y))
            self.kept.append(fitted_estimator)
            return len(self.heard) > 8

    watcher, monitor = Watcher(), callback.ScoringMonitor(scoring="accuracy")
    estimator = MLPClassifier(**SMALL).set_callbacks(watcher, monitor).fit(X, y)
    scores = [item for item in watcher.heard if not isinstance(item, str)]
    assert estimator.n_iter_ == 4 == len(scores) - 1
    assert watcher.heard[:2] == ["setup", "begin fit"]
    assert watcher.heard[-1] == "teardown"
    assert [each.score(X, y) for each in watcher.kept] == scores
    assert len({each.network_.digest() for each in watcher.kept}) == 4
    assert scores[0] != scores[-2] == scores[-1] == estimator.score(X, y)
    assert [row["accuracy"] for row in monitor.get_logs().data][-len(scores) :]
    lbfgs = MLPClassifier(**(SMALL | {"solver": "lbfgs"})).set_callbacks(Watcher()).fit(X, y)
    assert lbfgs.n_iter_ <= 5
