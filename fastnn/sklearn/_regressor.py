"""The regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from fastnn import elementary, losses, metrics
from fastnn._input import checks
from fastnn.losses import Huber, Loss, MeanAbsoluteError, MeanSquaredError, Pinball, Poisson
from fastnn.optimizers import Optimizer
from fastnn.sklearn._base import BaseMLP, has_epochs
from fastnn.sklearn._hooks import with_callbacks
from fastnn.sklearn._parameters import InvalidParameterError

LOSSES: dict[str, type[Loss]] = {
    "squared_error": MeanSquaredError,
    "poisson": Poisson,
    "absolute_error": MeanAbsoluteError,
    "huber": Huber,
    "pinball": Pinball,
}
LOSSES |= {name: cls for name, cls in losses.LOSSES.items() if cls not in LOSSES.values() and not cls.classifies}


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multi-layer perceptron for numbers: `sklearn.neural_network.MLPRegressor` on fastnn.

    Parameters
    ----------
    loss : str or Loss, default "squared_error"
        ``"squared_error"``, ``"poisson"``, which predicts exp(output), ``"absolute_error"``, ``"huber"``,
        ``"pinball"``, any other of `fastnn.losses` for numbers by its name, or an object of them.
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of each hidden layer; none for a linear model.
    activation : str, Activation or sequence of them, default "relu"
        Of the hidden layers, or one for each: ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``, or any other
        that `fastnn.Activation` knows.
    solver : str or Optimizer, default "adam"
        ``"lbfgs"``, ``"sgd"``, ``"adam"``; one of fastnn's other optimizers by name, at ``learning_rate_init``; or an
        object such as ``fn.AdamW(fn.OneCycle(0.01, steps=2000))``, whose own learning rate then counts.
    alpha : float, default 0.0001
        Of the penalty alpha / 2 · (sum of the squared weights), which the rows of a batch share.
    batch_size : int or "auto", default "auto"
        Rows of an update; ``"auto"``: 200, or all if there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        Of ``solver="sgd"``: as it is; divided by (rows seen + 1)^power_t after each epoch; or divided by 5 instead of
        stopping, until it is below 1e-6.
    learning_rate_init : float, default 0.001
    power_t : float, default 0.5
    max_iter : int, default 200
        Epochs, or iterations of ``"lbfgs"``, at most.
    shuffle : bool, default True
    random_state : int, RandomState or None, default None
        Decides the initial parameters, the rows held out, the order of rows and the dropout masks. If it is not an
        integer, one is drawn, from NumPy's global generator in case of None, and kept as ``seed_``: with
        ``random_state=seed_`` the same network comes out again.
    tol : float, default 1e-4
        The run ends when loss or validation score have not become better by more than this for more than
        ``n_iter_no_change`` epochs; of ``"lbfgs"``, the size of the gradient to stop at.
    verbose : bool or int, default False
        Whether to print the loss of each epoch.
    warm_start : bool, default False
        Whether ``fit`` goes on from the parameters of the last one.
    momentum : float, default 0.9
    nesterovs_momentum : bool, default True
    early_stopping : bool, default False
        Whether to hold out rows and to stop on their score, by their weights. If training diverges, the fit then ends
        with the best parameters and a ``ConvergenceWarning``.
    validation_fraction : float, default 0.1
        The share of the rows that is held out.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999 and 1e-8
        Of Adam.
    n_iter_no_change : int or inf, default 10
    max_fun : int, default 15000
        Evaluations of the loss that ``"lbfgs"`` makes at most.
    dropout : float or sequence of float, default 0.0
        The rate after the hidden layers, or after each.
    scoring : str or callable, optional
        What the validation score is, as in `sklearn.model_selection.cross_val_score`; by default R².
    callbacks : Callback or sequence of Callback, optional
        fastnn's. scikit-learn's own are set by ``set_callbacks``, where the installed version has them.
    max_seconds : float, optional
        The fit ends after this time.
    progress : bool or "auto", default False
        Whether to show a bar.
    threads : int or "auto", default "auto"
        At most. The result does not depend on it. In a worker process, of joblib's for example, ``"auto"`` means one.

    Attributes
    ----------
    network_ : Network
        What predicts. With the loss ``"poisson"`` it gives logarithms of the predicted values.
    trainer_ : Trainer
        What fitted it. Neither this nor the next one is there after ``"lbfgs"``.
    history_ : History
        ``loss_curve_`` as ``"loss"``, and ``validation_scores_``, if there are any, as ``"val_r2"``, or
        ``"val_score"`` if ``scoring`` is given.
    seed_ : int
        See ``random_state``.
    coefs_, intercepts_ : list of ndarray
        Weights of shape (n_in, n_out) and biases of shape (n_out,), layer by layer. Assigning a list sets the
        network's; so does writing into the arrays, which the next method that is called notices.
    loss_ : float
        Of the last epoch, the penalty included.
    best_loss_ : float or None
        The least; None if there was a validation score.
    loss_curve_ : list of float
        One an epoch. Neither this nor the next three are there after ``"lbfgs"``.
    validation_scores_ : list of float or None
    best_validation_score_ : float or None
    n_iter_ : int
        Epochs or iterations.
    t_ : int
        Rows seen.
    n_layers_, n_outputs_ : int
    out_activation_ : str
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If ``X`` had names of strings.

    Notes
    -----
    What differs from `sklearn.neural_network.MLPRegressor`:

    - Parameters are float32 for float32 data as there; outputs then are float32 for whatever is predicted.
    - The parameters begin within the same limits, but from other random numbers, and rows come in another order.
    - ``epsilon`` is added after the correction of Adam's moments, as in PyTorch.
    - With several batches an epoch, the penalty in ``loss_curve_`` is interpolated between the epochs' ends; and with
      sample weights each row counts by its weight.
    - ``partial_fit`` shuffles anew in each call, and so does every warm start.
    - Sample weights are at least 0.
    - With ``solver="lbfgs"`` and several outputs, what is minimised adds up over outputs, as the gradient does there.

    Reproducibility: the same data and ``random_state`` give the same bits on every machine, by any number of threads or
    worker processes, except with ``solver="lbfgs"``, whose vectors SciPy works on, ``max_seconds``, and scorers of
    others.

    Examples
    --------
    >>> regressor = MLPRegressor(loss="huber", dropout=0.1, early_stopping=True, random_state=0).fit(X, y)
    >>> regressor.predict(X_new)
    """

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str | Optimizer = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        scoring: Any = None,
        callbacks: Any = None,
        max_seconds: float | None = None,
        progress: bool | str = False,
        threads: int | str = "auto",
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.scoring = scoring
        self.callbacks = callbacks
        self.max_seconds = max_seconds
        self.progress = progress
        self.threads = threads

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> MLPRegressor:
        """Fit the network to rows and their targets.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
            float32 makes a float32 network, everything else a float64 one.
        y : array-like, shape (n,) or (n, n_outputs)
        sample_weight : array-like, shape (n,), or float, optional
            At least 0.
        X_val, y_val : array-like, optional
            Rows and targets to stop on, instead of a share of the others: both or none.

        Returns
        -------
        MLPRegressor
            Itself.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val))

    @available_if(has_epochs)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train for one epoch over the rows; the optimizer goes on from where it stood.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
        y : array-like, shape (n,) or (n, n_outputs)
        sample_weight : array-like, shape (n,), or float, optional

        Returns
        -------
        MLPRegressor
            Itself.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the values.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)

        Returns
        -------
        ndarray, shape (n,) or (n, n_outputs)
            Of the network's dtype.
        """
        outputs = self._decided(self._network_outputs(X))
        return outputs.reshape(-1) if outputs.shape[1] == 1 else outputs

    # ------------------------------------------------------------------- for the base

    def _validation_options(self) -> dict[str, Any]:
        return {"y_numeric": True}

    def _loss(self) -> Loss:
        if isinstance(self.loss, Loss):
            if self.loss.classifies:
                raise InvalidParameterError(f"loss must be one for numbers; got {self.loss!r}")
            return self.loss
        try:
            return LOSSES[checks.choice(self.loss, LOSSES, "loss")]()
        except (TypeError, ValueError) as error:
            raise InvalidParameterError(str(error)) from error

    def _read_targets(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _outputs_of(self, targets: np.ndarray) -> tuple[int, str, str]:
        loss = self._loss()
        per_target = len(loss.quantiles) if isinstance(loss, Pinball) else 1  # type: ignore[arg-type]
        return targets.shape[1] * per_target, "identity", "exp" if isinstance(loss, Poisson) else "identity"

    def _decided(self, outputs: np.ndarray) -> np.ndarray:
        return elementary.exp(outputs) if self.out_activation_ == "exp" else outputs

    def _default_score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
        values = self._decided(outputs)
        if values.shape != targets.shape:
            raise ValueError("the loss 'pinball' with several quantiles has no default score: pass scoring")
        return metrics.R2()(values, targets, weights)

    def _constant(self, targets: np.ndarray, weights: np.ndarray | None) -> float:
        if not isinstance(self._loss(), Poisson):
            return 0.0
        y = targets.astype(np.float64)
        positive = np.where(y > 0.0, y, 1.0)
        rows = (y * elementary.log(positive) - y).sum(axis=1)
        return float(np.average(rows, weights=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = isinstance(self.loss, Poisson) or self.loss == "poisson"
        return tags
