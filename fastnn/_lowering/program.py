"""A program in the making: layers add their operations to it, one after the other."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastnn._lowering import random_streams


class Tensor(NamedTuple):
    """A parameter tensor: where the engine has it, and how it begins."""

    operation: int
    kind: str
    shape: tuple[int, ...]
    initializer: Any


class Program:
    """Operations in order, each with the values that it reads.

    Value 0 is the network's inputs; operation k writes value k + 1. Parameters have the names that they have in the
    equivalent ``torch.nn.Sequential``: the number of a module, and ``weight`` or ``bias``.

    Attributes
    ----------
    operations : list of dict
        As `fastnn._engine.model.Model` takes them.
    units : list of int
        Of each value.
    tensors : dict of str to Tensor
    positions : dict of int to int
        Where the layer of each operation stands.
    position : int
        Where the layer stands that adds operations now.
    following : str
        The first activation of that layer or after it, before the next dense layer.
    """

    def __init__(self) -> None:
        self.operations: list[dict[str, Any]] = []
        self.units: list[int] = []
        self.tensors: dict[str, Tensor] = {}
        self.positions: dict[int, int] = {}
        self.position = 0
        self.following = "identity"
        self._module = 0

    @property
    def current(self) -> int:
        """How many units the latest value has."""
        return self.units[-1]

    @property
    def stream(self) -> int:
        """The random numbers of the layer that adds operations now."""
        return random_streams.DROPOUT + self.position

    def begin(self, features: int) -> None:
        """Set the units of the network's inputs."""
        self.units.append(features)

    def add(self, kind: str, tensors: dict[str, tuple[tuple[int, ...], Any]] | None = None, **numbers: Any) -> None:
        """Add an operation that reads the latest value.

        Parameters
        ----------
        kind : str
            As the engine calls it.
        tensors : dict, optional
            The shape and the initializer of each of its parameter tensors, by kind, in the engine's order.
        **numbers
            What the engine is told besides; ``units`` are those of what it writes, by default as many as it reads.
        """
        number = len(self.operations)
        for role, (shape, initializer) in (tensors or {}).items():
            self.tensors[f"{self._module}.{role}"] = Tensor(number, role, shape, initializer)
        self.positions[number] = self.position
        self.operations.append({"kind": kind, "inputs": [number], **numbers})
        self.units.append(numbers.get("units", self.current))
        self._module += 1

    def skip_module(self) -> None:
        """Count a module that an operation before does the work of."""
        self._module += 1
