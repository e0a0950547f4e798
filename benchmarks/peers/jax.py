"""JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.instruction_sets import cap
from benchmarks.peers.peer import Peer
from benchmarks.rungs import LEARNING_RATE, Rung

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
UNROLL = 4  # batches in a turn of the loop: a quarter faster at batch 1


class Jax(Peer):
    """An epoch is one compiled call: ``lax.scan`` over the batches, whose rows are gathered by index within it.

    Parameters and optimizer state are donated, so that they are updated where they are. Weights are (inputs, outputs):
    at batch 1 twice as fast as their transposes. The order of an epoch comes from NumPy, whose permutation is faster
    than XLA's, which sorts. Adam is written by hand; Optax's is as fast.
    """

    module = distribution = "jax"

    def __init__(self, rung: Rung, threads: int | str) -> None:
        import jax

        self.jax, self.rung = jax, rung
        self.generator = np.random.default_rng(0)
        self.order = np.arange(rung.rows, dtype=np.int32).reshape(rung.steps, rung.batch)
        X, y = rung.data()
        self.X, self.y = jax.device_put(X), jax.device_put(y.astype(np.float32 if rung.is_binary else np.int32))
        parameters = [jax.device_put(np.ascontiguousarray(values.T)) for values in rung.initial()]
        moments = [[jax.numpy.zeros_like(each) for each in parameters] for _ in range(2)]
        self.state = (parameters, *(moments if rung.optimizer == "adam" else ()), jax.numpy.zeros((), "int32"))

    def compile(self) -> None:
        self.compiled = self.jax.jit(self.epoch, donate_argnums=0)
        self.run(1)  # a compiled function is called faster by what compiles it at its first call

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            if self.rung.shuffles:
                self.order = self.generator.permutation(self.order.ravel()).reshape(self.order.shape)
            self.state = self.compiled(self.state, self.X, self.y, self.order)
        self.jax.block_until_ready(self.state)

    def epoch(self, state: Any, X: Any, y: Any, order: Any) -> Any:
        """Make an epoch of updates."""

        def batch(state: Any, rows: Any) -> tuple[Any, None]:
            of_rows = {"mode": "promise_in_bounds", "unique_indices": True}
            return self.update(state, X.at[rows].get(**of_rows), y.at[rows].get(**of_rows)), None

        if not self.rung.shuffles:
            return self.update(state, X, y)
        return self.jax.lax.scan(batch, state, order, unroll=UNROLL)[0]

    def update(self, state: Any, X: Any, y: Any) -> Any:
        """Make one update."""
        gradients = self.jax.grad(self.loss)(state[0], X, y)
        return self.adam(state, gradients) if self.rung.optimizer == "adam" else self.sgd(state, gradients)

    def outputs(self, parameters: Any, X: Any) -> Any:
        """Compute the forward pass."""
        for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            X = self.jax.nn.relu(X @ weight + bias)
        return X @ parameters[-2] + parameters[-1]

    def loss(self, parameters: Any, X: Any, y: Any) -> Any:
        """Return the mean cross-entropy."""
        logits = self.outputs(parameters, X)
        if self.rung.is_binary:
            logits = logits[:, 0]
            return (self.jax.nn.softplus(logits) - y * logits).mean()
        one_hot = self.jax.nn.one_hot(y, logits.shape[1])  # whose gradient is no scatter
        return -(self.jax.nn.log_softmax(logits) * one_hot).sum(1).mean()

    def sgd(self, state: Any, gradients: Any) -> Any:
        """Make a step of plain gradient descent."""
        parameters, steps = state
        return [p - LEARNING_RATE * g for p, g in zip(parameters, gradients, strict=True)], steps + 1

    def adam(self, state: Any, gradients: Any) -> Any:
        """Make a step of Adam (Kingma and Ba, 2015), as Optax writes it."""
        parameters, means, squares, steps = state
        steps = steps + 1
        means = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(means, gradients, strict=True)]
        squares = [BETA_2 * v + (1 - BETA_2) * g * g for v, g in zip(squares, gradients, strict=True)]
        rate, scale = LEARNING_RATE / (1 - BETA_1**steps), 1 / (1 - BETA_2**steps)
        parameters = [
            p - rate * m / (self.jax.numpy.sqrt(v * scale) + EPSILON)
            for p, m, v in zip(parameters, means, squares, strict=True)
        ]
        return parameters, means, squares, steps

    @property
    def updates(self) -> int:
        return int(self.state[-1])

    def parameters(self) -> list[np.ndarray]:
        return [np.asarray(each).T for each in self.state[0]]

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        given, parameters = self.jax.device_put(x), self.state[0]
        predict = self.jax.jit(self.outputs)
        return lambda: predict(parameters, given).block_until_ready()

    @classmethod
    def environment(cls, threads: int | str, isa: str | None) -> dict[str, str]:
        flags = [] if isa else ["--xla_cpu_prefer_vector_width=512"]
        flags += ["--xla_cpu_multi_thread_eigen=false"] if threads == 1 else []
        flags += cap("jax", isa).values()
        return {"NPROC": str(threads), "XLA_FLAGS": " ".join(flags), "JAX_PLATFORMS": "cpu"}
