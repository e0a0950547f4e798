"""Small networks as units and weights."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import plot

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from axes import new_axes  # noqa: E402
from matplotlib.collections import LineCollection, PathCollection  # noqa: E402

BLUE, ORANGE, GREY = ((*matplotlib.colors.to_rgb(colour), 1.0) for colour in ("#1f5fa8", "#d1620b", "#6b7280"))


@pytest.fixture
def ax():
    return new_axes(figsize=plot.FIGURE_SIZE, layout="constrained")


@pytest.fixture
def small():
    """2-2-1 with weights and biases of both signs and of 0."""
    network = fn.Network([fn.Input(2), fn.Dense(2, "tanh"), fn.Dense(1)])
    network.parameters.update({"0.weight": [[0.5, -2.0], [0.0, 1.0]], "0.bias": [0.25, -1.5]})
    network.parameters.update({"2.weight": [[1.5, -0.75]], "2.bias": [0.0]})
    return network


def texts_of(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def drawn(ax):
    """Lines and circles, layer by layer."""
    lines = [found for found in ax.collections if isinstance(found, LineCollection)]
    return lines, [found for found in ax.collections if isinstance(found, PathCollection)]


def test_a_line_is_a_weight_by_width_and_colour(ax, small):
    plot.network(small, ax)
    lines, circles = drawn(ax)
    assert len(lines) == 2
    sources, targets = (column.get_offsets() for column in circles[:2])
    found = {}
    for (start, end), width, colour in zip(
        lines[0].get_segments(), lines[0].get_linewidths(), lines[0].get_colors(), strict=True
    ):
        [source] = np.flatnonzero((sources == start).all(axis=1))
        [target] = np.flatnonzero((targets == end).all(axis=1))
        found[target, source] = width, (*colour[:3], 1.0)
    assert {place: colour for place, (_, colour) in found.items()} == {
        (0, 0): BLUE,
        (0, 1): ORANGE,
        (1, 0): GREY,
        (1, 1): BLUE,
    }
    least = found[1, 0][0]
    shares = {place: (width - least) / (found[0, 1][0] - least) for place, (width, _) in found.items()}
    assert shares == pytest.approx({(0, 0): 0.25, (0, 1): 1.0, (1, 0): 0.0, (1, 1): 0.5})
    assert lines[1].get_linewidths()[-1] == pytest.approx(least + 0.75 * (found[0, 1][0] - least))


def test_a_ring_is_a_bias(ax, small):
    plot.network(small, ax)
    _, circles = drawn(ax)
    assert [len(column.get_offsets()) for column in circles] == [2, 2, 1]
    assert [tuple(colour) for colour in circles[1].get_edgecolors()] == [BLUE, ORANGE]
    assert tuple(circles[2].get_edgecolors()[0]) == tuple(circles[0].get_edgecolors()[0]) == GREY
    thin, wide = circles[1].get_linewidths()
    assert circles[2].get_linewidths()[0] < thin < wide


def test_numbers_are_written_where_there_is_room(ax, small):
    plot.network(small, ax)
    texts = texts_of(ax)
    assert {"0.5", "−2", "0", "1", "1.5", "−0.75", "bias 0.25", "bias −1.5", "bias 0"} <= set(texts)
    assert {"$x_{1}$", "$h_{2}$", "$y_{1}$", "input", "hidden", "output"} <= set(texts)
    assert {"2 features", "2 units\ntanh", "1 unit"} <= set(texts)


@pytest.mark.parametrize("sizes", [(2, 2, 1), (3, 3, 3, 3), (4, 4, 4, 4), (1, 4), (4, 8, 8, 3), (16, 16), (2, 9, 1, 9)])
def test_no_text_covers_another(sizes):
    from matplotlib import pyplot

    hidden = [fn.Dense(units, "leaky_relu") for units in sizes[1:-1]]
    network = fn.Network([fn.Input(sizes[0]), *hidden, fn.Dense(sizes[-1], "softmax")], seed=3)
    ax = plot.network(network)
    ax.figure.canvas.draw()
    texts = [text for text in ax.texts if text.get_text()] + ax.get_legend().get_texts()
    boxes = [text.get_window_extent() for text in texts]
    assert not [(texts[i], texts[j]) for i, a in enumerate(boxes) for j, b in enumerate(boxes[:i]) if a.overlaps(b)]
    assert all(ax.figure.bbox.contains(*point) for box in boxes for point in box.corners())
    assert min(text.get_fontsize() for text in texts) >= 7
    pyplot.close(ax.figure)


def test_layers_without_units_of_their_own_are_named_below(ax):
    hidden = [fn.Dense(5), fn.LayerNorm(), fn.Activation("elu", 0.5), fn.Dropout(0.25)]
    plot.network(fn.Network([fn.Input(4), *hidden, fn.Dense(3, "softmax")]), ax)
    texts = texts_of(ax)
    assert "5 units\nLayerNorm\nelu, α = 0.5\nDropout 0.25" in texts
    assert "3 units\nsoftmax" in texts
    assert not [text for text in texts if text.startswith("bias")]


def test_layers_with_many_units_are_shortened(ax):
    network = fn.Network([fn.Input(64), fn.Dense(128, "relu"), fn.Dense(10)], seed=1)
    plot.network(network, ax, kind="units")
    lines, circles = drawn(ax)
    assert [len(column.get_offsets()) for column in circles] == [10, 10, 10]
    assert [len(found.get_segments()) for found in lines] == [100, 100]
    assert texts_of(ax).count("⋮") == 2
    kept = [*range(5), *range(123, 128)]
    weights = np.sort(np.abs(network.parameters["2.weight"][:, kept]).ravel())
    largest = max(np.abs(array).max() for array in network.parameters.values())
    np.testing.assert_allclose(lines[1].get_linewidths(), 0.3 + 3.2 * weights / largest, rtol=1e-6)


@pytest.mark.parametrize(
    ("sizes", "is_small"), [((2, 16, 1), True), ((2, 17, 1), False), ((17, 2), False), ((2,) * 6, True)]
)
def test_small_networks_are_drawn_by_their_units(ax, sizes, is_small):
    network = fn.Network([fn.Input(sizes[0]), *[fn.Dense(units) for units in sizes[1:]]])
    plot.network(network, ax)
    assert bool(drawn(ax)[1]) == is_small
    ax.clear()
    plot.network(network, ax, kind="layers")
    assert not drawn(ax)[1]


def test_more_than_six_columns_are_drawn_as_layers(ax):
    plot.network(fn.Network([fn.Input(2), *[fn.Dense(2)] * 6]), ax)
    assert not drawn(ax)[1]


def test_a_network_of_zeros(ax):
    plot.network(fn.Network([fn.Input(2), fn.Dense(2, weight_initializer="zeros")]), ax)
    ax.figure.canvas.draw()
    assert np.ptp(drawn(ax)[0][0].get_linewidths()) == 0


@pytest.mark.parametrize(("kind", "error"), [("unit", ValueError), (None, TypeError)])
def test_other_kinds_are_refused(ax, small, kind, error):
    with pytest.raises(error, match="kind must be one of 'auto', 'units', 'layers'; got"):
        plot.network(small, ax, kind)
    assert not ax.texts
