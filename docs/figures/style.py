"""What the pictures of the documentation have in common."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d1620b", "#3d8b40", "#9ca3af"
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


def save(made: Figure, name: str, folder: Path = PICTURES) -> None:
    # White behind, so that the picture can be read on a dark page too; no version of matplotlib in the file.
    made.savefig(folder / f"{name}.png", dpi=100, facecolor="white", metadata={"Software": None})
