"""A run of ``fastnn train``: from the hyperparameters to a trained, tested network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fastnn import callbacks, data, layers, losses, optimizers, schedules
from fastnn._cli.datasets import Dataset
from fastnn.metrics import TopK
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
    learning_rate: float | None
    schedule: str
    warmup: int
    decay_every: int
    decay_factor: float | None
    plateau_patience: int
    momentum: float | None
    weight_decay: float
    clip_norm: float | None
    batch_size: int | str
    epochs: int
    patience: int | None
    test_fraction: float
    validation_fraction: float
    seed: int
    split_seed: int | None
    threads: int | str

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


def completed(chosen: Hyperparameters) -> Hyperparameters:
    """The hyperparameters with everything that was left open filled in."""
    open_values = {
        "learning_rate": optimizers.OPTIMIZERS[chosen.optimizer]().schedule.initial,
        "decay_factor": DECAY_FACTORS.get(chosen.schedule),
        "momentum": MOMENTA.get(chosen.optimizer),
        "split_seed": chosen.seed,
    }
    return replace(chosen, **{name: value for name, value in open_values.items() if getattr(chosen, name) is None})


@dataclass(frozen=True)
class Parts:
    """A data set in parts, scaled and in the network's dtype."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray] | None
    test: tuple[np.ndarray, np.ndarray]


def parts(dataset: Dataset, chosen: Hyperparameters) -> Parts:
    """The held-out part first, then the validation part out of the rest; both stratified by class."""
    assert chosen.split_seed is not None
    seed = chosen.split_seed
    X, y = dataset.load()
    X = X.astype(chosen.dtype, copy=False) / np.dtype(chosen.dtype).type(dataset.divisor)
    X_train, X_test, y_train, y_test = data.split(X, y, chosen.test_fraction, seed, stratify=True)
    validation = None
    if chosen.validation_fraction:
        X_train, X_val, y_train, y_val = data.split(X_train, y_train, chosen.validation_fraction, seed, stratify=True)
        validation = (X_val, y_val)
    return Parts((X_train, y_train), validation, (X_test, y_test))


def network(dataset: Dataset, n_features: int, chosen: Hyperparameters) -> Network:
    """The network that the hyperparameters describe."""
    stack: list[layers.Layer] = [layers.Input(n_features)]
    for units in chosen.hidden:
        if chosen.layer_norm:
            stack += [layers.Dense(units), layers.LayerNorm(), layers.Activation(chosen.activation)]
        else:
            stack.append(layers.Dense(units, chosen.activation))
        if chosen.dropout:
            stack.append(layers.Dropout(chosen.dropout))
    stack.append(layers.Dense(len(dataset.classes), OUTPUTS[chosen.loss]))
    return Network(stack, seed=chosen.seed, dtype=chosen.dtype)


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


def loss(chosen: Hyperparameters) -> losses.Loss:
    """The loss with its parameter."""
    if chosen.loss == "cross_entropy":
        return losses.CrossEntropy(chosen.label_smoothing)
    return losses.LOSSES[chosen.loss]()
