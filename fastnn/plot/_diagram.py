"""A network as a diagram."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from fastnn._input import checks
from fastnn.layers import Activation, Dense, Dropout, Input, activation_of
from fastnn.plot import _style, _units
from fastnn.plot._arguments import network_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnn.network import Network
    from fastnn.plot._arguments import Estimator
    from fastnn.training import Trainer

_ROW = 0.42  # inches
_WIDEST, _NARROWEST = 0.46, 0.2  # boxes, as shares of the width
_CENTRE = 0.25
_SIZE_FOR_WIDTH = 1.8  # points of text for each inch, so that columns do not run into each other
_COLUMNS = (("activation", 0.5, "left"), ("output", 0.82, "right"), ("parameters", 0.99, "right"))


def network(
    network: Network | Trainer | Estimator, ax: Axes | None = None, kind: Literal["auto", "units", "layers"] = "auto"
) -> Axes:
    """Draw a network: each unit and each weight of a small one, the layers of a larger one.

    Parameters
    ----------
    network : Network, Trainer or fitted estimator of `fastnn.sklearn`
    ax : matplotlib Axes, optional
        By default a new figure's. For layers it is as high as they need.
    kind : {"auto", "units", "layers"}
        What is drawn. ``"auto"`` draws units where no layer has more than 16 of them and no more than 6 layers have
        units; layers otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If ``network`` has no network.
    ValueError
        If there is no such kind.
    ImportError
        If matplotlib is missing; the message says how to install it.

    Notes
    -----
    **Units** are circles in columns, from the inputs on the left to the outputs on the right. Weights are lines, and
    the ring of a circle is the unit's bias: blue above 0, orange below, and the wider, the further from 0. The numbers
    are written beside them where no layer has more than 3 units. Of a layer of more than 16 units, the first and the
    last are drawn.

    **Layers** are boxes from the top down, with activations, shapes of their outputs and parameter counts. A box is
    the wider, the more units a layer has, on a logarithmic scale.

    Examples
    --------
    >>> fn.plot.network(net, kind="units")
    """
    network = network_of(network)
    checks.choice(kind, ("auto", "units", "layers"), "kind")
    if kind == "units" or (kind == "auto" and _units.is_small(network)):
        ax = _style.axes(ax)
        _units.draw(network, ax, _notes)
        return ax
    ax = _style.axes(ax, size_of(network))
    _draw_layers(network, ax)
    return ax


def _draw_layers(network: Network, ax: Axes) -> None:
    rows = network.plan.rows
    width, height = _style.inches(ax)
    size = max(3.0, min(10.0, 36 * height / (len(rows) + 2), _SIZE_FOR_WIDTH * width))
    colours = _style.palette(ax)
    ax.set_xlim(0, 1)
    ax.set_ylim(len(rows) + 1.1, -1.1)
    ax.set_axis_off()

    most = max(row.units for row in rows)
    widths = [_NARROWEST + (_WIDEST - _NARROWEST) * math.log1p(row.units) / math.log1p(most) for row in rows]
    for y, (above, below) in enumerate(pairwise(widths)):
        _connect(ax, y, above, below, colours)
    for heading, x, side in _COLUMNS:
        ax.text(x, -0.85, heading, ha=side, va="center", fontsize=size, color=colours.muted)
    ax.text(_CENTRE, -0.85, "layer", ha="center", va="center", fontsize=size, color=colours.muted)
    for y, (row, width) in enumerate(zip(rows, widths, strict=True)):
        _box(ax, y, width, named(row.layer, row.units), size, _filling(row.layer, y == len(rows) - 1, colours), colours)
        count = f"{row.n_parameters:,}" if row.n_parameters else ""
        texts = (activation(row.layer), f"(n, {row.units:,})", count)
        for text, (_, x, side) in zip(texts, _COLUMNS, strict=True):
            ax.text(x, y, text, ha=side, va="center", fontsize=size, color=colours.ink)
    ax.axhline(len(rows) - 0.4, 0.5, 0.99, color=colours.grid, linewidth=0.8)
    total = f"{network.n_parameters:,}"
    ax.text(0.99, len(rows) + 0.15, total, ha="right", va="center", fontsize=size, weight="bold", color=colours.ink)
    ax.text(0.5, len(rows) + 0.15, "in all", ha="left", va="center", fontsize=size, color=colours.muted)


def size_of(network: Network) -> tuple[float, float]:
    """Return the size of a figure that has room for the layers, in inches."""
    return _style.FIGURE_SIZE[0], max(_style.FIGURE_SIZE[1], _ROW * (len(network.layers) + 2))


def named(layer: Any, units: int) -> str:
    """Return a layer in a few words, its activation left out."""
    if isinstance(layer, Dropout):
        return f"Dropout {layer.rate:g}"
    if isinstance(layer, (Dense, Input)):
        return f"{type(layer).__name__} {units:,}"
    return type(layer).__name__


def activation(layer: Any) -> str:
    """Return the activation of a layer, nothing if it has none."""
    if not isinstance(layer, (Dense, Activation)):
        return ""
    found = activation_of(layer)
    name = "" if found.name == "identity" else found.name.replace("_", " ")
    return name if found.is_default else f"{name}, α = {found.alpha:g}"


def _notes(layer: Any) -> list[str]:
    """Return what is written below a column of units of a layer that belongs to it."""
    name = activation(layer)
    if isinstance(layer, (Dense, Activation)):
        return [name] if name else []
    return [named(layer, 0)]


def _filling(layer: Any, is_last: bool, colours: _style.Palette) -> str | None:
    """Fill layers with units of their own; others have an outline only."""
    if isinstance(layer, Input):
        return colours.muted
    if isinstance(layer, Dense):
        return colours.validation if is_last else colours.training
    return None


def _box(ax: Axes, y: int, width: float, text: str, size: float, filling: str | None, colours: _style.Palette) -> None:
    patch = _style.matplotlib("patches").FancyBboxPatch(
        (_CENTRE - width / 2, y - 0.27),
        width,
        0.54,
        boxstyle="round,pad=0,rounding_size=0.012",
        mutation_aspect=20,
        facecolor=filling or colours.surface,
        edgecolor=filling or colours.muted,
        linewidth=1.0,
    )
    ax.add_patch(patch)
    ink = colours.surface if filling else colours.ink
    ax.text(_CENTRE, y, text, ha="center", va="center", fontsize=size, color=ink)


def _connect(ax: Axes, y: int, above: float, below: float, colours: _style.Palette) -> None:
    corners = [
        (_CENTRE - above / 2 + 0.01, y + 0.27),
        (_CENTRE + above / 2 - 0.01, y + 0.27),
        (_CENTRE + below / 2 - 0.01, y + 0.73),
        (_CENTRE - below / 2 + 0.01, y + 0.73),
    ]
    ax.add_patch(_style.matplotlib("patches").Polygon(corners, closed=True, color=colours.grid, linewidth=0, zorder=0))
