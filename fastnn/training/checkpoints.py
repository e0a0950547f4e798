"""A trainer as plain data: metadata for JSON and named arrays, for files and for pickling."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import callbacks, losses, metrics, optimizers
from fastnn._input import checks
from fastnn._storage import descriptions, files
from fastnn.network import Network
from fastnn.training import restoring

if TYPE_CHECKING:
    from fastnn.training import Trainer

_OPTIMIZER, _CALLBACK = "optimizer/", "callback/"  # prefixes of the names of arrays that are not parameters


def pack(trainer: Trainer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """All that makes up the trainer."""
    parameters = dict(trainer.network.parameters)
    state = {_OPTIMIZER + name: array for name, array in trainer._training.get_state().items()}
    watching = dict(keyed(trainer._watching))
    states = trainer._callback_states | {key: _state_of(key, callback) for key, callback in watching.items()}
    for key, (_, arrays) in states.items():
        state |= {f"{_CALLBACK}{key}/{name}": array for name, array in arrays.items()}
    metadata = {
        "kind": "trainer",
        **trainer.network._description(),
        "metadata": trainer.network.metadata,
        "digest": files.digest(parameters),
        "loss": descriptions.to_data(trainer.loss),
        "optimizer": descriptions.to_data(trainer.optimizer),
        "batch_size": trainer.batch_size,
        "trainer_seed": trainer.seed,
        "threads": trainer.threads,
        "shuffle": trainer.shuffle,
        "metrics": descriptions.to_data(trainer.metrics),
        "class_weight": _listed(trainer.class_weight),
        "weight_by_class": _listed(trainer._weight_by_class),
        "history": dict(trainer.history),
        "columns": list(trainer.columns),
        "plateau": None if trainer._plateau is None else trainer._plateau.get_state(),
        "epoch_rows": trainer._epoch_rows,
        "callbacks": {key: values for key, (values, arrays) in states.items() if values or arrays},
        "untold": _untold(trainer, watching),
    }
    return metadata, parameters | state


def unpack(metadata: dict[str, Any], tensors: dict[str, np.ndarray], name: str = "a pickle") -> Trainer:
    """The trainer that `pack` gave."""
    from fastnn.training import Trainer

    network = Network._from_file(metadata, tensors, name)
    state = {key: array for key, array in tensors.items() if "/" in key}
    try:
        trainer = Trainer(
            network,
            descriptions.from_data(metadata["loss"], losses.LOSSES.values(), "a loss"),
            descriptions.from_data(metadata["optimizer"], optimizers.CLASSES, "an optimizer"),
            metadata["batch_size"],
            metadata["trainer_seed"],
            metadata["threads"],
            metadata["shuffle"],
            descriptions.from_data(metadata["metrics"], metrics.METRICS.values(), "a metric"),
            metadata["class_weight"],
        )
        restoring.restore(trainer, metadata, _under(state, _OPTIMIZER))
        trainer._callback_states = {
            key: (dict(checks.mapping(values, f"the state of {key}")), _under(state, f"{_CALLBACK}{key}/"))
            for key, values in checks.mapping(metadata["callbacks"], "callbacks").items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} is damaged or not a fastnn trainer: {error}") from error
    return trainer


def save(trainer: Trainer, path: str | os.PathLike[str], keep_previous: bool) -> None:
    metadata, tensors = pack(trainer)
    files.write(path, tensors, metadata, keep_previous)


def load(path: str | os.PathLike[str], threads: int | str | None) -> Trainer:
    if threads is not None:
        threads = checks.threads(threads)
    metadata, tensors = files.read(path, ("trainer",))
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


def _state_of(key: str, callback: callbacks.Callback) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    import json

    values, arrays = callback.get_state()
    try:
        json.dumps(values)
    except (TypeError, ValueError) as error:
        raise TypeError(f"get_state of the callback {key} must give values that JSON can hold: {error}") from None
    return values, {name: checks.numeric(array, f"{name!r} of the callback {key}") for name, array in arrays.items()}


def _untold(trainer: Trainer, watching: dict[str, callbacks.Callback]) -> list[Any] | None:
    """The event that some callbacks have yet to hear of, with their keys."""
    event = trainer._untold
    if event is None or not event.waiting:
        return None
    keys = {id(callback): key for key, callback in watching.items()}
    waiting = [item if isinstance(item, str) else keys[id(item)] for item in event.waiting]
    return [event.name, list(event.arguments), waiting]


def _under(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
