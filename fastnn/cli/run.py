"""A run of ``fastnn train``: from the hyperparameters to a trained, tested network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import callbacks, data, layers, losses, optimizers, plot, records, schedules
from fastnn.cli.checkpoints import RunCheckpoint
from fastnn.cli.datasets import Dataset
from fastnn.network import Network
from fastnn.training import Trainer

# Losses for classes, with the activation that makes the outputs of a network trained with them probabilities, if any.
OUTPUTS = {
    "cross_entropy": "softmax",
    "binary_cross_entropy": "sigmoid",
    "mean_squared": "identity",
    "mean_absolute": "identity",
    "huber": "identity",
}
SCHEDULES = ("constant", "step", "exponential", "cosine", "one_cycle", "inverse", "plateau")
DECAY_FACTORS = {"step": 0.1, "exponential": 0.95, "plateau": 0.1}
LEARNING_RATES = {"sgd": 0.1, "adam": 0.003, "adamw": 0.003, "nadam": 0.003, "rmsprop": 0.003, "adagrad": 0.03}
MOMENTA = {"sgd": 0.9, "rmsprop": 0.0}
HIDDEN_ACTIVATIONS = tuple(name for name in layers.ACTIVATIONS if name != "softmax")


@dataclass(frozen=True)
class Hyperparameters:
    """What ``fastnn train --help`` describes."""

    hidden: tuple[int, ...]
    activation: str
    dropout: float
    layer_norm: bool
    dtype: str
    loss: str
    label_smoothing: float
    optimizer: str
    learning_rate: float
    schedule: str
    warmup: int
    decay_every: int
    decay_factor: float
    plateau_patience: int
    momentum: float
    weight_decay: float
    clip_norm: float | None
    batch_size: int | str
    epochs: int
    patience: int | None
    test_fraction: float
    validation_fraction: float
    seed: int
    split_seed: int
    threads: int | str

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Hyperparameters:
        """Hyperparameters by name; None, for those that have a default by what was chosen elsewhere, is filled in."""
        defaults = {
            "loss": "cross_entropy",
            "learning_rate": LEARNING_RATES[given["optimizer"]],
            "momentum": MOMENTA.get(given["optimizer"], 0.0),
            "decay_factor": DECAY_FACTORS.get(given["schedule"], 1.0),
            "split_seed": given["seed"],
        }
        return cls(**{**given, **{name: value for name, value in defaults.items() if given[name] is None}})

    @property
    def unused(self) -> dict[str, str]:
        """Hyperparameters that play no part in this run, and what they are for."""
        parts = {
            "label_smoothing": (self.loss == "cross_entropy", "the loss cross_entropy"),
            "decay_every": (self.schedule == "step", "the schedule step"),
            "decay_factor": (self.schedule in DECAY_FACTORS, f"the schedules {', '.join(DECAY_FACTORS)}"),
            "plateau_patience": (self.schedule == "plateau", "the schedule plateau"),
            "momentum": (self.optimizer in MOMENTA, f"the optimizers {', '.join(MOMENTA)}"),
        }
        return {name: use for name, (used, use) in parts.items() if not used}

    def described(self) -> dict[str, Any]:
        """Those that play a part in this run, by name."""
        return {name: value for name, value in asdict(self).items() if name not in self.unused and value is not None}


Rows = tuple[np.ndarray, np.ndarray]  # features (n, n_features) and labels (n,)


@dataclass(frozen=True)
class Prepared:
    """A run before its first step: the data in parts, scaled and in the network's dtype, and an untrained network."""

    source: Dataset
    chosen: Hyperparameters
    train: Rows
    validation: Rows | None
    test: Rows
    trainer: Trainer
    stopping: tuple[callbacks.EarlyStopping, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: len(part[1]) for name, part in parts.items() if part is not None}

    def validation_accuracy(self) -> float | None:
        """The share of validation rows whose largest output is that of their class; None without validation data."""
        if self.validation is None:
            return None
        X, y = self.validation
        return float((self.trainer.network.predict(X).argmax(axis=1) == y).mean())

    def given(self) -> dict[str, Any]:
        """What the trainer is given: arguments of ``fit``, and of ``run_record``."""
        X, y, validation = fit_data(self.source, self.train, self.validation, self.trainer.loss)
        return {"X": X, "y": y, "validation_data": validation, "callbacks": self.stopping}


@dataclass(frozen=True)
class Result:
    """A run after its last step."""

    seconds: float
    interrupted: bool
    best_epoch: int | None
    test_accuracy: float
    confusion: np.ndarray


def prepare(source: Dataset, chosen: Hyperparameters) -> Prepared:
    """Splits the data (the test part first, then the validation part of the rest; by class) and builds the network."""
    fractions = chosen.test_fraction, chosen.validation_fraction
    train, validation, test = parts(source, chosen.dtype, *fractions, chosen.split_seed)
    rows, features = train[0].shape
    if chosen.loss not in OUTPUTS:
        raise ValueError(f"--loss must be one of {', '.join(OUTPUTS)} for {source.name}; got {chosen.loss}")
    is_cross_entropy = chosen.loss == "cross_entropy"
    trainer = Trainer(
        network(features, len(source.classes), OUTPUTS[chosen.loss], chosen),
        loss=losses.CrossEntropy(chosen.label_smoothing) if is_cross_entropy else chosen.loss,
        optimizer=optimizer(chosen, steps_per_epoch(chosen, rows)),
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        threads=chosen.threads,
    )
    return Prepared(source, chosen, train, validation, test, trainer, stopping(chosen))


def stopping(chosen: Hyperparameters) -> tuple[callbacks.EarlyStopping, ...]:
    """Early stopping, if it was chosen."""
    return () if chosen.patience is None else (callbacks.EarlyStopping(chosen.patience),)


def best_epoch(stopping: tuple[callbacks.EarlyStopping, ...]) -> int | None:
    """The epoch whose parameters early stopping kept, if it was chosen."""
    return stopping[0].best_epoch if stopping else None


def parts(
    source: Dataset, dtype: str, test_fraction: float, validation_fraction: float, seed: int
) -> tuple[Rows, Rows | None, Rows]:
    """The rows to train on, to validate with (if any) and to test with, scaled; each class in the same shares."""
    X, y = source.load()
    X = scaled(X, source.divisor, dtype)
    X_train, X_test, y_train, y_test = data.split(X, y, test_fraction, seed, stratify=True)
    validation = None
    if validation_fraction:
        X_train, X_val, y_train, y_val = data.split(X_train, y_train, validation_fraction, seed, stratify=True)
        validation = (X_val, y_val)
    return (X_train, y_train), validation, (X_test, y_test)


def fit_data(
    source: Dataset, train: Rows, validation: Rows | None, loss: losses.Loss
) -> tuple[np.ndarray, np.ndarray, Rows | None]:
    """Rows, targets as the loss takes them, and as much of the validation data."""

    def targets(labels: np.ndarray) -> np.ndarray:
        return labels if isinstance(loss, losses.CrossEntropy) else np.eye(len(source.classes))[labels]

    return train[0], targets(train[1]), validation and (validation[0], targets(validation[1]))


def scaled(X: np.ndarray, divisor: float, dtype: str) -> np.ndarray:
    """Raw features over the divisor, in the network's dtype; exact for a power of two."""
    with np.errstate(over="ignore"):  # an infinity is named by whoever checks the rows
        return X.astype(dtype, copy=False) / np.dtype(dtype).type(divisor)


def fit(prepared: Prepared, watching: list[callbacks.Callback], saving: RunCheckpoint | None = None) -> Result:
    """Trains, and tests on the rows held out. Ctrl-C ends the training; what is there by then is tested.

    Raises
    ------
    DivergedError
        If the loss or a parameter becomes NaN or infinite.
    """
    chosen, trainer, given = prepared.chosen, prepared.trainer, prepared.given()
    given["callbacks"] = [*prepared.stopping, *watching]
    seconds, interrupted = timed_fit(trainer, chosen.epochs, given, saving)
    labels = trainer.network.predict(prepared.test[0]).argmax(axis=1)
    n_classes = len(prepared.source.classes)
    confusion = np.bincount(prepared.test[1] * n_classes + labels, minlength=n_classes**2).reshape(n_classes, n_classes)
    best = best_epoch(prepared.stopping)
    return Result(seconds, interrupted, best, float(confusion.trace() / confusion.sum()), confusion)


def timed_fit(
    trainer: Trainer, epochs: int, given: Mapping[str, Any], saving: RunCheckpoint | None = None
) -> tuple[float, bool]:
    """Trains up to so many epochs in all; gives the seconds, and whether Ctrl-C ended it, which is saved then."""
    start, interrupted = time.perf_counter(), False
    if saving is not None:
        given = {**given, "callbacks": [*given["callbacks"], saving]}  # last: so that it saves what the others did
    try:
        trainer.fit(max_epochs=epochs, **given)
    except KeyboardInterrupt:
        interrupted = True
        if saving is not None:
            saving.save(trainer)
    return time.perf_counter() - start if saving is None else saving.elapsed, interrupted


def write(folder: Path, prepared: Prepared, result: Result) -> dict[str, Path]:
    """Writes model, record and, unless no epoch was completed, picture; gives their paths."""
    trainer, chosen, source = prepared.trainer, prepared.chosen, prepared.source
    paths = {"model": folder / "model.safetensors", "record": folder / "record.json"}
    trainer.network.metadata = {
        "data": source.name,
        "classes": list(source.classes),
        "divisor": source.divisor,
        "test_fraction": chosen.test_fraction,
        "split_seed": chosen.split_seed,
        "test_accuracy": result.test_accuracy,
    }
    trainer.network.save(paths["model"])
    record = records.run_record(
        trainer,
        **prepared.given(),
        hyperparameters=chosen.described(),
        seeds={"split": chosen.split_seed},
        data={
            "name": source.name,
            "test_fraction": chosen.test_fraction,
            "validation_fraction": chosen.validation_fraction,
            "rows": prepared.sizes,
            "divisor": source.divisor,
            "classes": source.classes,
        },
        results={
            "test_accuracy": result.test_accuracy,
            "confusion": result.confusion,
            "best_epoch": result.best_epoch,
            "seconds": result.seconds,
            "interrupted": result.interrupted,
        },
    )
    records.write(paths["record"], record)
    if trainer.history.epochs:
        paths["picture"] = folder / "learning_curve.png"
        # Of one output for each class on its own, the accuracy says little.
        draw(paths["picture"], trainer.history, *(["accuracy"] if chosen.loss == "cross_entropy" else []))
    return paths


def draw(path: Path, history: Mapping[str, list[float]], *others: str) -> None:
    """Writes learning curves as a PNG: of the loss, and beside it of other columns of the history."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [name for name in ("loss", *others) if name in history]
    figure = Figure(figsize=(plot.FIGURE_SIZE[0] * len(shown), plot.FIGURE_SIZE[1]), layout="constrained")
    FigureCanvasAgg(figure)
    for number, name in enumerate(shown, 1):
        plot.learning_curve(history, figure.add_subplot(1, len(shown), number), name)
    figure.savefig(path, dpi=120)


def network(n_features: int, n_outputs: int, activation: str, chosen: Hyperparameters) -> Network:
    """The network that the hyperparameters describe."""
    stack: list[layers.Layer] = [layers.Input(n_features)]
    for units in chosen.hidden:
        if chosen.layer_norm:
            stack += [layers.Dense(units), layers.LayerNorm(), layers.Activation(chosen.activation)]
        else:
            stack.append(layers.Dense(units, chosen.activation))
        if chosen.dropout:
            stack.append(layers.Dropout(chosen.dropout))
    stack.append(layers.Dense(n_outputs, activation))
    return Network(stack, seed=chosen.seed, dtype=chosen.dtype)


def steps_per_epoch(chosen: Hyperparameters, rows: int) -> int:
    """Updates of an epoch."""
    batch_size = rows if chosen.batch_size == "full" else int(chosen.batch_size)
    if batch_size > rows:
        raise ValueError(f"--batch-size must be at most the {rows} rows to train on, or full; got {batch_size}")
    return -(-rows // batch_size)


def optimizer(chosen: Hyperparameters, steps_per_epoch: int) -> optimizers.Optimizer:
    """The optimizer with its learning-rate schedule."""
    keywords: dict[str, Any] = {"weight_decay": chosen.weight_decay, "clip_norm": chosen.clip_norm}
    if chosen.optimizer in MOMENTA:
        keywords["momentum"] = chosen.momentum
    cls: Any = optimizers.OPTIMIZERS[chosen.optimizer]
    return cls(schedule(chosen, steps_per_epoch), **keywords)


def schedule(chosen: Hyperparameters, steps_per_epoch: int) -> schedules.Schedule:
    """The learning rate over the run; a cosine and one cycle end with the last epoch."""
    rate, factor = chosen.learning_rate, chosen.decay_factor
    warmup = chosen.warmup * steps_per_epoch
    steps = max(2, chosen.epochs * steps_per_epoch - warmup)
    makers: dict[str, Callable[[], schedules.Schedule]] = {
        "constant": lambda: schedules.Constant(rate),
        "step": lambda: schedules.Step(rate, chosen.decay_every, factor),
        "exponential": lambda: schedules.Exponential(rate, factor),
        "cosine": lambda: schedules.Cosine(rate, steps),
        "one_cycle": lambda: schedules.OneCycle(rate, steps),
        "inverse": lambda: schedules.InverseScaling(rate),
        "plateau": lambda: schedules.ReduceOnPlateau(rate, factor, chosen.plateau_patience),
    }
    main = makers[chosen.schedule]()
    return schedules.Warmup(main, warmup) if warmup else main
