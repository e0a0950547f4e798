"""What a fit brings up to date of an estimator."""

from __future__ import annotations

from typing import Any, Protocol

from fastnn.network import Network


class Estimator(Protocol):
    """A classifier or regressor, as the modules that fit it see it: its fitted attributes."""

    network_: Network
    n_iter_: int
    t_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: Any  # a float, or None where there is a validation score: then the next two are not None
    validation_scores_: Any
    best_validation_score_: Any
