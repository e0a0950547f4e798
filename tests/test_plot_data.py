"""Pictures of predictions: confusion matrices, decision boundaries, predicted against true values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fn
from fastnn import plot

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import axes  # noqa: E402


def new_axes():
    return axes.new_axes(figsize=plot.FIGURE_SIZE, layout="constrained")


@pytest.fixture
def ax():
    return new_axes()


def names_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


# ------------------------------------------------------------ confusion matrix


def counts_in(ax):
    """(row, column) → count, of the texts in the cells."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): int(text.get_text().split("\n")[0])
        for text in ax.texts
    }


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # by scikit-learn, of few rows
@settings(max_examples=10, deadline=None)
@given(n=st.integers(1, 300), n_classes=st.integers(2, 25), seed=st.integers(0, 99))
def test_counts_and_shares_as_in_scikit_learn(n, n_classes, seed):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    true, guessed = rng.integers(0, n_classes, n), rng.integers(0, n_classes, n)
    ax = plot.confusion_matrix(true, guessed, list(range(n_classes)), new_axes())
    expected = metrics.confusion_matrix(true, guessed, labels=range(n_classes))
    counts = counts_in(ax)
    assert counts == {place: count for place, count in np.ndenumerate(expected) if count}
    assert sum(counts.values()) == n
    shares = expected / np.maximum(expected.sum(axis=1, keepdims=True), 1)
    np.testing.assert_array_equal(ax.images[0].get_array(), shares)
    assert names_of(ax.yaxis) == names_of(ax.xaxis) == [str(i) for i in range(n_classes)]
    hits = int((true == guessed).sum())
    assert ax.get_title("left").startswith(f"accuracy {hits / n:.1%}: {hits} of {n} row")


def test_cells_say_count_and_share(ax):
    plot.confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], ax=ax)
    assert sorted(text.get_text() for text in ax.texts) == ["1\n100%", "1\n33.3%", "2\n66.7%"]


def test_text_stands_out_from_its_cell(ax):
    plot.confusion_matrix([0] * 100 + [1] * 100, [0] * 99 + [1] + [1] * 100, ax=ax)
    colours = {text.get_text().split("\n")[0]: text.get_color() for text in ax.texts}
    assert colours["99"] == colours["100"] != colours["1"]


def test_strings_are_classes_in_alphabetical_order(ax):
    plot.confusion_matrix(["b", "a", "c"], np.array(["b", "b", "a"], dtype=object), ax=ax)
    assert names_of(ax.xaxis) == ["a", "b", "c"]
    assert counts_in(ax) == {(1, 1): 1, (0, 1): 1, (2, 0): 1}


def test_labels_order_and_add_classes(ax):
    plot.confusion_matrix([3, 5], [3, 7], labels=[7, 5, 4, 3], ax=ax)
    assert names_of(ax.yaxis) == ["7", "5", "4", "3"]
    assert counts_in(ax) == {(3, 3): 1, (1, 0): 1}


def test_labels_name_integers(ax):
    plot.confusion_matrix([[0], [2], [1]], [0, 2, 2], labels=["zero $x$", "one", "two"], ax=ax)
    assert names_of(ax.xaxis) == [r"zero \$x\$", "one", "two"]
    assert counts_in(ax) == {(0, 0): 1, (2, 2): 1, (1, 2): 1}
    ax.figure.canvas.draw()


def test_a_hundred_classes_are_colours_and_a_few_ticks(ax, rng):
    true = rng.integers(0, 100, 5000)
    plot.confusion_matrix(true, true, ax=ax)
    assert not ax.texts
    assert names_of(ax.xaxis) == [str(i) for i in range(0, 100, 5)]
    assert np.array_equal(ax.images[0].get_array(), np.eye(100))
    assert ax.figure.axes[1].get_ylabel() == "share of the true class"


@pytest.mark.parametrize("labels", [None, [f"class {i} with a very long name indeed" for i in range(10)]])
def test_nothing_overlaps(labels, rng):
    """Neither names nor the numbers in the cells."""
    ax = plot.confusion_matrix(rng.integers(0, 10, 9999), rng.integers(0, 10, 9999), labels, new_axes())
    ax.figure.canvas.draw()
    for texts in (ax.texts, ax.get_yticklabels()):
        boxes = [text.get_window_extent() for text in texts]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    inside = ax.figure.bbox
    assert all(
        inside.contains(*point) for label in ax.get_xticklabels() for point in label.get_window_extent().corners()
    )


def test_small_cells_have_counts_alone(rng):
    ax = axes.new_axes(figsize=(3.5, 3), layout="constrained")
    plot.confusion_matrix(rng.integers(0, 10, 999), rng.integers(0, 10, 999), ax=ax)
    ax.figure.canvas.draw()
    assert not any("%" in text.get_text() for text in ax.texts)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 1], [0]), ValueError, "y_pred must have as many rows as y_true, 2; got 1"),
        (([], []), TypeError, "y_true must hold integers or strings; got an array of dtype float64"),
        ((np.zeros(0, int), np.zeros(0, int)), ValueError, "y_true must have at least one row; got none"),
        (([0.5], [0]), TypeError, "y_true must hold integers or strings; got an array of dtype float64"),
        (([0], [None]), TypeError, "y_pred must hold integers or strings; got an array of dtype object"),
        (([[0, 1]], [0]), ValueError, r"y_true must have shape \(n,\), a class a row; got shape \(1, 2\)"),
        (([0], ["a"]), ValueError, "must hold classes of one kind; got dtypes int64 and <U1"),
        (([0, 3], [0, 0], ["a", "b"]), ValueError, r"y_true .* labels names \(2 of them\); got 3 in row 1"),
        (([0], [-1], ["a", "b"]), ValueError, r"y_pred .* labels names \(2 of them\); got -1 in row 0"),
        ((["x"], ["z"], ["x", "y"]), ValueError, "y_pred .* got z in row 0"),
        (([0], [0], [0, 0]), ValueError, r"labels must not hold a class twice; got \[0, 0\]"),
        (([0], [0], []), ValueError, "labels must hold at least one class; got none"),
        (([0], [0], "ab"), TypeError, "labels must be a sequence of classes; got str 'ab'"),
    ],
)
def test_bad_classes(ax, arguments, error, message):
    with pytest.raises(error, match=message):
        plot.confusion_matrix(*arguments, ax=ax)
    assert not ax.has_data()


# ----------------------------------------------------------- decision boundary


def plane(*last, seed=3):
    return fn.Network([fn.Input(2), fn.Dense(16, "tanh"), fn.Dense(*last)], seed=seed)


def grid_of(ax):
    """The points that an image's pixels are the middles of, row by row."""
    image = ax.images[0]
    height, width = image.get_array().shape
    left, right, bottom, top = image.get_extent()
    x = left + (right - left) * (np.arange(width) + 0.5) / width
    y = bottom + (top - bottom) * (np.arange(height) + 0.5) / height
    return np.array([(a, b) for b in y for a in x])


def data(rng, n=60, n_classes=3):
    return rng.normal(size=(n, 2)) * [1, 10] + [0, 5], np.arange(n) % n_classes


def test_classes_are_those_predicted_on_the_grid(ax, rng):
    network, (X, y) = plane(3), data(rng)
    plot.decision_boundary(network, X, y, ax, resolution=37, labels=["a", "b", "c"])
    points = grid_of(ax)
    found = np.asarray(ax.images[0].get_array()).ravel()
    outputs = network.predict(points)
    top = np.sort(outputs, axis=1)
    clear = top[:, -1] - top[:, -2] > 1e-4  # the test's points are rounded once more
    assert clear.mean() > 0.95
    assert np.array_equal(found[clear], outputs.argmax(axis=1)[clear])
    assert ax.images[0].origin == "lower"
    drawn = [np.asarray(points.get_offsets()) for points in ax.collections]
    for label in range(3):
        np.testing.assert_allclose(drawn[label], X[y == label], rtol=1e-6)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_one_output_for_two_classes_is_a_probability(ax, rng, activation):
    network, (X, y) = plane(1, activation), data(rng, n_classes=2)
    plot.decision_boundary(network, X, y[:, None], ax, resolution=101)
    outputs = network.predict(grid_of(ax))[:, 0].astype(np.float64)
    expected = outputs if activation == "sigmoid" else 1 / (1 + np.exp(-outputs))
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array()).ravel(), expected, atol=1e-5)
    assert ax.images[0].get_clim() == (0, 1)
    (line,) = (found for found in ax.collections if found.get_label() == "_boundary")
    along = np.concatenate([path.vertices for path in line.get_paths()])
    on_line = network.predict(along)[:, 0]
    assert np.abs(on_line - (0.5 if activation == "sigmoid" else 0)).max() < 0.05


@pytest.mark.parametrize(("labels", "named"), [(None, "class 1"), (["no", "yes"], "yes")])
def test_the_bar_names_the_class_whose_probability_it_is(ax, rng, labels, named):
    plot.decision_boundary(plane(1), *data(rng, n_classes=2), ax, labels=labels)
    assert ax.figure.axes[1].get_ylabel() == f"probability of {named}"


def test_no_line_where_all_is_one_class(ax, rng):
    network, (X, y) = plane(1), data(rng, n_classes=2)
    network.parameters["2.bias"] = [100.0]
    plot.decision_boundary(network, X, y, ax)
    assert len(ax.collections) == 2


def test_a_regression_is_a_surface(ax, rng):
    network, (X, _) = plane(1), data(rng)
    y = rng.normal(size=len(X))
    plot.decision_boundary(network, X, y, ax, resolution=20)
    outputs = network.predict(grid_of(ax))[:, 0]
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array()).ravel(), outputs, atol=1e-5)
    assert ax.images[0].get_clim() == (y.min(), y.max()) == ax.collections[0].get_clim()
    np.testing.assert_array_equal(ax.collections[0].get_array(), y)


def test_zeros_and_ones_may_be_a_regression(ax, rng):
    network, (X, y) = plane(1), data(rng, n_classes=2)
    plot.decision_boundary(network, X, y, ax, kind="regression", resolution=9)
    assert ax.get_legend() is None
    np.testing.assert_allclose(
        np.asarray(ax.images[0].get_array()).ravel(), network.predict(grid_of(ax))[:, 0], atol=1e-5
    )


@pytest.mark.parametrize("n_classes", [30, 100])
def test_many_classes_have_a_bar(ax, rng, n_classes):
    plot.decision_boundary(plane(n_classes), *data(rng, 200, n_classes), ax, resolution=10)
    assert ax.get_legend() is None
    assert ax.figure.axes[1].get_ylabel() == "class"


@pytest.mark.parametrize(
    ("network", "X", "y", "options", "message"),
    [
        (fn.Network([fn.Input(3), fn.Dense(2)]), [[0, 0, 0]], [0], {}, "network must have 2 features .*; got 3"),
        (plane(2), [[0, 0, 0]], [0], {}, "X must have 2 features a row; got 3"),
        (plane(2), [[0, np.inf]], [0], {}, "X must be finite; got inf"),
        (plane(2), [[0, 0]], [0, 1], {}, r"y must have shape \(1,\), a target a row of X; got shape \(2,\)"),
        (plane(2), [[0, 0], [1, 1]], [0, 2], {}, "y must hold labels from 0 to 1; got 2 in row 1"),
        (plane(2), [[0, 0]], [0.5], {}, "y must hold labels from 0 to 1; got 0.5 in row 0"),
        (plane(2), [[0, 0]], [0], {"kind": "binary"}, "'binary' is for one output; got 2"),
        (plane(1), [[0, 0]], [0], {"kind": "classes"}, "'classes' is for several outputs; got 1"),
        (plane(1), [[0, 0]], [0], {"kind": "class"}, "kind must be one of .*did you mean 'classes'"),
        (plane(1), [[0, 0]], [np.nan], {}, "y must be finite; got nan in row 0"),
        (plane(2), [[0, 0]], [0], {"labels": ["a"]}, "labels must name 2 classes; got 1"),
        (plane(2), [[0, 0]], [0], {"resolution": 1}, "resolution must be an integer of at least 2"),
    ],
)
def test_bad_planes(ax, network, X, y, options, message):
    with pytest.raises(ValueError, match=message):
        plot.decision_boundary(network, X, y, ax, **options)


def test_what_is_no_network(ax):
    with pytest.raises(
        TypeError, match=r"network must be a Network, a Trainer or a fitted estimator of fastnn\.sklearn; got int 3"
    ):
        plot.decision_boundary(3, [[0, 0]], [0], ax)


# --------------------------------------------------------- predicted and true


def test_points_diagonal_and_scores_as_in_scikit_learn(ax, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    true = rng.normal(size=77)
    guessed = true + rng.normal(size=77) * 0.5
    plot.predicted(true[:, None].astype(np.float32), guessed, ax)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), np.column_stack([true, guessed]), rtol=1e-6)
    r2, rmse = metrics.r2_score(true, guessed), metrics.root_mean_squared_error(true, guessed)
    assert ax.get_title("left") == f"R² {r2:.3f}   RMSE {rmse:.4g}   77 rows"
    (diagonal,) = ax.lines
    assert np.array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert min(diagonal.get_xdata()) <= min(true.min(), guessed.min()) + 1e-6
    assert max(diagonal.get_xdata()) >= max(true.max(), guessed.max()) - 1e-6


def test_quantiles_are_lines_and_their_coverage_is_said(ax):
    true = np.array([1.0, 2.0, 3.0, 4.0])
    outputs = np.array([[2.0, 0.5, 1.0], [2.5, 1.0, 2.0], [2.9, 1.0, 2.0], [9.0, 4.0, 5.0]])
    plot.predicted(true, outputs, ax, quantiles=(0.9, 0.1, 0.5))
    lines, points = ax.collections
    assert [segment.tolist() for segment in lines.get_segments()] == [
        [[x, low], [x, high]] for x, low, high in zip(true, outputs[:, 1], outputs[:, 0], strict=True)
    ]
    np.testing.assert_array_equal(points.get_offsets(), np.column_stack([true, outputs[:, 2]]))
    assert ax.get_title("left").endswith("75.0% within the quantiles 0.1 to 0.9")


def test_one_quantile_is_a_prediction(ax):
    plot.predicted([1.0, 2.0], [[1.0], [2.0]], ax, quantiles=[0.3])
    assert len(ax.collections) == 1


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([1.0], [1.0, 2.0]), {}, ValueError, "y_pred must have as many rows as y_true, 1; got 2"),
        (([], []), {}, ValueError, "y_true must have at least one row; got none"),
        (([[1.0, 2.0]], [1.0]), {}, ValueError, r"y_true must have shape \(n,\), .* got shape \(1, 2\)"),
        (([1.0], [[1.0, 2.0]]), {}, ValueError, "quantiles must say what the 2 columns of y_pred are; got None"),
        (([1.0], [[1.0, 2.0]]), {"quantiles": [0.5]}, ValueError, "quantiles must name each of the 2 columns"),
        (([1.0], [[1.0]]), {"quantiles": [1.0]}, ValueError, "quantiles must be a finite number .* below 1; got 1.0"),
        (([np.nan], [1.0]), {}, ValueError, "y_true must be finite; got nan in row 0"),
        (([1.0], [np.inf]), {}, ValueError, "y_pred must be finite; got inf in row 0"),
        ((["a"], [1.0]), {}, TypeError, "y_true must hold real numbers"),
    ],
)
def test_bad_predictions(ax, arguments, options, error, message):
    with pytest.raises(error, match=message):
        plot.predicted(*arguments, ax, **options)
    assert not ax.has_data()
