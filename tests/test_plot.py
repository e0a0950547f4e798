"""Learning curves."""

import math
import sys

import pytest

import fastnn as fn
from fastnn import plot
from fastnn.plot import _style

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from axes import new_axes  # noqa: E402


@pytest.fixture
def ax():
    return new_axes()


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


NET = fn.Network([fn.Input(2), fn.Dense(2)])
CALLS = {
    "learning_curve": ({"loss": [1.0]},),
    "learning_curves": ({"a": {"loss": [1.0]}},),
    "schedule": (0.1, 1, 1),
    "network": (NET,),
    "weights": (NET,),
    "activations": (NET, [[1, 2]]),
    "gradients": (NET, "cross_entropy", [[1, 2]], [0]),
    "confusion_matrix": ([0], [0]),
    "decision_boundary": (NET, [[1, 2]], [0]),
    "predicted": ([1.0], [1.0]),
}


def test_every_function_is_called_below():
    functions = {name for name, value in vars(plot).items() if callable(value) and name[0] != "_"}
    assert functions == {*CALLS, "best_epoch", "page"}


@pytest.mark.parametrize("name", CALLS)
def test_without_matplotlib_the_error_says_how_to_get_it(name, monkeypatch):
    for module in ("matplotlib", *(module for module in sys.modules if module.startswith("matplotlib."))):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"fastnn\.plot needs matplotlib: pip install matplotlib"):
        getattr(plot, name)(*CALLS[name])


@pytest.mark.parametrize("name", CALLS)
def test_on_a_figure_of_its_own_or_on_what_is_given(name, ax):
    from matplotlib import pyplot

    function = getattr(plot, name)
    assert function(*CALLS[name], ax=ax) is ax
    assert pyplot.get_fignums() == []
    own = function(*CALLS[name])
    assert pyplot.get_fignums() == [own.figure.number]
    assert tuple(own.figure.get_size_inches()) == plot.FIGURE_SIZE
    own.figure.canvas.draw()
    pyplot.close(own.figure)
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, or None for a new figure; got Figure"):
        function(*CALLS[name], ax=own.figure)


def text_colours(axes):
    from matplotlib import colors, text

    def luminance(colour):
        return sum(weight * c for weight, c in zip((0.3, 0.59, 0.11), colors.to_rgb(colour), strict=True))

    return [luminance(found.get_color()) for found in axes.findobj(text.Text) if found.get_text()]


@pytest.mark.parametrize("name", CALLS)
def test_text_can_be_read_on_dark_figures(name):
    """With matplotlib's own dark style, no text outside of a patch or image is dark."""
    from matplotlib import pyplot

    with pyplot.style.context("dark_background"):
        axes = getattr(plot, name)(*CALLS[name])
        axes.figure.canvas.draw()
        pyplot.close(axes.figure)
    inside = name == "confusion_matrix"
    assert min(text_colours(axes)) < 0.2 if inside else min(text_colours(axes)) > 0.35


def test_importing_does_not_import_matplotlib():
    import subprocess

    code = "import sys, fastnn.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --------------------------------------------------------------- several runs


def test_runs_over_each_other(ax):
    runs = {
        "first": {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.6]},
        "_second $x$": {"loss": [4.0, 3.5]},
        "third": {"loss": [math.nan, math.inf]},
    }
    plot.learning_curves(runs, ax=ax)
    lines = [line for line in ax.lines if len(line.get_xdata()) > 1]
    assert [list(line.get_ydata()) for line in lines[:3]] == [[3.0, 2.0, 1.0], [3.0, 2.5, 2.6], [4.0, 3.5]]
    assert [line.is_dashed() for line in lines[:3]] == [True, False, False]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if len(line.get_xdata()) == 1]
    assert marks[:2] == [(2, 2.5), (2, 3.5)]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["first: 2.5, epoch 2", r" _second \$x\$: 3.5, epoch 2", "third: no finite value"]


def test_of_many_runs_there_is_no_legend(ax):
    plot.learning_curves({f"{i}": {"loss": [1.0 + i, 0.5]} for i in range(40)}, ax=ax)
    assert ax.get_legend() is None
    assert len({tuple(line.get_color()) for line in ax.lines}) == 40


@pytest.mark.parametrize(
    ("runs", "error", "message"),
    [
        ({}, ValueError, "runs must hold at least one history; got none"),
        ([{"loss": [1.0]}], TypeError, "runs must be a mapping of names to histories; got list"),
        ({"loss": [1.0]}, TypeError, "runs must be a mapping of names to histories"),
        ({"a": {"loss": [1.0]}, "b": {"r2": [1.0]}}, ValueError, r"a column of the history of 'b' \(r2\); got 'loss'"),
        ({"a": {"loss": []}}, ValueError, "the history of 'a' must hold at least one epoch"),
    ],
)
def test_bad_runs(ax, runs, error, message):
    with pytest.raises(error, match=message):
        plot.learning_curves(runs, ax=ax)
    assert not ax.lines


# ------------------------------------------------------------------- gaps


def test_values_that_are_not_finite_leave_gaps_and_the_axis_reaches_over_all_epochs(ax):
    plot.learning_curve({"loss": [2.0, math.nan, 1.5, 1.0, math.inf, math.nan]}, ax)
    line = ax.lines[0]
    assert [i for i, value in enumerate(line.get_ydata()) if not math.isnan(value)] == [0, 2, 3]
    assert line.get_markevery() == [0]
    assert ax.get_xlim()[0] <= 1
    assert ax.get_xlim()[1] >= 6


def test_no_finite_value_at_all(ax):
    plot.learning_curve({"loss": [math.nan, math.inf]}, ax)
    assert [text.get_text() for text in ax.texts] == ["no finite value"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training"]


def test_one_epoch_has_one_tick(ax):
    plot.learning_curve({"loss": [1.0]}, ax)
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [1]


# ----------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("values", "length", "text"),
    [
        ([], 9, ""),
        ([3], 9, "3"),
        ([3, 4], 9, "3, 4"),
        ([0, 1, 2, 5, 7, 8], 44, "0–2, 5, 7, 8"),
        ([1, 3, 5, 7, 9], 7, "1, 3, 5 and 2 more"),
        (list(range(100)), 1, "0–99"),
        ([0, 1, 2, 50, 51, 52, 60], 10, "0–2, 50–52 and 1 more"),
    ],
)
def test_numbers_in_words(values, length, text):
    assert _style.numbers(values, length) == text


def test_names_as_they_are(ax):
    assert _style.name("a\nb\tc\x00") == "a b c "
    assert len(_style.name("x" * 100)) == 28
    assert _style.name("begin" + "x" * 100 + "end").endswith("end")
    ax.plot([1], [1], label=_style.name("_$a$ b_c $"))
    (text,) = ax.legend().get_texts()
    ax.figure.canvas.draw()
    assert text.get_text() == r" _\$a\$ b_c \$"


def test_names_that_differ_where_they_are_cut_are_told_apart():
    long = [f"value of sensor {i} in the northern hall" for i in range(12)]
    found = _style.names([*long, "short"], 24)
    assert len(set(found)) == 13
    assert (found[3], found[12]) == ("3: value of…orthern hall", "short")
    assert max(map(len, found)) == 24
