"""Modules of the package that load on first use (PEP 562): ``fn.plot`` after a plain ``import fastnn as fn``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from fastnn._input import modules

LAZY = ("inspection", "onnx", "plot", "records", "reproduction", "sklearn", "tables", "torch")
_LIBRARIES = ("onnx", "sklearn", "torch")  # modules that do not load without the library of their name


def load(name: str) -> Any:
    """Return what ``fastnn`` lacks so far: a module of it, which is imported now.

    Raises
    ------
    AttributeError
        If there is none; the message says what was meant.
    ImportError
        If the library that the module is for is missing; the message names it.
    """
    if name in LAZY:
        return importlib.import_module(f"fastnn.{name}")
    from fastnn._input import suggestions

    raise suggestions.missing_attribute("module 'fastnn'", name, listed())


def listed() -> list[str]:
    """Return the names of ``fastnn``, those of modules that have not been loaded among them.

    A module whose library is missing is left out: what asks for each name, such as ``help``, would end in an error.
    """
    missing = {name for name in _LIBRARIES if importlib.util.find_spec(name) is None}
    return sorted({*vars(sys.modules["fastnn"]), *LAZY} - missing - {"TYPE_CHECKING"})


# `fastnn` imports this last, when these are loaded; those that load on first use do it themselves.
modules.explain(
    *("fastnn.callbacks", "fastnn.data", "fastnn.initializers", "fastnn.layers", "fastnn.losses"),
    *("fastnn.metrics", "fastnn.optimizers", "fastnn.schedules"),
)
