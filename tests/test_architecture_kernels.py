"""The ground floor: kernels are plain C-like functions in tables, and import nothing above themselves."""

import ctypes
import re
from pathlib import Path

import pytest
from house import ENGINE, FORBIDDEN_IN_KERNELS, KERNEL_PARTS, KERNELS, PACKAGE, cython_imports, identity, stripped
from kernels import CLASSES, KERNEL_STRUCTS, LISTS, STRUCTS, kernels

from fastnn._runtime import instruction_sets


@pytest.mark.parametrize("path", [*KERNELS, *KERNEL_PARTS], ids=identity)
def test_kernels_import_nothing_above_themselves(path):
    parts = {f"fastnn._kernels.{part.stem}" for part in KERNEL_PARTS}
    below = {"libc.stdint", "libc.string", "libc.math", "cpython.pycapsule"}
    assert cython_imports(path) <= parts | below


@pytest.mark.parametrize("path", [*KERNELS, *KERNEL_PARTS, *ENGINE], ids=identity)
def test_of_the_c_library_only_what_is_exact(path):
    """Constants, tests, and the square root, which IEEE 754 rounds correctly."""
    found = re.findall(r"from libc\.math cimport (.*)", stripped(path))
    assert len(found) == stripped(path).count("libc.math"), "names are imported one by one"
    assert not re.search(r"from libc c?import", stripped(path))
    for names in found:
        assert set(re.findall(r"\w+", names)) <= {"INFINITY", "NAN", "isfinite", "sqrt"}


@pytest.mark.parametrize("path", KERNELS, ids=identity)
def test_kernels_do_not_import_one_another(path):
    assert not cython_imports(path) & {f"fastnn._kernels.{other.stem}" for other in KERNELS}


@pytest.mark.parametrize("path", [*KERNELS, *KERNEL_PARTS], ids=identity)
@pytest.mark.parametrize("pattern", FORBIDDEN_IN_KERNELS)
def test_kernels_are_free_of(path, pattern):
    match = re.search(pattern, stripped(path), re.MULTILINE)
    assert not match, match.group()


@pytest.mark.parametrize("path", [*KERNELS, *KERNEL_PARTS], ids=identity)
def test_kernel_functions_are_noexcept_nogil(path):
    declared = re.findall(r"^cdef (?!extern|enum|struct|union|packed).*\(.*$", stripped(path), re.MULTILINE)
    for line in declared:
        assert re.search(r"\) noexcept nogil:", line), line
    if path in KERNELS:
        assert declared


@pytest.mark.parametrize("path", KERNELS, ids=identity)
def test_kernels_have_no_globals_but_the_table(path):
    text = stripped(path)
    variables = re.findall(r"^cdef (?!extern|enum|struct|union|packed|inline)([^(\n]*)$", text, re.MULTILINE)
    assert variables == [f"{KERNEL_STRUCTS[path.stem]} kernels"]
    names = set(re.findall(r"^(\w+)(?:, (\w+))? = ", text, re.MULTILINE))
    assert names == {("table", ""), ("isa", "real_bits")}


def test_only_one_header_is_c():
    found = {identity(path) for pattern in ("*.c", "*.h", "*.cpp") for path in PACKAGE.rglob(pattern)}
    assert found == {"fastnn/_kernels/simd.h"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("isa", instruction_sets.available())
@pytest.mark.parametrize("name", KERNEL_STRUCTS)
def test_every_instruction_set_fills_every_entry_of_every_table(name, dtype, isa):
    capsule = instruction_sets.load(isa, dtype, name)
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = CLASSES[KERNEL_STRUCTS[name]].from_address(get_pointer(capsule, f"fastnn.{name}".encode()))
    entries = list(table.list[: table.count]) if name in LISTS else []
    assert len({entry.name for entry in entries}) == len(entries)
    for struct in (table, *entries):
        for field, kind in STRUCTS[type(struct).__name__]:
            value = getattr(struct, field)
            address = ctypes.cast(value, ctypes.c_void_p).value if isinstance(kind, tuple) else value
            is_of_rows = struct is not table and struct.name == b"softmax"  # whose functions stand in the table
            assert address or field in ("reads_z", "undoes") or is_of_rows, f"{field} is not set"
    assert vars(kernels(isa, dtype)).keys() == {*KERNEL_STRUCTS, "isa", "dtype", "panel"}


def test_the_instruction_sets_have_the_same_modules():
    folder = Path(instruction_sets.__file__).parent.parent / "_kernels"
    built = {}
    for isa in instruction_sets.INSTRUCTION_SETS:
        for dtype in ("float32", "float64"):
            if (folder / isa).is_dir():
                built[isa, dtype] = {path.name.split(".")[0] for path in (folder / isa / dtype).glob("*.*")}
    assert len(built) >= 2 * len(instruction_sets.available())
    for found in built.values():
        assert found == set(KERNEL_STRUCTS)
