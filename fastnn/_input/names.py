"""The names that arguments take, for type checkers: ``loss="mse"`` is found before anything runs.

Nothing imports this while running; a test compares each with what is looked at then.
"""

from __future__ import annotations

from typing import Literal

ActivationName = Literal[
    "identity",
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "hard_swish",
    "softsign",
    "tanh",
    "sigmoid",
    "softplus",
    "softmax",
]
InitializerName = Literal[
    "auto",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "zeros",
]
LossName = Literal[
    "mean_squared",
    "mean_absolute",
    "huber",
    "log_cosh",
    "pinball",
    "poisson",
    "cross_entropy",
    "binary_cross_entropy",
]
OptimizerName = Literal["sgd", "adam", "adamw", "radam", "nadam", "rmsprop", "adagrad", "lion"]
MetricName = Literal["accuracy", "top_k", "mae", "rmse", "r2"]
DtypeName = Literal["float32", "float64"]
UnitName = Literal["step", "epoch"]
ModeName = Literal["auto", "min", "max"]
