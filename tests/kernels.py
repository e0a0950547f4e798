"""Calls the compiled kernels themselves, through ctypes, so that each can be held against an oracle alone.

``kernels("avx2", "float32").dense.forward(...)``: NumPy arrays are passed as pointers, None as NULL, numbers by the
types of the table. The signatures are read off ``table.pxd``, so the two cannot drift apart.
"""

import ctypes
import functools
import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import fastnn

TABLE = Path(__file__).parent.parent / "src" / "fastnn" / "_kernels" / "table.pxd"
KERNEL_STRUCTS = {
    "dense": "DenseKernels",
    "activations": "ActivationKernels",
    "normalization": "NormalizationKernels",
    "losses": "LossKernels",
    "optimizers": "OptimizerKernels",
    "random": "RandomKernels",
    "batch": "BatchKernels",
}
SCALARS = {
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


def declarations():
    """The enums and structs of table.pxd: {name: [(field, C type or (result, arguments))]}."""
    text = re.sub(r" *#.*", "", TABLE.read_text())
    text = re.sub(r"\n {8,}", " ", text)
    enums, structs = {}, {}
    for body in re.findall(r"cdef enum \w+:\n((?:    .+\n)+)", text):
        enums |= {name: value for value, name in enumerate(re.findall(r"\w+", body))}
    for struct, body in re.findall(r"ctypedef struct (\w+):\n((?:(?:    .*)?\n)+)", text):
        fields = []
        for line in filter(None, map(str.strip, body.split("\n"))):
            function = re.fullmatch(r"(\w+) \(\*(\w+)\)\((.*)\) noexcept nogil", line)
            if function:
                result, name, arguments = function.groups()
                fields.append((name, (result, [a.strip() for a in arguments.split(",")])))
            else:
                kind, names = re.fullmatch(r"((?:const )?\w+\*?) (.*)", line).groups()
                fields += [(name.strip(), kind) for name in names.split(",")]
        structs[struct] = fields
    return enums, structs


ENUMS, STRUCTS = declarations()
E = SimpleNamespace(**ENUMS)


def ctype(text):
    return ctypes.c_void_p if "*" in text else SCALARS[text.removeprefix("const ").split()[0]]


def pointer(value):
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    if isinstance(value, ctypes.Structure):
        return ctypes.addressof(value)
    return value


def struct_class(name):
    fields = []
    for field, kind in STRUCTS[name]:
        if isinstance(kind, tuple):
            result, arguments = kind
            fields.append((field, ctypes.CFUNCTYPE(SCALARS[result], *map(ctype, arguments))))
        else:
            fields.append((field, ctype(kind)))
    return type(name, (ctypes.Structure,), {"_fields_": fields})


CLASSES = {name: struct_class(name) for name in STRUCTS}


def make(name, **fields):
    """A struct of table.pxd, say ``make("LossBatch", outputs=array, rows=3)``; it keeps its arrays alive."""
    struct = CLASSES[name](**{field: pointer(value) for field, value in fields.items()})
    struct.keep = fields
    return struct


@functools.cache
def kernels(isa, dtype):
    """Every kernel of one instruction set and dtype, as callables, by module; ``.panel`` is P."""
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    found = SimpleNamespace(isa=isa, dtype=np.dtype(dtype))
    for name in KERNEL_STRUCTS:
        module = importlib.import_module(f"fastnn._kernels.{isa}.{dtype}.{name}")
        struct = CLASSES[KERNEL_STRUCTS[name]]
        table = struct.from_address(get_pointer(module.table, f"fastnn.{name}".encode()))
        functions = SimpleNamespace()
        for field, kind in STRUCTS[struct.__name__]:
            value = getattr(table, field)
            if isinstance(kind, tuple):
                value = functools.partial(lambda f, *args: f(*map(pointer, args)), value)
            setattr(functions, field, value)
        setattr(found, name, functions)
    found.panel = found.dense.panel
    return found


def pack(a, panel, rows=None, fill=0.0):
    """Rows [n_rows, n] as panels [ceil(n / P)][rows][P]; padding lanes and spare rows hold ``fill``."""
    n_rows, n = a.shape
    rows = n_rows if rows is None else rows
    panels = np.full((-(-n // panel), rows, panel), fill, dtype=a.dtype)
    for j in range(n):
        panels[j // panel, :n_rows, j % panel] = a[:, j]
    return panels


def unpack(panels, n, n_rows=None):
    """The rows [n_rows, n] that panels [ceil(n / P)][rows][P] hold."""
    rows = panels.shape[1] if n_rows is None else n_rows
    flat = panels[:, :rows].transpose(1, 0, 2).reshape(rows, -1)
    return np.ascontiguousarray(flat[:, :n])


__all__ = ["E", "fastnn", "kernels", "make", "pack", "unpack"]
