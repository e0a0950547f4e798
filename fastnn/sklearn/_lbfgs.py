"""``solver="lbfgs"``: SciPy's L-BFGS-B, on the loss and the gradient that the engine computes."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from fastnn.sklearn._building import Objective
from fastnn.sklearn._estimator import Estimator
from fastnn.sklearn._hooks import Hooks
from fastnn.sklearn._parameters import Settings
from fastnn.training.full_batch import FullBatchObjective


def fit(
    estimator: Estimator,
    settings: Settings,
    objective: Objective,
    X: Any,
    targets: np.ndarray,
    weights: np.ndarray | None,
    constant: float,
    hooks: Hooks | None,
) -> None:
    """Set the parameters of the estimator's network, ``loss_`` and ``n_iter_``.

    ``constant``: what scikit-learn's loss has in addition.
    """
    network = estimator.network_
    function = FullBatchObjective(
        network, objective.loss, X, targets, weights, objective.slope, settings.alpha, settings.threads
    )
    started = time.monotonic()

    def after_iteration(vector: np.ndarray) -> None:
        estimator.n_iter_ += 1
        if settings.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {function.value:.8f}")
        is_over = settings.max_seconds is not None and time.monotonic() - started >= settings.max_seconds
        if hooks is not None:
            function.set_vector(vector)
            hooks.begin()
            is_over |= hooks.end()
        if is_over:
            raise StopIteration

    start = function.vector
    with threadpool_limits(1, user_api="blas"):  # for SciPy's short vectors: between them, threads would only spin
        result = minimize(
            function,
            start,
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration,
            options={"maxfun": settings.max_fun, "maxiter": settings.max_iter, "gtol": settings.tol},
        )
    if not np.isfinite(result.fun):
        function.set_vector(start)
        raise ValueError("The loss is not finite. The input data may contain large values and need to be preprocessed.")
    value, _ = function(result.x)
    penalty = value - objective.slope * function.loss
    estimator.loss_ = objective.reported * function.loss + penalty + constant
    estimator.n_iter_ = min(int(result.nit), settings.max_iter)
    if result.status in (1, 2):  # out of iterations, or no way down: 99 is a callback that has had enough
        warnings.warn(
            f"lbfgs failed to converge after {result.nit} iteration(s) (status={result.status}):\n{result.message}\n\n"
            "Increase the number of iterations to improve the convergence "
            f"(max_iter={settings.max_iter}).\nYou might also want to scale the data.",
            ConvergenceWarning,
            stacklevel=5,
        )
