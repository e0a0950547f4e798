"""A run of ``fastnn train`` on a table: from the file to a trained, tested network."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import callbacks, data, losses
from fastnn._input import checks
from fastnn.cli import run
from fastnn.cli.run import Hyperparameters
from fastnn.tables import CellError, Classes, Preprocessor, Quantity, TableModel, Unused, cells, targets
from fastnn.training import Trainer

if TYPE_CHECKING:
    from fastnn._readers.polars_tables import Part

TASKS = ("classification", "regression")
# Losses, with the activation a network ends in.
LOSSES = {
    "classification": {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"},
    "regression": dict.fromkeys(("mean_squared", "mean_absolute", "huber", "pinball"), "identity"),
}
QUANTILES = (0.1, 0.5, 0.9)
DEFAULTS = {"hidden": (64, 64), "dropout": 0.2, "epochs": 100, "patience": 20, "validation_fraction": 0.2}
LEARNING_RATES = dict.fromkeys(("adam", "adamw", "nadam", "rmsprop"), 0.001)


@dataclass(frozen=True)
class TableOptions:
    """What ``fastnn train --help`` describes for tables only."""

    target: str | None = None
    task: str | None = None
    categorical: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    max_categories: int = 50
    min_rows: int = 5
    quantiles: tuple[float, ...] | None = None

    def described(self) -> dict[str, Any]:
        """Those that were chosen, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Division:
    """How the rows are divided, and the dtype they get."""

    test_fraction: float
    validation_fraction: float
    split_seed: int
    dtype: str


@dataclass(frozen=True)
class Rows:
    """Rows of a table, ready for the network."""

    X: np.ndarray
    y: np.ndarray  # as the loss takes it
    values: np.ndarray  # as the scores take it


@dataclass(frozen=True)
class Parts:
    """A table split, with what was learnt from the part to train on."""

    preprocessor: Preprocessor
    target: Classes | Quantity
    loss: str
    train: Rows
    validation: Rows | None
    test: Rows
    n_without_target: int
    first_without_target: int
    fingerprints: dict[str, str]

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: len(part.y) for name, part in parts.items() if part is not None}


@contextlib.contextmanager
def in_file(path: str, rows: np.ndarray) -> Iterator[None]:
    """Names the row of the file where an error names that of an array."""
    try:
        yield
    except CellError as error:
        number = int(rows[error.row]) if error.row < len(rows) else error.row
        raise ValueError(f"{path}: column {error.column!r}, row {number}: {error.problem}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def split(path: str, part: Part, options: TableOptions, division: Division, loss: str | None) -> Parts:
    """Splits the rows that have a target, the test part first, and makes matrices of them.

    Classes have the same shares in all parts. What is learnt from the table, is from the part to train on.
    """
    columns = dict(part.columns)
    name = _target_name(path, options, columns)
    for argument in ("categorical", "ignore"):
        for other in getattr(options, argument) or ():
            if other not in columns or other == name:
                what = "the target" if other == name else "no column of it"
                raise ValueError(f"{path}: --{argument} must name columns to learn from; {other!r} is {what}")
    column = columns.pop(name)
    mixed = {key: found for key, found in part.mixed.items() if key not in (options.categorical or ())}
    task = options.task
    if name in mixed and task != "classification":
        found = mixed[name]
        raise ValueError(
            f"{path}: column {name!r}, row {found.row}: expected a number, as in most rows; got {found.text!r}"
            + _more(found.cells)
        )
    with in_file(path, part.rows):
        there = targets.present(name, column)
        task = task or _task_of(loss, options, name, column)
    loss = loss or _loss_of(task, options)
    if loss not in LOSSES[task]:
        raise ValueError(f"--loss must be one of {', '.join(LOSSES[task])} for {task} of {name!r}; got {loss}")
    if options.quantiles is not None and loss != "pinball":
        raise ValueError(f"--quantiles is for the loss pinball; the loss is {loss}")
    kept = np.flatnonzero(there)
    rows, column = part.rows[kept], column[kept]
    columns = {key: values[kept] for key, values in columns.items()}

    labels = None
    with in_file(path, rows):
        for key, values in columns.items():
            if values.dtype.kind == "f" and key not in (options.ignore or ()):
                cells.cells(key, values)  # the first infinite one, whichever part it will be in
        if task == "classification":
            labels = Classes.fit(name, column).encode(column)
        else:
            Quantity.fit(name, column)
        numbers = _split_rows(len(rows), division, labels)
    train = numbers["train"]
    unused = {key: Unused(key, "chosen") for key in options.ignore or ()}
    unused |= {
        key: Unused(key, "mixed", f"{found.text!r} in row {found.row}{_more(found.cells)}")
        for key, found in mixed.items()
        if key != name and key not in unused
    }
    unused = {key: Unused(key, "kind", kind) for key, kind in part.unreadable.items() if key != name} | unused
    preprocessor = Preprocessor(options.max_categories, options.min_rows, options.categorical or (), unused)
    target: Classes | Quantity
    with in_file(path, rows[train]):
        preprocessor.fit({key: values[train] for key, values in columns.items()})
        if task == "classification":
            target = Classes.fit(name, column, train)
        else:
            quantiles = (options.quantiles or QUANTILES) if loss == "pinball" else ()
            target = Quantity.fit(name, column[train], quantiles, absolute=loss in ("mean_absolute", "huber"))
    made = {}
    for key, places in numbers.items():
        with in_file(path, rows[places]):
            X = preprocessor.transform({k: columns[k][places] for k in preprocessor.names}, division.dtype)
            values = target.values(column[places])
            y = target.encode(column[places])
            made[key] = Rows(X, np.eye(target.n_outputs)[y] if loss == "binary_cross_entropy" else y, values)
    used = {key: fingerprint(part.columns[key]) for key in (*preprocessor.names, name)}
    missing = int(part.rows[int((~there).argmax())]) if len(kept) < len(there) else 0
    return Parts(
        *(preprocessor, target, loss, made["train"], made.get("validation"), made["test"]),
        *(len(there) - len(kept), missing, used),
    )


def _target_name(path: str, options: TableOptions, columns: Mapping[str, Any]) -> str:
    if options.target is None:
        return list(columns)[-1]
    if options.target not in columns:
        hint = checks.nearest(options.target, columns)
        raise ValueError(f"{path}: no column is named {options.target!r}{hint}; it has {cells.quoted(list(columns))}")
    return options.target


def _task_of(loss: str | None, options: TableOptions, name: str, column: np.ndarray) -> str:
    if loss is not None:
        return next((task for task, known in LOSSES.items() if loss in known), "regression")
    if options.quantiles is not None:
        return "regression"
    return "classification" if targets.is_classes(name, column) else "regression"


def _loss_of(task: str, options: TableOptions) -> str:
    if options.quantiles is not None:
        return "pinball"
    return next(iter(LOSSES[task]))


def _split_rows(n: int, division: Division, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Row numbers of each part, ascending."""
    seed = division.split_seed
    rest, test = data.split_rows(n, division.test_fraction, seed, labels, "--test-fraction")
    parts = {"train": rest, "test": test}
    if division.validation_fraction:
        strata = None if labels is None else labels[rest]
        a, b = data.split_rows(len(rest), division.validation_fraction, seed, strata, "--validation-fraction")
        parts |= {"train": rest[a], "validation": rest[b]}
    return parts


def fingerprint(column: np.ndarray) -> str:
    """SHA-256 of the values of a column, in whatever kind of file they are."""
    if column.dtype.kind == "O":
        content = json.dumps(column.tolist(), default=str).encode()
    elif column.dtype.kind == "M":
        content = np.datetime_as_string(column).astype(str).tobytes()
    else:
        numbers = column.astype("<f8")
        content = np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes()
    return hashlib.sha256(content).hexdigest()


def _more(cells: int) -> str:
    return f", and {cells - 1:,} more" if cells > 1 else ""


# ----------------------------------------------------------------------- training


@dataclass(frozen=True)
class TableRun:
    """A run before its first step."""

    parts: Parts
    chosen: Hyperparameters
    trainer: Trainer
    stopping: tuple[callbacks.EarlyStopping, ...]

    @property
    def model(self) -> TableModel:
        return TableModel(self.parts.preprocessor, self.trainer.network, self.parts.target)

    def described(self, options: TableOptions) -> dict[str, Any]:
        """The options of the table, what was left open filled in."""
        target = self.parts.target
        found = {"target": target.name, "task": TASKS[0] if isinstance(target, Classes) else TASKS[1]}
        if isinstance(target, Quantity) and target.quantiles:
            found["quantiles"] = target.quantiles
        return options.described() | found

    def given(self) -> dict[str, Any]:
        """What the trainer is given: arguments of ``fit``, and of ``run_record``."""
        train, validation = self.parts.train, self.parts.validation
        return {
            "X": train.X,
            "y": train.y,
            "validation_data": validation and (validation.X, validation.y),
            "callbacks": self.stopping,
        }


def batch_size(rows: int) -> int:
    """A default: larger steps where there are rows enough for many."""
    return max(min(32, rows), min(1024, rows // 64 // 32 * 32))


def prepare(parts: Parts, chosen: Hyperparameters) -> TableRun:
    """Builds the network and its trainer."""
    rows, n_features = parts.train.X.shape
    activation = next(known[parts.loss] for known in LOSSES.values() if parts.loss in known)
    loss: str | losses.Loss = parts.loss
    if loss == "cross_entropy":
        loss = losses.CrossEntropy(chosen.label_smoothing)
    elif isinstance(parts.target, Quantity) and parts.target.quantiles:
        loss = losses.Pinball(parts.target.quantiles)
    trainer = Trainer(
        run.network(n_features, parts.target.n_outputs, activation, chosen),
        loss=loss,
        optimizer=run.optimizer(chosen, run.steps_per_epoch(chosen, rows)),
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        threads=chosen.threads,
    )
    return TableRun(parts, chosen, trainer, run.stopping(chosen))


@dataclass(frozen=True)
class Scores:
    """How good a model is on the rows held out, beside a guess without a look at them."""

    model: dict[str, float]
    baseline: dict[str, float]
    confusion: np.ndarray | None


def score(model: TableModel, values: np.ndarray, predicted: np.ndarray) -> Scores:
    """Scores of predictions, as `TableModel.outputs` gives them."""
    target = model.target
    confusion = None
    if isinstance(target, Classes):
        n = target.n_outputs
        confusion = np.bincount(values * n + predicted.argmax(axis=1), minlength=n * n).reshape(n, n)
    baseline = target.scores(values, target.baseline(len(values)))
    return Scores(target.scores(values, predicted), baseline, confusion)
