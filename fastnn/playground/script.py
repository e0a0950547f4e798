"""A run of the playground as a script that repeats it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from fastnn.playground import data_sets
from fastnn.playground import problem as problems
from fastnn.playground.session import Session
from fastnn.playground.tables import Table


def script(session: Session) -> str:
    """Return Python that trains the same network on the same rows up to the same update, and compares the digests."""
    settings, trainer, found = session.settings, session.trainer, session.problem
    is_classifier = bool(found.classes)
    lines = [
        f"# A run of fastnn's playground, up to update {trainer.steps:,}.",
        *(["import csv", ""] if session.table else []),
        "import numpy as np",
        "",
        "import fastnn as fn",
        "",
        *(_file(session.table) if session.table else _drawn(session)),
        f"X_train, X_held_out, y_train, y_held_out = fn.data.split(X, y, {settings.held_out!r}, seed={settings.seed}"
        + f"{', stratify=True' * is_classifier})",
    ]
    if session.table:
        lines.append("X_train, X_held_out = fn.data.standardize(X_train, X_held_out)")
        if not is_classifier:
            lines.append("y_train, y_held_out = fn.data.standardize(y_train[:, None], y_held_out[:, None])")
    size = problems.batch_size(settings)
    lines += [
        "",
        "layers = [",
        *(f"    fn.{_call(layer)}," for layer in trainer.network.layers),
        "]",
        f"network = fn.Network(layers, seed={settings.seed})",
        f'trainer = fn.Trainer(network, "{found.loss}", fn.{trainer.optimizer!r}, batch_size={_quoted(size)}, '
        f"seed={settings.seed})",
        *_fitting(trainer.steps, session.updates_per_epoch),
        "",
        'print("training rows:", trainer.evaluate(X_train, y_train))',
        'print("held-out rows:", trainer.evaluate(X_held_out, y_held_out))',
        "print(network.digest())",
        f'assert network.digest() == "{trainer.network.digest()}"',
    ]
    return "\n".join(lines) + "\n"


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _call(layer: Any) -> str:
    return repr(layer).replace("'", '"')


def _drawn(session: Session) -> list[str]:
    settings = session.settings
    function = data_sets.DATA_SETS[settings.data]
    return [
        *_sources(data_sets.normal, function),
        "",
        f"X, y = {settings.data}({settings.points}, {settings.noise!r}, np.random.default_rng({settings.seed}))",
    ]


def _sources(*functions: Callable[..., Any]) -> list[str]:
    return [line for function in functions for line in ("", *inspect.getsource(function).splitlines(), "")]


def _file(table: Table) -> list[str]:
    (first, second, target), (i, j, k) = table.columns, table.chosen
    lines = [
        "# Begin it in the folder of the file.",
        f'with open({json.dumps(table.file)}, newline="", encoding="utf-8-sig") as file:',
        f"    rows = [row for row in csv.reader(file, delimiter={json.dumps(table.separator)}) if row][1:]",
        f"X = np.array([[float(row[{i}]), float(row[{j}])] for row in rows], dtype=np.float32)",
        f"# {first!r} and {second!r}; {target!r} is to be predicted.",
    ]
    if not table.classes:
        return [*lines, f"y = np.array([float(row[{k}]) for row in rows], dtype=np.float32)"]
    value = f"float(row[{k}])" if table.is_numeric else f"row[{k}].strip()"
    return [
        *lines,
        f"values = [{value} for row in rows]",
        "classes = sorted(set(values))",
        "y = np.array([classes.index(value) for value in values])",
    ]


def _fitting(updates: int, per_epoch: int) -> list[str]:
    """Return the lines that train up to an update, which need not be the last of its epoch."""
    epochs, rest = divmod(updates, per_epoch)
    if not updates:
        return []
    if not rest:
        return [f"trainer.fit(X_train, y_train, epochs={epochs}, validation_data=(X_held_out, y_held_out))"]
    return [
        "",
        "",
        "def stop(trainer, step):",
        f"    if step == {updates}:  # in the middle of an epoch",
        "        trainer.stop()",
        "",
        "",
        "trainer.fit(",
        "    X_train,",
        "    y_train,",
        f"    epochs={epochs + 1},",
        "    validation_data=(X_held_out, y_held_out),",
        "    callbacks=fn.LambdaCallback(on_step_end=stop),",
        ")",
    ]
