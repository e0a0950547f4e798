"""The systems compared, each at its best: one class a system.

To add one, write a `Peer` and put it into `PEERS`. A system's library is imported when the first of its class is made,
in a process that has the class's ``environment``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from benchmarks.rungs import LEARNING_RATE, Rung


class Peer:
    """A rung's network, loss, optimizer and data, set up in one system and ready to run."""

    module: ClassVar[str]  # to import
    distribution: ClassVar[str]  # whose version is reported
    threads: ClassVar[tuple[int | str, ...]] = (1, 2)  # the settings worth trying
    environment: ClassVar[dict[str, str]] = {}  # variables of its process

    def __init__(self, rung: Rung, threads: int | str) -> None:
        raise NotImplementedError

    def run(self, epochs: int) -> None:
        """Trains so many epochs and returns when they are over."""
        raise NotImplementedError

    @property
    def updates(self) -> int:
        """How many updates the system says it has made."""
        raise NotImplementedError

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        """A function that computes the outputs for ``x``, which it holds in the system's own form.

        The number of threads may stay changed for the whole process.
        """
        raise NotImplementedError

    @classmethod
    def is_installed(cls) -> bool:
        """Whether it can be compared here."""
        return find_spec(cls.module) is not None

    @classmethod
    def version(cls) -> str:
        """The installed version of the system."""
        return version(cls.distribution)


class FastNN(Peer):
    """What a user writes: `Trainer.fit`."""

    module = distribution = "fastnn"
    threads = (1, 2, "auto")

    def __init__(self, rung: Rung, threads: int | str) -> None:
        import fastnn as fn

        hidden = [fn.Dense(units, "relu") for units in rung.sizes[1:-1]]
        self.n_threads = threads
        self.network = fn.Network([fn.Input(rung.sizes[0]), *hidden, fn.Dense(rung.sizes[-1])], seed=0)
        self.trainer = fn.Trainer(
            self.network,
            loss="binary_cross_entropy" if rung.is_binary else "cross_entropy",
            optimizer=fn.SGD(LEARNING_RATE) if rung.optimizer == "sgd" else fn.Adam(LEARNING_RATE),
            batch_size=rung.batch,
            seed=0,
            threads=threads,
            shuffle=rung.shuffles,
        )
        self.X, self.y = rung.data()

    def run(self, epochs: int) -> None:
        self.trainer.fit(self.X, self.y, epochs=epochs)

    @property
    def updates(self) -> int:
        return self.trainer.steps

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        import fastnn as fn

        if self.n_threads != "auto":
            fn.set_num_threads(self.n_threads)
        predict, out = self.network.predict, self.network.predict(x)
        return lambda: predict(x, out=out)

    @classmethod
    def version(cls) -> str:
        import fastnn

        return fastnn.__version__


class Torch(Peer):
    """PyTorch, eager: data in tensors, batches gathered by index, the fused optimizer, no ``DataLoader``."""

    module = distribution = "torch"

    def __init__(self, rung: Rung, threads: int | str) -> None:
        import torch

        torch.manual_seed(0)
        self.torch = torch
        self.n_threads = threads
        self.rung = rung
        layers: list[torch.nn.Module] = []
        for n_in, n_out in zip(rung.sizes, rung.sizes[1:], strict=False):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
        self.network = torch.nn.Sequential(*layers[:-1])
        optimizer = torch.optim.SGD if rung.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = optimizer(self.network.parameters(), lr=LEARNING_RATE, fused=True)
        functional = torch.nn.functional
        self.loss = functional.binary_cross_entropy_with_logits if rung.is_binary else functional.cross_entropy
        X, y = rung.data()
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        if rung.is_binary:
            self.y = self.y.float()[:, None]
        self.updates_made = 0

    def run(self, epochs: int) -> None:
        self.torch.set_num_threads(self.n_threads)
        for _ in range(epochs):
            if self.rung.shuffles:
                for rows in self.torch.randperm(self.rung.rows).split(self.rung.batch):
                    self.step(self.X.index_select(0, rows), self.y.index_select(0, rows))
            else:
                self.step(self.X, self.y)

    def step(self, X: Any, y: Any) -> None:
        """One update. The loss is not looked at, which would cost time."""
        loss = self.loss(self.network(X), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.updates_made += 1

    @property
    def updates(self) -> int:
        return self.updates_made

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        torch, network, given = self.torch, self.network.eval(), self.torch.from_numpy(x)
        torch.set_num_threads(self.n_threads)

        def predict() -> Any:
            with torch.inference_mode():
                return network(given)

        return predict


class ScikitLearn(Peer):
    """scikit-learn's ``MLPClassifier``: ``partial_fit`` is one epoch. No penalty, no early stopping, float32.

    Two classes always make it one logistic output, which is less work than two and softmax.
    """

    module, distribution = "sklearn", "scikit-learn"

    def __init__(self, rung: Rung, threads: int | str) -> None:
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import ThreadpoolController

        self.rung = rung
        self.n_threads = threads
        self.libraries = ThreadpoolController()
        self.network = MLPClassifier(
            rung.sizes[1:-1],
            activation="relu",
            solver=rung.optimizer,
            alpha=0.0,
            batch_size=rung.batch,
            learning_rate="constant",
            learning_rate_init=LEARNING_RATE,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=rung.shuffles,
            early_stopping=False,
            random_state=0,
        )
        self.X, self.y = rung.data()
        self.classes = np.arange(max(2, rung.sizes[-1]))

    def run(self, epochs: int) -> None:
        with self.libraries.limit(limits=self.n_threads):
            for _ in range(epochs):
                self.network.partial_fit(self.X, self.y, classes=self.classes)

    @property
    def updates(self) -> int:
        return int(self.network.t_) // self.rung.batch

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        self.run(1)  # it has no network before
        self.libraries.limit(limits=self.n_threads)
        predict = self.network.predict_proba
        return lambda: predict(x)


PEERS: dict[str, type[Peer]] = {"fastnn": FastNN, "torch": Torch, "scikit-learn": ScikitLearn}


def installed() -> dict[str, type[Peer]]:
    """The peers that can run here, by name."""
    return {name: peer for name, peer in PEERS.items() if peer.is_installed()}
