"""What the constructors' parameters may be: checked when a fit begins, as scikit-learn does it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Number
from typing import Any

from sklearn.utils import check_random_state

from fastnn._input import checks
from fastnn.layers import ACTIVATIONS, Activation
from fastnn.optimizers import OPTIMIZERS, Optimizer
from fastnn.schedules import Schedule
from fastnn.training.events import checked_callbacks

SOLVERS = ("lbfgs", *OPTIMIZERS)
_RATES = ("constant", "invscaling", "adaptive")
HIDDEN_ACTIVATIONS = ("logistic", *(name for name in ACTIVATIONS if name != "softmax"))


class InvalidParameterError(ValueError, TypeError):
    """A parameter of an estimator is not what it has to be; both kinds of error, as scikit-learn's."""


def _number(
    low: float = -math.inf, high: float = math.inf, above: bool = False, below: bool = False
) -> Callable[[Any, str], float]:
    return lambda value, name: checks.number(value, name, low, high, above=above, below=below)


def _integer(value: Any, name: str) -> int:
    return checks.integer(value, name)


def _choice(*choices: str) -> Callable[[Any, str], str]:
    return lambda value, name: checks.choice(value, choices, name)


def _or_integer(*choices: str, maximum: int | None = None) -> Callable[[Any, str], int | str]:
    def check(value: Any, name: str) -> int | str:
        if isinstance(value, str):
            return checks.choice(value, choices, name)
        return checks.integer(value, name, 1, maximum)

    return check


def _sizes(value: Any, name: str) -> tuple[int, ...]:
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be integers, one for each hidden layer; got {checks.described(value)}")
    return tuple(checks.integer(size, name) for size in (value if hasattr(value, "__iter__") else [value]))


def _schedule_name(value: Any, name: str) -> str:
    if isinstance(value, (Number, Schedule)):
        instead = "learning_rate_init is the rate" if isinstance(value, Number) else f"solver=fn.Adam({value!r}) has it"
        raise TypeError(f"{name} must be {', '.join(map(repr, _RATES))}; got {checks.described(value)}: {instead}")
    return checks.choice(value, _RATES, name)


def _activation(value: Any, name: str) -> Activation:
    if isinstance(value, Activation):
        return value
    given = checks.choice(value, HIDDEN_ACTIVATIONS, name)
    return Activation("sigmoid" if given == "logistic" else given)


def _activations(value: Any, name: str) -> Activation | tuple[Activation, ...]:
    if isinstance(value, (str, bytes, Activation)):
        return _activation(value, name)
    return tuple(_activation(item, name) for item in checks.listed(value, (), name))


def _rates(value: Any, name: str) -> float | tuple[float, ...]:
    rate = _number(0.0, 1.0, below=True)
    return tuple(rate(item, name) for item in value) if hasattr(value, "__iter__") else rate(value, name)


def _solver(value: Any, name: str) -> str | Optimizer:
    return value if isinstance(value, Optimizer) else checks.choice(value, SOLVERS, name)


def _verbose(value: Any, name: str) -> int:
    return value if isinstance(value, bool) else checks.integer(value, name, 0)


def _patience(value: Any, name: str) -> float:
    return value if isinstance(value, float) and value == math.inf else checks.integer(value, name)


def _random_state(value: Any, name: str) -> Any:
    if not isinstance(value, Integral):
        try:
            check_random_state(value)
        except ValueError as error:
            raise ValueError(f"{name} must be an integer, a RandomState or None; {error}") from None
        return value
    return checks.integer(value, name, 0, 2**32 - 1)


def _scoring(value: Any, name: str) -> Any:
    if value is None or isinstance(value, str) or callable(value):
        return value
    raise TypeError(f"{name} must be the name of a scorer, a scorer or None; got {checks.described(value)}")


def _class_weight(value: Any, name: str) -> Any:
    if value is None or isinstance(value, (Mapping, list)) or value == "balanced":
        return value
    raise ValueError(f"{name} must be a dict of class: weight, 'balanced' or None; got {checks.described(value)}")


def _optional(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, name: None if value is None else check(value, name)


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "hidden_layer_sizes": _sizes,
    "activation": _activations,
    "solver": _solver,
    "alpha": _number(0.0),
    "batch_size": _or_integer("auto"),
    "learning_rate": _schedule_name,
    "learning_rate_init": _number(0.0, above=True),
    "power_t": _number(0.0),
    "max_iter": _integer,
    "shuffle": checks.boolean,
    "random_state": _random_state,
    "tol": _number(0.0),
    "verbose": _verbose,
    "warm_start": checks.boolean,
    "momentum": _number(0.0, 1.0),
    "nesterovs_momentum": checks.boolean,
    "early_stopping": checks.boolean,
    "validation_fraction": _number(0.0, 1.0, below=True),
    "beta_1": _number(0.0, 1.0, below=True),
    "beta_2": _number(0.0, 1.0, below=True),
    "epsilon": _number(0.0, above=True),
    "n_iter_no_change": _patience,
    "max_fun": _integer,
    "dropout": _rates,
    "class_weight": _class_weight,
    "scoring": _scoring,
    "callbacks": lambda value, name: () if value is None else checked_callbacks(value),
    "max_seconds": _optional(_number(0.0, above=True)),
    "progress": lambda value, name: value if value == "auto" else checks.boolean(value, name),
    "threads": _or_integer("auto", maximum=64),
}


class Settings:
    """The checked parameters of an estimator, as attributes."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        for name, value in parameters.items():
            try:
                setattr(self, name, _CHECKS[name](value, name) if name in _CHECKS else value)
            except (TypeError, ValueError) as error:
                raise InvalidParameterError(str(error)) from error
        sizes = self.hidden_layer_sizes
        self.activations: tuple[Activation, ...] = _of_each(self.activation, sizes, "activation")
        self.dropouts: tuple[float, ...] = _of_each(self.dropout, sizes, "dropout")
        if self.is_lbfgs:
            for name in ("callbacks", "progress"):
                if getattr(self, name):
                    raise InvalidParameterError(f"{name} needs a stochastic solver; got solver='lbfgs'")
            if any(self.dropouts):
                raise InvalidParameterError("dropout needs a stochastic solver; got solver='lbfgs'")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # known to type checkers as Any

    @property
    def is_lbfgs(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    @property
    def is_sgd(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "sgd"


def _of_each(value: Any, sizes: tuple[int, ...], name: str) -> tuple[Any, ...]:
    """Return one value for each hidden layer."""
    if not isinstance(value, Iterable):
        return (value,) * len(sizes)
    found = tuple(value)
    if len(found) != len(sizes):
        raise InvalidParameterError(
            f"{name} must be one for all hidden layers or one for each of {len(sizes)}; got {len(found)}"
        )
    return found
