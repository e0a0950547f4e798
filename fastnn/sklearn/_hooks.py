"""scikit-learn's own callbacks (`sklearn.callback`), where the installed version has them."""

from __future__ import annotations

import copy
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Any) -> Any:
        return method


__all__ = ["CallbackSupportMixin", "Hooks", "hooks_of", "with_callbacks"]


class Hooks:
    """What a fit tells scikit-learn's callbacks: when it and each of its iterations begin and end."""

    def __init__(self, estimator: Any, iterations: int | None, X: Any, y: Any, sample_weight: Any) -> None:
        self.estimator = estimator
        self.data = {"X": X, "y": y, "metadata": None if sample_weight is None else {"sample_weight": sample_weight}}
        self.fit = estimator._init_callback_context(max_subtasks=iterations)
        self.fit.call_on_fit_task_begin(estimator=estimator, **self.data)
        self.iteration: Any = None

    def begin(self) -> None:
        """Tell the callbacks that an iteration begins."""
        self.iteration = self.fit.subcontext("iteration")
        self._call(self.iteration.call_on_fit_task_begin)

    def end(self) -> bool:
        """Tell the callbacks that an iteration ends; return whether one wants it to be the last."""
        return self._call(self.iteration.call_on_fit_task_end)

    def close(self) -> None:
        """Tell the callbacks that the fit is over."""
        self._call(self.fit.call_on_fit_task_end)

    def _call(self, hook: Any) -> Any:
        return hook(estimator=self.estimator, reconstruction_attributes=self._fitted, **self.data)

    def _fitted(self) -> dict[str, Any]:
        """Return what makes a copy of the estimator one that was fitted up to now; only computed if a callback asks."""
        return {"network_": copy.deepcopy(self.estimator.network_), "_trainer": None, "_shown": None}


def hooks_of(estimator: Any, iterations: int | None, X: Any, y: Any, sample_weight: Any) -> Hooks | None:
    """Return hooks, if the estimator has callbacks of scikit-learn's, or is part of one that may have some."""
    wanted = hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")
    return Hooks(estimator, iterations, X, y, sample_weight) if wanted else None
