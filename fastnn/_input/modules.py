"""Names of public modules: what completion lists, and errors that say what was meant by one that is not there."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NoReturn


def explain(*modules: str) -> None:
    """Let these modules of the package, which are loaded, say what was meant by a name that they lack (PEP 562).

    That is a name like it of the module, else one of the package: ``fn.layers.Linear`` leads to ``Dense``,
    ``fn.callbacks.StepLR`` to where schedules are. Type checkers do not see it, and take no other name. ``dir`` leaves
    out what the modules import for themselves.
    """
    for name in modules:
        names = _Names(sys.modules[name])
        vars(names.module).update(__getattr__=names.missing, __dir__=names.listed)


class _Names:
    """The names of a module."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def missing(self, name: str) -> NoReturn:
        """Raise the error of a name that the module lacks."""
        if name[0] == "_":  # Python asks for some
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}", name=name)
        from fastnn._input import suggestions

        own = _made_for_users(self.module)
        raise suggestions.missing_name(self.module.__name__, name, own, _made_for_users(sys.modules["fastnn"]))

    def listed(self) -> list[str]:
        """Return the names for users and those of constants and of Python, sorted."""
        others = [name for name in vars(self.module) if name.startswith("_") or name.isupper()]
        return sorted({*_made_for_users(self.module), *others} - {"TYPE_CHECKING"})


def _made_for_users(module: ModuleType) -> list[str]:
    """Return the names of the classes and functions that a module defines for users."""
    return [
        name
        for name, value in vars(module).items()
        if name[0] != "_" and not isinstance(value, ModuleType) and _place(value).startswith(module.__name__)
    ]


def _place(value: Any) -> str:
    return str(getattr(value, "__module__", ""))
