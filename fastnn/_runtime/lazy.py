"""Modules of the package that load on first use (PEP 562): ``fn.plot`` after a plain ``import fastnn as fn``."""

from __future__ import annotations

import importlib
import sys
from typing import Any

LAZY = ("inspection", "onnx", "plot", "records", "reproduction", "sklearn", "tables", "torch")


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

    raise suggestions.missing_name(name, listed())


def listed() -> list[str]:
    """Return the names of ``fastnn``, those of modules that have not been loaded among them."""
    return sorted({*vars(sys.modules["fastnn"]), *LAZY})
