"""What a system has to be able to do to be compared."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from benchmarks.rungs import Rung


class Peer:
    """A rung's network, loss, optimizer and data, set up in one system and ready to run.

    The training begins with `Rung.initial`, so that the systems' results can be compared.
    """

    module: ClassVar[str]  # to import
    distribution: ClassVar[str]  # whose version is reported
    threads: ClassVar[tuple[int | str, ...]] = (1, 2)  # the settings worth trying

    def __init__(self, rung: Rung, threads: int | str) -> None:
        raise NotImplementedError

    def compile(self) -> None:
        """Compile what the system compiles; the ladder reports the time. The training may begin meanwhile."""

    def run(self, epochs: int) -> None:
        """Train so many epochs and return when they are over."""
        raise NotImplementedError

    @property
    def updates(self) -> int:
        """How many updates the system says it has made."""
        raise NotImplementedError

    def parameters(self) -> list[np.ndarray]:
        """Return weights (outputs, inputs) and biases, layer by layer."""
        raise NotImplementedError

    def predictor(self, x: np.ndarray) -> Callable[[], Any]:
        """Return a function that computes the outputs for ``x``, which it holds in the system's own form.

        The number of threads may stay changed for the whole process.
        """
        raise NotImplementedError

    @classmethod
    def environment(cls, threads: int | str, isa: str | None) -> dict[str, str]:
        """Return the variables of its process, which it needs from the start; ``isa``: keep to this instruction set."""
        raise NotImplementedError

    @classmethod
    def load(cls) -> None:
        """Import the system."""
        import_module(cls.module)

    @classmethod
    def is_installed(cls) -> bool:
        """Return whether it can be compared here."""
        return find_spec(cls.module) is not None

    @classmethod
    def version(cls) -> str:
        """Return the installed version of the system."""
        return version(cls.distribution)
