"""The record of a run: one value a column and epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from fastnn._input import checks


class History(Mapping[str, list[float]]):
    """What `fastnn.Trainer.fit` records: a mapping of column → list, one entry for each completed epoch.

    Columns: ``"loss"`` (the mean over the epoch while it was trained on, by sample weight), ``"accuracy"``
    (classifiers; likewise), ``"learning_rate"`` (of the epoch's last update), and with validation data ``"val_loss"``,
    ``"val_accuracy"`` and ``"val_…"`` for each metric. An epoch that has no value in a column holds NaN there. The
    lists are copies.
    """

    def __init__(self, columns: Mapping[str, list[float]] | None = None) -> None:
        given = {} if columns is None else checks.mapping(columns, "columns")
        for name, values in given.items():
            if not isinstance(name, str) or not isinstance(values, (list, tuple)):
                raise TypeError(
                    "columns must map names to lists of values; "
                    f"got {checks.described(values)} for {checks.described(name)}"
                )
        self._columns = {name: list(values) for name, values in given.items()}

    @property
    def epochs(self) -> int:
        """How many epochs have been completed."""
        return len(next(iter(self._columns.values()), ()))

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch."""
        epochs = self.epochs
        for name, value in row.items():
            if name not in self._columns:
                self._columns[name] = [math.nan] * epochs
            self._columns[name].append(value)
        for values in self._columns.values():
            if len(values) == epochs:
                values.append(math.nan)

    def last(self) -> dict[str, float]:
        """Return the latest epoch's values by column."""
        return {name: values[-1] for name, values in self._columns.items()}

    def __getitem__(self, name: str) -> list[float]:
        try:
            return list(self._columns[name])
        except KeyError:
            raise KeyError(f"the columns are {', '.join(self._columns) or 'none yet'}; got {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        if not self._columns:
            return "History(epochs=0)"
        latest = ", ".join(f"{name}={value:.4g}" for name, value in self.last().items())
        return f"History(epochs={self.epochs}, latest: {latest})"
