"""What a network makes of the plane of its two features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import elementary
from fastnn._input import checks
from fastnn.plot import _style
from fastnn.plot._arguments import classes_of, network_of, targets_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    _Extent = tuple[float, float, float, float]

    from fastnn.network import Network
    from fastnn.plot._arguments import Estimator
    from fastnn.training import Trainer

MANY = _style.MANY_POINTS
KINDS = ("auto", "classes", "binary", "regression")
_MOST_NAMED = 12  # classes; more have a colour bar


def decision_boundary(
    network: Network | Trainer | Estimator,
    X: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    kind: str = "auto",
    labels: Sequence[Any] | None = None,
    resolution: int = 300,
) -> Axes:
    """Draw what a network of two features predicts everywhere around the data, and the data on top.

    Parameters
    ----------
    network : Network, Trainer or fitted estimator of `fastnn.sklearn`
        With two features. An estimator knows its classes: ``y`` holds them, and they are named.
    X : array_like, shape (n, 2)
        As the network takes them.
    y : array_like, shape (n,) or (n, 1)
        Labels 0, 1, …, or numbers for a regression.
    ax : matplotlib Axes, optional
        By default a new figure's.
    kind : {"auto", "classes", "binary", "regression"}
        What outputs mean: one for each class; one logit (or probability, if the network ends in a sigmoid) of class 1;
        one number. ``"auto"``: classes for several outputs, for one output binary if ``y`` holds nothing but 0 and 1,
        otherwise a regression.
    labels : sequence of str, optional
        What the classes are called.
    resolution : int, default 300
        Points of the grid in each direction, from 2 to 2,000.

    Returns
    -------
    matplotlib Axes
        Its first image holds, for each point of the grid, the class, or the probability of class 1, or the output.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    classes = classes_of(network)
    if labels is None and classes is not None:
        labels = classes.tolist()
    targets = checks.numeric(targets_of(network, y), "y")
    network = network_of(network)
    if network.n_features != 2:
        raise ValueError(f"network must have 2 features to be drawn in a plane; got {network.n_features}")
    resolution = checks.integer(resolution, "resolution", 2, 2000)
    rows = checks.features(checks.numeric(X, "X"), 2, network.plan.dtype).astype(np.float64)
    if targets.shape not in ((len(rows),), (len(rows), 1)):
        raise ValueError(f"y must have shape ({len(rows)},), a target a row of X; got shape {targets.shape}")
    targets = targets.reshape(-1)
    kind = _resolved(checks.choice(kind, KINDS, "kind"), network, targets)
    n_classes = 2 if kind == "binary" else network.n_outputs
    if kind != "regression":
        targets = _labels(targets, n_classes)
        if labels is not None:
            labels = _style.classes(labels)
            if len(labels) != n_classes:
                raise ValueError(f"labels must name {n_classes} classes; got {len(labels)}")

    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = 0.08 * np.where(high > low, high - low, 1.0)
    edges = [np.linspace(low[i] - margin[i], high[i] + margin[i], resolution + 1) for i in range(2)]
    x0, x1 = np.meshgrid(*((edge[1:] + edge[:-1]) / 2 for edge in edges))
    outputs = network.predict(np.column_stack([x0.ravel(), x1.ravel()])).astype(np.float64)

    ax = _style.axes(ax)
    extent = (edges[0][0], edges[0][-1], edges[1][0], edges[1][-1])
    shape, names = (resolution, resolution), _style.names(labels or range(n_classes))
    if kind == "regression":
        _surface(ax, outputs.reshape(shape), extent, rows, targets)
    elif kind == "binary":
        probability = outputs if network.plan.output_activation == "sigmoid" else elementary.sigmoid(outputs)
        _probability(ax, probability.reshape(shape), extent, names[1] if labels is not None else "class 1")
        _points(ax, rows, targets, names)
    else:
        _regions(ax, outputs.argmax(axis=1).reshape(shape), extent, n_classes)
        _points(ax, rows, targets, names)
    ax.set_xlabel("feature 0")
    ax.set_ylabel("feature 1")
    _style.without_frame(ax)
    return ax


def _resolved(kind: str, network: Network, targets: np.ndarray) -> str:
    if kind == "auto":
        if network.n_outputs > 1:
            return "classes"
        return "binary" if ((targets == 0) | (targets == 1)).all() else "regression"
    if (kind == "classes") != (network.n_outputs > 1):
        expected = "several outputs" if kind == "classes" else "one output"
        raise ValueError(f"kind must suit the network: {kind!r} is for {expected}; got {network.n_outputs}")
    return kind


def _labels(targets: np.ndarray, n_classes: int) -> np.ndarray:
    wrong = (targets < 0) | (targets >= n_classes) | (targets != np.floor(targets))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"y must hold labels from 0 to {n_classes - 1}; got {targets[row]} in row {row}")
    return targets.astype(np.int64)


def _image(ax: Axes, values: np.ndarray, extent: _Extent, **style: Any) -> Any:
    return ax.imshow(values, extent=extent, origin="lower", aspect="auto", interpolation="nearest", **style)


def _regions(ax: Axes, classes: np.ndarray, extent: _Extent, n_classes: int) -> None:
    colors = _style.matplotlib("colors")
    surface = np.array(colors.to_rgb(_style.palette(ax).surface))
    pale = [
        0.68 * surface + 0.32 * np.array(colors.to_rgb(colour))
        for colour in _style.class_colours(n_classes, _style.palette(ax))
    ]
    image = _image(ax, classes, extent, cmap=colors.ListedColormap(pale), vmin=-0.5, vmax=n_classes - 0.5)
    if n_classes > _MOST_NAMED:
        _bar(ax, image, "class", ticks=_style.matplotlib("ticker").MaxNLocator(integer=True))


def _probability(ax: Axes, probability: np.ndarray, extent: _Extent, name: str) -> None:
    """Paint class 0 in its colour, class 1 in its own, pale between; the boundary is a line; ``name``: of class 1."""
    colours = _style.palette(ax)
    stops = [colours.training, colours.surface, colours.validation]
    blend = _style.matplotlib("colors").LinearSegmentedColormap.from_list("fastnn binary", stops)
    image = _image(ax, probability, extent, cmap=blend, vmin=0.0, vmax=1.0, alpha=0.5)
    if probability.min() < 0.5 < probability.max():
        lines = ax.contour(probability, [0.5], extent=extent, origin="lower", colors=[colours.ink], linewidths=1.2)
        lines.set_label("_boundary")
    _bar(ax, image, f"probability of {name}")


def _points(ax: Axes, rows: np.ndarray, labels: np.ndarray, names: list[str]) -> None:
    colours = _style.palette(ax)
    n_classes = len(names)
    size = 26 if len(rows) <= 300 else 14 if len(rows) <= MANY else 5
    has_shapes = n_classes <= _MOST_NAMED and len(rows) <= MANY  # of very small ones, some vanish
    for label, colour in enumerate(_style.class_colours(n_classes, colours)):
        own = rows[labels == label]
        ax.scatter(
            own[:, 0],
            own[:, 1],
            s=size,
            color=[colour],
            marker=_style.MARKERS[label % len(_style.MARKERS)] if has_shapes else "o",
            edgecolors=colours.surface,
            linewidths=0.6 if len(rows) <= MANY else 0,
            label=names[label],
            rasterized=len(rows) > MANY,
        )
    if n_classes <= _MOST_NAMED:
        ax.legend(
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=min(n_classes, 4 if max(map(len, names)) < 12 else 2),
            frameon=False,
            markerscale=30 / (size + 4),
            handletextpad=0.3,
            columnspacing=1.2,
        )


def _surface(ax: Axes, outputs: np.ndarray, extent: _Extent, rows: np.ndarray, targets: np.ndarray) -> None:
    checks.finite(targets.astype(np.float64), "y")
    low, high = float(targets.min()), float(targets.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    image = _image(ax, outputs, extent, cmap="viridis", vmin=low, vmax=high)
    ax.scatter(
        rows[:, 0],
        rows[:, 1],
        s=22 if len(rows) <= MANY else 5,
        c=targets,
        cmap="viridis",
        vmin=low,
        vmax=high,
        edgecolors="white",
        linewidths=0.7 if len(rows) <= MANY else 0.2,
        rasterized=len(rows) > MANY,
    )
    _bar(ax, image, "output, and y of the points", extend="both")


def _bar(ax: Axes, image: Any, label: str, **style: Any) -> None:
    bar = ax.figure.colorbar(image, ax=ax, label=label, **style)
    bar.outline.set_visible(False)
