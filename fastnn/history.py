"""The record of a run: one value a column and epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from fastnn._input import checks
from fastnn._input.calls import Hinting


class History(Hinting, dict[str, list[float]]):
    """What `fastnn.Trainer.fit` records: a mapping of column → list, one entry for each completed epoch.

    Columns: ``"loss"`` (the mean over the epoch while it was trained on, by sample weight), ``"accuracy"``
    (classifiers; likewise), ``"learning_rate"`` (of the epoch's last update), and with validation data ``"val_loss"``,
    ``"val_accuracy"`` and ``"val_…"`` for each metric. An epoch that has no value in a column holds NaN there. The
    lists are copies.

    Notes
    -----
    It is a dict that is read-only, so pandas and Polars make a data frame of it: ``pd.DataFrame(history)`` and
    ``pl.DataFrame(history)``. `to_dict` gives a dict to change. Two histories are equal if they have the same columns
    with the same values; NaN equals NaN.
    """

    __ne__ = object.__ne__  # the opposite of `__eq__`; that of a dict knows nothing of NaN
    get = Mapping.get  # type: ignore[assignment]

    def __init__(self, columns: Mapping[str, list[float]] | None = None) -> None:
        given = {} if columns is None else checks.mapping(columns, "columns")
        for name, values in given.items():
            if not isinstance(name, str) or not isinstance(values, (list, tuple)):
                raise TypeError(
                    "columns must map names to lists of values; "
                    f"got {checks.described(values)} for {checks.described(name)}"
                )
        lengths = {name: len(values) for name, values in given.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{length} of {name!r}" for name, length in lengths.items())
            raise ValueError(f"columns must hold one value for each epoch; got {listed}")
        dict.__init__(self, {name: list(values) for name, values in given.items()})

    @property
    def epochs(self) -> int:
        """How many epochs have been completed."""
        return len(next(iter(dict.values(self)), ()))

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch."""
        epochs = self.epochs
        for name, value in row.items():
            if not dict.__contains__(self, name):
                dict.__setitem__(self, name, [math.nan] * epochs)
            dict.__getitem__(self, name).append(value)
        for values in dict.values(self):
            if len(values) == epochs:
                values.append(math.nan)

    def snapshot(self) -> History:
        """Return a history of the epochs so far, which stays as it is when this one grows."""
        taken = History()
        dict.update(taken, self.to_dict())
        return taken

    def last(self) -> dict[str, float]:
        """Return the latest epoch's values by column."""
        return {name: values[-1] for name, values in dict.items(self)} if self.epochs else {}

    def to_dict(self) -> dict[str, list[float]]:
        """Return the columns as a dict of lists, which is yours to change."""
        return {name: list(values) for name, values in dict.items(self)}

    copy = to_dict

    def __getitem__(self, name: str) -> list[float]:
        try:
            return list(super().__getitem__(name))
        except (KeyError, TypeError):
            hint = ""
            if isinstance(name, str):
                is_of_validation = name.startswith("val_") and "val_loss" not in self
                hint = ": fit had no validation data" if is_of_validation else checks.hint(name, self, "column")
            raise KeyError(f"the columns are {', '.join(self) or 'none yet'}; got {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self)  # of a dict without an `__iter__` of its own, `dict` takes the very lists

    def items(self) -> Any:
        """Return the columns with their names."""
        return self.to_dict().items()

    def values(self) -> Any:
        """Return the columns."""
        return self.to_dict().values()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.keys() == other.keys() and all(_are_same(self[name], other[name]) for name in self)

    def __reduce__(self) -> tuple[Any, ...]:
        return History, (self.to_dict(),)

    def _refuse(self, *arguments: Any, **named: Any) -> Any:
        raise TypeError("a history is read-only: history.to_dict() gives a dict to change")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(epochs=0)"
        latest = ", ".join(f"{name}={value:.4g}" for name, value in self.last().items())
        return f"History(epochs={self.epochs}, latest: {latest})"

    def _repr_html_(self) -> str:
        from fastnn._display import notebook  # here, as `import fastnn` does without it

        columns = {"epoch": True, **{name.replace("_", " "): True for name in self}}
        values = zip(*dict.values(self), strict=True)
        rows = [(epoch, *map(notebook.number, row)) for epoch, row in enumerate(values, 1)]
        return notebook.shown(notebook.table("History", columns, rows, note=notebook.counted(self.epochs, "epoch")))


def _are_same(values: list[float], others: object) -> bool:
    """Return whether two columns hold the same values, NaN in the same places."""
    if not isinstance(others, list) or len(values) != len(others):
        return False
    return all(a == b or (a != a and b != b) for a, b in zip(values, others, strict=True))
