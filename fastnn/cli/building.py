"""From hyperparameters to a network, its loss, its optimizer and early stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastnn import callbacks, layers, optimizers, schedules
from fastnn.cli.hyperparameters import MOMENTA, Hyperparameters
from fastnn.network import Network

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName


def network(n_features: int, n_outputs: int, activation: ActivationName, chosen: Hyperparameters) -> Network:
    """Build the network, which ends in ``activation``."""
    stack: list[layers.Layer] = [layers.Input(n_features)]
    for units in chosen.hidden:
        if chosen.layer_norm or chosen.rms_norm:
            norm = layers.LayerNorm() if chosen.layer_norm else layers.RMSNorm()
            stack += [layers.Dense(units), norm, layers.Activation(chosen.activation)]
        else:
            stack.append(layers.Dense(units, chosen.activation))
        if chosen.dropout:
            stack.append(layers.Dropout(chosen.dropout))
    stack.append(layers.Dense(n_outputs, activation))
    return Network(stack, seed=chosen.seed, dtype=chosen.dtype)


def steps_per_epoch(chosen: Hyperparameters, rows: int) -> int:
    """Count the updates of an epoch."""
    return 1 if chosen.batch_size == "full" else -(-rows // int(chosen.batch_size))


def optimizer(chosen: Hyperparameters, steps_per_epoch: int) -> optimizers.Optimizer:
    """Build the optimizer with its learning-rate schedule."""
    keywords: dict[str, Any] = {"weight_decay": chosen.weight_decay, "clip_norm": chosen.clip_norm}
    if chosen.optimizer in MOMENTA:
        keywords["momentum"] = chosen.momentum
    cls: Any = optimizers.OPTIMIZERS[chosen.optimizer]
    return cls(_schedule(chosen, steps_per_epoch), **keywords)


def stopping(chosen: Hyperparameters) -> tuple[callbacks.EarlyStopping, ...]:
    """Build early stopping, if it was chosen."""
    return () if chosen.patience is None else (callbacks.EarlyStopping(chosen.patience),)


# A cosine and one cycle end with the last epoch, after so many steps.
_MAKERS: dict[str, Callable[[Hyperparameters, int], schedules.Schedule]] = {
    "constant": lambda chosen, steps: schedules.Constant(chosen.learning_rate),
    "step": lambda chosen, steps: schedules.Step(chosen.learning_rate, chosen.decay_every, chosen.decay_factor),
    "exponential": lambda chosen, steps: schedules.Exponential(chosen.learning_rate, chosen.decay_factor),
    "cosine": lambda chosen, steps: schedules.Cosine(chosen.learning_rate, steps),
    "one_cycle": lambda chosen, steps: schedules.OneCycle(chosen.learning_rate, steps),
    "inverse": lambda chosen, steps: schedules.InverseScaling(chosen.learning_rate),
    "plateau": lambda chosen, steps: schedules.ReduceOnPlateau(
        chosen.learning_rate, chosen.decay_factor, chosen.plateau_patience
    ),
}
SCHEDULES = tuple(_MAKERS)


def _schedule(chosen: Hyperparameters, steps_per_epoch: int) -> schedules.Schedule:
    """Build the learning rate over the run."""
    warmup = chosen.warmup * steps_per_epoch
    main = _MAKERS[chosen.schedule](chosen, max(2, chosen.epochs * steps_per_epoch - warmup))
    return schedules.Warmup(main, warmup) if warmup else main
