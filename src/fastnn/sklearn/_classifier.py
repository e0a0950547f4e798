"""The classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fastnn import _check, metrics
from fastnn.losses import BinaryCrossEntropy, CrossEntropy, Loss
from fastnn.optimizers import Optimizer
from fastnn.sklearn._base import BaseMLP, has_epochs
from fastnn.sklearn._hooks import with_callbacks
from fastnn.sklearn._parameters import InvalidParameterError

_INVALID_CLASSES = "`y` has classes not in `self.classes_`. `self.classes_` has {}. 'y' has {}."


class MLPClassifier(ClassifierMixin, BaseMLP):
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
        """Fits the network to rows and their classes.

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
        """One epoch over the rows; the optimizer goes on from where it stood.

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
        if classes is None and not self.__sklearn_is_fitted__():
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is not None:
            listed = unique_labels(classes)
            if not self.__sklearn_is_fitted__():
                self.classes_ = listed
            elif not np.array_equal(self.classes_, listed):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
                )
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """The predicted classes.

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
        """The probability of each class, or label.

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
        """The logarithms of `predict_proba`.

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
            _check.choice(self.loss, ("log_loss",), "loss")
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
            self.classes_, index = np.unique(y, return_inverse=True)
        else:
            index = self._known(y, None if first else self.warm_start and not incremental)
        return self._encoded(index)

    def _read_labels(self, y: Any, first: bool) -> np.ndarray:
        if first:
            self._is_multilabel, self._is_sparse = True, sparse.issparse(y)
            self.classes_ = np.arange(y.shape[1])
        elif not self._is_multilabel or y.shape[1] != self.n_outputs_:
            raise ValueError(f"y must be like that of the previous call; got {y.shape[1]} labels at once")
        return np.asarray(y.toarray() if sparse.issparse(y) else y, dtype=np.float64)

    def _known(self, y: np.ndarray, needs_all: bool | None) -> np.ndarray:
        """The positions of ``y`` in ``classes_``."""
        classes = unique_labels(y)
        if needs_all and not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_)):
            raise ValueError(_INVALID_CLASSES.format(self.classes_, classes))
        return np.searchsorted(self.classes_, y)

    def _encoded(self, index: np.ndarray) -> np.ndarray:
        """Labels from 0, or a column of zeros and ones, as the loss takes them."""
        if isinstance(self._loss(), CrossEntropy):
            return index.astype(np.int64, copy=False)
        return index.reshape(-1, 1).astype(np.float64)

    def _outputs_of(self, targets: np.ndarray) -> tuple[int, str, str]:
        if isinstance(self._loss(), CrossEntropy):
            return max(2, len(self.classes_)), "softmax", "softmax"
        return targets.shape[1], "sigmoid", "logistic"

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        return targets if targets.ndim == 2 and targets.shape[1] == 1 else None

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
        """Positions in ``classes_``; of several labels at once zeros and ones."""
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
        return metrics._mean(hits, weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
