"""A trainer as plain data: metadata for JSON and named arrays, for files and for pickling."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastnn import callbacks, losses, metrics, optimizers
from fastnn._input import checks
from fastnn._storage import descriptions, files
from fastnn.network import Network
from fastnn.training import restoring
from fastnn.training.events import keyed

if TYPE_CHECKING:
    from fastnn.training.state import Run, RunState

_OPTIMIZER, _CALLBACK = "optimizer/", "callback/"  # prefixes of the names of arrays that are not parameters
Trainer = TypeVar("Trainer", bound="Run")


def pack(trainer: Run) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return all that makes up the trainer."""
    run = trainer.state
    state = {_OPTIMIZER + name: array for name, array in run.training.get_state().items()}
    watching = dict(keyed(run.callbacks))
    states = run.callback_states | {key: _state_of(key, callback) for key, callback in watching.items()}
    for key, (_, arrays) in states.items():
        state |= {f"{_CALLBACK}{key}/{name}": array for name, array in arrays.items()}
    metadata = {
        "kind": "trainer",
        **trainer.network.describe(),
        "metadata": trainer.network.metadata,
        "loss": descriptions.to_data(trainer.loss),
        "optimizer": descriptions.to_data(trainer.optimizer),
        "batch_size": trainer.batch_size,
        "trainer_seed": trainer.seed,
        "threads": trainer.threads,
        "shuffle": trainer.shuffle,
        "metrics": descriptions.to_data(trainer.metrics),
        "class_weight": _listed(trainer.class_weight),
        "weight_by_class": _listed(run.weight_by_class),
        "history": dict(run.history),
        "columns": list(run.columns),
        "plateau": None if run.plateau is None else run.plateau.get_state(),
        "epoch_rows": run.epoch_rows,
        "callbacks": {key: values for key, (values, arrays) in states.items() if values or arrays},
        "untold": _untold(run, watching),
    }
    return metadata, dict(trainer.network.parameters) | state


def unpack(
    make: Callable[..., Trainer], metadata: dict[str, Any], tensors: dict[str, np.ndarray], name: str = "a pickle"
) -> Trainer:
    """Return the trainer that `pack` took apart; ``make`` is its class."""
    network = Network.from_description(metadata, tensors, name)
    state = {key: array for key, array in tensors.items() if "/" in key}
    try:
        trainer = make(
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
        trainer.state.callback_states = {
            key: (dict(checks.mapping(values, f"the state of {key}")), _under(state, f"{_CALLBACK}{key}/"))
            for key, values in checks.mapping(metadata["callbacks"], "callbacks").items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} is damaged or not a fastnn trainer: {error}") from error
    return trainer


def save(trainer: Run, path: str | os.PathLike[str], keep_previous: bool) -> None:
    """Write a trainer to a file."""
    metadata, tensors = pack(trainer)
    files.write(path, tensors, metadata, keep_previous)


def load(make: Callable[..., Trainer], path: str | os.PathLike[str], threads: int | str | None) -> Trainer:
    """Read a trainer that `save` wrote; ``make`` is its class."""
    if threads is not None:
        threads = checks.threads(threads)
    metadata, tensors = files.read(path, ("trainer",))
    if threads is not None:
        metadata["threads"] = threads
    return unpack(make, metadata, tensors, os.fspath(path))


def _state_of(key: str, callback: callbacks.Callback) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    import json

    values, arrays = callback.get_state()
    try:
        json.dumps(values)
    except (TypeError, ValueError) as error:
        raise TypeError(f"get_state of the callback {key} must give values that JSON can hold: {error}") from None
    return values, {name: checks.numeric(array, f"{name!r} of the callback {key}") for name, array in arrays.items()}


def _untold(run: RunState, watching: dict[str, callbacks.Callback]) -> list[Any] | None:
    """Return the event that some callbacks have yet to hear of, with their keys."""
    event = run.untold
    if event is None or not event.waiting:
        return None
    keys = {id(callback): key for key, callback in watching.items()}
    waiting = [item if isinstance(item, str) else keys[id(item)] for item in event.waiting]
    return [event.name, list(event.arguments), waiting]


def _under(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
