"""A trainer as plain data: metadata for JSON and named arrays, for files and for pickling."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import _describe, _files, callbacks, losses, metrics, optimizers, schedules
from fastnn.history import History
from fastnn.network import Network

if TYPE_CHECKING:
    from fastnn.training import Trainer

_OPTIMIZER, _CALLBACK = "optimizer/", "callback/"  # prefixes of the names of arrays that are not parameters
_CLASSES = (
    *losses.LOSSES.values(),
    *optimizers.OPTIMIZERS.values(),
    *schedules.SCHEDULES,
    *metrics.METRICS.values(),
)


def pack(trainer: Trainer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """All that makes up the trainer."""
    parameters = dict(trainer.network.parameters)
    state = {_OPTIMIZER + name: array for name, array in trainer._training.get_state().items()}
    states = dict(trainer._callback_states)
    states |= {key: callback.get_state() for key, callback in keyed(getattr(trainer, "_watching", ()))}
    for key, (_, arrays) in states.items():
        state |= {f"{_CALLBACK}{key}/{name}": array for name, array in arrays.items()}
    metadata = {
        "kind": "trainer",
        **trainer.network._description(),
        "digest": _files.digest(parameters),
        "state_digest": _files.digest(state),
        "loss": _describe.to_data(trainer.loss),
        "optimizer": _describe.to_data(trainer.optimizer),
        "batch_size": trainer.batch_size,
        "trainer_seed": trainer.seed,
        "threads": trainer.threads,
        "shuffle": trainer.shuffle,
        "metrics": _describe.to_data(trainer.metrics),
        "class_weight": _listed(trainer.class_weight),
        "weight_by_class": _listed(trainer._weight_by_class),
        "history": dict(trainer.history),
        "epoch_rows": trainer._epoch_rows,
        "callbacks": {key: values for key, (values, _) in states.items() if values},
    }
    return metadata, parameters | state


def unpack(metadata: dict[str, Any], tensors: dict[str, np.ndarray], name: str = "a pickle") -> Trainer:
    """The trainer that `pack` gave."""
    from fastnn.training import Trainer

    network = Network._from_file(metadata, tensors, name)
    state = {key: array for key, array in tensors.items() if "/" in key}
    if metadata.get("state_digest") != _files.digest(state):
        raise ValueError(f"{name!r} is damaged: its state does not have the digest it states")
    try:
        trainer = Trainer(
            network,
            _describe.from_data(metadata["loss"], _CLASSES, "a loss"),
            _describe.from_data(metadata["optimizer"], _CLASSES, "an optimizer"),
            metadata["batch_size"],
            metadata["trainer_seed"],
            metadata["threads"],
            metadata["shuffle"],
            _describe.from_data(metadata["metrics"], _CLASSES, "a metric"),
            metadata["class_weight"],
        )
        trainer.history = History(metadata["history"])
        trainer._reset_plateau()
        trainer._epoch_rows = metadata["epoch_rows"]
        if metadata["weight_by_class"] is not None:
            trainer._weight_by_class = np.array(metadata["weight_by_class"])
        trainer._training.set_state(_under(state, _OPTIMIZER))
        trainer._callback_states = {
            key: (values, _under(state, f"{_CALLBACK}{key}/")) for key, values in metadata["callbacks"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} is damaged or not a fastnn trainer: {error}") from error
    return trainer


def save(trainer: Trainer, path: str | os.PathLike[str]) -> None:
    metadata, tensors = pack(trainer)
    _files.write(path, tensors, metadata)


def load(path: str | os.PathLike[str], threads: int | str | None) -> Trainer:
    metadata, tensors = _files.read(path, ("trainer",))
    if threads is not None:
        metadata["threads"] = threads
    return unpack(metadata, tensors, os.fspath(path))


def keyed(watching: Iterable[callbacks.Callback]) -> Iterator[tuple[str, callbacks.Callback]]:
    """Each callback with the name that its state has in a file: its class, and which of that class it is."""
    counts: Counter[str] = Counter()
    for callback in watching:
        name = type(callback).__name__
        yield f"{name}.{counts[name]}", callback
        counts[name] += 1


def _under(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
