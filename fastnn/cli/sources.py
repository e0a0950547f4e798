"""Where the rows of a run come from: what every source gives, be it a built-in data set or a table in a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from fastnn.network import Network


@dataclass(frozen=True)
class Division:
    """How rows are divided (the test part first, then the validation part of the rest), and the dtype they get."""

    test_fraction: float
    validation_fraction: float
    split_seed: int
    dtype: str

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> Division:
        """Read the division of a run from its record; raise KeyError if it does not say."""
        data = record["data"]
        fractions = data["test_fraction"], data["validation_fraction"]
        return cls(*fractions, record["seeds"]["split"], record["network"]["dtype"])


@dataclass(frozen=True)
class Rows:
    """Rows that are ready for a network.

    Attributes
    ----------
    X : ndarray, shape (n, n_features)
    y : ndarray
        Targets as the loss takes them.
    values : ndarray, shape (n,)
        Targets as the scores take them.
    """

    X: np.ndarray
    y: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Parts:
    """Rows to train on, to validate with, if any, and to test with."""

    train: Rows
    validation: Rows | None
    test: Rows

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: len(part.X) for name, part in parts.items() if part is not None}

    @property
    def sizes_text(self) -> str:
        """Rows of each part in words."""
        return ", ".join(f"{count:,} {part}" for part, count in self.sizes.items())

    def given(self) -> dict[str, Any]:
        """Name what a trainer is given of them, as ``fit`` and `fastnn.records.run_record` take it."""
        validation = self.validation and (self.validation.X, self.validation.y)
        return {"X": self.train.X, "y": self.train.y, "validation_data": validation}


@dataclass(frozen=True)
class Scores:
    """How good a model is on the rows held out, beside a guess without a look at them, if there is one.

    Attributes
    ----------
    model, baseline : dict of str to float
    confusion : ndarray or None
        Counts of rows by true class and predicted class.
    """

    model: dict[str, float]
    baseline: dict[str, float]
    confusion: np.ndarray | None


class Source(ABC):
    """Rows in parts, what a network for them needs, and what a run on them shows, says and leaves in files.

    Attributes
    ----------
    name : str
        What the folder of a run is called by default.
    parts : Parts
    division : Division
    loss : str
        The loss by name, one of those that its targets can have.
    n_outputs : int
        Outputs that a network needs.
    quantiles : tuple of float
        Which are predicted, if any.
    classes : tuple of str
        In the order of the outputs, if classes are predicted.
    fingerprints : mapping of str to str
        Of the columns that were read, by name.
    """

    name: str
    parts: Parts
    division: Division
    loss: str
    n_outputs: int
    quantiles: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    fingerprints: Mapping[str, str] = {}

    def options(self) -> dict[str, Any]:
        """Name what was chosen beyond the hyperparameters, with what was left open filled in."""
        return {}

    @abstractmethod
    def scores(self, network: Network) -> Scores:
        """Test a network on the rows held out."""

    def validation_accuracy(self, network: Network) -> float | None:
        """Compute the accuracy on the validation rows where training does not; None where it is of no interest."""
        return None

    @abstractmethod
    def show(self, out: Console) -> None:
        """Show the rows, and what becomes of them."""

    @abstractmethod
    def show_scores(self, out: Console, scores: Scores) -> None:
        """Show how good a network is."""

    @abstractmethod
    def summary(self, scores: Scores) -> dict[str, str]:
        """Say how good a network is, for the first lines of the result; empty if `show_scores` has said it all."""

    @abstractmethod
    def brief(self, scores: Scores) -> str:
        """Say how good a network is in a few words."""

    @abstractmethod
    def metadata(self, network: Network, scores: Scores) -> dict[str, Any]:
        """Say in the model file what ``fastnn predict`` needs to know."""

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Say in the record where the rows come from; `recorded` of the same module reads it."""

    @abstractmethod
    def results(self, scores: Scores) -> dict[str, Any]:
        """Say in the record how good the network is."""

    def divided(self) -> dict[str, Any]:
        """Say how the rows were divided: a part of what `described` gives."""
        return {
            "test_fraction": self.division.test_fraction,
            "validation_fraction": self.division.validation_fraction,
            "rows": self.parts.sizes,
        }
