"""Pictures of estimators and trainers: whatever is drawn of a network or a history is drawn of what has one."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pages import Page

import fastnn as fn
from fastnn import plot
from fastnn.plot import _run
from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(0).normal(size=(80, 2))
PLACES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
NAMES = np.array(["ash", "beech", "cedar"])[PLACES]
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture(scope="module")
def classifier():
    return MLPClassifier(**SMALL, early_stopping=True).fit(X, NAMES)


@pytest.fixture(scope="module")
def regressor():
    return MLPRegressor(**SMALL).fit(X, X[:, 0])


NETWORKS = {
    "network": lambda given, ax: plot.network(given, ax),
    "weights": lambda given, ax: plot.weights(given, ax=ax),
    "activations": lambda given, ax: plot.activations(given, X, ax),
    "gradients": lambda given, ax: plot.gradients(given, "cross_entropy", X, PLACES, ax),
    "decision_boundary": lambda given, ax: plot.decision_boundary(given, X, PLACES, ax),
}


@pytest.mark.parametrize("draw", NETWORKS.values(), ids=NETWORKS)
def test_every_picture_of_a_network_takes_what_has_one(draw, ax):
    estimator = MLPClassifier(**SMALL).fit(X, PLACES)
    pictures = []
    for given in (estimator.network_, estimator.trainer_, estimator):
        axes = Figure().subplots()
        draw(given, axes)
        canvas = FigureCanvasAgg(axes.figure)
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba()).copy())
    for picture in pictures[1:]:
        np.testing.assert_array_equal(picture, pictures[0])


class Holder:
    """Has a network, as a model of a table has, and takes other rows."""

    network = fn.Network([fn.Input(2), fn.Dense(1)])


@pytest.mark.parametrize("draw", NETWORKS.values(), ids=NETWORKS)
def test_what_has_no_network_is_told_what_can_be_drawn(draw, ax):
    expected = r"network must be a Network, a Trainer or a fitted estimator of fastnn\.sklearn; got "
    for given, came in (
        (5, "int 5"),
        (MLPClassifier(), r".*which has not been fitted"),
        ({"loss": [1.0]}, "dict"),
        (Holder(), "a Holder: take its network"),
    ):
        with pytest.raises(TypeError, match=expected + came):
            draw(given, ax)


def test_the_classes_of_an_estimator_are_its_own(classifier, ax):
    plot.decision_boundary(classifier, X, NAMES, ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ash", "beech", "cedar"]
    plot.gradients(classifier, "cross_entropy", X, NAMES, Figure().subplots())
    with pytest.raises(ValueError, match=r"y must hold classes of the estimator, .*; got 'oak'"):
        plot.decision_boundary(classifier, X, np.where(NAMES == "ash", "oak", NAMES), ax)


def test_two_classes_and_numbers(regressor, ax):
    binary = MLPClassifier(**SMALL).fit(X, PLACES > 0)
    plot.decision_boundary(binary, X, PLACES > 0, ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["False", "True"]
    plot.decision_boundary(regressor, X, X[:, 0], Figure().subplots())


def test_curves_of_estimators_and_trainers(classifier, regressor, ax):
    plot.learning_curve(regressor, ax)
    assert list(ax.lines[0].get_ydata()) == regressor.loss_curve_
    scores = Figure().subplots()
    plot.learning_curve(classifier, scores, "accuracy")
    assert list(scores.lines[0].get_ydata()) == classifier.validation_scores_
    drawn = plot.learning_curves({"a": classifier, "b": regressor, "c": regressor.trainer_}, ax=Figure().subplots())
    assert len(drawn.get_legend().get_texts()) == 3
    plateau = fn.SGD(fn.ReduceOnPlateau(0.1, monitor="loss"))
    plot.schedule(plateau, 4, 2, Figure().subplots(), regressor)


def test_what_has_no_history_is_told_what_can_be_drawn(ax):
    expected = (
        r"history must be a mapping of columns to values, a Trainer or a fitted estimator of fastnn\.sklearn; got "
    )
    lbfgs = MLPRegressor(**SMALL, solver="lbfgs").fit(X, X[:, 0])
    for given, came in ((5, "int 5"), (MLPRegressor(), ".*not been fitted"), (lbfgs, ".*has recorded no epochs")):
        with pytest.raises(TypeError, match=expected + came):
            plot.learning_curve(given, ax)
    with pytest.raises(AttributeError, match="solver='lbfgs' has no epochs"):
        lbfgs.history_  # noqa: B018


def test_the_history_of_an_estimator(classifier, regressor):
    assert regressor.history_ == {"loss": regressor.loss_curve_}
    assert classifier.history_ == {"loss": classifier.loss_curve_, "val_accuracy": classifier.validation_scores_}
    scored = MLPRegressor(**SMALL, early_stopping=True, scoring="neg_mean_squared_error").fit(X, X[:, 0])
    assert list(scored.history_) == ["loss", "val_score"]
    warm = MLPRegressor(**SMALL, warm_start=True).fit(X, X[:, 0])
    warm.set_params(early_stopping=True).fit(X, X[:, 0])
    assert np.isnan(warm.history_["val_r2"]).tolist() == [True] * 4 + [False] * 4


def test_a_page_of_an_estimator(classifier, regressor, tmp_path):
    page = Page(plot.page(classifier, tmp_path / "page.html", data=(X, NAMES)))
    assert {"Confusion matrix", "Learning curve: loss", "Gradients"} <= set(page.headings)
    assert "val accuracy" in page.tables["History"][0]
    assert _run.of(classifier).classes == ["ash", "beech", "cedar"]
    plot.page(regressor, tmp_path / "page.html", data=(X, X[:, 0]))
    with pytest.raises(
        TypeError, match=r"run must be a Trainer, the path .*, or a fitted estimator of fastnn\.sklearn"
    ):
        plot.page(MLPClassifier(), tmp_path / "page.html")
