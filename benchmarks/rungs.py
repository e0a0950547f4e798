"""The ladder: trainings from a small control network to a wide one, with the data each runs on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEARNING_RATE = 1e-4


@dataclass(frozen=True)
class Rung:
    """One training. ReLU between the layers; softmax cross-entropy, or for one output binary cross-entropy.

    ``steps`` are the updates of an epoch: long enough that what happens once an epoch hardly counts, short enough for
    the slowest peer.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    steps: int
    optimizer: str = "adam"

    @property
    def rows(self) -> int:
        """Rows of the data: every batch is full."""
        return self.batch * self.steps

    @property
    def shuffles(self) -> bool:
        """Whether an epoch has an order: with the full batch there is nothing to shuffle."""
        return self.steps > 1

    @property
    def is_binary(self) -> bool:
        """Whether the network has one logit."""
        return self.sizes[-1] == 1

    @property
    def layers(self) -> str:
        """The sizes, as people write them."""
        return "-".join(map(str, self.sizes))

    @property
    def flops(self) -> int:
        """Floating-point operations of a step's matrix products; the first layer needs no gradient of its input."""
        products = [6 * n_in * n_out for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False)]
        return self.batch * (sum(products) - 2 * self.sizes[0] * self.sizes[1])

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (rows, sizes[0]) in float32 and labels (rows,) in int64."""
        generator = np.random.default_rng(0)
        X = generator.standard_normal((self.rows, self.sizes[0]), np.float32)
        return X, generator.integers(0, max(2, self.sizes[-1]), self.rows)

    def initial(self) -> list[np.ndarray]:
        """Return weights (outputs, inputs) by He et al. (2015) and zero biases, layer by layer, in float32."""
        generator = np.random.default_rng(1)
        parameters = []
        for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False):
            bound = np.float32(np.sqrt(6 / n_in))
            parameters += [bound * (2 * generator.random((n_out, n_in), np.float32) - 1), np.zeros(n_out, np.float32)]
        return parameters


RUNGS = {
    rung.name: rung
    for rung in (
        Rung("rl", (4, 64, 64, 2), 32, steps=500),
        Rung("iss46", (10, 46, 46, 10), 128, steps=200),
        Rung("tab", (30, 128, 128, 2), 128, steps=200),
        Rung("iss256", (10, 256, 256, 10), 128, steps=100),
        Rung("mnist128", (784, 128, 10), 64, steps=200),
        Rung("mnist512", (784, 512, 512, 10), 128, steps=20),
        Rung("wide1024", (1024, 1024, 1024, 10), 256, steps=4),
        Rung("sgd1", (30, 64, 1), 1, steps=2000, optimizer="sgd"),
        Rung("full", (30, 64, 1), 20_000, steps=1),
    )
}
