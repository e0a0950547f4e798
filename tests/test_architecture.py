"""The house stands on its floors: adapters → Python layer → engine → kernels, and imports only go down."""

import ast
import re
import sys

import pytest
from house import (
    ADAPTERS,
    ENGINE,
    FORBIDDEN_IN_KERNELS,
    KERNEL_PARTS,
    KERNELS,
    PACKAGE,
    PYTHON,
    ROOT,
    adapter_of,
    cython_imports,
    identity,
    is_outside,
    module_of,
    python_imports,
    stripped,
)
from kernels import KERNEL_STRUCTS

# Methods of the core that are doors to an adapter: they import it when they are called.
DOORS = {"fastnn.network": {"fastnn.torch"}, "fastnn.tables.frames": {"fastnn._readers.arrow_stream"}}
# What ``python -m fastnn`` runs, which nothing imports.
MAIN = {"fastnn.__main__": {"fastnn.cli"}}
# What the core may import from outside: files need safetensors, and the progress bar, when asked for, tqdm.
CORE_OUTSIDE = {"fastnn._storage.files": {"safetensors"}, "fastnn.training.progress": {"tqdm"}}
LAZY = {"tqdm", "safetensors"}
# Imports that may point up, for types only: a callback says what it watches, and the package what it loads on use.
UPWARDS = {("fastnn.callbacks", "fastnn.training.trainer"), ("fastnn", "fastnn.sklearn")}
# What the Python layer may ask of the engine; the rest is the engine's own.
ENGINE_FACE = {
    f"fastnn._engine.{name}"
    for name in ("model", "training", "random", "elementary", "threads", "cpu", "environment", "sparse")
}


def test_the_files_are_found():
    assert {path.stem for path in KERNELS} == set(KERNEL_STRUCTS)
    assert {"simd", "table"} <= {path.stem for path in KERNEL_PARTS}
    assert {name.split(".")[-1] for name in ENGINE_FACE} <= {path.stem for path in ENGINE}
    assert {"network", "trainer", "commands", "_page", "harness"} <= {path.stem for path in PYTHON}


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
        doors, run = DOORS.get(module_of(path), set()), MAIN.get(module_of(path), set())
        for module, at_import in python_imports(path).items():
            adapter = adapter_of(module)
            assert adapter is None or adapter in run or (adapter in doors and not at_import), module


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
    graph, used, paths = {}, set(), {module_of(path): path for path in PYTHON}
    for module, path in paths.items():
        imports = {name for name in python_imports(path, types=True) if name.split(".")[0] == "fastnn"} - {module}
        used |= {(module, name) for name in imports} & UPWARDS
        graph[module] = {name for name in imports if (module, name) not in UPWARDS}
    assert circles(graph) == []
    assert used == UPWARDS
    for module, name in UPWARDS:
        assert name not in python_imports(paths[module]), "types only"


def test_engine_without_circles():
    """Among the modules of the engine; a .pyx and its own .pxd are one."""
    graph = {}
    for path in ENGINE:
        module = module_of(path)
        imports = {name for name in cython_imports(path) if name.startswith("fastnn._engine.")}
        graph.setdefault(module, set()).update(imports - {module})
    assert circles(graph) == []


def test_public_names_hold_no_logic():
    """``fastnn/__init__.py`` is imports and a docstring; some of them are for type checkers alone."""
    body = ast.parse((PACKAGE / "__init__.py").read_text()).body
    assert isinstance(body[0], ast.Expr)
    *imports, for_types = body[1:]
    assert isinstance(for_types, ast.If)
    assert ast.unparse(for_types.test) == "_typing.TYPE_CHECKING"  # which is no public name
    imports += for_types.body + for_types.orelse
    assert all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in imports)


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
