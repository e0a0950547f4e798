"""How activations and gradients are distributed, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastnn import gradients as _gradients
from fastnn import inspection
from fastnn._input import checks
from fastnn.layers import Activation, Dropout
from fastnn.plot import _diagram, _style
from fastnn.plot._arguments import network_of, targets_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from fastnn._input.names import LossName
    from fastnn.losses import Loss
    from fastnn.network import Network
    from fastnn.plot._arguments import Estimator
    from fastnn.training import Trainer

_BINS = 90
_MOST_ROWS = 4096  # that a distribution is of; dead units are of all
_TAIL = 0.002  # of a row's values, at each end, may lie outside the picture
_RIDGE = 0.56  # of a row's height; the note has the rest
_ROW = 0.62  # inches
_FAR = 4.0  # times as large as all others


@dataclass
class _Row:
    """One distribution: what it is of, its values other than 0, and a note."""

    label: str
    values: np.ndarray
    note: str
    names_units: bool


def activations(network: Network | Trainer | Estimator, X: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw how the outputs of each layer are distributed, and name dead units, which are 0 in every row.

    Parameters
    ----------
    network : Network, Trainer or fitted estimator of `fastnn.sklearn`
    X : array_like, shape (n, n_features)
        As the network takes them; rows that it was not trained on tell most. Distributions are of 4,096 of the rows,
        evenly spaced, if there are more; dead units are looked for in all (`fastnn.inspection.dead_units`).
    ax : matplotlib Axes, optional
        By default a new figure's, which is as high as the layers take.

    Returns
    -------
    matplotlib Axes
        A row for each layer but the input and dropout, from the top down. Zeros are counted in words instead of drawn,
        because those of ReLU would dwarf all else. Where the outputs of the last layer are far larger than all others,
        as those of a regression may be, they are drawn divided by a power of ten, which the label names.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    network = network_of(network)
    dead = inspection.dead_units(network, X)
    rows = checks.numeric(X, "X")
    spaced = rows[np.arange(0, len(rows), -(-len(rows) // _MOST_ROWS))]
    listed = []
    for place, outputs in inspection.activations(network, spaced).items():
        layer = network.layers[place]
        if isinstance(layer, Dropout):
            continue
        note = _note(outputs, "dead", dead[place], outputs.shape[1])
        values = outputs[outputs != 0].astype(np.float64)
        is_activation = isinstance(layer, Activation)
        words = ("" if is_activation else _diagram.named(layer, outputs.shape[1]), _diagram.activation(layer))
        listed.append(_Row(f"{place}  {' '.join(filter(None, words))}", values, note, len(dead[place]) > 0))
    _shrink(listed)
    ends = np.array([np.quantile(row.values, [_TAIL, 1 - _TAIL]) for row in listed if len(row.values)])
    low, high = (min(ends.min(), 0.0), max(ends.max(), 0.0)) if len(ends) else (-1.0, 1.0)
    ax = _ridges(listed, np.linspace(low, high, _BINS + 1), ax)
    ax.axvline(0, color=_style.palette(ax).muted, linewidth=0.8, zorder=0)
    ax.set_xlabel("output of a unit")
    return ax


def gradients(
    network: Network | Trainer | Estimator,
    loss: LossName | Loss,
    X: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
) -> Axes:
    """Draw how large the derivatives of the loss by each tensor of parameters are, and name units that get none.

    Where gradients vanish on the way down, the upper rows lie further to the left.

    Parameters
    ----------
    network : Network, Trainer or fitted estimator of `fastnn.sklearn`
        Left as it is.
    loss : str or Loss
    X, y, sample_weight : array_like
        One batch, as for `fastnn.Trainer.step`.
    ax : matplotlib Axes, optional
        By default a new figure's, which is as high as the tensors take.
    seed : int, default 0
        Decides the dropout masks.

    Returns
    -------
    matplotlib Axes
        A row for each tensor, from the top down, over their size on a logarithmic scale; derivatives of 0 are counted
        in words.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    listed = []
    found = _gradients.gradient(network_of(network), loss, X, targets_of(network, y), sample_weight, seed)
    for name, values in found.items():
        none = np.flatnonzero((values.reshape(len(values), -1) == 0).all(axis=1))
        sizes = np.abs(values[values != 0]).astype(np.float64)
        listed.append(_Row(name, sizes, _note(values, "without gradient", none, len(values)), len(none) > 0))
    ends = np.array([np.quantile(row.values, [_TAIL, 1.0]) for row in listed if len(row.values)])
    low, high = (np.floor(np.log10(ends.min())), np.ceil(np.log10(ends.max()))) if len(ends) else (-3.0, 0.0)
    ax = _ridges(listed, np.logspace(low, max(high, low + 1), _BINS + 1), ax)
    ax.set_xscale("log")
    ax.set_xlabel("size of a derivative")
    return ax


def _shrink(listed: list[_Row]) -> None:
    """Bring the last row to the scale of the others, which it would press to a line."""
    *others, last = listed
    hidden = max((np.abs(row.values).max() for row in others if len(row.values)), default=0.0)
    largest = np.abs(last.values).max(initial=0.0)
    if hidden and largest > _FAR * hidden:
        power = math.ceil(math.log10(largest / hidden))
        last.values = last.values / 10.0**power
        last.label += f"\n÷ {10**power:,}" if power < 6 else f"\n÷ 10^{power}"


def size_of(n_rows: int) -> tuple[float, float]:
    """Return the size of a figure that has room for as many distributions, in inches."""
    return _style.FIGURE_SIZE[0], max(_style.FIGURE_SIZE[1], _ROW * (n_rows + 1.3))


def _share(share: float) -> str:
    """Return a percentage that says 0 and 100 of nothing else."""
    return f"{100 * share:.0f}%" if 0.005 <= share < 0.995 or share in (0, 1) else f"{100 * share:.2g}%"


def _note(values: np.ndarray, what: str, units: np.ndarray, n_units: int) -> str:
    zero = f"{_share(np.mean(values == 0))} zero" if (values == 0).any() else ""
    if len(units) == n_units:
        named = f"all {n_units} units {what}" if n_units > 1 else f"its only unit {what}"
    elif len(units):
        named = f"{len(units)} of {n_units} units {what}: {_style.numbers(units.tolist())}"
    else:
        named = ""
    return ", ".join(filter(None, (zero, named)))


def _ridges(listed: list[_Row], edges: np.ndarray, ax: Axes | None) -> Axes:
    """Return a histogram over the same bins for each row, all of one height."""
    ax = _style.axes(ax, size_of(len(listed)))
    colours = _style.palette(ax)
    _style.tidy(ax, grid="x")
    for y, row in enumerate(listed):
        base = y + 1.0
        counts = np.histogram(row.values, edges)[0]
        ridge = base - _RIDGE * counts / max(1, counts.max())
        ax.stairs(ridge, edges, baseline=base, fill=True, color=colours.training, alpha=0.75, label=row.label)
        ax.axhline(base, color=colours.grid, linewidth=0.8, zorder=0)
        if row.note:
            ax.text(
                0.995,
                base - _RIDGE - 0.04,
                row.note,
                transform=ax.get_yaxis_transform(),
                ha="right",
                va="bottom",
                fontsize=_style.SMALL,
                color=colours.validation if row.names_units else colours.muted,
            )
    ax.set_ylim(len(listed) + 0.08, -0.05)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_yticks([y + 0.75 for y in range(len(listed))], [row.label for row in listed], fontsize=9)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
