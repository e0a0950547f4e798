"""Losses: what training makes small. Each says how the targets of a network must look.

Every loss is computed stably from the raw outputs of the network. The loss of a row is the mean over its outputs
(cross-entropy: one value a row). The loss of a batch is the mean over its rows, weighted by the sample weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fastnn._engine import elementary
from fastnn._input import checks, target_hints
from fastnn._storage.descriptions import Description, description

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def _asked(n_outputs: Any, dtype: Any) -> tuple[int, np.dtype]:
    """Say what targets are asked for; what a trainer asks, step by step, needs no closer look."""
    if type(n_outputs) is int and n_outputs > 0 and (dtype is _FLOAT32 or dtype is _FLOAT64):
        return n_outputs, dtype
    return checks.integer(n_outputs, "n_outputs"), np.dtype(checks.dtype_name(dtype))


class Loss(Description):
    """The base of every loss."""

    kind: ClassVar[str]
    #: Whether outputs are classes, so that training and evaluation count hits ("accuracy").
    classifies: ClassVar[bool] = False
    #: Targets are numbers from 0 to this; None: any numbers.
    upper: ClassVar[float | None] = None

    def specification(self) -> dict[str, Any]:
        """Return what the engine is told."""
        return {"kind": self.kind, "parameter": 0.0, "quantiles": None}

    def check_outputs(self, n_outputs: int, activation: str) -> None:
        """Raise ValueError if a network of ``n_outputs`` that ends in ``activation`` cannot have this loss."""

    def targets(self, y: ArrayLike, n_outputs: int, dtype: np.dtype, argument: str = "y") -> np.ndarray:
        """Return ``y`` as the engine takes it: (n, k) of ``dtype``, or int64 labels (n,); no copy if it is that.

        Raises
        ------
        TypeError
            If ``y`` does not hold real numbers.
        ValueError
            If its shape or a value does not fit the loss; the message names the row.
        """
        n_outputs, dtype = _asked(n_outputs, dtype)
        array = self._numbers(y, argument)
        values = self._in_columns(array, n_outputs, argument)
        result = checks.converted(values, dtype)
        checks.finite(result if array.ndim == 2 else result[:, 0], argument, values if array.ndim == 2 else array)
        self._check_range(result, argument)
        return result

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Return what outputs of the network mean in the units of the targets, for metrics."""
        return checks.numeric(outputs, "outputs")

    def n_targets(self, n_outputs: int) -> int:
        """Tell how many targets a row has for a network of ``n_outputs``."""
        return n_outputs

    def _numbers(self, y: ArrayLike, argument: str) -> np.ndarray:
        try:
            return checks.numeric(y, argument)
        except TypeError as error:
            raise TypeError(f"{error}{target_hints.of_texts(y, self.classifies)}") from None

    def _in_columns(self, array: np.ndarray, n_outputs: int, argument: str) -> np.ndarray:
        n_targets = self.n_targets(n_outputs)
        if array.ndim == 1 and n_targets == 1:
            return array[:, None]
        if array.ndim != 2 or array.shape[1] != n_targets:
            expected = f"(n, {n_targets})" + (" or (n,)" if n_targets == 1 else "")
            raise ValueError(
                f"{argument} must have shape {expected} for the loss {self.kind!r}; got shape {array.shape}"
                f"{target_hints.of_shape(array, n_targets, n_outputs // n_targets, self.classifies)}"
            )
        return array

    def _check_range(self, targets: np.ndarray, argument: str) -> None:
        if self.upper is None:
            return
        outside = (targets < 0) | (targets > self.upper)
        if outside.any():
            row, column = np.unravel_index(int(outside.argmax()), targets.shape)
            expected = "at least 0" if self.upper == np.inf else f"from 0 to {self.upper:g}"
            raise ValueError(
                f"{argument} must be {expected} for the loss {self.kind!r}; "
                f"got {targets[row, column]} in row {row}, column {column}"
                f"{target_hints.of_two_classes(targets) if self.classifies else ''}"
            )


@description
class MeanSquaredError(Loss):
    """(output - y)², the mean over the outputs. ``torch.nn.MSELoss``."""

    kind = "mean_squared"


@description
class MeanAbsoluteError(Loss):
    """``|output - y|``, the mean over the outputs. ``torch.nn.L1Loss``."""

    kind = "mean_absolute"


@description
class Huber(Loss):
    """Half the squared error up to ``delta``, linear beyond. Huber (1964); ``torch.nn.HuberLoss``.

    Parameters
    ----------
    delta : float, default 1.0
        Above 0, in the units of y.
    """

    delta: float = 1.0
    kind = "huber"

    def __post_init__(self) -> None:
        self._set(delta=checks.number(self.delta, "Huber delta", 0.0, above=True))

    def specification(self) -> dict[str, Any]:
        return super().specification() | {"parameter": self.delta}


@description
class LogCosh(Loss):
    """log(cosh(output - y)), the mean over the outputs: half the square of small errors, the size of large ones.

    Saleh and Saleh, arXiv:2208.04564.
    """

    kind = "log_cosh"


@description
class Pinball(Loss):
    """Quantile regression: max(q (y - output), (q - 1)(y - output)). Koenker and Bassett, Econometrica 46 (1978).

    Several quantiles at once: a network for t targets and q quantiles has t·q outputs, the quantiles of the first
    target first.

    Parameters
    ----------
    quantiles : float or sequence of float, default 0.5
        Above 0 and below 1.
    """

    quantiles: float | Sequence[float] = 0.5
    kind = "pinball"

    def __post_init__(self) -> None:
        given = self.quantiles
        items = list(given) if isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str) else [given]
        if not items:
            raise ValueError("quantiles must hold at least one quantile; got none")
        self._set(quantiles=tuple(checks.number(q, "quantiles", 0.0, 1.0, above=True, below=True) for q in items))

    def specification(self) -> dict[str, Any]:
        return super().specification() | {"quantiles": np.array(self.quantiles, dtype=np.float64)}

    def check_outputs(self, n_outputs: int, activation: str) -> None:
        n = len(self.quantiles)  # type: ignore[arg-type]
        if n_outputs % n:
            raise ValueError(
                f"the loss 'pinball' with {n} quantiles needs a network with {n} outputs for each target; "
                f"got {n_outputs} outputs"
            )

    def n_targets(self, n_outputs: int) -> int:
        return n_outputs // len(self.quantiles)  # type: ignore[arg-type]


@description
class Poisson(Loss):
    """exp(output) - y · output: the output is the logarithm of a rate. ``torch.nn.PoissonNLLLoss``; y at least 0."""

    kind = "poisson"
    upper = np.inf

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        return elementary.exp(checks.numeric(outputs, "outputs").astype(np.float64))


@description
class CrossEntropy(Loss):
    """-Σ y log softmax(outputs), from logits. ``torch.nn.CrossEntropyLoss``.

    Targets are integer labels 0 … C - 1 of shape (n,), or one-hot rows or probabilities of shape (n, C). A network that
    ends in ``"softmax"`` is trained from the values before it.

    Parameters
    ----------
    label_smoothing : float, default 0.0
        The share of every target that is spread evenly over the classes; at least 0 and below 1.
        Szegedy et al., arXiv:1512.00567.
    """

    label_smoothing: float = 0.0
    kind = "cross_entropy"
    upper = np.inf
    classifies = True

    def __post_init__(self) -> None:
        self._set(label_smoothing=checks.number(self.label_smoothing, "label_smoothing", 0.0, 1.0, below=True))

    def specification(self) -> dict[str, Any]:
        return super().specification() | {"parameter": self.label_smoothing}

    def check_outputs(self, n_outputs: int, activation: str) -> None:
        if n_outputs < 2:
            raise ValueError(
                "the loss 'cross_entropy' needs a network with an output for each class, at least 2; got 1 output "
                "(for two classes and one output use 'binary_cross_entropy')"
            )
        if activation == "sigmoid":
            raise ValueError("the loss 'cross_entropy' takes logits or softmax outputs; the network ends in 'sigmoid'")

    def targets(self, y: ArrayLike, n_outputs: int, dtype: np.dtype, argument: str = "y") -> np.ndarray:
        n_outputs, dtype = _asked(n_outputs, dtype)
        array = self._numbers(y, argument)
        if array.ndim == 2 and array.shape[1] == n_outputs:
            return super().targets(array, n_outputs, dtype, argument)
        is_labels = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
        if not is_labels or array.dtype.kind == "f":
            raise ValueError(
                f"{argument} must hold integer labels of shape (n,) or probabilities of shape (n, {n_outputs}) for the "
                f"loss 'cross_entropy'; got {array.dtype} of shape {array.shape}{target_hints.of_labels(array)}"
            )
        array = array.reshape(-1)
        outside = (array < 0) | (array >= n_outputs)
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(
                f"{argument} must hold labels from 0 to {n_outputs - 1}, the network having {n_outputs} outputs; "
                f"got {array[row]} in row {row}{target_hints.of_numbering(array, n_outputs)}"
            )
        return array.astype(np.int64, copy=False)


@description
class BinaryCrossEntropy(Loss):
    """-y log sigmoid(output) - (1 - y) log(1 - sigmoid(output)), from logits, the mean over the outputs.

    ``torch.nn.BCEWithLogitsLoss``. Targets from 0 to 1: (n,) or (n, 1) for one output, (n, L) for L labels at once. A
    network that ends in ``"sigmoid"`` is trained from the values before it.
    """

    kind = "binary_cross_entropy"
    upper = 1.0
    classifies = True

    def check_outputs(self, n_outputs: int, activation: str) -> None:
        if activation == "softmax":
            raise ValueError(
                "the loss 'binary_cross_entropy' takes logits or sigmoid outputs; the network ends in 'softmax'"
            )


#: Every loss by its name.
LOSSES: dict[str, type[Loss]] = {
    cls.kind: cls
    for cls in (
        MeanSquaredError,
        MeanAbsoluteError,
        Huber,
        LogCosh,
        Pinball,
        Poisson,
        CrossEntropy,
        BinaryCrossEntropy,
    )
}
