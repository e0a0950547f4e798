"""What the units of the first layer look for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastnn._input import checks
from fastnn.layers import Dense
from fastnn.plot import _style
from fastnn.plot._arguments import network_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastnn.network import Network
    from fastnn.plot._arguments import Estimator
    from fastnn.training import Trainer

_MOST_TICKS = 16
_MOST_NAMES = 40
_LONGEST = 24  # characters of a name
_FEW_PIXELS = 256
_WIDE = 1.35  # width over height that a new figure leaves for the image


def weights(
    network: Network | Trainer | Estimator,
    shape: Sequence[int] | None = None,
    ax: Axes | None = None,
    *,
    units: Sequence[int] | None = None,
    features: Sequence[str] | None = None,
) -> Axes:
    """Draw the weights of the first `Dense` layer: as an image for each unit, or all as one matrix.

    Parameters
    ----------
    network : Network, Trainer or fitted estimator of `fastnn.sklearn`
    shape : (int, int), optional
        Height and width of the images that the features are, row by row. By default the matrix is drawn, a row for each
        unit and a column for each feature.
    ax : matplotlib Axes, optional
        By default a new figure's.
    units : sequence of int, optional
        Which units; by default all.
    features : sequence of str, optional
        What the features are called; by default they have numbers. Of many, some are named.

    Returns
    -------
    matplotlib Axes
        Of one image in a signed colour map with 0 in the middle. The units' images stand in rows, from the left and
        from the top, a pixel without a value (NaN) between them; the numbers at the left are those of the first unit in
        a row.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    network = network_of(network)
    layer = next(row for row in network.plan.rows if isinstance(row.layer, Dense))
    weight = network.parameters[layer.names["weight"]].astype(np.float64)
    n_units, n_features = weight.shape
    size = None if shape is None else size_of(shape, n_features, "shape")
    listed = range(n_units) if units is None else checks.listed(units, (), "units")
    shown = [checks.integer(unit, "units", 0, n_units - 1) for unit in listed]
    if not shown:
        raise ValueError("units must hold at least one unit; got none")
    names = None if features is None else checks.names(features, "features")
    if names is not None and len(names) != n_features:
        raise ValueError(f"features must name each of {n_features} features; got {checks.described(features)}")

    ax = _style.axes(ax)
    colours = _style.palette(ax)
    limit = float(np.abs(weight[shown]).max()) or 1.0
    # Between images of few pixels a white gap of one is wide; between others it is a line.
    gap = colours.surface if n_features <= _FEW_PIXELS else colours.grid
    if size is None:
        values, first, height = weight[shown], shown, 1
    else:
        values = _mosaic(weight[shown], size)
        height, width = size
        columns = (values.shape[1] + 1) // (width + 1)
        first = shown[::columns]
        if len(shown) % columns:  # the end of the last row, where there are no units
            left, top = len(shown) % columns * (width + 1) - 0.5, (len(first) - 1) * (height + 1) - 0.5
            right, bottom = values.shape[1], values.shape[0]
            patches = _style.matplotlib("patches")
            ax.add_patch(patches.Rectangle((left, top), right - left, bottom - top, color=colours.surface, linewidth=0))
    image = ax.imshow(
        values,
        cmap=_style.signed(colours).with_extremes(bad=gap),
        vmin=-limit,
        vmax=limit,
        aspect="auto" if size is None else "equal",
        interpolation="nearest" if max(values.shape) < 400 else "auto",
    )
    stride = -(-len(first) // _MOST_TICKS)
    ticks = range(0, len(first), stride)
    ax.set_yticks([i * (height + (size is not None)) + (height - 1) / 2 for i in ticks], [str(first[i]) for i in ticks])
    ax.set_ylabel("unit" if size is None else "unit at the left")
    _style.without_frame(ax)
    if size is None:
        ax.set_xlabel("feature")
        if names is None:
            ticker = _style.matplotlib("ticker")
            ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        else:
            places = range(0, n_features, -(-n_features // _MOST_NAMES))
            shown_names = _style.names(names, _LONGEST)
            ax.set_xticks(places, [shown_names[place] for place in places], rotation=60, ha="right")
            ax.set_xlabel("")
    else:
        ax.set_xticks([])
    bar = ax.figure.colorbar(image, ax=ax, label="weight", shrink=0.9)
    bar.outline.set_visible(False)
    return ax


def size_of(shape: Sequence[int], n_features: int, argument: str) -> tuple[int, int]:
    """Return height and width, if images of that size have as many pixels as there are features."""
    expected = f"{argument} must be (height, width) of images of {n_features} pixels, a pixel a feature"
    if isinstance(shape, str) or not hasattr(shape, "__len__") or len(shape) != 2:
        raise ValueError(f"{expected}; got {shape!r}")
    height, width = (checks.integer(value, argument) for value in shape)
    if height * width != n_features:
        raise ValueError(f"{expected}; got {tuple(shape)}, which have {height * width}")
    return height, width


def _mosaic(weight: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the images side by side, with NaN between them."""
    height, width = size
    n = len(weight)
    columns = min(n, max(1, math.ceil(math.sqrt(n * _WIDE * (height + 1) / (width + 1)))))
    rows = -(-n // columns)
    columns = -(-n // rows)
    canvas = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i in range(n):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        canvas[top : top + height, left : left + width] = weight[i].reshape(size)
    return canvas
