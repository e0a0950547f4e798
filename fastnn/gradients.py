"""The gradient of a loss, and its comparison with central differences: tools for those who train networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fastnn._engine import random
from fastnn._engine.environment import standard_environment
from fastnn._engine.training import Training
from fastnn._input import checks
from fastnn._input.calls import explained
from fastnn._lowering import random_streams
from fastnn.losses import LOSSES, Loss
from fastnn.network import Network
from fastnn.optimizers import SGD
from fastnn.training.datasets import Dataset, dataset

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastnn._input.names import DtypeName, LossName

_MAX_ENTRIES = 64  # of a tensor that are tried; all of a smaller one
_DOUBTFUL = 1e-6


class GradientCheck(Mapping[str, float]):
    """The largest relative difference of each parameter tensor, by name; ``max`` is the largest of all."""

    def __init__(self, differences: dict[str, float]) -> None:
        self._differences = differences

    @property
    def max(self) -> float:
        return max(self._differences.values())

    def __getitem__(self, name: str) -> float:
        try:
            return self._differences[name]
        except KeyError:
            raise KeyError(f"the parameters are {checks.listing(self._differences)}; got {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._differences)

    def __len__(self) -> int:
        return len(self._differences)

    def _repr_html_(self) -> str:
        from fastnn._display import notebook  # here, as `import fastnn` does without it

        rows = [(name, f"{value:.1e}") for name, value in self.items()]
        columns = {"parameter": False, "relative difference": True}
        return notebook.shown(notebook.table("GradientCheck", columns, rows, ("largest", f"{self.max:.1e}")))

    def __repr__(self) -> str:
        return f"GradientCheck({', '.join(f'{name}: {value:.1e}' for name, value in self.items())})"


@explained
def gradient_check(
    network: Network,
    loss: LossName | Loss,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    epsilon: float = 1e-5,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradient by backpropagation with central differences, in a float64 copy of the network.

    Parameters
    ----------
    network : Network
        Left as it is. Dropout is on, with the masks of one update.
    loss : str or Loss
    X, y, sample_weight : array_like
        One batch, as for `fastnn.Trainer.step`; some tens of rows are enough.
    epsilon : float, default 1e-5
        The step of the differences, relative to a parameter of size above 1.
    seed : int, default 0
        Decides the dropout masks, and which entries of a tensor of more than 64 are tried.

    Returns
    -------
    GradientCheck
        For each parameter tensor the largest ``|backpropagation - difference|``, relative to the larger of the two and
        at least to a thousandth of the tensor's largest gradient. About 1e-8 is right, 1e-4 is suspect. Where the two
        differ, a step a sixteenth as long has a second say, so that a kink of the loss within the first one does not
        count.

    Raises
    ------
    ValueError
        If an argument does not fit, or the gradient of a tensor is zero in every entry: such a check would say nothing.

    Examples
    --------
    >>> fn.gradient_check(net, "cross_entropy", X[:32], y[:32]).max < 1e-6
    True
    """
    epsilon = checks.number(epsilon, "epsilon", 0.0, 0.1, above=True)
    seed = checks.seed(seed)
    training, copy, data = _prepared(network, loss, X, y, sample_weight, seed, "float64")
    _, gradients = training.gradient(data.X, data.y, data.weights)
    with standard_environment():
        return GradientCheck(_differences(training, copy, gradients, data, epsilon, seed))


@explained
def gradient(
    network: Network,
    loss: LossName | Loss,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Return the gradient of the loss on one batch, by backpropagation: what a trainer's first update would follow.

    Parameters
    ----------
    network : Network
        Left as it is. Dropout is on, with the masks of a trainer's first update.
    loss : str or Loss
    X, y, sample_weight : array_like
        One batch, as for `fastnn.Trainer.step`.
    seed : int, default 0
        The trainer's: decides the dropout masks.

    Returns
    -------
    dict of str to ndarray
        For each of ``network.parameters`` the derivatives, of its shape and dtype; penalties and clipping, which are
        the optimizer's, left out.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    FloatingPointError
        If the loss is not finite.

    Reproducibility
    ---------------
    The same bits on every machine, and those that `fastnn.Trainer` steps by.
    """
    seed = checks.seed(seed)
    training, copy, data = _prepared(network, loss, X, y, sample_weight, seed)
    _, gradients = training.gradient(data.X, data.y, data.weights)
    return {name: gradients[tensor] for name, tensor in copy.plan.tensors.items()}


def _prepared(
    network: Network,
    loss: LossName | Loss,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    seed: int,
    dtype: DtypeName | None = None,
) -> tuple[Training, Network, Dataset]:
    """Return a copy of the network, a training of it that stands before its first update, and the checked data."""
    checks.instance(network, Network, "network")
    resolved: Loss = checks.one_of(loss, Loss, LOSSES, "loss")
    resolved.check_outputs(network.n_outputs, network.plan.output_activation)
    copy = network.astype(dtype or network.dtype)
    data = dataset(copy, resolved, X, y, sample_weight)
    return Training(copy.model, resolved.specification(), SGD().specification(), seed, 1), copy, data


def _differences(
    training: Training,
    copy: Network,
    gradients: Mapping[tuple[int, str], np.ndarray],
    data: Dataset,
    epsilon: float,
    seed: int,
) -> dict[str, float]:
    differences = {}
    for number, (name, tensor) in enumerate(copy.plan.tensors.items()):
        gradient = gradients[tensor]
        scale = float(np.abs(gradient).max())
        if scale == 0.0:
            raise ValueError(
                f"the gradient of {name!r} is zero in every entry, so the check would say nothing: its units are dead, "
                f"or X does not reach it; try other data or another seed of the network"
            )
        worst = 0.0
        for entry in _entries(gradient.size, seed, number):
            at = np.unravel_index(entry, gradient.shape)
            difference = _difference(training, copy, name, at, data, epsilon, float(gradient[at]), scale)
            if difference > _DOUBTFUL:
                again = _difference(training, copy, name, at, data, epsilon / 16, float(gradient[at]), scale)
                difference = min(difference, again)
            worst = max(worst, difference)
        differences[name] = worst
    return differences


def _entries(size: int, seed: int, number: int) -> np.ndarray:
    if size <= _MAX_ENTRIES:
        return np.arange(size)
    return random.permutation(size, seed, random_streams.GRADIENT_CHECK + number)[:_MAX_ENTRIES]


def _difference(
    training: Training,
    network: Network,
    name: str,
    at: tuple[np.intp, ...],
    data: Dataset,
    epsilon: float,
    gradient: float,
    scale: float,
) -> float:
    """Return the relative difference of one entry's gradient from (loss(w + h) - loss(w - h)) / 2h."""
    values = network.parameters[name].copy()
    middle = values[at]
    step = epsilon * max(1.0, abs(middle))
    losses = []
    for moved in (middle + step, middle - step):
        values[at] = moved
        network.parameters[name] = values
        losses.append(training.gradient(data.X, data.y, data.weights)[0])
    values[at] = middle
    network.parameters[name] = values
    slope = (losses[0] - losses[1]) / ((middle + step) - (middle - step))
    difference = abs(gradient - slope) / max(abs(gradient), abs(slope), 1e-3 * scale)
    return difference if math.isfinite(difference) else math.inf
