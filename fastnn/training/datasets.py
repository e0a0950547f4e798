"""What `fastnn.Trainer` makes of its data arguments before anything changes: checked arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data
from fastnn._engine.environment import standard_environment
from fastnn._input import checks, interruptible, rows
from fastnn.losses import Loss
from fastnn.network import Network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastnn._engine.sparse import SparseMatrix


class Dataset:
    """Rows of the network's dtype, dense or sparse, targets as the loss has them, and float64 weights."""

    def __init__(self, X: np.ndarray | SparseMatrix, y: np.ndarray, weights: np.ndarray | None) -> None:
        self.X, self.y, self.weights = X, y, weights

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, index: np.ndarray) -> Dataset:
        """Copy some rows."""
        X = interruptible.taken(self.X, index) if isinstance(self.X, np.ndarray) else self.X[index]
        return Dataset(X, self.y[index], None if self.weights is None else self.weights[index])


def dataset(
    network: Network, loss: Loss, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, prefix: str = ""
) -> Dataset:
    """Check data for a network and a loss; arrays of the right dtype are not copied.

    ``prefix`` is what errors put before the arguments' names.
    """
    with standard_environment():
        checked = rows.features(X, network.n_features, network.plan.dtype, f"{prefix}X")
        targets = loss.targets(y, network.n_outputs, network.plan.dtype, f"{prefix}y")
        checks.same_rows(len(checked), len(targets), f"{prefix}y", f"{prefix}X")
        weights = checks.sample_weight(sample_weight, len(checked), f"{prefix}sample_weight")
    return Dataset(checked, targets, weights)


def validation(given: Any) -> tuple[Any, Any, Any]:
    """Return the three parts of ``validation_data``; the weights may be left out."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise TypeError(f"validation_data must be (X, y) or (X, y, sample_weight); got {checks.described(given)}")
    return (*given, None) if len(given) == 2 else tuple(given)


def held_out(given: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """Return the rows to train on, and the rows to validate with."""
    train, held = data.split_rows(len(given), fraction, seed, argument="validation_fraction")
    training, validating = given.rows(train), given.rows(held)
    for part, name in ((training, "training"), (validating, "validation")):
        if part.weights is not None and not part.weights.any():
            raise ValueError(f"sample_weight must not be 0 in every row of the {name} part")
    return training, validating
