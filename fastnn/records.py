"""The record of a run: what one needs to repeat it, as JSON; `fastnn.reproduction` repeats it."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data, initializers
from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._lowering import lowering
from fastnn._runtime.configuration import config
from fastnn._storage import descriptions, durable
from fastnn._storage.files import NUMERICS_VERSION
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.layers import LAYERS, Layer
from fastnn.training import Trainer, datasets, events

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["environment", "read", "run_record", "write"]

RECORD_VERSION = 1
_ENTRIES = {
    "network": ("layers", "dtype", "digest"),
    "training": (
        *("loss", "optimizer", "batch_size", "shuffle", "metrics", "class_weight"),
        *("validation_fraction", "callbacks", "epochs", "steps"),
    ),
    "seeds": ("network", "trainer"),
    "data": ("X_shape", "y_shape", "has_sample_weight", "fingerprint", "validation"),
    "history": (),
    "environment": ("fastnn", "numerics_version"),
}


def environment() -> dict[str, Any]:
    """Return versions of fastnn, its numerics, Python and NumPy; instruction set, threads, compiler and platform."""
    return {name.replace(" ", "_"): value for name, value in config().items()}


def run_record(
    trainer: Trainer,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    validation_data: Sequence[ArrayLike] | None = None,
    validation_fraction: float | None = None,
    callbacks: Iterable[Callback] | Callback = (),
    **more: Any,
) -> dict[str, Any]:
    """Return what a trained network came from.

    Parameters
    ----------
    trainer : Trainer
        After its ``fit``.
    X, y, sample_weight, validation_data, validation_fraction
        What it was trained on, as it was passed to ``fit``; of data, only fingerprints and shapes go into the record.
    callbacks : sequence of Callback, optional
        Those passed to ``fit`` that had a say in the result. `fastnn.EarlyStopping` is recorded whole; of a class of
        your own, only the name is: `fastnn.reproduction.reproduce` will ask for it.
    **more
        Further entries, such as the name of the data or results; they may hold NumPy numbers and arrays.

    Returns
    -------
    dict
        ``network`` (layers, parameters, dtype, digest), ``training`` (loss, optimizer, batch size, callbacks, epochs
        and updates made), ``seeds``, ``data`` (shapes, fingerprints), ``history``, ``environment``, and the further
        entries. `write` makes a JSON file of it, `fastnn.reproduction` repeats the run.
    """
    checks.instance(trainer, Trainer, "trainer")
    if validation_fraction is not None:
        checks.number(validation_fraction, "validation_fraction", 0.0, 1.0, above=True, below=True)
    given = {
        "validation_fraction": validation_fraction,
        "callbacks": [callback_data(callback) for callback in events.checked_callbacks(callbacks)],
    }
    record: dict[str, Any] = {
        "record_version": RECORD_VERSION,
        **standing(trainer, given),
        "data": {
            **data_entry(X, y, sample_weight),
            "validation": None if validation_data is None else data_entry(*datasets.validation(validation_data)),
        },
        "history": dict(trainer.history),
        "environment": environment(),
    }
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(record.get(name), dict):
            record[name] = {**record[name], **value}
        else:
            record[name] = value
    return plain(record)


def standing(trainer: Trainer, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a record that a trainer itself knows; ``given`` is what else ``fit`` was told."""
    network = trainer.network
    return {
        "network": {
            "layers": descriptions.to_data(network.layers),
            "dtype": network.dtype,
            "parameters": network.n_parameters,
            "digest": network.digest(),
        },
        "training": {
            "loss": descriptions.to_data(trainer.loss),
            "optimizer": descriptions.to_data(trainer.optimizer),
            "batch_size": trainer.batch_size,
            "shuffle": trainer.shuffle,
            "metrics": descriptions.to_data(trainer.metrics),
            "class_weight": trainer.class_weight,
            **given,
            "epochs": trainer.epoch,
            "steps": trainer.steps,
        },
        "seeds": {"network": network.seed, "trainer": trainer.seed},
    }


def write(path: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
    """Write a record as JSON, indented; NaN and infinities become null, as JSON has none."""
    path = checks.path(path)
    checks.mapping(record, "record")
    try:
        with standard_environment():  # writing a number as text calculates
            text = json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"record must hold what JSON can: {error}") from None
    # A list of numbers or names on one line; a line break in JSON text is never part of a string.
    text = re.sub(
        r"\[[^][{}]*\]", lambda found: re.sub(r"(?<=\[)\s+|\s+(?=\])", "", re.sub(r"\n\s*", " ", found[0])), text
    )
    durable.replace(path, (text + "\n").encode())


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the record in a file.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is damaged, or not a record of a run that could be repeated; the message says what is wrong.
    """
    name = checks.path(path)
    content = Path(path).read_bytes()
    try:
        with standard_environment():
            record = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name!r} is damaged or not JSON: {error}") from None
    if not isinstance(record, dict) or "record_version" not in record:
        raise ValueError(f"{name!r} is not the record of a fastnn run: it has no entry 'record_version'")
    check(record, repr(name))
    return record


def check(record: Mapping[str, Any], name: str) -> None:
    """Raise unless this fastnn can make sense of the record and could give the same bits."""
    if record.get("record_version") != RECORD_VERSION:
        raise ValueError(
            f"{name} is of record version {record.get('record_version')}; this fastnn knows {RECORD_VERSION}"
        )
    for section, names in _ENTRIES.items():
        found = record.get(section)
        if not isinstance(found, Mapping):
            raise ValueError(f"{name} is damaged: it has no entry {section!r}")
        for entry in names:
            if entry not in found:
                raise ValueError(f"{name} is damaged: it has no entry '{section}.{entry}'")
    digest, version = record["network"]["digest"], record["environment"]["numerics_version"]
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"{name} is damaged: 'network.digest' is not a SHA-256: {digest!r}")
    if version != NUMERICS_VERSION:
        raise ValueError(
            f"{name} is of numerics version {version}; this fastnn has {NUMERICS_VERSION}, which gives other bits by "
            f"design: take the fastnn that wrote it, {record['environment']['fastnn']}, or one of the same version"
        )


def layers_of(record: Mapping[str, Any], name: str) -> tuple[Layer, ...]:
    """Return the layers in a record, before memory is taken for them."""
    network = record["network"]
    try:
        layers = lowering.checked(
            descriptions.from_data(network["layers"], (*LAYERS, *initializers.CLASSES), "a layer")
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is damaged, or holds layers of your own: 'network.layers': {error}") from None
    stated = network.get("parameters")
    if stated is not None and stated != (number := lowering.n_parameters(layers)):
        raise ValueError(f"{name} is damaged: its layers have {number:,} parameters, not {stated!r}")
    return layers


def data_entry(X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[str, Any]:
    fingerprint = data.fingerprint(X, y, sample_weight)  # which checks them
    return {
        "X_shape": np.shape(X),
        "y_shape": np.shape(y),
        "has_sample_weight": sample_weight is not None,
        "fingerprint": fingerprint,
    }


def callback_data(callback: Callback) -> dict[str, Any]:
    if type(callback) is EarlyStopping:
        names = ("patience", "monitor", "min_delta", "restore_best", "mode")
        return {"type": "EarlyStopping", **{name: getattr(callback, name) for name in names}}
    return {"type": f"{type(callback).__module__}.{type(callback).__qualname__}"}


def plain(value: Any) -> Any:
    """Return a value as what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
