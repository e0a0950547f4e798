"""Chooses the instruction set, once, at import.

``FASTNN_ISA`` overrides the choice. The result of a computation never depends on it: only the speed does.
"""

import importlib
import os

from fastnn._engine import elementary, random
from fastnn._engine.cpu import supported
from fastnn._input.checks import nearest

# Best first.
INSTRUCTION_SETS = ("avx512", "avx2", "neon", "portable")
FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "_kernels")


def available():
    """Return the instruction sets that were compiled and that this machine can run, best first."""
    return tuple(isa for isa in INSTRUCTION_SETS if os.path.isdir(os.path.join(FOLDER, isa)) and supported(isa))


def checked(isa):
    """Return ``isa``, if it can be used here; otherwise a ValueError that lists the choices."""
    choices = available()
    if isa not in choices:
        hint = nearest(isa, choices)
        raise ValueError(f"FASTNN_ISA must be one of {', '.join(choices)} on this machine; got {isa!r}{hint}")
    return isa


def choose():
    wanted = os.environ.get("FASTNN_ISA")
    return checked(wanted) if wanted else available()[0]


_tables: dict[tuple[str, str], dict[str, object]] = {}


def modules(isa, dtype):
    """Return the names of the kernel modules that were compiled."""
    import pkgutil  # here, as `import fastnn` does without it

    return [module.name for module in pkgutil.iter_modules([os.path.join(FOLDER, isa, dtype)])]


def load(isa, dtype, name):
    """Return the capsule of one kernel module's function table."""
    return importlib.import_module(f"fastnn._kernels.{isa}.{dtype}.{name}").table


def current():
    """Return the instruction set that new networks use."""
    return _current


def use(isa):
    """Make new networks use ``isa``; those that exist keep theirs."""
    global _current
    _current = checked(isa)
    random.use(load(isa, "float64", "random"), load(isa, "float32", "batch"), load(isa, "float64", "batch"))
    elementary.use(load(isa, "float32", "functions"), load(isa, "float64", "functions"))


def tables(dtype):
    """Return the capsules of the kernels' function tables, by module, for ``dtype`` ("float32" or "float64")."""
    key = (_current, dtype)
    if key not in _tables:
        _tables[key] = {name: load(*key, name) for name in modules(*key)}
    return _tables[key]


_current = choose()
use(_current)
