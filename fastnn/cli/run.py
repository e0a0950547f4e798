"""A run of ``fastnn train`` before its first step: a source of rows, and an untrained network for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastnn import callbacks
from fastnn._input import checks
from fastnn.cli import building, objectives
from fastnn.cli.hyperparameters import Hyperparameters
from fastnn.cli.sources import Source
from fastnn.training import Trainer


@dataclass(frozen=True)
class Run:
    """What is trained, on what, and how."""

    source: Source
    chosen: Hyperparameters
    trainer: Trainer
    stopping: tuple[callbacks.EarlyStopping, ...]

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose parameters early stopping kept, if it was chosen."""
        return self.stopping[0].best_epoch if self.stopping else None

    def given(self) -> dict[str, Any]:
        """Name what the trainer is given: arguments of ``fit``, and of ``run_record``."""
        return {**self.source.parts.given(), "callbacks": self.stopping}

    def validation_accuracy(self) -> float | None:
        """Compute the accuracy on the validation rows where training does not."""
        return self.source.validation_accuracy(self.trainer.network)


def prepare(source: Source, chosen: Hyperparameters) -> Run:
    """Build the network and its trainer.

    Raises
    ------
    ValueError
        If a hyperparameter does not fit the rows.
    """
    rows, n_features = source.parts.train.X.shape
    loss = objectives.named(source.loss, label_smoothing=chosen.label_smoothing, quantiles=source.quantiles)
    trainer = Trainer(
        building.network(n_features, source.n_outputs, objectives.activation(loss), chosen),
        loss=loss,
        optimizer=building.optimizer(chosen, building.steps_per_epoch(chosen, rows)),
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        threads=chosen.threads,
        class_weight=_class_weight(chosen.class_weight, source.classes),
    )
    return Run(source, chosen, trainer, building.stopping(chosen))


def _class_weight(given: Mapping[str, float] | str | None, classes: tuple[str, ...]) -> dict[int, float] | str | None:
    """Give weights of classes by name as a trainer takes them: by number."""
    if given is None or isinstance(given, str):
        return given
    for name in given:
        if name not in classes:
            hint = checks.nearest(name, classes)
            raise ValueError(f"--class-weight must name classes ({checks.listing(classes)}); got {name!r}{hint}")
    return {classes.index(name): weight for name, weight in given.items()}
