"""What a fit has recorded, as a history."""

from __future__ import annotations

import math

from fastnn.history import History
from fastnn.sklearn._estimator import Estimator


def history_of(estimator: Estimator, score: str) -> History:
    """Return the loss and, if there is a validation score, the score of each epoch, the latter as ``score``."""
    columns = {"loss": estimator.loss_curve_}
    scores = estimator.validation_scores_
    if scores is not None:  # of an earlier fit without rows held out, which a warm start goes on from, there are none
        columns[f"val_{score}"] = [math.nan] * (len(estimator.loss_curve_) - len(scores)) + scores
    return History(columns)
