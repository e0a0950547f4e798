"""The record of a run: what one needs to repeat it, as JSON."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import _describe, data
from fastnn._config import config
from fastnn.training import Trainer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["environment", "run_record", "write"]

RECORD_VERSION = 1


def environment() -> dict[str, Any]:
    """Versions of fastnn, its numerics, Python and NumPy; instruction set, threads, compiler and platform."""
    return {name.replace(" ", "_"): value for name, value in config().items()}


def run_record(trainer: Trainer, X: ArrayLike, y: ArrayLike, **more: Any) -> dict[str, Any]:
    """What a trained network came from.

    Parameters
    ----------
    trainer : Trainer
        After its ``fit``.
    X, y : array_like
        What it was trained on; only the fingerprint and the shapes go into the record.
    **more
        Further entries, such as the name of the data or results; they may hold NumPy numbers and arrays.

    Returns
    -------
    dict
        ``network`` (layers, parameters, dtype, digest), ``training`` (loss, optimizer, batch size, epochs), ``seeds``,
        ``data`` (shapes, fingerprint), ``history``, ``environment``, and the further entries. `write` makes a JSON
        file of it.
    """
    network = trainer.network
    rows, targets = np.asarray(X), np.asarray(y)
    record: dict[str, Any] = {
        "record_version": RECORD_VERSION,
        "network": {
            "layers": _describe.to_data(network.layers),
            "dtype": network.dtype,
            "parameters": network.n_parameters,
            "digest": network.digest(),
        },
        "training": {
            "loss": _describe.to_data(trainer.loss),
            "optimizer": _describe.to_data(trainer.optimizer),
            "batch_size": trainer.batch_size,
            "shuffle": trainer.shuffle,
            "epochs": trainer.history.epochs,
        },
        "seeds": {"network": network.seed, "trainer": trainer.seed},
        "data": {
            "X_shape": rows.shape,
            "y_shape": targets.shape,
            "fingerprint": data.fingerprint(rows, targets),
        },
        "history": dict(trainer.history),
        "environment": environment(),
    }
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(record.get(name), dict):
            record[name] = {**record[name], **value}
        else:
            record[name] = value
    return _plain(record)


def write(path: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
    """Writes a record as JSON, indented; NaN and infinities become null, as JSON has none."""
    text = json.dumps(_plain(record), indent=2, ensure_ascii=False, allow_nan=False)
    # A list of numbers or names on one line; a line break in JSON text is never part of a string.
    text = re.sub(
        r"\[[^][{}]*\]", lambda found: re.sub(r"(?<=\[)\s+|\s+(?=\])", "", re.sub(r"\n\s*", " ", found[0])), text
    )
    Path(path).write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """A value as what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
