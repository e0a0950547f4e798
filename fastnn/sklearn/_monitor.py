"""What happens after each epoch of a fit: the loss curve, the validation score, and when to slow down or stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fastnn.callbacks import Callback
from fastnn.schedules import InverseScaling
from fastnn.sklearn._building import Objective
from fastnn.sklearn._estimator import Estimator
from fastnn.sklearn._hooks import Hooks
from fastnn.sklearn._parameters import Settings

if TYPE_CHECKING:
    from fastnn.training import Trainer

_SMALLEST_RATE = 1e-6  # of learning_rate="adaptive", as in scikit-learn
_LOWEST_SHARE = (
    1e-12  # of the initial rate that learning_rate="invscaling" comes down to: momentum is scaled by its inverse
)


class Monitor(Callback):
    """scikit-learn's bookkeeping of a fit.

    Parameters
    ----------
    estimator : Estimator
        Its fitted attributes are kept up to date.
    settings : Settings
    objective : Objective
    constant : float
        What scikit-learn's loss has in addition to fastnn's.
    n : int
        Rows trained on.
    weight : float
        The sum of their sample weights.
    batch_size : int
    score : callable, optional
        The validation score of the estimator as it stands.
    hooks : Hooks, optional
    once : bool
        Whether this is a ``partial_fit``.
    no_improvement_count : int
        Epochs in a row without an improvement, at the end of the fits before; counted on here.
    """

    def __init__(
        self,
        estimator: Estimator,
        settings: Settings,
        objective: Objective,
        constant: float,
        n: int,
        weight: float,
        batch_size: int,
        score: Callable[[], float] | None,
        hooks: Hooks | None,
        once: bool,
        no_improvement_count: int,
    ) -> None:
        self.estimator = estimator
        self.settings = settings
        self.objective = objective
        self.constant = constant
        self.n = n
        self.penalty = settings.alpha / (2.0 * weight)
        self.n_batches = -(-n // batch_size)
        self.score = score
        self.hooks = hooks
        self.once = once
        self.no_improvement_count = no_improvement_count
        self.best: dict[str, np.ndarray] | None = None
        self.first: dict[str, np.ndarray] | None = None  # the parameters before any score
        self.has_ended = False
        self.squares = 0.0  # the sum of the squared weights when the epoch began

    def on_fit_begin(self, trainer: Trainer) -> None:
        if self.penalty:
            self.squares = trainer.squared_weights
        if self.score is not None:
            self.first = dict(trainer.network.parameters)

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        if self.hooks is not None:
            self.hooks.begin()

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: Mapping[str, float]) -> None:
        estimator, settings = self.estimator, self.settings
        estimator.n_iter_ += 1
        estimator.t_ += self.n
        estimator.loss_ = self.objective.reported * values["loss"] + self.constant + self._penalty(trainer)
        estimator.loss_curve_.append(estimator.loss_)
        if settings.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if self.score is None:
            self._watch_loss()
        else:
            self._watch_score(trainer)
        if settings.is_sgd and settings.learning_rate == "invscaling":
            self._scale_rate(trainer)
        if self.no_improvement_count > settings.n_iter_no_change:
            self._slow_down_or_stop(trainer)
        if self.hooks is not None and self.hooks.end():
            self.has_ended = True
            trainer.stop()

    def _penalty(self, trainer: Trainer) -> float:
        """Return the mean over the batches of the penalty before each update, the squares growing evenly meanwhile."""
        if not self.penalty:
            return 0.0
        first, self.squares = self.squares, trainer.squared_weights
        before_last = first + (self.squares - first) * (self.n_batches - 1) / self.n_batches
        return self.penalty * self.n_batches * 0.5 * (first + before_last)

    def _watch_loss(self) -> None:
        estimator = self.estimator
        self._count(estimator.loss_ > estimator.best_loss_ - self.settings.tol)
        estimator.best_loss_ = min(estimator.loss_, estimator.best_loss_)

    def _watch_score(self, trainer: Trainer) -> None:
        estimator = self.estimator
        score = self.score()  # type: ignore[misc]
        estimator.validation_scores_.append(score)
        if self.settings.verbose:
            print(f"Validation score: {score:f}")
        self._count(score < estimator.best_validation_score_ + self.settings.tol)
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            self.best = dict(trainer.network.parameters)

    def end_diverged(self) -> None:
        """Count the epoch in which training diverged, as one of no score; the best parameters are those before it."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.t_ += self.n
        estimator.loss_ = math.nan
        estimator.loss_curve_.append(math.nan)
        estimator.validation_scores_.append(math.nan)
        self.best = self.best or self.first
        self.has_ended = True
        if self.hooks is not None:
            self.hooks.end()

    def _count(self, is_no_improvement: bool) -> None:
        self.no_improvement_count = self.no_improvement_count + 1 if is_no_improvement else 0

    def _scale_rate(self, trainer: Trainer) -> None:
        first, t = self.settings.learning_rate_init, self.estimator.t_
        rate = float(InverseScaling(first, self.settings.power_t).rates(t, t + 1)[0])
        self._set_rate(trainer, max(rate, first * _LOWEST_SHARE))

    def _set_rate(self, trainer: Trainer, rate: float) -> None:
        trainer.set_learning_rate(rate * self.objective.slope, scales_momentum=True)

    def _slow_down_or_stop(self, trainer: Trainer) -> None:
        settings = self.settings
        what = "Training loss" if self.score is None else "Validation score"
        said = (
            f"{what} did not improve more than tol={settings.tol:f} for {settings.n_iter_no_change} consecutive epochs."
        )
        if settings.is_sgd and settings.learning_rate == "adaptive":
            rate = float(trainer.optimizer.learning_rate) / self.objective.slope  # type: ignore[arg-type]
            if rate > _SMALLEST_RATE:
                self._set_rate(trainer, rate / 5.0)
                self.no_improvement_count = 0
                if settings.verbose:
                    print(f"{said} Setting learning rate to {rate / 5.0:f}")
                return
            said += " Learning rate too small."
        if settings.verbose and not self.once:
            print(f"{said} Stopping.")
        self.has_ended = True
        trainer.stop()
