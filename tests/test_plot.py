"""Learning curves."""

import math
import sys

import pytest

from fastnn import plot

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_both_curves_and_the_best_epoch(ax):
    history = {"loss": [3.0, 2.0, 1.0, 0.9], "val_loss": [3.0, 2.5, 2.2, 2.4]}
    assert plot.learning_curve(history, ax) is ax
    training, validation, best = (line for line in ax.lines if not line.get_label().startswith("_"))
    assert list(training.get_xdata()) == [1, 2, 3, 4]
    assert list(training.get_ydata()) == history["loss"]
    assert list(validation.get_ydata()) == history["val_loss"]
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([3], [2.2])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation", "best: epoch 3, 2.2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_an_accuracy_is_best_where_it_is_largest(ax):
    plot.learning_curve({"accuracy": [0.5, 0.9, 0.9, 0.8]}, ax, "accuracy")
    assert "best: epoch 2, 0.9" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_only_validation_values_count_where_there_are_any(ax):
    plot.learning_curve({"val_r2": [0.1, math.nan, 0.3, 0.2]}, ax, "r2")
    assert "best: epoch 3, 0.3" in [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize(
    ("values", "scale"), [([2.0, 0.1], "log"), ([2.0, 1.0], "linear"), ([2.0, 0.0], "linear"), ([2.0, -0.1], "linear")]
)
def test_scale(ax, values, scale):
    plot.learning_curve({"loss": values}, ax)
    assert ax.get_yscale() == scale


def test_a_figure_of_its_own():
    from matplotlib import pyplot

    axes = plot.learning_curve({"loss": [1.0]})
    assert pyplot.fignum_exists(axes.figure.number)
    pyplot.close(axes.figure)


def test_picture(ax, tmp_path):
    plot.learning_curve({"loss": [1.0, 0.05], "val_loss": [1.0, math.inf]}, ax)
    ax.figure.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("history", [{}, {"accuracy": [1.0]}, {"loss": []}])
def test_nothing_to_draw(ax, history):
    with pytest.raises(ValueError, match="history"):
        plot.learning_curve(history, ax)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.ticker", None)
    with pytest.raises(ImportError, match=r"pip install 'fastnn\[plot\]'"):
        plot.learning_curve({"loss": [1.0]})
