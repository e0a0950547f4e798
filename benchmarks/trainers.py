"""One training in each system, from parameters, batches and hyperparameters that are the same for all of them.

Nothing is drawn at random here but scikit-learn's initial parameters, which it draws itself, from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastnn as fn
from benchmarks.rungs import RUNGS

STEPS_AN_EPOCH, EPOCHS = 8, 25
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Training:
    """A classifier with ReLU layers, trained by Adam on batches in the order of the rows, float32."""

    sizes: tuple[int, ...]
    batch: int
    X: np.ndarray
    y: np.ndarray

    @property
    def name(self) -> str:
        """The sizes, as people write them, and the batch."""
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}"

    def initial(self) -> list[np.ndarray]:
        """Return weights (outputs, inputs) by He et al. (2015) and zero biases, layer by layer."""
        generator = np.random.default_rng(0)
        parameters = []
        for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False):
            bound = np.float32(np.sqrt(6 / n_in))
            uniform = generator.random((n_out, n_in), np.float32)
            parameters += [bound * (2 * uniform - 1), np.zeros(n_out, np.float32)]
        return parameters


def trainings() -> list[Training]:
    """Return the handwritten digits that come with fastnn, and the smaller half of the ladder."""
    X, y = fn.data.load_digits()
    rows = 200 * STEPS_AN_EPOCH
    found = [Training((64, 128, 64, 10), 200, X[:rows] / np.float32(16), y[:rows])]
    for name in ("rl", "iss46", "tab", "iss256", "mnist128"):
        rung = RUNGS[name]
        X, y = rung.data()
        rows = rung.batch * STEPS_AN_EPOCH
        found.append(Training(rung.sizes, rung.batch, X[:rows], y[:rows]))
    return found


def train_fastnn(training: Training, threads: int) -> Sequence[np.ndarray]:
    """Train by `Trainer.fit`."""
    hidden = [fn.Dense(units, "relu") for units in training.sizes[1:-1]]
    network = fn.Network([fn.Input(training.sizes[0]), *hidden, fn.Dense(training.sizes[-1])])
    for name, values in zip(network.parameters, training.initial(), strict=True):
        network.parameters[name] = values
    trainer = fn.Trainer(
        network, "cross_entropy", fn.Adam(LEARNING_RATE), training.batch, threads=threads, shuffle=False
    )
    trainer.fit(training.X, training.y, epochs=EPOCHS)
    return list(network.parameters.values())


def train_torch(training: Training, threads: int) -> Sequence[np.ndarray]:
    """Train eagerly, with deterministic algorithms only."""
    import torch

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    layers: list[torch.nn.Module] = []
    for n_in, n_out in zip(training.sizes, training.sizes[1:], strict=False):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, values in zip(network.parameters(), training.initial(), strict=True):
            parameter.copy_(torch.from_numpy(values))
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    X, y = torch.from_numpy(training.X), torch.from_numpy(training.y)
    for _ in range(EPOCHS):
        for X_batch, y_batch in zip(X.split(training.batch), y.split(training.batch), strict=True):
            loss = torch.nn.functional.cross_entropy(network(X_batch), y_batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return [parameter.detach().numpy() for parameter in network.parameters()]


def train_jax(training: Training, threads: int) -> Sequence[np.ndarray]:
    """Train by a compiled step, with Adam from Optax. Threads are the process's: see `benchmarks.reproducibility`."""
    import jax
    import optax

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            X = jax.nn.relu(X @ weight.T + bias)
        logits = X @ parameters[-2].T + parameters[-1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(parameters: Any, state: Any, X: Any, y: Any) -> Any:
        updates, state = adam.update(jax.grad(loss)(parameters, X, y), state)
        return optax.apply_updates(parameters, updates), state

    adam = optax.adam(LEARNING_RATE)
    parameters = [jax.numpy.asarray(values) for values in training.initial()]
    state = adam.init(parameters)
    shape = (STEPS_AN_EPOCH, training.batch)
    X, y = jax.numpy.asarray(training.X.reshape(*shape, -1)), jax.numpy.asarray(training.y.reshape(shape))
    for _ in range(EPOCHS):
        for k in range(STEPS_AN_EPOCH):
            parameters, state = step(parameters, state, X[k], y[k])
    return [np.asarray(values) for values in parameters]


def train_sklearn(training: Training, threads: int) -> Sequence[np.ndarray]:
    """Train ``MLPClassifier``, an epoch of ``partial_fit`` at a time, without penalty."""
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    classifier = MLPClassifier(
        training.sizes[1:-1],
        activation="relu",
        solver="adam",
        alpha=0.0,
        batch_size=training.batch,
        learning_rate_init=LEARNING_RATE,
        shuffle=False,
        random_state=0,
    )
    with threadpool_limits(threads):
        for _ in range(EPOCHS):
            classifier.partial_fit(training.X, training.y, classes=np.arange(training.sizes[-1]))
    return [values for pair in zip(classifier.coefs_, classifier.intercepts_, strict=True) for values in pair]


Train = Callable[[Training, int], Sequence[np.ndarray]]
TRAIN: dict[str, Train] = {
    "fastnn": train_fastnn,
    "PyTorch": train_torch,
    "JAX": train_jax,
    "scikit-learn": train_sklearn,
}
