"""A small network as circles and lines: each unit with its bias, and each weight."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.layers import Dense, Input
from fastnn.network import Network
from fastnn.plot import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_UNITS, MOST_COLUMNS = 16, 6  # of a network whose units are drawn unasked
_MOST_NUMBERED = 3, 4  # units a column, and columns, of a network whose numbers are written beside them
_ENDS = 5  # units at each end of a column that is too long to be drawn whole
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.09, 0.91, 0.86, 0.3  # where units are, as shares of the Axes
_LARGEST = 15.0  # points, the radius of a unit


@dataclass
class Column:
    """A layer with units of its own, and what is said of it and of the layers that work on its outputs."""

    heading: str
    places: list[int | None]  # of the units drawn; None where some are left out
    notes: list[str] = field(default_factory=list)
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None


def is_small(network: Network) -> bool:
    """Whether all units of a network have room in a picture."""
    units = [row.units for row in network.plan.rows if isinstance(row.layer, (Dense, Input))]
    return len(units) <= MOST_COLUMNS and max(units) <= MOST_UNITS


def draw(network: Network, ax: Axes, notes_of: Any) -> None:
    """Draw units in columns, from the inputs on the left to the outputs; ``notes_of`` says a layer in a few words."""
    columns = _columns(network, notes_of)
    colours, behind = _style.palette(ax), _style.background(ax)
    box = ax.get_window_extent()
    width, height = 72 * box.width / ax.figure.dpi, 72 * box.height / ax.figure.dpi  # points
    longest = max(len(column.places) for column in columns)
    gap_x, gap_y = (_RIGHT - _LEFT) / max(1, len(columns) - 1), (_TOP - _BOTTOM) / longest
    radius = min(_LARGEST, 0.38 * gap_y * height, 0.2 * gap_x * width)
    size = max(4.0, min(9.5, height / 25, gap_x * width / 10))
    has_numbers = longest <= _MOST_NUMBERED[0] and len(columns) <= _MOST_NUMBERED[1]
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()

    points = [_points(column.places, _LEFT + gap_x * number, gap_y) for number, column in enumerate(columns)]
    largest = max((float(np.abs(values).max()) for column in columns for values in _parameters(column)), default=0.0)
    for (before, from_), (column, to) in pairwise(zip(columns, points, strict=True)):
        _lines(ax, before.places, column, from_, to, largest, colours)
        if has_numbers:
            _weights(ax, column, from_, to, size, colours.ink, behind)
    for number, (column, at) in enumerate(zip(columns, points, strict=True)):
        letter = "x" if number == 0 else "y" if number == len(columns) - 1 else "h"
        _circles(ax, column, at, radius, largest, colours)
        for place, (x, y) in zip(column.places, at, strict=True):
            if place is None:
                ax.text(x, y, "⋮", ha="center", va="center", fontsize=size + 4, color=colours.ink)
            elif radius > 7:
                name = f"${letter}_{{{place + 1}}}$"
                ax.text(x, y, name, ha="center", va="center", fontsize=0.85 * radius, color=colours.ink)
            if has_numbers and place is not None and column.bias is not None:
                below = (0, -radius - 2)
                text = f"bias {_number(column.bias[place])}"
                _note(ax, text, (x, y), size - 0.5, colours.ink, offset=below, surface=behind)
        x = float(at[0, 0])
        ax.text(x, 0.99, column.heading, ha="center", va="top", fontsize=size, color=colours.muted)
        ax.text(x, _BOTTOM - 0.06, "\n".join(column.notes), ha="center", va="top", fontsize=size, color=colours.ink)
    _legend(ax, size, colours)


def _columns(network: Network, notes_of: Any) -> list[Column]:
    columns: list[Column] = []
    parameters = network.parameters
    for row in network.plan.rows:
        if not isinstance(row.layer, (Dense, Input)):
            columns[-1].notes += notes_of(row.layer)
            continue
        column = Column("hidden" if columns else "input", _places(row.units), [f"{row.units:,} {_noun(row)}"])
        if isinstance(row.layer, Dense):
            column.weight, column.bias = (parameters[row.names[kind]] for kind in ("weight", "bias"))
            column.notes += notes_of(row.layer)
        columns.append(column)
    if len(columns) > 1:
        columns[-1].heading = "output"
    return columns


def _noun(row: Any) -> str:
    return ("feature" if isinstance(row.layer, Input) else "unit") + "s" * (row.units != 1)


def _places(units: int) -> list[int | None]:
    if units <= MOST_UNITS:
        return list(range(units))
    return [*range(_ENDS), None, *range(units - _ENDS, units)]


def _points(places: list[int | None], x: float, gap: float) -> np.ndarray:
    """Return where the units of a column are, shape (units, 2), the first one above."""
    rows = np.arange(len(places))
    middle = (_TOP + _BOTTOM) / 2
    return np.column_stack([np.full(len(places), x), middle + gap * ((len(places) - 1) / 2 - rows)])


def _parameters(column: Column) -> list[np.ndarray]:
    return [values for values in (column.weight, column.bias) if values is not None]


def _shown(places: list[int | None]) -> list[tuple[int, int]]:
    """Return row in the picture and place in the layer of each unit that is drawn."""
    return [(row, place) for row, place in enumerate(places) if place is not None]


def _colour(value: float, colours: _style.Palette) -> str:
    return colours.training if value > 0 else colours.validation if value < 0 else colours.muted


def _share(value: float, largest: float) -> float:
    return abs(value) / largest if largest else 0.0


def _lines(ax: Axes, before: Any, column: Column, from_: Any, to: Any, largest: float, colours: _style.Palette) -> None:
    """Draw the weights that lead to a column, the largest on top."""
    assert column.weight is not None
    drawn = [
        (float(column.weight[unit, source]), from_[row], to[below])
        for below, unit in _shown(column.places)
        for row, source in _shown(before)
    ]
    drawn.sort(key=lambda line: abs(line[0]))
    shares = [_share(weight, largest) for weight, _, _ in drawn]
    lines = _style.matplotlib("collections").LineCollection(
        [(start, end) for _, start, end in drawn],
        colors=[_colour(weight, colours) for weight, _, _ in drawn],
        linewidths=[0.3 + 3.2 * share for share in shares],
        alpha=[0.35 + 0.65 * share for share in shares],
        zorder=1,
    )
    ax.add_collection(lines)


def _circles(ax: Axes, column: Column, at: Any, radius: float, largest: float, colours: _style.Palette) -> None:
    """Draw the units of a column; the ring of each is its bias."""
    shown = _shown(column.places)
    biases = [0.0 if column.bias is None else float(column.bias[place]) for _, place in shown]
    x, y = at[[row for row, _ in shown]].T
    ax.scatter(
        x,
        y,
        s=(2 * radius) ** 2,  # of the square around the circle, in points²
        facecolors=colours.surface,
        edgecolors=[_colour(bias, colours) for bias in biases],
        linewidths=[0.9 + 3.0 * _share(bias, largest) for bias in biases],
        zorder=2,
    )


def _weights(ax: Axes, column: Column, from_: Any, to: Any, size: float, ink: str, behind: Any) -> None:
    """Write the weights on their lines, as far along as lets none cover another."""
    assert column.weight is not None
    along = 1 / (len(to) + 1)
    for unit, end in enumerate(to):
        for source, start in enumerate(from_):
            text = _number(column.weight[unit, source])
            _note(ax, text, start + (end - start) * along, size, ink, surface=behind)


def _number(value: float) -> str:
    return f"{value:.2g}".replace("-", "\N{MINUS SIGN}")


def _note(ax: Axes, text: str, at: Any, size: float, ink: str, offset: Any = (0, 0), *, surface: Any) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": surface, "edgecolor": "none"}
    va = "top" if offset[1] else "center"
    ax.annotate(
        text, at, offset, textcoords="offset points", ha="center", va=va, fontsize=size, color=ink, bbox=box, zorder=3
    )


def _legend(ax: Axes, size: float, colours: _style.Palette) -> None:
    line = _style.matplotlib("lines").Line2D
    ring = {"marker": "o", "markersize": size, "markerfacecolor": colours.surface, "markeredgecolor": colours.training}
    handles = [
        line([], [], color=colours.training, linewidth=2.5, label="weight above 0"),
        line([], [], color=colours.validation, linewidth=2.5, label="below 0"),
        line([], [], linestyle="none", markeredgewidth=2.5, label="ring: bias", **ring),
    ]
    ax.legend(
        handles=handles,
        loc="lower center",
        ncols=3,
        frameon=False,
        fontsize=size,
        labelcolor=colours.ink,
        borderaxespad=0,
        columnspacing=1.4,
        handlelength=1.6,
    )
