"""Pictures of networks: diagrams of layers, weights, activations, gradients; and of learning rates."""

import re

import numpy as np
import pytest

import fastnn as fn
from fastnn import gradients, inspection, plot
from fastnn.plot import _style

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from axes import new_axes  # noqa: E402


@pytest.fixture
def ax():
    return new_axes(figsize=plot.FIGURE_SIZE, layout="constrained")


@pytest.fixture
def network():
    layers = [
        *(fn.Input(12), fn.Dense(30, "relu"), fn.Dropout(0.25), fn.Dense(1000), fn.LayerNorm()),
        *(fn.Activation("leaky_relu", 0.2), fn.Dense(4, "softmax")),
    ]
    return fn.Network(layers, seed=3)


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


# --------------------------------------------------------------------- diagram


def test_every_layer_has_a_row_with_its_activation_shape_and_parameters(ax, network):
    plot.network(network, ax)
    rows = {}
    for text in ax.texts:
        x, y = text.get_position()
        rows.setdefault(y, []).append((x, text.get_text()))
    found = [[text for _, text in sorted(rows[y])] for y in range(7)]
    assert found == [
        ["Input 12", "", "(n, 12)", ""],
        ["Dense 30", "relu", "(n, 30)", "390"],
        ["Dropout 0.25", "", "(n, 30)", ""],
        ["Dense 1,000", "", "(n, 1,000)", "31,000"],
        ["LayerNorm", "", "(n, 1,000)", "2,000"],
        ["Activation", "leaky relu, α = 0.2", "(n, 1,000)", ""],
        ["Dense 4", "softmax", "(n, 4)", "4,004"],
    ]
    assert f"{network.n_parameters:,}" in texts_of(ax)


def test_boxes_are_the_wider_the_more_units(ax, network):
    from matplotlib.patches import FancyBboxPatch

    plot.network(network, ax)
    widths = [patch.get_width() for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    assert len(widths) == 7
    assert widths[6] < widths[0] < widths[1] == widths[2] < widths[3] == widths[4] == widths[5]


@pytest.mark.parametrize("depth", [1, 40])
def test_the_figure_has_room_for_all_layers(depth):
    from matplotlib import pyplot

    deep = fn.Network([fn.Input(10**6), *[fn.Dense(3, "leaky_relu")] * depth])
    ax = plot.network(deep, kind="layers")
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(ax.figure.bbox.contains(*point) for box in boxes for point in box.corners())
    assert min(text.get_fontsize() for text in ax.texts) > 8
    pyplot.close(ax.figure)


def test_columns_do_not_run_into_each_other_where_there_is_little_room(network):
    ax = new_axes(figsize=(3.5, 4), layout="constrained")
    plot.network(network, ax)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_text_in_boxes_can_be_read_on_dark_figures(network):
    from matplotlib import pyplot

    with pyplot.style.context("dark_background"):
        ax = plot.network(network)
        pyplot.close(ax.figure)
    inside = {text.get_color() for text in ax.texts if text.get_text().startswith(("Dense", "Input"))}
    assert inside == {_style.DARK.surface}


@pytest.mark.parametrize("function", [plot.network, plot.weights])
def test_what_is_no_network(ax, function):
    with pytest.raises(
        TypeError, match=r"network must be a Network, a Trainer or a fitted estimator of fastnn\.sklearn; got str 'x'"
    ):
        function("x", ax=ax)


# --------------------------------------------------------------------- weights


@pytest.mark.parametrize(("units", "shape"), [(1, (3, 4)), (7, (3, 4)), (30, (4, 3)), (200, (12, 1)), (64, (1, 12))])
def test_each_unit_has_its_image(ax, units, shape):
    network = fn.Network([fn.Input(12), fn.LayerNorm(), fn.Dense(units), fn.Dense(2)], seed=units)
    plot.weights(network, shape, ax)
    canvas = np.ma.filled(ax.images[0].get_array(), np.nan)
    height, width = shape
    columns = (canvas.shape[1] + 1) // (width + 1)
    for unit, weight in enumerate(network.parameters["1.weight"]):
        top, left = unit // columns * (height + 1), unit % columns * (width + 1)
        found = canvas[top : top + height, left : left + width]
        np.testing.assert_array_equal(found, weight.reshape(shape).astype(np.float64))
        canvas[top : top + height, left : left + width] = np.nan
    assert np.isnan(canvas).all()
    assert [int(label.get_text()) % columns for label in ax.get_yticklabels()] == [0] * len(ax.get_yticks())


def test_the_colour_map_is_symmetric_about_0(ax, network):
    plot.weights(network, ax=ax)
    image, weight = ax.images[0], network.parameters["0.weight"]
    low, high = image.get_clim()
    assert -low == high == np.abs(weight).max()
    np.testing.assert_array_equal(image.get_array(), weight)
    assert image.to_rgba(0.0)[:3] == pytest.approx((1, 1, 1), abs=0.01)
    red, _, blue, _ = image.to_rgba(high)
    assert blue > red
    red, _, blue, _ = image.to_rgba(low)
    assert red > blue


def test_chosen_units(ax, network):
    plot.weights(network, ax=ax, units=[29, 3])
    np.testing.assert_array_equal(ax.images[0].get_array(), network.parameters["0.weight"][[29, 3]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["29", "3"]


def test_weights_of_zero(ax):
    network = fn.Network([fn.Input(4), fn.Dense(2, weight_initializer="zeros")])
    plot.weights(network, (2, 2), ax)
    assert ax.images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (3, 3)}, r"shape must be \(height, width\) of images of 12 pixels, .*; got \(3, 3\), which have 9"),
        ({"shape": (12,)}, r"shape must be \(height, width\) .*; got \(12,\)"),
        ({"shape": 12}, "shape must be .*; got 12"),
        ({"shape": (0, 12)}, "shape must be an integer of at least 1; got 0"),
        ({"units": [30]}, "units must be an integer of at least 0 and at most 29; got 30"),
        ({"units": []}, "units must hold at least one unit; got none"),
    ],
)
def test_bad_shapes(ax, network, options, message):
    with pytest.raises(ValueError, match=message):
        plot.weights(network, ax=ax, **options)
    assert not ax.has_data()


# ------------------------------------------------------ activations, gradients


def ridges_of(ax):
    """By the label of a row, the heights of its histogram's bins above its base."""
    from matplotlib.patches import StepPatch

    return {
        patch.get_label(): patch.get_data()
        for patch in ax.patches
        if isinstance(patch, StepPatch) and patch.get_data().baseline is not None
    }


def histogram_of(ridge):
    return (ridge.baseline - ridge.values) / max(ridge.baseline - ridge.values.min(), 1e-300)


def with_dead_units(network, dead):
    bias = network.parameters["0.bias"].copy()
    bias[dead] = -1e6
    network.parameters["0.bias"] = bias
    return network


@pytest.mark.parametrize("dead", [[], [4], [0, 1, 2, 9, 29], list(range(30)), list(range(0, 30, 2))])
def test_dead_units_are_named(ax, rng, dead):
    network = fn.Network([fn.Input(12), fn.Dense(30, "relu"), fn.Dense(3)], seed=3)
    network.parameters["0.bias"] = np.full(30, 9.0)
    X = rng.normal(size=(200, 12)) * 0.1
    plot.activations(with_dead_units(network, dead), X, ax)
    notes = [text for text in texts_of(ax) if "dead" in text]
    if not dead:
        assert notes == []
    elif len(dead) == 30:
        assert notes == ["100% zero, all 30 units dead", "100% zero, all 3 units dead"]  # the last one's bias is 0
    elif len(dead) == 15:
        assert notes == ["50% zero, 15 of 30 units dead: 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22 and 3 more"]
    else:
        share, named = re.fullmatch(rf"(\d+)% zero, {len(dead)} of 30 units dead: (.*)", notes[0]).groups()
        assert int(share) == round(100 * len(dead) / 30)
        assert named == {1: "4", 5: "0–2, 9, 29"}[len(dead)]


def test_rows_are_histograms_of_what_layers_put_out(ax, rng, network):
    X = rng.normal(size=(500, 12)).astype(np.float32)
    plot.activations(network, X, ax)
    labels = ["1  Dense 30 relu", "3  Dense 1,000", "4  LayerNorm", "5  leaky relu, α = 0.2", "6  Dense 4 softmax"]
    assert [label.get_text() for label in ax.get_yticklabels()] == labels
    found = inspection.activations(network, X)
    ridges = ridges_of(ax)
    assert list(ridges) == labels
    for label in labels:
        outputs, ridge = found[int(label[0])].astype(np.float64), ridges[label]
        counts = np.histogram(outputs[outputs != 0], ridge.edges)[0]
        np.testing.assert_allclose(histogram_of(ridge), counts / counts.max(), atol=1e-9)
        assert counts.sum() > 0.99 * np.count_nonzero(outputs)
    share = np.mean(found[1] == 0)
    assert any(text.startswith(f"{100 * share:.0f}% zero") for text in texts_of(ax))


def test_large_outputs_of_the_last_layer_are_divided(ax, rng):
    network = fn.Network([fn.Input(12), fn.Dense(30, "tanh"), fn.Dense(1)], seed=3)
    network.parameters["2.bias"] = [700.0]
    X = rng.normal(size=(500, 12)).astype(np.float32)
    plot.activations(network, X, ax)
    ridge = ridges_of(ax)["2  Dense 1\n÷ 1,000"]
    counts = np.histogram(network.predict(X) / 1000.0, ridge.edges)[0]
    np.testing.assert_allclose(histogram_of(ridge), counts / counts.max(), atol=1e-9)


def test_nothing_but_zeros(ax):
    network = fn.Network([fn.Input(2), fn.Dense(1, "relu", weight_initializer="zeros")])
    plot.activations(network, [[1, 2]], ax)
    assert texts_of(ax) == ["100% zero, its only unit dead"]
    ax.figure.canvas.draw()


def test_gradients_are_those_of_the_loss(ax, rng, network):
    X, y = rng.normal(size=(60, 12)), rng.integers(0, 4, 60)
    plot.gradients(with_dead_units(network, [3, 11]), "cross_entropy", X, y, ax, seed=5)
    found = gradients.gradient(network, "cross_entropy", X, y, seed=5)
    ridges = ridges_of(ax)
    assert list(ridges) == list(network.parameters)
    for name, ridge in ridges.items():
        sizes = np.abs(found[name][found[name] != 0]).astype(np.float64)
        counts = np.histogram(sizes, ridge.edges)[0]
        np.testing.assert_allclose(histogram_of(ridge), counts / counts.max(), atol=1e-9)
        assert counts.sum() > 0.99 * len(sizes)
    assert ax.get_xscale() == "log"
    notes = [text for text in texts_of(ax) if "without gradient" in text]
    expected = [
        np.flatnonzero((found[name].reshape(30, -1) == 0).all(axis=1)).tolist() for name in ("0.weight", "0.bias")
    ]
    assert {3, 11} <= set(expected[0])
    for note, units in zip(notes, expected, strict=True):
        assert f"{len(units)} of 30 units without gradient: {', '.join(map(str, units))}" in note


def test_no_gradient_at_all(ax):
    network = fn.Network([fn.Input(2), fn.Dense(3, "relu"), fn.Dense(2)])
    network.parameters["0.bias"] = [-9.0] * 3
    y = np.full((1, 2), 0.0)
    network.parameters["2.bias"] = [0.0, 0.0]
    plot.gradients(network, "mean_squared", [[0.1, 0.2]], y, ax)
    assert len([text for text in texts_of(ax) if text.startswith("100% zero, all ")]) == 4
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda network, ax: plot.activations(network, np.zeros((2, 5)), ax), "X must have 12 features a row; got 5"),
        (lambda network, ax: plot.activations(network, np.zeros((0, 12)), ax), "X must have at least one row"),
        (
            lambda network, ax: plot.gradients(network, "huber", np.zeros((2, 12)), [1], ax),
            r"y must have shape \(n, 4\)",
        ),
        (lambda network, ax: plot.gradients(network, "hubert", np.zeros((2, 12)), [1], ax), "loss must be one of"),
    ],
)
def test_bad_rows(ax, network, call, message):
    with pytest.raises(ValueError, match=message):
        call(network, ax)
    assert not ax.has_data()


# -------------------------------------------------------------------- schedule

SCHEDULES = {
    "number": 0.1,
    "constant": fn.schedules.Constant(0.1),
    "step": fn.schedules.Step(0.1, 2, 0.5),
    "cosine": fn.schedules.Cosine(0.1, 30),
    "one_cycle": fn.OneCycle(0.1, 35),
    "inverse by epoch": fn.InverseScaling(0.1, unit="epoch"),
    "warm-up by steps of a schedule by epochs": fn.Warmup(fn.schedules.Exponential(0.1, 0.5), 12),
    "optimizer": fn.AdamW(fn.Warmup(0.01, 2, unit="epoch")),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_update_has_the_rate_that_training_uses(ax, name):
    """As the history of a real run says, which holds the rate of each epoch's last update."""
    given = SCHEDULES[name]
    plot.schedule(given, 5, 7, ax)
    (stairs,) = ax.patches
    optimizer = given if isinstance(given, fn.optimizers.Optimizer) else fn.SGD(given)
    expected = np.concatenate([optimizer.schedule.of_steps(7 * e, 7 * e + 7, e, 0.0) for e in range(5)])
    np.testing.assert_array_equal(stairs.get_data().values, expected)
    np.testing.assert_allclose(stairs.get_data().edges, np.arange(36) / 7)
    trainer = fn.Trainer(fn.Network([fn.Input(1), fn.Dense(1)]), "mean_squared", optimizer, batch_size=1)
    trainer.fit(np.zeros((7, 1)), np.zeros(7), 5)
    assert trainer.history["learning_rate"] == expected[6::7].tolist()


@pytest.mark.parametrize("warmup", [0, 2])
def test_a_plateau_follows_the_history(ax, rng, warmup):
    given = fn.ReduceOnPlateau(0.1, 0.5, patience=1)
    optimizer = fn.SGD(fn.Warmup(given, warmup, unit="epoch") if warmup else given)
    trainer = fn.Trainer(fn.Network([fn.Input(1), fn.Dense(1)]), "mean_squared", optimizer, batch_size=4)
    history = trainer.fit(rng.normal(size=(8, 1)), rng.normal(size=8), 30, validation_fraction=0.5)
    plot.schedule(optimizer, 30, 2, ax, history)
    assert len(set(history["learning_rate"])) > 3
    assert ax.patches[0].get_data().values[1::2].tolist() == history["learning_rate"]


@pytest.mark.parametrize(("epochs", "steps"), [(1000, 1000), (7, 9973), (30_001, 1)])
def test_of_very_many_updates_some_are_drawn(ax, epochs, steps):
    given = fn.schedules.Cosine(0.1, epochs * steps)
    plot.schedule(given, epochs, steps, ax)
    values, edges, _ = ax.patches[0].get_data()
    assert 10_000 <= len(values) <= 20_000
    updates = np.round(edges[:-1] * steps).astype(int)
    assert set(np.diff(updates)) == {-(-epochs * steps // 20_000)}
    np.testing.assert_array_equal(values, given.rates(0, epochs * steps)[updates])
    assert edges[-1] == epochs


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("cosine", 1, 1), TypeError, "schedule must be a Schedule, an Optimizer or a number; got str 'cosine'"),
        ((-0.1, 1, 1), ValueError, "learning_rate must be a finite number at least 0; got -0.1"),
        ((0.1, 0, 1), ValueError, "epochs must be an integer of at least 1; got 0"),
        ((0.1, 1, 1.5), TypeError, "steps_per_epoch must be an integer; got float 1.5"),
        ((fn.ReduceOnPlateau(0.1), 2, 1), ValueError, r"history must be given for ReduceOnPlateau\(0.1\)"),
        ((fn.ReduceOnPlateau(0.1), 4, 1, None, {"loss": [1, 2]}), ValueError, "at least 3 epochs for 4 .*; got 2"),
        ((fn.ReduceOnPlateau(0.1, monitor="r2"), 1, 1, None, {"loss": [1]}), ValueError, "monitor must be a column"),
    ],
)
def test_bad_schedules(arguments, error, message):
    from matplotlib import pyplot

    with pytest.raises(error, match=message):
        plot.schedule(*arguments)
    assert pyplot.get_fignums() == []


def test_a_rate_of_zero(ax):
    plot.schedule(0.0, 1, 1, ax)
    assert ax.get_ylim() == (0, 1)
