"""The classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from fastnn import metrics
from fastnn._input import checks
from fastnn._input.calls import explained
from fastnn.losses import BinaryCrossEntropy, CrossEntropy, Loss
from fastnn.optimizers import Optimizer
from fastnn.sklearn import _classes
from fastnn.sklearn._base import BaseMLP, has_epochs
from fastnn.sklearn._hooks import with_callbacks
from fastnn.sklearn._parameters import InvalidParameterError


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron for classes: `sklearn.neural_network.MLPClassifier` on fastnn.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of each hidden layer; none for a linear model.
    activation : str, Activation or sequence of them, default "relu"
        Activation of the hidden layers, or one for each layer: ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``,
        or any other that `fastnn.Activation` knows.
    solver : str or Optimizer, default "adam"
        ``"lbfgs"``, ``"sgd"``, ``"adam"``; one of fastnn's other optimizers by name, at ``learning_rate_init``; or an
        object such as ``fn.AdamW(fn.OneCycle(0.01, steps=2000))``, whose own learning rate then counts.
    alpha : float, default 0.0001
        Strength of the penalty alpha / 2 · (sum of the squared weights), which the rows of a batch share.
    batch_size : int or "auto", default "auto"
        Rows of an update; ``"auto"``: 200, or all if there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        Learning rate of ``solver="sgd"`` over time: constant; divided by (rows seen + 1)^power_t after each epoch; or
        divided by 5 instead of stopping, until it is below 1e-6.
    learning_rate_init : float, default 0.001
    power_t : float, default 0.5
    max_iter : int, default 200
        Largest number of epochs, or of iterations of ``"lbfgs"``.
    shuffle : bool, default True
    random_state : int, RandomState or None, default None
        Decides the initial parameters, the rows held out, the order of rows and the dropout masks. If it is not an
        integer, one is drawn (for None, from NumPy's global generator) and kept as ``seed_``: ``random_state=seed_``
        gives the same network again.
    tol : float, default 1e-4
        The run ends when the loss, or the validation score, has not improved by more than this for more than
        ``n_iter_no_change`` epochs. With ``"lbfgs"``, the size of the gradient to stop at.
    verbose : bool or int, default False
        Whether to print the loss of each epoch.
    warm_start : bool, default False
        Whether ``fit`` starts from the parameters of the fit before.
    momentum : float, default 0.9
    nesterovs_momentum : bool, default True
    early_stopping : bool, default False
        Whether to hold out rows and to stop on their score, by their weights. If training diverges, the fit then ends
        with the best parameters and a ``ConvergenceWarning``.
    validation_fraction : float, default 0.1
        Share of the rows to hold out.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999 and 1e-8
        Adam's constants.
    n_iter_no_change : int or inf, default 10
    max_fun : int, default 15000
        Largest number of evaluations of the loss by ``"lbfgs"``.
    loss : str or Loss, default "log_loss"
        Or an object: ``fn.CrossEntropy(label_smoothing=0.1)``, which gives two classes two outputs.
    class_weight : dict, list of dict or "balanced", optional
        Factor of the weights of the rows of each class. The validation score leaves it out.
    dropout : float or sequence of float, default 0.0
        Dropout rate after the hidden layers, or one for each layer.
    scoring : str or callable, optional
        The validation score, as in `sklearn.model_selection.cross_val_score`; by default the accuracy.
    callbacks : Callback or sequence of Callback, optional
        Callbacks of fastnn. scikit-learn's own are set by ``set_callbacks``, where the installed version has them.
    max_seconds : float, optional
        Time in seconds after which the fit ends.
    progress : bool or "auto", default False
        Whether to show a bar.
    threads : int or "auto", default "auto"
        The most threads to use; the result does not depend on it. In a worker process ``"auto"`` means one.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    network_ : Network
        The trained network. It gives probabilities: of the second of two classes, of each of more, of each label.
    trainer_ : Trainer
        The trainer that fitted it. Neither this nor the next one exists after ``"lbfgs"``.
    history_ : History
        ``loss_curve_`` as ``"loss"``, and ``validation_scores_``, if there are any, as ``"val_accuracy"``, or
        ``"val_score"`` if ``scoring`` is given.
    seed_ : int
        See ``random_state``.
    coefs_, intercepts_ : list of ndarray
        Weights of shape (n_in, n_out) and biases of shape (n_out,), layer by layer. Assigning a list sets the
        network's; so does writing into the arrays, which the next method call notices.
    loss_ : float
        Loss of the last epoch, the penalty included.
    best_loss_ : float or None
        Smallest loss; None if there was a validation score.
    loss_curve_ : list of float
        Loss of each epoch. Neither this nor the next three exist after ``"lbfgs"``.
    validation_scores_ : list of float or None
    best_validation_score_ : float or None
    n_iter_ : int
        Epochs or iterations.
    t_ : int
        Rows seen.
    n_layers_, n_outputs_, n_features_in_ : int
    out_activation_ : str
    feature_names_in_ : ndarray of str
        If ``X`` had names of strings.

    Notes
    -----
    What differs from `sklearn.neural_network.MLPClassifier`:

    - Parameters are float32 for float32 data as there; outputs then are float32 for whatever is predicted.
    - The parameters begin within the same limits, but from other random numbers, and rows come in another order.
    - ``epsilon`` is added after the correction of Adam's moments, as in PyTorch.
    - With several batches an epoch, the penalty in ``loss_curve_`` is interpolated between the epochs' ends; and with
      sample weights each row counts by its weight.
    - ``partial_fit`` shuffles anew in each call, and so does every warm start.
    - Sample weights are at least 0.
    - Data of a single class have a ``predict_proba`` of one column.

    Reproducibility: the same data and ``random_state`` give the same bits on every machine, by any number of threads or
    processes, except with ``solver="lbfgs"``, whose vectors SciPy works on, ``max_seconds``, and scorers of others.

    Examples
    --------
    >>> classifier = MLPClassifier((64, 64), dropout=0.1, class_weight="balanced", random_state=0)
    >>> classifier.fit(X, y, X_val=X_val, y_val=y_val).predict_proba(X_new)
    """

    classes_: np.ndarray

    @explained
    def __init__(
        self,
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
        loss: str | Loss = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        scoring: Any = None,
        callbacks: Any = None,
        max_seconds: float | None = None,
        progress: bool | str = False,
        threads: int | str = "auto",
    ) -> None:
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
        self.loss = loss
        self.class_weight = class_weight
        self.dropout = dropout
        self.scoring = scoring
        self.callbacks = callbacks
        self.max_seconds = max_seconds
        self.progress = progress
        self.threads = threads

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> MLPClassifier:
        """Fit the network to rows and their classes.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
            float32 makes a float32 network, everything else a float64 one.
        y : array-like, shape (n,), or {array-like, sparse matrix}, shape (n, n_labels)
            Classes; or several labels at once, as zeros and ones.
        sample_weight : array-like, shape (n,), or float, optional
            At least 0.
        X_val, y_val : array-like, optional
            Rows and classes to stop on, instead of a share of the others: both or none.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val))

    @available_if(has_epochs)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> MLPClassifier:
        """Train for one epoch over the rows; the optimizer continues from where it stood.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)
        y : array-like, shape (n,) or (n, n_labels)
        sample_weight : array-like, shape (n,), or float, optional
        classes : array-like, shape (n_classes,)
            All that there will be; needed in the first call.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        known = self.classes_ if self.__sklearn_is_fitted__() else None
        self.classes_ = _classes.of_all_calls(classes, known)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)

        Returns
        -------
        ndarray, shape (n,) or (n, n_labels)
            Of several labels at once a sparse matrix, if ``fit`` had one.
        """
        decided = self._decided(self._network_outputs(X))
        if not self._is_multilabel:
            return self.classes_[decided]
        return sparse.csr_matrix(decided) if self._is_sparse else decided

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, or label.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)

        Returns
        -------
        ndarray, shape (n, n_classes)
            Classes in the order of ``classes_``.
        """
        outputs = self._network_outputs(X)
        if outputs.shape[1] > 1:
            return outputs
        if len(self.classes_) == 1:
            return np.ones_like(outputs)
        return np.concatenate([1 - outputs, outputs], axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n, n_features)

        Returns
        -------
        ndarray, shape (n, n_classes)
        """
        return np.log(self.predict_proba(X))

    # ------------------------------------------------------------------- for the base

    def _loss(self) -> Loss:
        if isinstance(self.loss, Loss):
            if not self.loss.classifies:
                raise InvalidParameterError(f"loss must be one for classes; got {self.loss!r}")
            if isinstance(self.loss, CrossEntropy) and self._is_multilabel:
                raise ValueError(f"several labels at once need the loss BinaryCrossEntropy; got {self.loss!r}")
            if isinstance(self.loss, BinaryCrossEntropy) and not self._is_multilabel and len(self.classes_) > 2:
                raise ValueError(f"more than two classes need the loss CrossEntropy; got {self.loss!r}")
            return self.loss
        try:
            checks.choice(self.loss, ("log_loss",), "loss")
        except (TypeError, ValueError) as error:
            raise InvalidParameterError(str(error)) from error
        return BinaryCrossEntropy() if self._is_multilabel or len(self.classes_) <= 2 else CrossEntropy()

    def _read_targets(self, y: Any, first: bool, incremental: bool) -> np.ndarray:
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            return self._read_labels(y, first)
        if kind == "multiclass-multioutput":
            raise ValueError("Multioutput target data is not supported with label binarization")
        if kind not in ("binary", "multiclass"):
            check_classification_targets(y)
        if y.ndim > 1:
            y = column_or_1d(y, warn=True)
        if first:
            self._is_multilabel = self._is_sparse = False
        elif self._is_multilabel:
            raise ValueError(f"y must hold {self.n_outputs_} labels at once, as before; got {kind} targets")
        if first and not incremental:
            found, index = np.unique(y, return_inverse=True)
            self.classes_ = np.asarray(list(found))  # texts that were objects become texts, as in scikit-learn
        else:
            if not first and self.warm_start and not incremental:
                _classes.check_same(y, self.classes_)
            index = _classes.positions(y, self.classes_)
        return self._encoded(index)

    def _read_labels(self, y: Any, first: bool) -> np.ndarray:
        if first:
            self._is_multilabel, self._is_sparse = True, sparse.issparse(y)
            self.classes_ = np.arange(y.shape[1])
        elif not self._is_multilabel or y.shape[1] != self.n_outputs_:
            raise ValueError(f"y must be like that of the previous call; got {y.shape[1]} labels at once")
        return np.asarray(y.toarray() if sparse.issparse(y) else y, dtype=np.float64)

    def _encoded(self, index: np.ndarray) -> np.ndarray:
        """Return labels from 0, or a column of zeros and ones, as the loss takes them."""
        if isinstance(self._loss(), CrossEntropy):
            return index.astype(np.int64, copy=False)
        return index.reshape(-1, 1).astype(np.float64)

    def _outputs_of(self, targets: np.ndarray) -> tuple[int, str, str]:
        if isinstance(self._loss(), CrossEntropy):
            return max(2, len(self.classes_)), "softmax", "softmax"
        return targets.shape[1], "sigmoid", "logistic"

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        if targets.ndim == 1 or targets.shape[1] > 1:
            return None
        return self.classes_[targets[:, 0].astype(np.intp)]  # errors name the classes

    def _class_weights(self, y: Any, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit: compute the weights from all of y, by "
                "sklearn.utils.compute_class_weight, and pass them as class_weight"
            )
        return compute_sample_weight(self.class_weight, y.toarray() if sparse.issparse(y) else y)

    def _decided(self, outputs: np.ndarray) -> np.ndarray:
        """Return positions in ``classes_``; of several labels at once zeros and ones."""
        if self._is_multilabel:
            return (outputs > 0.5).astype(np.int64)
        if outputs.shape[1] > 1:
            return outputs.argmax(axis=1)
        if len(self.classes_) == 1:
            return np.zeros(len(outputs), np.intp)
        return (outputs[:, 0] > 0.5).astype(np.intp)

    def _default_score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
        right = self._decided(outputs) == (targets if self._is_multilabel or targets.ndim == 1 else targets[:, 0])
        hits = (right.all(axis=1) if right.ndim == 2 else right).astype(np.float64)
        return metrics.mean(hits, weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
