"""A network for tables: what it takes, the network itself, and what it predicts; one file holds all three."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastnn._input import checks
from fastnn._storage import descriptions
from fastnn.network import Network
from fastnn.tables import cells as _cells
from fastnn.tables import frames
from fastnn.tables.number_formats import NumberFormat
from fastnn.tables.preprocessor import Preprocessor
from fastnn.tables.targets import TARGETS, Classes, Target

METADATA = "table"  # the entry of a network's metadata


class TableModel:
    """A trained network with its preprocessor and its target: from a table to predictions in the target's own terms.

    Parameters
    ----------
    preprocessor : Preprocessor
        Fitted; as many features as the network has.
    network : Network
    target : Classes or Quantity
        As many outputs as the network has.

    Examples
    --------
    >>> preprocessor = tables.Preprocessor().fit(train)
    >>> target = tables.Quantity.fit("price", prices)
    >>> net = fn.Network([fn.Input(len(preprocessor.features)), fn.Dense(64, "relu"), fn.Dense(target.n_outputs)])
    >>> fn.Trainer(net, "mean_squared").fit(preprocessor.transform(train), target.encode(prices), epochs=20)
    >>> model = tables.TableModel(preprocessor, net, target)
    >>> model.predict(others)
    >>> model.save("prices.safetensors")
    """

    def __init__(self, preprocessor: Preprocessor, network: Network, target: Target) -> None:
        for value, cls, argument in ((preprocessor, Preprocessor, "preprocessor"), (network, Network, "network")):
            if not isinstance(value, cls):
                raise TypeError(f"{argument} must be a {cls.__name__}; got {checks.described(value)}")
        if not isinstance(target, TARGETS):
            raise TypeError(f"target must be Classes or a Quantity; got {checks.described(target)}")
        for own, needed, what in (
            (network.n_features, len(preprocessor.features), "features, as the preprocessor gives"),
            (network.n_outputs, target.n_outputs, f"outputs, as the target {target.name!r} needs"),
        ):
            if own != needed:
                raise ValueError(f"network must have {needed} {what}; got {own}")
        if isinstance(target, Classes) and network.plan.output_activation not in ("identity", "softmax", "sigmoid"):
            raise ValueError(
                "network must end in logits, 'softmax' or 'sigmoid' to predict classes; "
                f"got {network.plan.output_activation!r}"
            )
        self.preprocessor, self.network, self.target = preprocessor, network, target

    @property
    def classifies(self) -> bool:
        """Whether the target is classes."""
        return isinstance(self.target, Classes)

    def predict(self, table: Any) -> np.ndarray:
        """Return classes, or quantities in the units of the target.

        Parameters
        ----------
        table : mapping of str to array_like, or DataFrame
            See `Preprocessor.transform`.

        Returns
        -------
        ndarray, shape (n,), or (n, n_quantiles)
            Of strings, integers, floats or booleans, as the classes are; float64 for a quantity.
        """
        predicted = self.outputs(table)
        if isinstance(self.target, Classes):
            return self.target.decode(predicted.argmax(axis=1))
        return predicted[:, 0] if predicted.shape[1] == 1 else predicted

    def predict_proba(self, table: Any) -> np.ndarray:
        """Return the probability of each class, in the order of ``target.labels``: float64 of shape (n, n_classes)."""
        if not self.classifies:
            raise ValueError(f"predict_proba is for classes; the target {self.target.name!r} is a quantity")
        return self.outputs(table)

    def outputs(self, table: Any) -> np.ndarray:
        """Return probabilities, or quantities in the units of the target: float64 of shape (n, n_outputs)."""
        X = self.preprocessor.transform(table, self.network.dtype)
        if not len(X):
            return np.zeros((0, self.network.n_outputs))
        return self.target.predicted(self.network.predict(X), self.network.plan.output_activation)

    def evaluate(self, table: Any) -> dict[str, float]:
        """Return how good the predictions are: see `fastnn.tables.scores`. Rows without a target are left out.

        Raises
        ------
        ValueError
            If the target's column is not there, holds another class, or no row has a value.
        """
        columns = frames.columns(table)
        name = self.target.name
        if name not in columns:
            raise ValueError(f"table lacks the target {name!r}{checks.nearest(name, columns)}")
        rows = np.flatnonzero(self.target.present(columns[name]))
        if not len(rows):
            raise ValueError(f"the target {name!r} has no value in any row")
        needed = {
            key: _cells.cells(key, columns[key]).take(rows)
            for key in (*self.preprocessor.names, name)
            if key in columns
        }
        values = self.target.values(needed.pop(name))
        return self.target.scores(values, self.outputs(needed))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network, preprocessor and target to one safetensors file; an existing one is replaced in one go."""
        before = self.network.metadata
        self.network.metadata = {**before, METADATA: self.describe()}
        try:
            self.network.save(path)
        finally:
            self.network.metadata = before

    def describe(self) -> dict[str, Any]:
        """Return preprocessor and target as JSON can hold them: the entry ``"table"`` of the network's metadata."""
        return {"preprocessor": self.preprocessor.describe(), "target": descriptions.to_data(self.target)}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TableModel:
        """Read what `save` wrote; nothing is executed.

        Raises
        ------
        OSError
            If there is no such file, or it cannot be read.
        ValueError
            If it is truncated, damaged, or a network without a table.
        """
        return cls.of(Network.load(path), os.fspath(path))

    @classmethod
    def of(cls, network: Network, name: str = "the network") -> TableModel:
        """Return the model of a network whose metadata hold preprocessor and target; ``name`` is for errors."""
        described = network.metadata.get(METADATA)
        if described is None:
            raise ValueError(f"{name!r} is a network without a table: it takes arrays")
        try:
            preprocessor = Preprocessor.from_description(described["preprocessor"])
            target = descriptions.from_data(described["target"], (*TARGETS, NumberFormat), "a target")
            return cls(preprocessor, network, target)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{name!r} is damaged: {error}") from None

    def _repr_html_(self) -> str:
        from fastnn._display import notebook  # here, as `import fastnn` does without it

        encoders, unused = self.preprocessor.encoders, self.preprocessor.unused_columns
        predicts = f"{self.target.name} ({type(self.target).__name__})"
        rows = [(column.name, type(column).__name__, len(column.features)) for column in encoders]
        columns = notebook.table(
            "TableModel",
            {"column": False, "taken as": False, "features": True},
            [*rows, *((column.name, f"unused: {column.explanation}", "") for column in unused)],
            ("total", "", len(self.preprocessor.features)),
            f"predicts {predicts}",
        )
        return notebook.shown(columns, notebook.folded("Layers", self.network._repr_html_()))

    def __repr__(self) -> str:
        return f"TableModel({self.preprocessor!r}, target={self.target.name!r})"
