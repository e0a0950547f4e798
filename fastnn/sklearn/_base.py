"""What the classifier and the regressor share: fitting, the parameters, and outputs for rows."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn.errors import DivergedError
from fastnn.history import History
from fastnn.losses import Loss
from fastnn.network import Network
from fastnn.sklearn import _building, _coefficients, _curves, _lbfgs, _rows
from fastnn.sklearn._hooks import CallbackSupportMixin, hooks_of
from fastnn.sklearn._monitor import Monitor
from fastnn.sklearn._parameters import InvalidParameterError, Settings
from fastnn.sklearn._workers import limit_threads
from fastnn.training import Trainer

_ndarray = np.ndarray
_FLOATS = (np.float64, np.float32)
_NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


class BaseMLP(CallbackSupportMixin, BaseEstimator, ABC):
    """A network that is fitted and asked as scikit-learn does it."""

    network_: Network
    n_iter_: int
    t_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: Any  # a float, or None where there is a validation score: then the next two are not None
    validation_scores_: Any
    best_validation_score_: Any
    _no_improvement_count: int
    scoring: Any
    # What is not a parameter and may be there before the first fit.
    _shown: _coefficients.Coefficients | None = None
    _trainer: Trainer | None = None

    # ------------------------------------------------------- what a subclass says

    @abstractmethod
    def _loss(self) -> Loss:
        """Return the loss, once the targets are known."""

    @abstractmethod
    def _read_targets(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        """Return ``y`` as the loss takes it; set what is known of the targets, if this is the ``first`` fit."""

    @abstractmethod
    def _outputs_of(self, targets: np.ndarray) -> tuple[int, str, str]:
        """Return (how many outputs, the network's last activation, ``out_activation_``) for such targets."""

    @abstractmethod
    def _decided(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs of the network in the form that the default score compares with targets."""

    @abstractmethod
    def _default_score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
        """Return the score of the estimator, from outputs."""

    def _class_weights(self, y: Any, incremental: bool) -> np.ndarray | None:
        """Return what class weights multiply the rows' weights by."""
        return None

    def _constant(self, targets: np.ndarray, weights: np.ndarray | None) -> float:
        """Return what scikit-learn's loss has in addition to fastnn's."""
        return 0.0

    # --------------------------------------------------------------------- fitting

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any] = (None, None), incremental: bool = False
    ) -> Any:
        settings = Settings(self.get_params(deep=False))
        if incremental and settings.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if (validation[0] is None) != (validation[1] is None):
            raise ValueError("X_val and y_val have to be passed together")
        if validation[0] is not None and settings.is_lbfgs:
            raise ValueError("X_val and y_val need a stochastic solver; got solver='lbfgs'")
        limit_threads()
        given = X, y, sample_weight
        first = not hasattr(self, "network_") or not (settings.warm_start or incremental)
        X, y = self._validated(X, y, reset=first)
        weights = _rows.row_weights(sample_weight, len_of(X))
        targets = self._read_targets(y, first, incremental)
        n_outputs, output, out_activation = self._outputs_of(targets)
        held = None if validation[0] is None else self._validation(*validation)
        self._begin(settings, X, n_outputs, output, out_activation, first, incremental)
        objective = _building.objective(self._loss(), n_outputs)
        if settings.is_lbfgs:
            weights = _rows.product(weights, self._class_weights(y, incremental))
            hooks = hooks_of(self, None, *given)
            self._trainer = None
            try:
                _lbfgs.fit(self, settings, objective, X, targets, weights, self._constant(targets, weights), hooks)
            finally:
                self._shown = None
        else:
            if held is None and settings.early_stopping:
                X, y, targets, weights, held = self._split(settings, X, y, targets, weights)
            training_weights = _rows.product(weights, self._class_weights(y, incremental))
            hooks = None if incremental else hooks_of(self, settings.max_iter, *given)
            self._descend(settings, objective, X, targets, training_weights, held, hooks, incremental)
        if hooks is not None:
            hooks.close()
        return self

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        return validate_data(
            self, X, y, accept_sparse="csr", multi_output=True, dtype=_FLOATS, reset=reset, **self._validation_options()
        )

    def _validation_options(self) -> dict[str, Any]:
        return {}

    def _begin(
        self, settings: Settings, X: Any, n_outputs: int, output: Any, out_activation: str, first: bool, again: bool
    ) -> None:
        """Set up a new network, or the one there is, and its fitted attributes."""
        if again and not first:
            self._take_edits()
            self.n_iter_ = 0
            if not hasattr(self, "loss_curve_"):
                self._reset_curves(settings)
            return
        described = _building.layers(settings, X.shape[1], n_outputs, output)
        seed = _seed(settings.random_state)
        if first:
            self.network_ = _building.network(settings, described, seed, X.dtype.name)
            self._trainer = self._shown = None
            self._restarts = 0
            self._reset_curves(settings)
        else:
            if self.network_.layers != tuple(described):
                raise ValueError(
                    "warm_start can only be used with the layers of the previous call to fit. Previously there were "
                    f"{list(self.network_.layers)}, now there are {described}"
                )
            self._take_edits()
            self._restarts += 1
            if not hasattr(self, "loss_curve_"):
                self._reset_curves(settings)
        self.seed_ = seed
        self.n_iter_, self.t_ = 0, 0 if first else self.t_
        self.loss_ = np.nan  # until an epoch is over
        self.n_outputs_, self.out_activation_ = n_outputs, out_activation
        self.n_layers_ = len(settings.hidden_layer_sizes) + 2

    def _reset_curves(self, settings: Settings) -> None:
        for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
            self.__dict__.pop(name, None)
        self._no_improvement_count = 0
        if not settings.is_lbfgs:
            self.loss_curve_ = []
            self.best_loss_, self.validation_scores_, self.best_validation_score_ = np.inf, None, None

    def _validation(self, X_val: Any, y_val: Any) -> tuple[Any, Any, np.ndarray, None]:
        try:
            X, y = self._validated(X_val, y_val, reset=False)
            return X, y, self._read_targets(y, first=False, incremental=True), None
        except (TypeError, ValueError) as error:
            raise InvalidParameterError(f"X_val and y_val must be like X and y: {error}") from error

    def _split(self, settings: Settings, X: Any, y: Any, targets: np.ndarray, weights: np.ndarray | None) -> Any:
        """Return the rows to train on, and those held out."""
        rows = _rows.held_out(settings, self.seed_, self._strata(targets), weights, len(targets))
        (X, held_X), (y, held_y), (targets, held_targets) = ((part[rows[0]], part[rows[1]]) for part in (X, y, targets))
        held_weights = None
        if weights is not None:
            weights, held_weights = weights[rows[0]], weights[rows[1]]
        return X, y, targets, weights, (held_X, held_y, held_targets, held_weights)

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def _descend(
        self,
        settings: Settings,
        objective: _building.Objective,
        X: Any,
        targets: np.ndarray,
        weights: np.ndarray | None,
        held: Any,
        hooks: Any,
        incremental: bool,
    ) -> None:
        """Descend by `fastnn.Trainer`."""
        n = len_of(X)
        batch_size = min(200, n) if settings.batch_size == "auto" else settings.batch_size
        if batch_size > n:
            warnings.warn("Got `batch_size` larger than sample size. It is going to be clipped", stacklevel=4)
            batch_size = n
        trainer = self._trainer
        if trainer is None or not incremental:
            seed = (self.seed_ + self._restarts) % 2**64
            optimizer = _building.optimizer(settings, objective.slope)
            trainer = Trainer(
                self.network_, objective.loss, optimizer, batch_size, seed, settings.threads, settings.shuffle
            )
            self._trainer = trainer
        trainer.batch_size = batch_size
        score = None
        if held is not None:
            score = self._scorer(settings, *held)
            if self.validation_scores_ is None:
                self.validation_scores_, self.best_validation_score_, self.best_loss_ = [], -np.inf, None
        elif self.best_loss_ is None:
            self.best_loss_ = np.inf
        total = float(n) if weights is None else float(weights.sum())
        constant = self._constant(targets, weights)
        monitor = Monitor(
            *(self, settings, objective, constant, n, total, batch_size, score, hooks, incremental),
            self._no_improvement_count,
        )
        watched = None if held is None or not settings.callbacks else (held[0], held[2])
        try:
            trainer.fit(
                X,
                targets,
                1 if incremental else settings.max_iter,
                sample_weight=weights,
                validation_data=watched,
                callbacks=(monitor, *settings.callbacks),
                progress=settings.progress,
                max_seconds=settings.max_seconds,
            )
        except DivergedError as error:
            if score is None:
                raise ValueError(
                    f"{_NOT_FINITE} In iteration {self.n_iter_ + 1}, {error.what} became NaN or infinite. "
                    "Lower learning_rate_init, or scale the data (sklearn.preprocessing.StandardScaler)."
                ) from error
            monitor.end_diverged()
            warnings.warn(
                f"Stochastic Optimizer: training diverged in iteration {self.n_iter_}: {error.what} became NaN or "
                "infinite. The fit ends with the parameters of the best validation score before.",
                ConvergenceWarning,
                stacklevel=4,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        finally:
            trainer.abandon()  # the callbacks hold the data
            self._no_improvement_count, self._shown = monitor.no_improvement_count, None
        if monitor.best is not None:
            trainer.network.parameters.update(monitor.best)
        if self.n_iter_ == settings.max_iter and not monitor.has_ended and not incremental:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({settings.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _scorer(self, settings: Settings, X: Any, y: Any, targets: np.ndarray, weights: np.ndarray | None) -> Any:
        """Return a function that gives the validation score."""
        if settings.scoring is None:
            return lambda: self._default_score(self.network_.predict(X), targets, weights)
        scorer = check_scoring(self, settings.scoring)
        more = {} if weights is None else {"sample_weight": weights}
        return lambda: float(scorer(self, X, y, **more))

    # --------------------------------------------------------------------- outputs

    def _network_outputs(self, X: Any) -> np.ndarray:
        """Return what the network predicts for rows, in its dtype.

        Arrays that `Network.predict` takes as they are go there at once: scikit-learn's checks take many times as long
        as the outputs of a row. Whatever it refuses, scikit-learn refuses in its own words.
        """
        network = self.__dict__.get("network_")
        if (
            network is not None
            and type(X) is _ndarray
            and X.dtype in _FLOATS
            and X.ndim == 2
            and X.shape[1] == network.n_features
            and "feature_names_in_" not in self.__dict__
        ):
            if self._shown is not None:
                self._take_edits()
            try:
                return network.predict(X)
            except ValueError:
                pass
        check_is_fitted(self)
        self._take_edits()
        X = validate_data(self, X, accept_sparse="csr", dtype=_FLOATS, reset=False)
        return self.network_.predict(X)

    # ------------------------------------------------------------------ parameters

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, of shape (n_in, n_out)."""
        return self._coefficients("coefs_").lists[0]

    @coefs_.setter
    def coefs_(self, arrays: Any) -> None:
        self._assign(0, arrays)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, of shape (n_out,)."""
        return self._coefficients("intercepts_").lists[1]

    @intercepts_.setter
    def intercepts_(self, arrays: Any) -> None:
        self._assign(1, arrays)

    def _coefficients(self, name: str) -> _coefficients.Coefficients:
        network = self.__dict__.get("network_")
        if network is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}: it is not fitted")
        if self._shown is None:
            self._shown = _coefficients.Coefficients(network)
        return self._shown

    @property
    def trainer_(self) -> Trainer:
        """What fitted the network; not there after ``"lbfgs"``."""
        return self._recorded("_trainer")

    @property
    def history_(self) -> History:
        """The loss and the validation score of each epoch; not there after ``"lbfgs"``."""
        self._recorded("loss_curve_")
        default = "accuracy" if is_classifier(self) else "r2"
        return _curves.history_of(self, default if self.scoring is None else "score")

    def _recorded(self, name: str) -> Any:
        """Return what a fit by epochs leaves."""
        check_is_fitted(self)
        found = getattr(self, name, None)
        if found is None:
            raise AttributeError("solver='lbfgs' has no epochs, so there is neither trainer_ nor history_")
        return found

    def _assign(self, kind: int, arrays: Any) -> None:
        check_is_fitted(self)
        self._take_edits()
        _coefficients.write(self.network_, kind, arrays)
        self._shown = None

    def _take_edits(self) -> None:
        """Let the network have what was written into the arrays of ``coefs_`` and ``intercepts_``."""
        if self._shown is not None:
            self._shown.write_edits(self.network_)

    def __getstate__(self) -> dict[str, Any]:
        self._take_edits()
        state = dict(super().__getstate__())
        state.pop("_shown", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._trainer is not None:
            self.network_ = self._trainer.network

    def __sklearn_is_fitted__(self) -> bool:
        return "network_" in self.__dict__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def has_epochs(estimator: BaseMLP) -> bool:
    """Return whether there is a ``partial_fit``; otherwise the error that says why not."""
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
    return True


def len_of(X: Any) -> int:
    """Return rows of an array or a sparse matrix."""
    return X.shape[0]


def _seed(random_state: Any) -> int:
    """Return an integer as its own seed; otherwise draw one."""
    if isinstance(random_state, int):
        return random_state
    return int(check_random_state(random_state).randint(2**31 - 1))
