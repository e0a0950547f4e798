"""From parameters of scikit-learn to a network, a loss and an optimizer of fastnn."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastnn._lowering import random_streams
from fastnn.initializers import GlorotUniform
from fastnn.layers import Dense, Dropout, Input, Layer
from fastnn.losses import Loss
from fastnn.network import Network
from fastnn.optimizers import OPTIMIZERS, SGD, SMALLEST_EPSILON, Adam, Optimizer
from fastnn.sklearn._parameters import Settings

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName, DtypeName

_LARGEST_MOMENTUM = math.nextafter(1.0, 0.0)


@dataclass(frozen=True)
class Objective:
    """A loss, and how scikit-learn counts it.

    Parameters
    ----------
    loss : Loss
        A mean over the outputs.
    slope : float
        What scikit-learn's gradient is a multiple of: it adds up over outputs.
    reported : float
        What its reported loss is a multiple of, but for a constant of the targets.
    """

    loss: Loss
    slope: float
    reported: float


def objective(loss: Loss, n_outputs: int) -> Objective:
    """Match scikit-learn's: its "squared_error" is half ours; its cross-entropy and Poisson loss add up over outputs.

    Losses that it does not have stay as they are.
    """
    k = float(n_outputs)
    slope, reported = {
        "mean_squared": (k / 2.0, 0.5),
        "binary_cross_entropy": (k, k),
        "poisson": (k, k),
    }.get(loss.kind, (1.0, 1.0))
    return Objective(loss, slope, reported)


def layers(settings: Settings, n_features: int, n_outputs: int, output: ActivationName) -> list[Layer]:
    """Return the layers of the network, which ends in the activation ``output``."""
    found: list[Layer] = [Input(n_features)]
    hidden = zip(settings.hidden_layer_sizes, settings.activations, settings.dropouts, strict=True)
    for size, activation, rate in hidden:
        found.append(Dense(size, activation, "glorot_uniform"))
        if rate:
            found.append(Dropout(rate))
    return [*found, Dense(n_outputs, output, "glorot_uniform")]


def network(settings: Settings, described: list[Layer], seed: int, dtype: DtypeName) -> Network:
    """Return a network that begins like scikit-learn's: weights and biases uniform within Glorot's limit.

    Where the activation is the logistic function, that limit is smaller by the root of 3.
    """
    made = Network(described, seed, dtype)
    names = list(made.parameters)
    activations = (*settings.activations, *settings.activations[-1:])  # the output layer goes by the last hidden one
    for number in range(0, len(names), 2):
        weight = made.parameters[names[number]]
        n_out, n_in = weight.shape
        bias = GlorotUniform().values((n_out,), seed, random_streams.INITIALIZER + number + 1)
        bias *= math.sqrt(2.0 * n_out / (n_in + n_out))  # from the limit √(3 / n_out) to √(6 / (n_in + n_out))
        if number // 2 < len(activations) and activations[number // 2].name == "sigmoid":
            smaller = math.sqrt(1.0 / 3.0)
            bias *= smaller
            made.parameters[names[number]] = weight.astype(np.float64) * smaller
        made.parameters[names[number + 1]] = bias
    return made


def optimizer(settings: Settings, slope: float) -> Optimizer:
    """Return the optimizer whose steps on fastnn's loss are those of scikit-learn's on ``slope`` times that loss.

    An object of fastnn's is taken as it is, and gets the penalty ``alpha`` in addition to its own.
    """
    given, rate, penalty = settings.solver, settings.learning_rate_init, settings.alpha / slope
    if isinstance(given, Optimizer):
        return dataclasses.replace(given, l2_total=given.l2_total + penalty)
    if given == "sgd":
        momentum = min(settings.momentum, _LARGEST_MOMENTUM)
        nesterov = settings.nesterovs_momentum and momentum > 0.0
        return SGD(rate * slope, momentum=momentum, nesterov=nesterov, l2_total=penalty)
    if given == "adam":
        epsilon = max(settings.epsilon / slope, SMALLEST_EPSILON)
        return Adam(rate, settings.beta_1, settings.beta_2, epsilon, l2_total=penalty)
    return OPTIMIZERS[given](learning_rate=rate, l2_total=penalty)  # type: ignore[call-arg]
