"""The losses that the commands offer, by what their descriptions say: a new one is offered without a word here.

Classes may be learnt with any loss, each class then being an output; quantities are standardised, so their losses are
those that take any numbers. Losses that take numbers of at least 0 are of counts, and outputs are logarithms of rates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.losses import LOSSES, Loss, MeanSquaredError, Poisson

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName


def _taking(parameter: str) -> tuple[str, ...]:
    return tuple(name for name, cls in LOSSES.items() if parameter in cls.__dataclass_fields__)


OF_CLASSES = tuple(name for name, cls in LOSSES.items() if cls.classifies)
OF_QUANTITIES = tuple(name for name, cls in LOSSES.items() if not cls.classifies and cls.upper is None)
OF_COUNTS = tuple(name for name, cls in LOSSES.items() if issubclass(cls, Poisson))
WITH_QUANTILES = tuple(name for name in _taking("quantiles") if name in OF_QUANTITIES)
WITH_SMOOTHING = _taking("label_smoothing")
# For labels of a built-in data set, which have no quantiles.
OF_LABELS = (*OF_CLASSES, *(name for name in OF_QUANTITIES if name not in WITH_QUANTILES))
OF_TABLES = (*WITH_QUANTILES, *OF_COUNTS)  # and of tables alone
ALL = (*OF_LABELS, *OF_TABLES)

TASKS = {"classification": OF_CLASSES, "regression": (*OF_QUANTITIES, *OF_COUNTS)}
DEFAULTS = {"classification": "cross_entropy", "regression": "mean_squared"}
DEFAULT_WITH_QUANTILES = "pinball"


def named(name: str, **parameters: Any) -> Loss:
    """Make the loss of a name, with those of the parameters that it takes."""
    cls = LOSSES[name]
    return cls(**{key: value for key, value in parameters.items() if key in cls.__dataclass_fields__})


def activation(loss: Loss) -> ActivationName:
    """Name the activation that makes probabilities of what a loss takes, if any: a network for the loss ends in it."""
    if not loss.classifies:
        return "identity"
    for name in ("softmax", "sigmoid"):
        try:
            loss.check_outputs(2, name)
        except ValueError:
            continue
        return name
    return "identity"


def is_of_one_class(loss: Loss) -> bool:
    """Tell whether a row has one class of all, so that labels are targets, and the share of hits says how good it is.

    With one output for each class on its own the share says little.
    """
    return activation(loss) == "softmax"


OF_ONE_CLASS = tuple(name for name in OF_CLASSES if is_of_one_class(LOSSES[name]()))


def targets(loss: Loss, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Give labels as a loss takes them: as they are, or an output for each class."""
    return labels if is_of_one_class(loss) else np.eye(n_classes)[labels]


def guesses_mean(name: str) -> bool:
    """Tell whether the best guess of a loss without a look is the mean, as of squares; of others it is the median."""
    return issubclass(LOSSES[name], (MeanSquaredError, Poisson))
