"""What ``fastnn train`` is told of a table, and the defaults of its hyperparameters there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastnn.tables.texts import Rules

QUANTILES = (0.1, 0.5, 0.9)
_DEFAULTS = {"hidden": (64, 64), "dropout": 0.2, "epochs": 100, "patience": 20, "validation_fraction": 0.2}
_LEARNING_RATES = dict.fromkeys(("adam", "adamw", "nadam", "rmsprop"), 0.001)


@dataclass(frozen=True)
class TableOptions:
    """What ``fastnn train --help`` describes for tables only."""

    target: str | None = None
    task: str | None = None
    categorical: tuple[str, ...] | None = None
    numeric: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    max_categories: int = 50
    min_rows: int = 5
    quantiles: tuple[float, ...] | None = None
    separator: str | None = None
    missing: tuple[str, ...] | None = None
    decimal: str | None = None
    log_target: bool | None = None

    @property
    def rules(self) -> Rules:
        """How texts are read."""
        return Rules.of(self.missing, self.decimal)

    def described(self) -> dict[str, Any]:
        """Name those that were chosen, with their values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def with_defaults(given: Mapping[str, Any], by_hand: Collection[str]) -> dict[str, Any]:
    """Give hyperparameters the defaults of tables, but for those that were chosen ``by_hand``."""
    defaults: dict[str, Any] = {name: value for name, value in _DEFAULTS.items() if name not in by_hand}
    if given["validation_fraction"] == 0.0 and "validation_fraction" in by_hand:
        defaults.pop("patience", None)  # the training loss says little about when to stop
    if given["learning_rate"] is None:
        defaults["learning_rate"] = _LEARNING_RATES.get(given["optimizer"])
    return {**given, **defaults}


def batch_size(rows: int) -> int:
    """Choose a default: larger steps where there are rows enough for many."""
    return max(min(32, rows), min(1024, rows // 64 // 32 * 32))
