"""fastnn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.instruction_sets import cap
from benchmarks.peers.peer import Peer
from benchmarks.rungs import LEARNING_RATE, Rung


class FastNN(Peer):
    """What a user writes: `Trainer.fit`."""

    module = distribution = "fastnn"
    threads = (1, 2, "auto")

    def __init__(self, rung: Rung, threads: int | str) -> None:
        import fastnn as fn

        hidden = [fn.Dense(units, "relu") for units in rung.sizes[1:-1]]
        self.n_threads = threads
        self.network = fn.Network([fn.Input(rung.sizes[0]), *hidden, fn.Dense(rung.sizes[-1])], seed=0)
        for name, values in zip(self.network.parameters, rung.initial(), strict=True):
            self.network.parameters[name] = values
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

    def parameters(self) -> list[np.ndarray]:
        return list(self.network.parameters.values())

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        import fastnn as fn

        if self.n_threads != "auto":
            fn.set_num_threads(self.n_threads)
        predict, out = self.network.predict, self.network.predict(x)
        return lambda: predict(x, out=out)

    @classmethod
    def environment(cls, threads: int | str, isa: str | None) -> dict[str, str]:
        return cap("fastnn", isa)

    @classmethod
    def version(cls) -> str:
        import fastnn

        return fastnn.__version__
