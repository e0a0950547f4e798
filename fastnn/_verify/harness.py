"""Calls the compiled kernels themselves, through ctypes, so that each can be held against an oracle or a digest alone.

``kernels("avx2", "float32").dense.forward(...)``, or of a list of entries by its name, ``.losses["huber"].loss(...)``:
NumPy arrays are passed as pointers, None as NULL, numbers by the types of the table. The signatures are read off
``table.pxd``, so the two cannot drift apart.
"""

from __future__ import annotations

import ctypes
import functools
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastnn._runtime import instruction_sets

TABLE = Path(__file__).parent.parent / "_kernels" / "table.pxd"
# The struct of each kernel module: the one named ...Kernels below the comment that names the module's source.
KERNEL_STRUCTS: dict[str, str] = dict(
    re.findall(
        r"^# (\w+)\.pyx$(?:.*\n)+?ctypedef struct (\w+Kernels):", TABLE.read_text(encoding="utf-8"), re.MULTILINE
    )
)
LISTS = {"activations": "ActivationKernel", "losses": "LossKernel", "optimizers": "OptimizerKernel"}
SCALARS: dict[str, Any] = {
    "ssize_t": ctypes.c_ssize_t,
    "double": ctypes.c_double,
    "int": ctypes.c_int,
    "bint": ctypes.c_int,
    "char": ctypes.c_char,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "int64_t": ctypes.c_int64,
    "void": None,
}


def declarations() -> dict[str, list[tuple[str, Any]]]:
    """Return the structs of table.pxd: {name: [(field, C type or (result, arguments))]}."""
    text = re.sub(r" *#.*", "", TABLE.read_text(encoding="utf-8"))
    text = re.sub(r"\n {8,}", " ", text)
    structs: dict[str, list[tuple[str, Any]]] = {}
    for struct, body in re.findall(r"ctypedef struct (\w+):\n((?:(?:    .*)?\n)+)", text):
        fields: list[tuple[str, Any]] = []
        for line in filter(None, map(str.strip, body.split("\n"))):
            function = re.fullmatch(r"(\w+) \(\*(\w+)\)\((.*)\) noexcept nogil", line)
            if function:
                result, name, arguments = function.groups()
                fields.append((name, (result, [a.strip() for a in arguments.split(",")])))
            else:
                number = re.fullmatch(r"((?:const )?\w+(?:\*|\[\d+\])?) (.*)", line)
                assert number, line
                fields += [(name.strip(), number[1]) for name in number[2].split(",")]
        structs[struct] = fields
    return structs


STRUCTS = declarations()


def ctype(text: str) -> Any:
    if text == "const char*":
        return ctypes.c_char_p
    if "[" in text:
        entry, size = text.removesuffix("]").split("[")
        return struct_class(entry) * int(size)
    return ctypes.c_void_p if "*" in text else SCALARS[text.removeprefix("const ").split()[0]]


def pointer(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    if isinstance(value, ctypes.Structure):
        return ctypes.addressof(value)
    return value


@functools.cache
def struct_class(name: str) -> type[ctypes.Structure]:
    fields: list[tuple[str, Any]] = []
    for field, kind in STRUCTS[name]:
        if isinstance(kind, tuple):
            result, arguments = kind
            fields.append((field, ctypes.CFUNCTYPE(SCALARS[result], *map(ctype, arguments))))
        else:
            fields.append((field, ctype(kind)))
    return type(name, (ctypes.Structure,), {"_fields_": fields})


CLASSES = {name: struct_class(name) for name in STRUCTS}


def make(name: str, **fields: Any) -> ctypes.Structure:
    """Return a struct of table.pxd, say ``make("LossBatch", outputs=array, rows=3)``; it keeps its arrays alive."""
    struct = CLASSES[name](**{field: pointer(value) for field, value in fields.items()})
    struct.keep = fields
    return struct


class Table(SimpleNamespace):
    """The functions of a struct of table.pxd, as callables; where it has a list of entries, those by name."""

    entries: dict[str, Table]

    def __getitem__(self, name: str) -> Table:
        return self.entries[name]


def table_of(struct: ctypes.Structure) -> Table:
    found = Table(entries={})
    for field, kind in STRUCTS[type(struct).__name__]:
        value = getattr(struct, field)
        if field == "list":
            found.entries = {entry.name.decode(): table_of(entry) for entry in value[: struct.count]}
        else:
            is_function = isinstance(kind, tuple)
            value = functools.partial(lambda f, *args: f(*map(pointer, args)), value) if is_function else value
            setattr(found, field, value)
    return found


@functools.cache
def kernels(isa: str, dtype: str) -> SimpleNamespace:
    """Return every kernel of one instruction set and dtype, by module; ``.panel`` is P."""
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    found = SimpleNamespace(isa=isa, dtype=np.dtype(dtype))
    for name in KERNEL_STRUCTS:
        struct = CLASSES[KERNEL_STRUCTS[name]]
        capsule = instruction_sets.load(isa, dtype, name)
        setattr(found, name, table_of(struct.from_address(get_pointer(capsule, f"fastnn.{name}".encode()))))
    found.panel = found.dense.panel
    return found


def pack(a: np.ndarray, panel: int, rows: int | None = None, fill: float = 0.0) -> np.ndarray:
    """Return rows [n_rows, n] as panels [ceil(n / P)][rows][P]; padding lanes and spare rows hold ``fill``."""
    n_rows, n = a.shape
    rows = n_rows if rows is None else rows
    n_panels = -(-n // panel)
    flat = np.full((rows, n_panels * panel), fill, dtype=a.dtype)
    flat[:n_rows, :n] = a
    return np.ascontiguousarray(flat.reshape(rows, n_panels, panel).transpose(1, 0, 2))


def unpack(panels: np.ndarray, n: int, n_rows: int | None = None) -> np.ndarray:
    """Return the rows [n_rows, n] that panels [ceil(n / P)][rows][P] hold."""
    rows = panels.shape[1] if n_rows is None else n_rows
    flat = panels[:, :rows].transpose(1, 0, 2).reshape(rows, -1)
    return np.ascontiguousarray(flat[:, :n])
