"""Pictures of networks, their data and their training, drawn with matplotlib (the extra ``plot``).

Every function draws on the Axes ``ax``, or on a new figure, and returns the Axes. On a dark background they draw in
colours for a dark one. `page` puts all that can be drawn of a run into one HTML file.
"""

from fastnn._input import modules as _modules
from fastnn.plot._boundary import decision_boundary as decision_boundary
from fastnn.plot._confusion import confusion_matrix as confusion_matrix
from fastnn.plot._curves import best_epoch as best_epoch
from fastnn.plot._curves import learning_curve as learning_curve
from fastnn.plot._curves import learning_curves as learning_curves
from fastnn.plot._diagram import network as network
from fastnn.plot._distributions import activations as activations
from fastnn.plot._distributions import gradients as gradients
from fastnn.plot._page import page as page
from fastnn.plot._predicted import predicted as predicted
from fastnn.plot._schedule import schedule as schedule
from fastnn.plot._style import FIGURE_SIZE as FIGURE_SIZE
from fastnn.plot._weights import weights as weights

_modules.explain(__name__)
