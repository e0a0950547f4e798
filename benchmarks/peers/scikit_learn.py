"""scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.instruction_sets import cap
from benchmarks.peers.peer import Peer
from benchmarks.rungs import LEARNING_RATE, Rung


class ScikitLearn(Peer):
    """scikit-learn's ``MLPClassifier``: ``partial_fit`` is one epoch. No penalty, no early stopping, float32.

    Two classes always make it one logistic output, which is less work than two and softmax. It draws its first
    parameters itself.
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

    def parameters(self) -> list[np.ndarray]:
        layers = zip(self.network.coefs_, self.network.intercepts_, strict=True)
        return [values.T for layer in layers for values in layer]

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        self.run(1)  # it has no network before
        self.libraries.limit(limits=self.n_threads)
        predict = self.network.predict_proba
        return lambda: predict(x)

    @classmethod
    def environment(cls, threads: int | str, isa: str | None) -> dict[str, str]:
        import fastnn

        if isa is None and fastnn.config()["instruction sets available"].startswith("avx512"):
            isa = "avx512"  # OpenBLAS does not choose it on every processor that has it; elsewhere nothing changes
        return cap("scikit-learn", isa)

    @classmethod
    def load(cls) -> None:
        import sklearn.neural_network  # noqa: F401
        import threadpoolctl  # noqa: F401
