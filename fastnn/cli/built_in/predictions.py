"""Predictions of a model for rows of features, or for those of a built-in data set that were held out."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.table import Table

from fastnn import data
from fastnn.cli import display
from fastnn.cli.built_in import feature_files
from fastnn.cli.built_in.datasets import DATASETS
from fastnn.cli.built_in.source import scaled
from fastnn.cli.failures import Failure
from fastnn.network import Network


class FeaturePredictions:
    """What a network says of rows of features, each of which is of a class.

    Parameters
    ----------
    network : Network
        With metadata as `fastnn.cli.models.load` gives them.
    path : str, optional
        A .npy or .csv file, or the name of a data set; without, the data set that the network was trained on.
    """

    endings: tuple[str, ...] = (".csv", ".npy")
    endings_text = ".csv or .npy"

    def __init__(self, network: Network, path: str | None) -> None:
        self.network = network
        self.path = path or str(network.metadata.get("data", "digits"))
        self.classes = _classes(network)

    @functools.cached_property
    def _rows(self) -> tuple[np.ndarray, np.ndarray | None, str]:
        """Features, labels where they are known, and what the rows are."""
        if self.path in DATASETS:
            return _held_out(self.path, self.network.metadata)
        return feature_files.read(self.path), None, self.path

    @functools.cached_property
    def outputs(self) -> np.ndarray:
        """Outputs for all rows.

        Raises
        ------
        Failure
            If the rows cannot be read, or do not fit the network.
        """
        X, _, what = self._rows
        try:
            return self.network.predict(scaled(X, self.network.metadata["divisor"], self.network.dtype))
        except (TypeError, ValueError) as error:
            raise Failure(f"{what}: {error}") from None

    @property
    def labels(self) -> list[str]:
        """The class of each row."""
        return self._named(self.outputs.argmax(axis=1))

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.outputs)

    def table(self, n_rows: int) -> Table:
        """Show the first rows, with how sure the network is, and the true labels where they are known."""
        labels, outputs, known = self.labels, self.outputs, self._rows[1]
        true = None if known is None else self._named(known)
        n_rows = min(n_rows, len(labels))
        result = display.table(f"Predictions, {n_rows:,} of {len(labels):,} rows")
        result.add_column("row", justify="right", style="dim")
        result.add_column("label", justify="right")
        result.add_column("output", justify="right")
        if true is not None:
            result.add_column("true", justify="right")
        for row in range(n_rows):
            cells = [str(row + 1), labels[row], f"{outputs[row].max():.4f}"]
            if true is not None:
                wrong = true[row] != labels[row]
                cells.append(f"[bold red]{true[row]} ✗[/]" if wrong else f"{true[row]}  ")
            result.add_row(*cells)
        return result

    def texts(self) -> Iterator[str]:
        """Write all rows as CSV: row, label, an output for each class, with as many digits as reading back takes."""
        lines = [",".join(["row", "label", *self.classes])]
        for row, (label, values) in enumerate(zip(self.labels, self.outputs, strict=True), 1):
            lines.append(",".join([str(row), label, *(str(value) for value in values)]))
        yield "\n".join([*lines, ""])

    def write(self, path: str) -> None:
        """Write all rows as CSV, or as a .npy table of the fields ``label`` and ``outputs``."""
        if path.lower().endswith(".npy"):
            outputs, width = self.outputs, max(map(len, self.classes))
            table = np.empty(self.n_rows, [("label", f"<U{width}"), ("outputs", outputs.dtype, outputs.shape[1])])
            table["label"], table["outputs"] = self.labels, outputs
            np.save(path, table)
            return
        texts = list(self.texts())
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(texts)

    def notes(self) -> Iterator[str]:
        """Say what is worth saying about the rows: nothing, they are numbers."""
        yield from ()

    def verdict(self) -> str | None:
        """Say how good the predictions are, where the true labels are known."""
        _, true, what = self._rows
        if true is None:
            return None
        return f"accuracy on {what}: {display.percent(float(np.mean(self.outputs.argmax(axis=1) == true)))}"

    def _named(self, numbers: np.ndarray) -> list[str]:
        return [self.classes[number] for number in numbers]


def _classes(network: Network) -> list[str]:
    """Name the classes: as the file says, otherwise by their numbers."""
    given = network.metadata.get("classes")
    if isinstance(given, list) and len(given) == network.n_outputs:
        return [str(name) for name in given]
    return [str(number) for number in range(network.n_outputs)]


def _held_out(name: str, metadata: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, str]:
    """Give rows of a built-in data set that the model was not trained on, with labels, and what they are."""
    X, y = DATASETS[name].load()
    if metadata.get("data") != name:
        return X, y, f"all {len(y):,} rows of {name}"
    _, X, _, y = data.split(X, y, metadata["test_fraction"], metadata["split_seed"], stratify=True)
    return X, y, f"the {len(y):,} rows of {name} that were held out"
