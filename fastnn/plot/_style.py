"""What all pictures share: how matplotlib is found, colours for light and dark backgrounds, and a quiet frame."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fastnn._input import checks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

FIGURE_SIZE = (7.0, 4.2)  # inches
SMALL = 8.5  # points, of notes within a picture
MANY_POINTS = 2000  # more are drawn as pixels in vector formats, which would grow with each of them
MARKERS = "os^DvPX*"


@dataclass(frozen=True)
class Palette:
    """Colours that people with any kind of colour vision can tell apart, on one background."""

    surface: str
    ink: str
    muted: str
    grid: str
    training: str
    validation: str
    classes: tuple[str, ...]


LIGHT = Palette(
    surface="#ffffff",
    ink="#1f2937",
    muted="#6b7280",
    grid="#e5e7eb",
    training="#1f5fa8",
    validation="#d1620b",
    classes=("#1f5fa8", "#d1620b", "#009e73", "#b8528a", "#4aa8e0", "#c79a00", "#6b7280", "#5b3a9e"),
)
DARK = Palette(
    surface="#161a20",
    ink="#e5e7eb",
    muted="#9ca3af",
    grid="#2d333d",
    training="#6cabf0",
    validation="#f2994a",
    classes=("#6cabf0", "#f2994a", "#2fc79a", "#e38fc0", "#a5dcff", "#ecd04e", "#9ca3af", "#ab8df0"),
)


def matplotlib(module: str = "") -> Any:
    """Return a module of matplotlib, or matplotlib itself.

    Raises
    ------
    ImportError
        If it is missing; the message says how to install it.
    """
    try:
        return importlib.import_module(f"matplotlib.{module}" if module else "matplotlib")
    except ImportError as error:
        raise ImportError("fastnn.plot needs matplotlib: pip install matplotlib") from error


def axes(ax: Axes | None, size: tuple[float, float] = FIGURE_SIZE) -> Axes:
    """Return ``ax``, or the Axes of a new figure of pyplot's, which notebooks show by themselves."""
    if ax is None:
        return matplotlib("pyplot").subplots(figsize=size, layout="constrained")[1]
    if not isinstance(ax, matplotlib("axes").Axes):
        raise TypeError(f"ax must be a matplotlib Axes, or None for a new figure; got {checks.described(ax)}")
    return ax


def inches(ax: Axes) -> tuple[float, float]:
    """Return the width and height that there are so far; what stands around the frame may yet take some of it."""
    extent = ax.get_window_extent()
    return extent.width / ax.figure.dpi, extent.height / ax.figure.dpi


def background(ax: Axes) -> Any:
    """Return the colour behind what is drawn on ``ax``: white where that is transparent."""
    faces = map(matplotlib("colors").to_rgba, (ax.get_facecolor(), ax.figure.get_facecolor()))
    return next((face for face in faces if face[3] > 0.5), (1.0, 1.0, 1.0, 1.0))


def palette(ax: Axes) -> Palette:
    """Return the colours for the background of ``ax``."""
    red, green, blue, _ = background(ax)
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else LIGHT


def parameters(colours: Palette) -> dict[str, Any]:
    """Return matplotlib's settings for a figure in these colours."""
    ink = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(ink, colours.ink),
        "axes.edgecolor": colours.muted,
        "axes.facecolor": colours.surface,
        "figure.facecolor": colours.surface,
        "savefig.facecolor": colours.surface,
        "font.size": 10.0,
    }


def signed(colours: Palette) -> Colormap:
    """Return a colour map: orange below 0, the background's colour at 0, blue above."""
    return _map("signed", [colours.validation, colours.surface, colours.training])


def sequential(colours: Palette) -> Colormap:
    """Return a colour map from the background's colour at 0 to blue."""
    return _map("sequential", [colours.surface, colours.training])


def _map(name: str, stops: Sequence[str]) -> Colormap:
    return matplotlib("colors").LinearSegmentedColormap.from_list(f"fastnn {name}", stops)


def class_colours(n: int, colours: Palette) -> list[Any]:
    """Return a colour for each of ``n`` classes."""
    if n <= len(colours.classes):
        return list(colours.classes[:n])
    viridis = matplotlib("cm").ScalarMappable(cmap="viridis")
    viridis.set_clim(0, n - 1)
    return [viridis.to_rgba(i) for i in range(n)]


def readable(ax: Axes, background: Sequence[float]) -> str:
    """Return the one of ink and surface with the greater contrast to a colour (WCAG 2.2)."""
    to_rgb = matplotlib("colors").to_rgb

    def luminance(colour: Any) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.05 + 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    behind, colours = luminance(tuple(background)), palette(ax)

    def contrast(colour: str) -> float:
        ratio = luminance(colour) / behind
        return max(ratio, 1 / ratio)

    return max((colours.ink, colours.surface), key=contrast)


def tidy(ax: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Leave a frame of two sides, and behind all else a pale grid, or the lines of one direction."""
    ax.grid(True, axis=grid, color=palette(ax).grid, linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def without_frame(ax: Axes) -> None:
    """Remove ticks and frame: an image is its own edges."""
    ax.grid(False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def title(ax: Axes, text: str) -> None:
    """Write a heading over the left edge, where nothing is drawn."""
    ax.set_title(text, loc="left", fontsize=10, color=palette(ax).ink)


def name(value: Any, length: int = 28) -> str:
    """Return a name for matplotlib to show as it is: one line, no formula, never hidden from a legend; cut if long."""
    text = "".join(character if character.isprintable() else " " for character in " ".join(str(value).split()))
    if len(text) > length:
        text = f"{text[: (length - 1) // 2].rstrip()}…{text[-(length // 2) :].lstrip()}"
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")


def names(values: Iterable[Any], length: int = 28) -> list[str]:
    """Return names for matplotlib, each another: those that are cut to the same text begin with their places."""
    given = list(values)
    cut = [name(value, length) for value in given]
    times = Counter(cut)
    return [text if times[text] == 1 else name(f"{i}: {given[i]}", length) for i, text in enumerate(cut)]


def classes(labels: Any) -> list[Any]:
    """Return what classes are, or are called, one after another."""
    if isinstance(labels, (str, bytes)) or not hasattr(labels, "__iter__"):
        raise TypeError(f"labels must be a sequence of classes; got {checks.described(labels)}")
    return list(labels)


def numbers(values: Sequence[int], length: int = 44) -> str:
    """Return whole numbers, ascending, as text: runs as "3–7", and the rest counted if there is no room for all."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    parts: list[str] = []
    left = len(values)
    for first, last in runs:
        part = f"{first}" if first == last else f"{first}, {last}" if last == first + 1 else f"{first}–{last}"
        if parts and len(", ".join([*parts, part])) > length:
            return f"{', '.join(parts)} and {left} more"
        parts.append(part)
        left -= last - first + 1
    return ", ".join(parts)
