"""The house stands on its floors: adapters → Python layer → engine → kernels, and imports only go down."""

import ast
import ctypes
import re
import sys
from pathlib import Path

import pytest
from kernels import CLASSES, KERNEL_STRUCTS, LISTS, STRUCTS, kernels

from fastnn._runtime import instruction_sets

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fastnn"
KERNELS = sorted(PACKAGE.glob("_kernels/*.pyx"))
KERNEL_PARTS = sorted(PACKAGE.glob("_kernels/*.pxd"))
ENGINE = sorted([*PACKAGE.glob("_engine/**/*.pyx"), *PACKAGE.glob("_engine/**/*.pxd")])
PYTHON = sorted(path for path in PACKAGE.rglob("*.py") if not {"_engine", "_kernels"} & set(path.parts))

# Each adapter, and what it alone may import.
ADAPTERS = {
    "fastnn.cli": {"click", "rich", "matplotlib"},
    "fastnn._readers.polars_tables": {"polars"},
    "fastnn.plot": {"matplotlib"},
    "fastnn.sklearn": {"sklearn", "scipy", "threadpoolctl"},  # scikit-learn itself needs the other two
    "fastnn.onnx": {"onnx"},
    "fastnn.torch": {"torch"},
}
# Methods of the core that are doors to an adapter: they import it when they are called.
DOORS = {"fastnn.network": {"fastnn.torch"}}
# What the core may import from outside: files need safetensors, and the progress bar, when asked for, tqdm.
CORE_OUTSIDE = {"fastnn._storage.files": {"safetensors"}, "fastnn.training.progress": {"tqdm"}}
LAZY = {"tqdm", "safetensors"}
# Imports that may point up, for types only: a callback says what it watches.
UPWARDS = {("fastnn.callbacks", "fastnn.training.trainer")}
# Private names of others that may be used, with the reason.
PRIVATE = {
    ("fastnn.torch.reading", "_forward_hooks"): "PyTorch has no public way to ask whether a module has hooks",
    ("fastnn.torch.reading", "_forward_pre_hooks"): "the same",
    ("fastnn.torch.reading", "_modules"): "named_children leaves out a module that occurs twice",
    ("fastnn.sklearn._hooks", "_init_callback_context"): "scikit-learn's own protocol for estimators",
}
# What the Python layer may ask of the engine; the rest is the engine's own.
ENGINE_FACE = {
    f"fastnn._engine.{name}"
    for name in ("model", "training", "random", "elementary", "threads", "cpu", "environment", "sparse")
}

# What a C library, a Python runtime or NumPy would decide otherwise on another machine, or would make slow.
FORBIDDEN_IN_KERNELS = (
    r"libc\.(stdlib|stdio)",
    r"\bimport numpy\b",
    r"\bcimport numpy\b",
    r"\b(malloc|calloc|realloc|free|printf|print)\s*\(",
    r"\bwith gil\b",
    r"\bobject\b(?!ive)",
    r"\b(raise|try|yield|lambda|assert)\b",
    r"\bexcept[ :]",
    r"^\s*def ",
    r"^\s*class ",
    r"^\s*cdef class ",
    r"^\s*global ",
    r"\bprange\b",
    r"\[:\]|\[::1\]",  # a typed memoryview
)


def stripped(path):
    """The source without comments, strings of documentation and continued lines."""
    text = re.sub(r'"""(.|\n)*?"""', '""', path.read_text())
    text = re.sub(r"#.*", "", text)
    while True:
        joined = re.sub(r"\(([^()\n]*)\n\s*", r"(\1 ", text)
        if joined == text:
            return text
        text = joined


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def cython_imports(path):
    """The modules that a .pyx or .pxd imports or cimports."""
    found = set()
    for line in stripped(path).splitlines():
        match = re.match(r"\s*from\s+([\w.]+)\s+c?import\b(.*)", line)
        if match:
            module, names = match.groups()
            if module in ("fastnn", "fastnn._engine", "fastnn._kernels"):
                found |= {f"{module}.{name}" for name in re.findall(r"(\w+)(?: as \w+)?", names)}
            else:
                found.add(module)
            continue
        match = re.match(r"\s*c?import\s+(.+)", line)
        if match:
            found |= {name.split()[0] for name in match.group(1).split(",")}
    return found


def python_imports(path, types=False):
    """{module: whether it is imported when this module is} of a .py; ``types``: those for type checkers too.

    A name that a package has from a module of its own counts as an import of that module.
    """
    found = {}

    def visit(node, at_import):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            if not types:
                return
            at_import = False
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names = [node.module]
            if node.module.split(".")[0] == "fastnn":
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if exists(name) else source_of(node.module, name) for name in names]
        for name in names:
            found[name] = found.get(name, False) or at_import
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, at_import and not inside)

    visit(ast.parse(path.read_text()), True)
    return found


def source_of(module, name):
    """The module that ``name``, of ``module``, comes from: another one where a package gives it on."""
    package = PACKAGE.parent.joinpath(*module.split("."), "__init__.py")
    if package.exists() and module != "fastnn":
        for node in ast.parse(package.read_text()).body:
            if isinstance(node, ast.ImportFrom) and any(name == f"{module}.{alias.name}" for alias in node.names):
                return node.module
    return module


def exists(name):
    """Whether ``name`` is a module of the package."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or any(path.with_suffix(suffix).exists() for suffix in (".py", ".pyx", ".pxd"))


def adapter_of(module):
    """The adapter that a module is, or is part of; None for the core."""
    return next((name for name in ADAPTERS if module == name or module.startswith(name + ".")), None)


def is_outside(module):
    top = module.split(".")[0]
    return top not in sys.stdlib_module_names and top not in ("fastnn", "numpy", "__future__")


def identity(path):
    return path.relative_to(ROOT).as_posix()


def test_the_files_are_found():
    assert {path.stem for path in KERNELS} == set(KERNEL_STRUCTS)
    assert {"simd", "table"} <= {path.stem for path in KERNEL_PARTS}
    assert {name.split(".")[-1] for name in ENGINE_FACE} <= {path.stem for path in ENGINE}
    assert {"network", "trainer", "commands", "_page", "harness"} <= {path.stem for path in PYTHON}


# --------------------------------------------------------------------- kernels


@pytest.mark.parametrize("path", [*KERNELS, *KERNEL_PARTS], ids=identity)
def test_kernels_import_nothing_above_themselves(path):
    parts = {f"fastnn._kernels.{part.stem}" for part in KERNEL_PARTS}
    below = {"libc.stdint", "libc.string", "libc.math", "cpython.pycapsule"}
    assert cython_imports(path) <= parts | below


@pytest.mark.parametrize("path", [*KERNELS, *KERNEL_PARTS, *ENGINE], ids=identity)
def test_of_the_c_library_only_what_is_exact(path):
    """Constants, tests, and the square root, which IEEE 754 rounds correctly."""
    for names in re.findall(r"from libc\.math cimport (.*)", stripped(path)):
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


# ---------------------------------------------------------------------- engine


@pytest.mark.parametrize("path", ENGINE, ids=identity)
def test_the_engine_imports_only_itself_and_the_kernels(path):
    own = {module_of(part) for part in ENGINE}
    declarations = {f"fastnn._kernels.{name}" for name in ("table", "tree")}
    for module in cython_imports(path) - own - declarations:
        top = module.split(".")[0]
        assert top in {"libc", "cpython", "numpy"} or top in sys.stdlib_module_names, module


@pytest.mark.parametrize("path", [path for path in ENGINE if path.suffix == ".pxd"], ids=identity)
def test_shared_engine_code_is_without_numpy(path):
    assert "numpy" not in cython_imports(path)


# ---------------------------------------------------------------- Python layer


@pytest.mark.parametrize("path", PYTHON, ids=identity)
def test_python_uses_the_engine_by_its_face_and_never_the_kernels(path):
    for module in python_imports(path):
        assert not module.startswith("fastnn._kernels"), module
        if module.startswith("fastnn._engine"):
            assert module in ENGINE_FACE
            assert adapter_of(module_of(path)) is None, "adapters use the Python layer"


def test_only_the_dispatcher_knows_where_kernels_are():
    """And the harness, which calls them without the engine."""
    users = {path.stem for path in PYTHON if "_kernels" in path.read_text()}
    assert users == {"instruction_sets", "harness"}


def test_verification_stands_on_the_core_and_the_core_does_without_it():
    for path in PYTHON:
        module = module_of(path)
        uses = {name for name in python_imports(path) if name.startswith("fastnn._verify")}
        if not module.startswith(("fastnn._verify", "fastnn.cli")):
            assert not uses, module


@pytest.mark.parametrize("path", PYTHON, ids=identity)
def test_the_core_imports_no_adapter(path):
    if adapter_of(module_of(path)) is None:
        doors = DOORS.get(module_of(path), set())
        for module, at_import in python_imports(path).items():
            assert adapter_of(module) is None or (adapter_of(module) in doors and not at_import), module


@pytest.mark.parametrize("path", PYTHON, ids=identity)
def test_outside_libraries_stay_in_their_adapters(path):
    module = module_of(path)
    adapter = adapter_of(module)
    allowed = ADAPTERS[adapter] if adapter else CORE_OUTSIDE.get(module, set())
    for imported, at_import in python_imports(path).items():
        if is_outside(imported):
            top = imported.split(".")[0]
            assert top in allowed, imported
            assert not (at_import and top in LAZY), f"{imported} has to be imported where it is used"


def circles(graph):
    """The modules that import one another, in groups, of {module: what it imports}."""
    numbers, lowest, stack, found = {}, {}, [], []

    def visit(module):
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for other in sorted(graph.get(module, ())):
            if other not in numbers:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], numbers[other])
        if lowest[module] == numbers[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1 or module in graph.get(module, ()):
                found.append(sorted(group))

    for module in sorted(graph):
        if module not in numbers:
            visit(module)
    return found


def test_python_without_circles():
    """Among the modules of the Python layer: imports within functions, and those for types alone, count."""
    graph, used = {}, set()
    for path in PYTHON:
        module = module_of(path)
        imports = {name for name in python_imports(path, types=True) if name.split(".")[0] == "fastnn"} - {module}
        used |= {(module, name) for name in imports} & UPWARDS
        graph[module] = {name for name in imports if (module, name) not in UPWARDS}
    assert circles(graph) == []
    assert used == UPWARDS
    for module, name in UPWARDS:
        assert name not in python_imports(PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")), "types only"


def test_engine_without_circles():
    """Among the modules of the engine; a .pyx and its own .pxd are one."""
    graph = {}
    for path in ENGINE:
        module = module_of(path)
        imports = {name for name in cython_imports(path) if name.startswith("fastnn._engine.")}
        graph.setdefault(module, set()).update(imports - {module})
    assert circles(graph) == []


@pytest.mark.parametrize("path", [path for path in PYTHON if adapter_of(module_of(path))], ids=identity)
def test_adapters_leave_the_engines_objects_alone(path):
    """A network's compiled model, and the state of a run, are for the Python layer."""
    uses = {ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not {text for text in uses if re.search(r"(trainer_?\.state|network_?\.model)\b", text)}


def private_names(tree):
    """(name, expression) of each ``x._name`` in a module where x is neither self nor cls nor a class of the module."""
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in {"self", "cls"} | classes):
                yield node.attr, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if is_private(alias.name) and not exists(f"{node.module}.{alias.name}"):
                    yield alias.name, f"from {node.module} import {alias.name}"


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


@pytest.mark.parametrize("path", PYTHON, ids=identity)
def test_nobody_reaches_into_anothers_private_parts(path):
    """A module reads and sets the private names of its own objects only, and imports none."""
    found = set(private_names(ast.parse(path.read_text())))
    assert {text for name, text in found if (module_of(path), name) not in PRIVATE} == set()


def test_every_exception_is_needed():
    used = {(module_of(path), name) for path in PYTHON for name, _ in private_names(ast.parse(path.read_text()))}
    assert PRIVATE.keys() <= used


def test_public_names_hold_no_logic():
    """``fastnn/__init__.py`` is imports and a docstring."""
    body = ast.parse((PACKAGE / "__init__.py").read_text()).body
    assert isinstance(body[0], ast.Expr)
    assert all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in body[1:])


# ----------------------------------------------------------------------- flags

UNSAFE = re.compile(
    r"-ffast-math|-Ofast|-funsafe-math|-fassociative-math|-freciprocal-math|/fp:fast|-march=native|-mrecip"
)


def sources():
    folders = [ROOT, PACKAGE, ROOT / ".ci", ROOT / "tools", ROOT / "benchmarks"]
    endings = {".py", ".pyx", ".pxd", ".h", ".toml", ".cfg", ".sh", ".in", ""}
    for folder in folders:
        for path in folder.rglob("*") if folder != ROOT else folder.glob("*"):
            if path.is_file() and path.suffix in endings:
                yield path


def test_nothing_is_compiled_with_unsafe_arithmetic():
    seen = 0
    for path in sources():
        match = UNSAFE.search(path.read_text(errors="replace"))
        assert not match, f"{path}: {match.group()}"
        seen += 1
    assert seen > 50
    assert "-ffp-contract=off" in (ROOT / "setup.py").read_text()


# ------------------------------------------------------ these tests can fail


def test_the_walk_sees_what_it_should(tmp_path):
    source = tmp_path / "x.pyx"
    source.write_text(
        '"""import os"""\n# import sys\nimport numpy as np, json\nfrom libc.math cimport (\n    sqrt\n)\n'
        "from fastnn import network\nfrom fastnn._engine cimport model as m\ncimport cython\n"
    )
    assert cython_imports(source) == {
        "numpy",
        "json",
        "libc.math",
        "fastnn.network",
        "fastnn._engine.model",
        "cython",
    }
    assert re.search(FORBIDDEN_IN_KERNELS[1], stripped(source))
    source = tmp_path / "x.py"
    source.write_text(
        "from typing import TYPE_CHECKING\nimport numpy\nfrom fastnn import network, Trainer\n"
        "if TYPE_CHECKING:\n    import click\n    from fastnn.training import Trainer, loop\n"
        "def f():\n    import tqdm.auto\n"
    )
    found = {"typing": True, "numpy": True, "fastnn.network": True, "fastnn": True, "tqdm.auto": False}
    assert python_imports(source) == found
    for_types = {"click": False, "fastnn.training.trainer": False, "fastnn.training.loop": False}
    assert python_imports(source, types=True) == found | for_types
    assert is_outside("tqdm.auto")
    assert not is_outside("importlib.resources")


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set(), "e": {"e"}}) == [["a", "b", "c"], ["e"]]


def test_private_parts_are_found():
    source = (
        "from m import _a, b\nclass C:\n    def f(self, other):\n        self._x = other._y\n        C._z(self._x._w)\n"
        "        del other.b._v\n        return other.__dict__\n"
    )
    assert sorted(name for name, _ in private_names(ast.parse(source))) == ["_a", "_v", "_w", "_y"]
