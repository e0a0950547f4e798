"""What this installation runs on."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._engine import cpu, threads
from fastnn._runtime import instruction_sets
from fastnn._storage.files import NUMERICS_VERSION
from fastnn._version import __version__


class Config(dict[str, Any]):
    """A dict that prints as a table."""

    def __repr__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.items())


def config() -> Config:
    """Return versions, instruction set, threads and compiler, as a dict that JSON can hold."""
    import platform

    return Config(
        {
            "fastnn": __version__,
            "numerics version": NUMERICS_VERSION,
            "instruction set": instruction_sets.current(),
            "instruction sets available": ", ".join(instruction_sets.available()),
            "threads": threads.get_num_threads(),
            "compiler": cpu.compiler,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "platform": platform.platform(),
        }
    )


def show_config() -> None:
    """Print `config`: fastnn and numerics versions, instruction set, threads, compiler, Python, NumPy, platform."""
    print(config())
