"""What pictures are drawn of: networks and histories, or what has one.

A trainer has ``network`` and ``history``; a fitted estimator, as those of `fastnn.sklearn`, has ``network_``,
``history_``, ``trainer_`` and, if it is a classifier, ``classes_``. No library is imported to tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._input import checks
from fastnn.network import Network
from fastnn.training import Trainer

if TYPE_CHECKING:
    from typing import Protocol

    class Estimator(Protocol):
        """What has been fitted: one of `fastnn.sklearn`."""

        network_: Network


ESTIMATOR = "fitted estimator of fastnn.sklearn"


def network_of(given: Any, argument: str = "network") -> Network:
    """Return a network, or that of a trainer or an estimator."""
    found = given.network if isinstance(given, Trainer) else getattr(given, "network_", given)
    if not isinstance(found, Network):
        raise TypeError(f"{argument} must be a Network, a Trainer or a {ESTIMATOR}; got {described(given)}")
    return found


def history_of(given: Any, argument: str = "history") -> Mapping[str, Any]:
    """Return the columns of a history, or those of a trainer or an estimator."""
    found = given.history if isinstance(given, Trainer) else given
    if not isinstance(given, Mapping):
        found = getattr(found, "history_", found)
    if not isinstance(found, Mapping):
        raise TypeError(
            f"{argument} must be a mapping of columns to values, a Trainer or a {ESTIMATOR}; got {described(given)}"
        )
    return found


def trainer_of(given: Any) -> Trainer | None:
    """Return a trainer, or that of an estimator; None if it is neither."""
    found = given if isinstance(given, Trainer) else getattr(given, "trainer_", None)
    return found if isinstance(found, Trainer) else None


def classes_of(given: Any) -> np.ndarray | None:
    """Return what an estimator calls the classes, if it tells one of them from the others."""
    classes = getattr(given, "classes_", None)
    return classes if isinstance(classes, np.ndarray) and hasattr(given, "network_") else None


def targets_of(given: Any, y: Any, argument: str = "y") -> Any:
    """Return ``y`` as the network's loss takes it: the classes of an estimator by their places."""
    classes = classes_of(given)
    labels = None if classes is None else checks.anything(y, argument)
    if classes is None or labels is None or labels.ndim != 1:
        return y  # numbers, or several labels at once
    places = {label: place for place, label in enumerate(classes.tolist())}
    unknown = [label for label in labels.tolist() if label not in places]
    if unknown:
        raise ValueError(f"{argument} must hold classes of the estimator, {classes.tolist()}; got {unknown[0]!r}")
    return np.array([places[label] for label in labels.tolist()])


def described(given: Any) -> str:
    """Return what was given in an error message; of what cannot be drawn as it is, why not."""
    lacks = ": take its network" if isinstance(getattr(given, "network", None), Network) else ""
    if hasattr(type(given), "__sklearn_is_fitted__"):
        lacks = ", which has recorded no epochs" if hasattr(given, "network_") else ", which has not been fitted"
    return checks.described(given) + lacks
