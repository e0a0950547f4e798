"""What a user of the playground chooses: checked values, and the text of a link that holds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from fastnn._input import checks
from fastnn.layers import ACTIVATIONS as ALL_ACTIVATIONS
from fastnn.optimizers import OPTIMIZERS as PLAIN_OPTIMIZERS
from fastnn.optimizers import SGD, Optimizer
from fastnn.playground.data_sets import DATA_SETS

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName

TABLE = "table"  # the data set that is a table of the user's own
MOST_LAYERS, MOST_UNITS = 6, 12
ACTIVATIONS = tuple(name for name in ALL_ACTIVATIONS if name != "softmax")  # which is for outputs
BATCHES = ("full", "mini", "single")


def momentum(learning_rate: float) -> Optimizer:
    """Make gradient descent with the momentum that is usual."""
    return SGD(learning_rate, momentum=0.9)


OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {**PLAIN_OPTIMIZERS, "momentum": momentum}


class SettingsError(ValueError):
    """A setting that does not fit.

    Attributes
    ----------
    field : str
        Its name; empty if it is the text as a whole.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Settings:
    """All that decides a run.

    Attributes
    ----------
    data : str
        A name of `DATA_SETS`, or ``"table"``.
    table : str
        The fingerprint of the user's table; empty for the other data sets.
    columns : tuple of int
        The places of the two features and of the target in that table; empty: as `tables.read` chooses them.
    points : int
        Rows that are drawn, for training and held out together.
    noise, held_out : float
        How far points stray; the share of rows that are not trained on.
    layers : tuple of int
        Units of each hidden layer.
    batch : str
        ``"full"``: all rows an update; ``"mini"``: ``batch_size`` of them; ``"single"``: one.
    seed : int
        Of the data, of the network and of the trainer.
    """

    data: str = "spirals"
    table: str = ""
    columns: tuple[int, ...] = ()
    points: int = 300
    noise: float = 0.1
    held_out: float = 0.3
    layers: tuple[int, ...] = (8, 8)
    activation: ActivationName = "tanh"
    dropout: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 0.01
    batch: str = "mini"
    batch_size: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            try:
                object.__setattr__(self, name, check(getattr(self, name), name.replace("_", " ")))
            except (TypeError, ValueError) as error:
                raise SettingsError(str(error), name) from None
        if (self.data == TABLE) != bool(self.table):
            raise SettingsError("choose the file of the table: it is not here any more", "data")

    @classmethod
    def from_query(cls, text: str) -> Settings:
        """Read settings from the text of a link, such as ``data=xor&layers=4-2``; what it leaves out is as usual.

        Raises
        ------
        SettingsError
            If a name is unknown or occurs twice, or a value does not fit.
        """
        given: dict[str, Any] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            if name not in _READ:
                raise SettingsError(f"a link may set {', '.join(_READ)}; got {name!r}{checks.nearest(name, _READ)}")
            if name in given:
                raise SettingsError(f"a link may set {name} once; it is there twice", name)
            try:
                given[name] = _READ[name](value)
            except ValueError:
                raise SettingsError(
                    f"{name.replace('_', ' ')} must be {_EXPECTED[name]}; got {value!r}", name
                ) from None
        return cls(**given)

    def as_texts(self) -> dict[str, str]:
        """Return each setting as the text that a link has."""
        texts = {field.name: str(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return texts | {name: "-".join(map(str, getattr(self, name))) for name in ("columns", "layers")}

    def to_query(self) -> str:
        """Return the text of a link: what differs from the usual."""
        usual = Settings.as_texts(_USUAL)
        return urlencode({name: text for name, text in self.as_texts().items() if text != usual[name]})


def _layers(value: Any, argument: str) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        raise TypeError(f"{argument} must be units of each hidden layer; got {checks.described(value)}")
    if len(value) > MOST_LAYERS:
        raise ValueError(f"{argument} must be at most {MOST_LAYERS} hidden layers; got {len(value)}")
    return tuple(checks.integer(units, "units of a layer", 1, MOST_UNITS) for units in value)


def _columns(value: Any, argument: str) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) not in (0, 3):
        raise ValueError(f"{argument} must be places of three columns; got {value!r}")
    return tuple(checks.integer(place, argument, 0) for place in value)


def _whole_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("-")) if text else ()


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "data": lambda value, name: checks.choice(value, (*DATA_SETS, TABLE), name),
    "table": checks.text,
    "columns": _columns,
    "points": lambda value, name: checks.integer(value, name, 20, 2000),
    "noise": lambda value, name: checks.number(value, name, 0.0, 0.5),
    "held_out": lambda value, name: checks.number(value, name, 0.1, 0.8),
    "layers": _layers,
    "activation": lambda value, name: checks.choice(value, ACTIVATIONS, name),
    "dropout": lambda value, name: checks.number(value, name, 0.0, 0.8),
    "optimizer": lambda value, name: checks.choice(value, OPTIMIZERS, name),
    "learning_rate": lambda value, name: checks.number(value, name, 0.0, 10.0, above=True),
    "batch": lambda value, name: checks.choice(value, BATCHES, name),
    "batch_size": lambda value, name: checks.integer(value, name, 2, 2000),
    "seed": lambda value, name: checks.integer(value, name, 0, 2**32 - 1),
}
_READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(_CHECKS, str),
    **dict.fromkeys(("points", "batch_size", "seed"), int),
    **dict.fromkeys(("noise", "held_out", "dropout", "learning_rate"), float),
    **dict.fromkeys(("columns", "layers"), _whole_numbers),
}
_EXPECTED = {
    **dict.fromkeys(("points", "batch_size", "seed"), "a whole number"),
    **dict.fromkeys(("noise", "held_out", "dropout", "learning_rate"), "a number"),
    "columns": "places of three columns, such as 0-1-4",
    "layers": "units of each hidden layer, such as 8-8",
}
_USUAL = Settings()
