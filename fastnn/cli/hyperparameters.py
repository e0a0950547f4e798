"""The hyperparameters of ``fastnn train``, and their defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from fastnn import layers
from fastnn.cli import objectives
from fastnn.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName, DtypeName

HIDDEN_ACTIVATIONS = tuple(name for name in layers.ACTIVATIONS if name != "softmax")
# Of the optimizers that do well with others than their own defaults.
_RATES = {"sgd": 0.1, "adam": 0.003, "adamw": 0.003, "nadam": 0.003, "rmsprop": 0.003, "adagrad": 0.03}
_RATES |= {"radam": 0.003, "lion": 0.001}
_MOMENTA = {"sgd": 0.9}

LEARNING_RATES: dict[str, Any] = {name: _RATES.get(name, cls.learning_rate) for name, cls in OPTIMIZERS.items()}
MOMENTA: dict[str, float] = {
    name: _MOMENTA.get(name, cls.momentum) for name, cls in OPTIMIZERS.items() if hasattr(cls, "momentum")
}
DECAY_FACTORS = {"step": 0.1, "exponential": 0.95, "plateau": 0.1}


def flag(name: str) -> str:
    """Write the name of a hyperparameter as its option."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class Hyperparameters:
    """What ``fastnn train --help`` describes."""

    hidden: tuple[int, ...]
    activation: ActivationName
    dropout: float
    layer_norm: bool
    rms_norm: bool | None
    dtype: DtypeName
    loss: str
    label_smoothing: float
    class_weight: Mapping[str, float] | str | None
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
    batch_size: int | Literal["full"]
    epochs: int
    patience: int | None
    test_fraction: float
    validation_fraction: float
    seed: int
    split_seed: int
    threads: int | Literal["auto"]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Hyperparameters:
        """Take hyperparameters by name; fill in None, for those that have a default by what was chosen elsewhere."""
        defaults = {
            "loss": objectives.DEFAULTS["classification"],
            "learning_rate": LEARNING_RATES[given["optimizer"]],
            "momentum": MOMENTA.get(given["optimizer"], 0.0),
            "decay_factor": DECAY_FACTORS.get(given["schedule"], 1.0),
            "split_seed": given["seed"],
        }
        return cls(**{**given, **{name: value for name, value in defaults.items() if given[name] is None}})

    @property
    def unused(self) -> dict[str, str]:
        """Hyperparameters that play no part in this run, and what they are for."""
        smoothed = objectives.WITH_SMOOTHING
        parts = {
            "label_smoothing": (
                self.loss in smoothed,
                f"the loss{'es' if len(smoothed) > 1 else ''} {', '.join(smoothed)}",
            ),
            "class_weight": (self.loss in objectives.OF_ONE_CLASS, f"the loss {' or '.join(objectives.OF_ONE_CLASS)}"),
            "decay_every": (self.schedule == "step", "the schedule step"),
            "decay_factor": (self.schedule in DECAY_FACTORS, f"the schedules {', '.join(DECAY_FACTORS)}"),
            "plateau_patience": (self.schedule == "plateau", "the schedule plateau"),
            "momentum": (self.optimizer in MOMENTA, f"the optimizers {', '.join(MOMENTA)}"),
        }
        return {name: use for name, (used, use) in parts.items() if not used}

    def check(self, by_hand: Collection[str]) -> None:
        """Refuse what was chosen ``by_hand`` to no effect.

        Raises
        ------
        ValueError
            If other choices leave a hyperparameter nothing to do, or two of them exclude each other.
        """
        for name, use in self.unused.items():
            if name in by_hand:
                raise ValueError(f"{flag(name)} is for {use}")
        for name in ("activation", "dropout", "layer_norm", "rms_norm"):
            if name in by_hand and not self.hidden:
                raise ValueError(f"{flag(name)} is for hidden layers; --hidden is none")
        if self.layer_norm and self.rms_norm:
            raise ValueError("--layer-norm and --rms-norm exclude each other")
        if self.warmup >= self.epochs:
            raise ValueError(f"--warmup must be less than --epochs, {self.epochs}; got {self.warmup}")

    def described(self) -> dict[str, Any]:
        """Name those that play a part in this run, with their values."""
        return {name: value for name, value in asdict(self).items() if name not in self.unused and value is not None}
