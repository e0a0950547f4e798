"""Axes for tests of pictures: drawn in memory, without a window."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def new_axes(**options):
    """The axes of a new figure, which is made with these options."""
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure.add_subplot()
