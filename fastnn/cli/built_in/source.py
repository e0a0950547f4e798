"""A built-in data set as the source of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from fastnn import data
from fastnn.cli import display, objectives
from fastnn.cli.built_in.datasets import DATASETS, Dataset
from fastnn.cli.sources import Division, Parts, Rows, Scores, Source
from fastnn.losses import LOSSES
from fastnn.network import Network


class BuiltIn(Source):
    """A data set of classes, split so that each class has the same share in all parts.

    Parameters
    ----------
    dataset : Dataset
    division : Division
    loss : str
    """

    def __init__(self, dataset: Dataset, division: Division, loss: str) -> None:
        self.dataset, self.division, self.loss = dataset, division, loss
        self.name, self.n_outputs, self.classes = dataset.name, len(dataset.classes), dataset.classes
        X, y = dataset.load()
        X, seed = scaled(X, dataset.divisor, division.dtype), division.split_seed
        X, X_test, y, y_test = data.split(X, y, division.test_fraction, seed, stratify=True)
        validation = None
        if division.validation_fraction:
            X, X_val, y, y_val = data.split(X, y, division.validation_fraction, seed, stratify=True)
            validation = self._rows(X_val, y_val)
        self.parts = Parts(self._rows(X, y), validation, self._rows(X_test, y_test))

    def _rows(self, X: np.ndarray, labels: np.ndarray) -> Rows:
        return Rows(X, objectives.targets(objectives.named(self.loss), labels, self.n_outputs), labels)

    def scores(self, network: Network) -> Scores:
        test, n = self.parts.test, self.n_outputs
        labels = network.predict(test.X).argmax(axis=1)
        confusion = np.bincount(test.values * n + labels, minlength=n * n).reshape(n, n)
        return Scores({"accuracy": float(confusion.trace() / confusion.sum())}, {}, confusion)

    def validation_accuracy(self, network: Network) -> float | None:
        rows = self.parts.validation
        return None if rows is None else float((network.predict(rows.X).argmax(axis=1) == rows.values).mean())

    def show(self, out: Console) -> None:
        out.print(f"[bold]{escape(self.dataset.title)}[/]: {self.parts.sizes_text}\n")

    def show_scores(self, out: Console, scores: Scores) -> None:
        assert scores.confusion is not None
        display.show_confusion(out, scores.confusion, self.dataset.classes)

    def summary(self, scores: Scores) -> dict[str, str]:
        share = display.percent(scores.model["accuracy"])
        return {"test accuracy": f"{share} of {self.parts.sizes['test']} rows held out"}

    def brief(self, scores: Scores) -> str:
        return f"accuracy {display.percent(scores.model['accuracy'])}"

    def metadata(self, network: Network, scores: Scores) -> dict[str, Any]:
        return {
            "data": self.name,
            "classes": list(self.dataset.classes),
            "divisor": self.dataset.divisor,
            "test_fraction": self.division.test_fraction,
            "split_seed": self.division.split_seed,
            "test_accuracy": scores.model["accuracy"],
        }

    def described(self) -> dict[str, Any]:
        dataset = self.dataset
        return {"name": self.name, **self.divided(), "divisor": dataset.divisor, "classes": dataset.classes}

    def results(self, scores: Scores) -> dict[str, Any]:
        return {"test_accuracy": scores.model["accuracy"]}


def opened(name: str, division: Division, loss: str | None) -> BuiltIn:
    """Load a data set to train on; a loss that is None is the usual one for classes.

    Raises
    ------
    ValueError
        If the loss is not one for labels, or a part has no rows.
    """
    loss = loss or objectives.DEFAULTS["classification"]
    source = BuiltIn(DATASETS[name], division, loss)
    if loss not in objectives.OF_LABELS:
        raise ValueError(f"--loss must be one of {', '.join(objectives.OF_LABELS)} for {name}; got {loss}")
    return source


def is_recorded(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is of a run on a data set that is built in."""
    name = record["data"].get("name")
    return isinstance(name, str) and name in DATASETS


def recorded(record: Mapping[str, Any]) -> BuiltIn:
    """Load the data set of a run, in the same parts.

    Raises
    ------
    KeyError
        If the record lacks an entry.
    TypeError, ValueError
        If one is wrong.
    """
    return BuiltIn(DATASETS[record["data"]["name"]], Division.recorded(record), _loss(record))


def _loss(record: Mapping[str, Any]) -> str:
    """Name the loss of a record; of one that is not of fastnn the targets are numbers."""
    described = record["training"]["loss"]
    kind = described.get("type") if isinstance(described, Mapping) else None
    known = {cls.__name__: name for name, cls in LOSSES.items()}
    return known.get(kind, objectives.DEFAULTS["regression"])  # type: ignore[arg-type]


def scaled(X: np.ndarray, divisor: float, dtype: str) -> np.ndarray:
    """Divide raw features by the divisor, in the network's dtype; exact for a power of two."""
    with np.errstate(over="ignore"):  # an infinity is named by whoever checks the rows
        return X.astype(dtype, copy=False) / np.dtype(dtype).type(divisor)
