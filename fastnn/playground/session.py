"""A run under way: the network, its trainer, and what is measured of them."""

from __future__ import annotations

import numpy as np

import fastnn as fn
from fastnn.playground import problem as problems
from fastnn.playground.settings import OPTIMIZERS, Settings
from fastnn.playground.tables import Table

MOST_EPOCHS = 100  # of one call
MOST_SECONDS = 0.1  # of one call: an epoch that takes longer goes on in the next


class Session:
    """A run, from its first update on.

    Parameters
    ----------
    settings : Settings
    table : Table, optional
        What the settings name.

    Attributes
    ----------
    problem : Problem
    trainer : Trainer
    bare : Network
        The network without dropout, to look into; `look` gives it the parameters.
    """

    def __init__(self, settings: Settings, table: Table | None = None) -> None:
        self.settings, self.table = settings, table
        self.problem = problems.problem(settings, table)
        n_outputs = self.problem.n_outputs
        self.trainer = fn.Trainer(
            fn.Network(problems.layers(settings, n_outputs), seed=settings.seed),
            self.problem.loss,
            OPTIMIZERS[settings.optimizer](settings.learning_rate),
            problems.batch_size(settings),
            settings.seed,
            threads=1,
        )
        self.bare = fn.Network(problems.layers(settings, n_outputs, dropout=False), seed=settings.seed)

    @property
    def updates_per_epoch(self) -> int:
        return problems.updates_per_epoch(self.settings, len(self.problem.train[0]))

    def update(self) -> None:
        """Make one update.

        Raises
        ------
        DivergedError
            If it leaves the finite range.
        """
        stop = fn.LambdaCallback(on_step_end=lambda trainer, step: trainer.stop())
        self.trainer.fit(*self.problem.train, epochs=1, callbacks=stop)

    def epochs(self, count: int) -> None:
        """Make so many epochs, or as much of them as there is time for; an epoch under way counts."""
        self.trainer.fit(*self.problem.train, epochs=count, max_seconds=MOST_SECONDS)

    def scores(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the loss, and a classifier's accuracy, on the rows trained on and on those held out."""
        return self.trainer.evaluate(*self.problem.train), self.trainer.evaluate(*self.problem.held_out)

    def look(self) -> fn.Network:
        """Return the network without dropout, with the parameters as they are now."""
        given = self.trainer.network.parameters.values()
        self.bare.parameters.update(dict(zip(self.bare.parameters, given, strict=True)))
        return self.bare

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the targets of both parts, one a row."""
        return self.problem.train[1].reshape(-1), self.problem.held_out[1].reshape(-1)
