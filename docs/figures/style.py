"""What the pictures of the documentation have in common."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d1620b", "#3d8b40", "#9ca3af"
DARK_GREY = "#4b5563"
PICTURES = Path(__file__).parent.parent / "pictures"
EXAMPLES = Path(__file__).parents[2] / "examples"


def figure(columns: int = 1, rows: int = 1, width: float = 7.0, height: float = 4.0, **options) -> tuple[Figure, list]:
    """Return a figure without pyplot, and its axes in a flat list."""
    made = Figure(figsize=(width, height), layout="constrained")
    axes = made.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    return made, axes


def tidy(axes: Axes) -> None:
    """Draw a grid behind, and no frame on the right and above."""
    axes.grid(True, color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many decimals and a minus sign that is one."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def weighted(weights, values, digits: int, bias: float) -> str:
    """Write a sum of products and a bias out."""
    products = [f"{number(w, 1)} · {number(x, digits)}" for w, x in zip(weights, values, strict=True)]
    return " + ".join([*products, number(bias, 1)]).replace("+ \N{MINUS SIGN}", "\N{MINUS SIGN} ")


def circle(axes: Axes, at: tuple[float, float], text: str, colour: str) -> None:
    """Draw a unit with what it holds."""
    axes.plot(*at, "o", markersize=56, markerfacecolor="white", markeredgecolor=colour, markeredgewidth=2.0)
    axes.text(*at, text, ha="center", va="center", fontsize=12.5, linespacing=1.2)


def label(axes: Axes, at: tuple[float, float], text: str, colour: str) -> None:
    """Write on a line, which is hidden behind the text."""
    behind = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}
    axes.text(*at, text, ha="center", va="center", fontsize=13, color=colour, bbox=behind)


def note(axes: Axes, at: tuple[float, float], text: str, is_above: bool = False) -> None:
    """Write below a unit, or above it."""
    behind = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    axes.text(*at, text, ha="center", va="bottom" if is_above else "top", fontsize=11.5, color=DARK_GREY, bbox=behind)


def arrow(axes: Axes, start, end, text: str, colour: str, along: float = 0.3, is_backward: bool = False) -> None:
    """Draw an arrow between two units, either way, with a number on it."""
    shape = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5, "shrinkA": 30, "shrinkB": 30}
    axes.annotate("", *((start, end) if is_backward else (end, start)), arrowprops=shape, zorder=0)
    if text:
        label(axes, tuple(a + (b - a) * along for a, b in zip(start, end, strict=True)), text, colour)


def box(axes: Axes, middle, size, text: str, colour: str, is_filled: bool = False) -> None:
    """Draw a box with text in it."""
    (x, y), (width, height) = middle, size
    face, ink = (colour, "white") if is_filled else ("white", "black")
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.15", fc=face, ec=colour
    )
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=10.5, color=ink, linespacing=1.3)


def point_at(axes: Axes, text: str, target: tuple[float, float], place: tuple[float, float]) -> None:
    """Write a word and lead an arrow from it to what it names; both places are shares of the axes."""
    shape = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.0}
    behind = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}
    axes.annotate(text, target, place, ha="center", va="center", fontsize=12, arrowprops=shape, bbox=behind, zorder=5)


def save(made: Figure, name: str, folder: Path = PICTURES) -> None:
    # White behind, so that the picture can be read on a dark page too; no version of matplotlib in the file.
    made.savefig(folder / f"{name}.png", dpi=100, facecolor="white", metadata={"Software": None})
