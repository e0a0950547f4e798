"""The loss over all rows as a function of one vector, for optimizers from outside such as L-BFGS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn._engine import random
from fastnn._engine.environment import standard_environment
from fastnn._engine.training import Diverged, Training
from fastnn._lowering import lowering
from fastnn.losses import Loss
from fastnn.network import Network
from fastnn.optimizers import SGD
from fastnn.training.datasets import dataset

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class FullBatchObjective:
    """``slope · loss + l2_total / (2 · sum of the sample weights) · (sum of the squared weights)`` and its gradient.

    Parameters
    ----------
    network : Network
        Its parameters are set to whatever the objective is asked about.
    loss : Loss
    X, y, sample_weight
        As for `fastnn.Trainer.fit`; checked here.
    slope : float
    l2_total : float
    threads : int or "auto"
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        slope: float,
        l2_total: float,
        threads: int | str,
    ) -> None:
        self.data = dataset(network, loss, X, y, sample_weight)
        weights = self.data.weights
        with standard_environment():
            self.total = float(len(self.data)) if weights is None else random.lane_sum(weights)
        self.network = network
        self.slope = slope
        self.penalty = l2_total / self.total
        self.loss = self.value = 0.0  # of the latest vector, without and with slope and penalty
        number = 0 if isinstance(threads, str) else threads
        self._training = Training(network.model, loss.specification(), SGD().specification(), 0, number)

    @property
    def vector(self) -> np.ndarray:
        """Return the parameters of the network one after another, as float64."""
        return np.concatenate([array.reshape(-1) for array in self.network.parameters.values()]).astype(np.float64)

    def set_vector(self, vector: np.ndarray) -> None:
        """Give the network the parameters of ``vector``, which are finite in its dtype."""
        network, start = self.network, 0
        for name, shape in network.plan.shapes.items():
            size = lowering.total_size([shape])
            part = vector[start : start + size].reshape(shape).astype(network.plan.dtype)
            network.model.write(*network.plan.tensors[name], part)
            start += size

    def __call__(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """Compute the value, and the gradient as float64; infinite and 0 where something overflows."""
        with np.errstate(over="ignore"):
            if not np.isfinite(vector.astype(self.network.plan.dtype)).all():
                return np.inf, np.zeros(len(vector))
        self.set_vector(vector)
        try:
            self.loss, gradients = self._training.gradient(self.data.X, self.data.y, self.data.weights)
        except Diverged:
            return np.inf, np.zeros(len(vector))
        with standard_environment():
            self.value = self.slope * self.loss + 0.5 * self.penalty * self._training.squared_weights
            parts = []
            for name, tensor in self.network.plan.tensors.items():
                part = self.slope * gradients[tensor].astype(np.float64)
                if name.endswith("weight") and part.ndim == 2:
                    part += self.penalty * self.network.model.read(*tensor)
                parts.append(part.reshape(-1))
            return self.value, np.concatenate(parts)
