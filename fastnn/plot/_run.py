"""What there is to draw of a run: from a trainer, or from the folder that ``fastnn train`` wrote."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import losses, optimizers, records
from fastnn._storage import descriptions
from fastnn.losses import Loss
from fastnn.network import Network
from fastnn.optimizers import Optimizer
from fastnn.plot._arguments import ESTIMATOR, classes_of, described, history_of, trainer_of
from fastnn.tables import TableModel
from fastnn.tables.model import METADATA
from fastnn.training import Trainer

RECORD, MODEL = "record.json", "model.safetensors"


@dataclass
class Run:
    """A run, as far as it is known.

    Attributes
    ----------
    name : str
    record : dict
        What is shown as tables; see `fastnn.records.run_record`.
    network : Network
    is_trained : bool
        Whether the network has the run's parameters, or only its layers.
    loss : Loss or None
    optimizer : Optimizer or None
        None for those of the user's own, which a record only names.
    history : dict of str to list of float
    classes : list of str or None
    features : tuple of str or None
        Of a model of a table.
    """

    name: str
    record: Mapping[str, Any]
    network: Network
    is_trained: bool
    loss: Loss | None
    optimizer: Optimizer | None
    history: dict[str, list[float]]
    classes: list[str] | None
    features: tuple[str, ...] | None = None

    @property
    def epochs(self) -> int:
        return max(map(len, self.history.values()), default=0)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch: what the record says, or the average where the last epoch may be unfinished."""
        training = self.record["training"]
        shape, batch_size = self.record.get("data", {}).get("X_shape"), training["batch_size"]
        if training.get("validation_fraction") is None and isinstance(shape, list) and shape and batch_size != "full":
            rows = shape[0]
            if type(rows) is type(batch_size) is int and rows > 0 and batch_size > 0:
                return -(-rows // batch_size)
        return max(1, training["steps"] // max(1, self.epochs))

    @property
    def confusion(self) -> np.ndarray | None:
        """The counts of the run's own test, if the record holds them."""
        results = self.record.get("results")
        counts = np.array(results.get("confusion") if isinstance(results, Mapping) else None, dtype=object)
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
            return None
        if not all(type(count) is int and 0 <= count < 2**31 for count in counts.flat):
            return None
        return counts.astype(np.int64)


def of(source: Any) -> Run:
    """Return the run of a trainer, of an estimator, of a folder, or of a record in a file.

    Raises
    ------
    OSError
        If the record, or a model beside it, cannot be read.
    TypeError, ValueError
        If ``source`` is neither, or a file is damaged, or the model is not that of the record.
    """
    trainer = trainer_of(source)
    if trainer is not None:
        return _of_trainer(trainer, source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"run must be a Trainer, the path of a run's folder, or a {ESTIMATOR}; got {described(source)}")
    path = Path(source)
    return _of_files(path / RECORD if path.is_dir() else path)


def _of_trainer(trainer: Trainer, source: Any) -> Run:
    """Return the run of a trainer; ``source`` is the trainer itself, or an estimator, which knows more."""
    classes = classes_of(source)
    record = {**records.standing(trainer, {}), "environment": records.environment()}
    return Run(
        "A run of fastnn",
        records.plain(record),
        trainer.network,
        True,
        trainer.loss,
        trainer.optimizer,
        dict(history_of(source)),
        None if classes is None or len(classes) < 2 else [str(label) for label in classes],
    )


def _of_files(path: Path) -> Run:
    record = records.read(path)
    name = repr(os.fspath(path))
    model = path.with_name(MODEL)
    is_trained = model.exists()
    network = Network.load(model) if is_trained else _untrained(record, name)
    if is_trained and network.digest() != record["network"]["digest"]:
        raise ValueError(
            f"{os.fspath(model)!r} is not the network of {name}: its digest is {network.digest()}, "
            f"the record's {record['network']['digest']}"
        )
    for entry in ("epochs", "steps"):
        value = record["training"][entry]
        if type(value) is not int or value < 0:
            raise ValueError(f"{name} is damaged: 'training.{entry}' is {value!r}")
    data = record["data"]
    classes = data.get("classes")
    is_named = isinstance(classes, list) and len(classes) == network.n_outputs > 1
    return Run(
        str(data.get("name") or data.get("file") or path.resolve().parent.name),
        record,
        network,
        is_trained,
        _described(record, "loss", Loss, losses.LOSSES.values()),
        _described(record, "optimizer", Optimizer, optimizers.CLASSES),
        _history(record["history"], name),
        [str(value) for value in classes] if is_named else None,
        _features(network),
    )


def _features(network: Network) -> tuple[str, ...] | None:
    """Name the features of a model of a table."""
    if METADATA not in network.metadata:
        return None
    return TableModel.of(network).preprocessor.features


def _untrained(record: Mapping[str, Any], name: str) -> Network:
    """Return a network of the layers that a record describes."""
    layers = records.layers_of(record, name)
    try:
        return Network(layers, 0, record["network"]["dtype"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is damaged: 'network.dtype': {error}") from None


def _described(record: Mapping[str, Any], entry: str, base: type, classes: Iterable[type]) -> Any:
    """Return what a record says of the training; None for what only its author has the class of."""
    try:
        found = descriptions.from_data(record["training"][entry], classes, entry)
    except (AttributeError, TypeError, ValueError):
        return None
    return found if isinstance(found, base) else None


def _history(given: Mapping[str, Any], name: str) -> dict[str, list[float]]:
    """Return the columns, NaN where a record has null."""
    history = {}
    for column, values in given.items():
        known = isinstance(values, list) and all(value is None or type(value) in (int, float) for value in values)
        if not known:
            raise ValueError(f"{name} is damaged: 'history.{column}' is not a list of numbers")
        history[column] = [math.nan if value is None else float(value) for value in values]
    if len({len(values) for values in history.values()}) > 1:
        raise ValueError(f"{name} is damaged: the columns of 'history' are not of one length")
    return history
