"""Repeating a run from its record, to see whether it gives the same bits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastnn import data, losses, metrics, optimizers, records
from fastnn._input import checks
from fastnn._input.calls import explained
from fastnn._storage import descriptions
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.network import Network
from fastnn.training import Trainer, datasets, events

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Reproduction", "reproduce"]


@dataclass(frozen=True)
class Reproduction:
    """What came of repeating a run.

    Attributes
    ----------
    expected, found : str
        The digest in the record, and the one of the network trained anew.
    trainer : Trainer
        What was trained anew.
    first_difference : (int, str, float or None, float or None), or None
        The first epoch and column in which the two histories differ, the value recorded and the one found.
    """

    expected: str
    found: str
    trainer: Trainer
    first_difference: tuple[int, str, float | None, float | None] | None

    @property
    def is_same(self) -> bool:
        """Whether every bit of the parameters is the same."""
        return self.expected == self.found


@explained
def reproduce(
    record: str | os.PathLike[str] | Mapping[str, Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    validation_data: Sequence[ArrayLike] | None = None,
    callbacks: Iterable[Callback] | Callback = (),
    threads: int | Literal["auto"] = "auto",
) -> Reproduction:
    """Repeat a run from its record and the data, and compare the digests.

    Parameters
    ----------
    record : path-like or dict
        What `fastnn.records.run_record` gave, or the file that `fastnn.records.write` made of it.
    X, y, sample_weight, validation_data
        What the run was trained on; the record has their fingerprints.
    callbacks : sequence of Callback, optional
        Those of your own classes that the record names, made as they were; others may watch.
    threads : int or "auto", default "auto"
        The result does not depend on it.

    Returns
    -------
    Reproduction

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the record is damaged or of another numerics version, the data are others, or the run holds what a record
        cannot: an unfinished epoch, updates by ``Trainer.step``, a callback or another part of your own that is
        missing here.
    MemoryError
        If the run is of a network that does not fit in memory.

    Reproducibility
    ---------------
    The repetition begins with the network's seed. A run that began from other parameters, or on other data, ends with
    another digest.
    """
    if isinstance(record, Mapping):
        name = "the record"
        records.check(record, name)
    elif isinstance(record, (str, os.PathLike)):
        name = repr(checks.path(record, "record"))
        record = records.read(record)
    else:
        raise TypeError(f"record must be a mapping, or the path of a file; got {checks.described(record)}")
    training, trainer = record["training"], _rebuilt(record, name, threads)
    _check_data(record["data"], name, "", X, y, sample_weight)
    expected = record["data"]["validation"]
    if (expected is None) != (validation_data is None):
        was, now = ("without", "some are") if expected is None else ("with", "none are")
        raise ValueError(f"{name} is of a run {was} validation_data; {now} given")
    if validation_data is not None:
        _check_data(expected, name, "validation ", *datasets.validation(validation_data))
    watching = _watching(training["callbacks"], events.checked_callbacks(callbacks), name)
    fraction = training["validation_fraction"]
    n = np.shape(X)[0]
    if fraction is not None:
        try:
            n = len(data.split_rows(n, fraction)[0])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} is damaged: 'training.validation_fraction': {error}") from None
    per_epoch = 1 if trainer.batch_size == "full" else -(-n // int(trainer.batch_size))
    if training["steps"] != training["epochs"] * per_epoch:
        raise ValueError(
            f"{name} is of a run of {training['steps']} updates, which are not its {training['epochs']} epochs of "
            f"{per_epoch}: it was interrupted, or holds updates by Trainer.step, and a record does not say which"
        )
    trainer.fit(
        X,
        y,
        training["epochs"],
        sample_weight=sample_weight,
        validation_data=validation_data,
        validation_fraction=fraction,
        callbacks=watching,
    )
    difference = _first_difference(record["history"], records.plain(dict(trainer.history)))
    return Reproduction(record["network"]["digest"], trainer.network.digest(), trainer, difference)


def _rebuilt(record: Mapping[str, Any], name: str, threads: int | Literal["auto"]) -> Trainer:
    """Return the trainer before its first update."""
    network, training, seeds = record["network"], record["training"], record["seeds"]

    def described(entry: str, classes: Iterable[type], argument: str) -> Any:
        try:
            return descriptions.from_data(training[entry], classes, argument)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{name}: 'training.{entry}' is damaged, or a part of your own: {error}") from None

    layers = records.layers_of(record, name)
    loss = described("loss", losses.LOSSES.values(), "a loss")
    optimizer = described("optimizer", optimizers.CLASSES, "an optimizer")
    reported = described("metrics", metrics.METRICS.values(), "a metric")
    checks.integer(training["epochs"], f"{name}: 'training.epochs'", 0)
    try:
        return Trainer(
            Network(layers, seeds["network"], network["dtype"]),
            loss,
            optimizer,
            training["batch_size"],
            seeds["trainer"],
            threads,
            training["shuffle"],
            reported,
            training["class_weight"],
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is damaged: {error}") from None


def _check_data(expected: Any, name: str, prefix: str, X: ArrayLike, y: ArrayLike, weights: ArrayLike | None) -> None:
    found = records.plain(records.data_entry(X, y, weights))
    for entry, value in found.items():
        if not isinstance(expected, Mapping) or entry not in expected:
            raise ValueError(f"{name} is damaged: it has no entry {entry!r} for the {prefix}data")
        if value != expected[entry]:
            raise ValueError(
                f"{name} is of other {prefix}data: their {entry.replace('_', ' ')} is {expected[entry]}; got {value}"
            )


def _watching(recorded: Any, given: Iterable[Callback], name: str) -> list[Callback]:
    """Return the callbacks that a record holds or names, in its order, and then those given that it does not name."""
    if not isinstance(recorded, list) or not all(isinstance(item, Mapping) and "type" in item for item in recorded):
        raise ValueError(f"{name} is damaged: 'training.callbacks' is {recorded!r}")
    rest = list(given)
    watching: list[Callback] = []
    for item in recorded:
        kind = item["type"]
        if kind == "EarlyStopping":
            arguments = {entry: value for entry, value in item.items() if entry != "type"}
            try:
                watching.append(EarlyStopping(**arguments))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} is damaged: 'training.callbacks': {error}") from None
            continue
        found = [callback for callback in rest if records.callback_data(callback)["type"] == kind]
        if not found:
            raise ValueError(f"{name} is of a run with a callback of its own, {kind}: pass one like it")
        watching.append(found[0])
        rest = [callback for callback in rest if callback is not found[0]]
    return [*watching, *rest]


def _first_difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Any:
    """Return the first epoch and column in which two histories differ, with both values."""
    shared = [(column, expected[column], found[column]) for column in found if isinstance(expected.get(column), list)]
    for epoch in range(max((max(len(a), len(b)) for _, a, b in shared), default=0)):
        for column, *pair in shared:
            before, now = (values[epoch] if epoch < len(values) else None for values in pair)
            if before != now:
                return epoch + 1, column, before, now
    return None
