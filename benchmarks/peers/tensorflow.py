"""TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from typing import Any

import numpy as np

from benchmarks.instruction_sets import cap
from benchmarks.peers.peer import Peer
from benchmarks.rungs import LEARNING_RATE, Rung

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class TensorFlow(Peer):
    """An epoch is one compiled call, a ``tf.function`` with a loop over the batches and TensorFlow's own Adam kernel.

    With XLA (``jit_compile``) and without: each rung runs the way that is faster on it. Keras trains through the same
    functions, with more around them.
    """

    module = distribution = "tensorflow"

    def __init__(self, rung: Rung, threads: int | str) -> None:
        import tensorflow as tf

        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self.tf, self.rung = tf, rung
        self.generator = np.random.default_rng(0)
        self.order = np.arange(rung.rows, dtype=np.int32).reshape(rung.steps, rung.batch)
        X, y = rung.data()
        self.X = tf.constant(X)
        self.y = tf.constant(y.astype(np.float32)[:, None] if rung.is_binary else y.astype(np.int32))
        self.values = [tf.Variable(np.ascontiguousarray(values.T)) for values in rung.initial()]
        self.means, self.squares = ([tf.Variable(tf.zeros_like(each)) for each in self.values] for _ in range(2))
        self.steps_made = tf.Variable(0)

    def compile(self) -> None:
        times: dict[bool, float] = {}
        epochs = {xla: self.tf.function(self.epoch, jit_compile=xla) for xla in (False, True)}
        for epoch in epochs.values():
            epoch(self.tf.constant(self.order))  # compiles it
        for _ in range(5):
            for xla, epoch in epochs.items():
                start = time.perf_counter()
                epoch(self.tf.constant(self.order))
                self.steps_made.numpy()
                times[xla] = min(times.get(xla, np.inf), time.perf_counter() - start)
        self.compiled = epochs[min(times, key=times.__getitem__)]

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            if self.rung.shuffles:
                self.order = self.generator.permutation(self.order.ravel()).reshape(self.order.shape)
            self.compiled(self.tf.constant(self.order))
        self.steps_made.numpy()  # waits

    def epoch(self, order: Any) -> None:
        """Make an epoch of updates; this is what is compiled."""
        tf = self.tf
        if not self.rung.shuffles:
            self.update(self.X, self.y)
            return
        _, _ = tf.while_loop(lambda k, rows: k < self.rung.steps, self.batch, (0, order), parallel_iterations=1)

    def batch(self, k: Any, order: Any) -> Any:
        """Make an update with the rows of a batch."""
        self.update(self.tf.gather(self.X, order[k]), self.tf.gather(self.y, order[k]))
        return k + 1, order

    def update(self, X: Any, y: Any) -> None:
        """Make one update."""
        tf = self.tf
        with tf.GradientTape() as tape:
            logits = self.outputs(X)
            if self.rung.is_binary:
                losses = tf.nn.sigmoid_cross_entropy_with_logits(y, logits)
            else:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.values)
        self.steps_made.assign_add(1)
        if self.rung.optimizer == "sgd":
            for value, gradient in zip(self.values, gradients, strict=True):
                value.assign_sub(LEARNING_RATE * gradient)
            return
        steps = tf.cast(self.steps_made, tf.float32)
        powers = {"beta1_power": BETA_1**steps, "beta2_power": BETA_2**steps}
        rates = {"lr": LEARNING_RATE, "beta1": BETA_1, "beta2": BETA_2, "epsilon": EPSILON}
        for value, mean, square, gradient in zip(self.values, self.means, self.squares, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=value.handle, m=mean.handle, v=square.handle, grad=gradient, **powers, **rates
            )

    def outputs(self, X: Any) -> Any:
        """Compute the forward pass."""
        for weight, bias in zip(self.values[:-2:2], self.values[1:-2:2], strict=True):
            X = self.tf.nn.relu(X @ weight + bias)
        return X @ self.values[-2] + self.values[-1]

    @property
    def updates(self) -> int:
        return int(self.steps_made.numpy())

    def parameters(self) -> list[np.ndarray]:
        return [value.numpy().T for value in self.values]

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        given = self.tf.constant(x)
        predict = self.tf.function(self.outputs).get_concrete_function(given)
        return lambda: predict(given).numpy()

    @classmethod
    def environment(cls, threads: int | str, isa: str | None) -> dict[str, str]:
        return {**cap("tensorflow", isa), "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": str(threads)}

    @classmethod
    def version(cls) -> str:
        return version(packages_distributions()[cls.module][0])  # which may be called tensorflow-cpu
