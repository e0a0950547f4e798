"""The sources of the package by floor, and what each imports."""

import ast
import re
import sys
from pathlib import Path

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
    "fastnn._readers.polars_writing": {"polars"},
    "fastnn._readers.arrow_stream": {"pyarrow", "polars"},
    "fastnn.plot": {"matplotlib"},
    "fastnn.sklearn": {"sklearn", "scipy", "threadpoolctl"},  # scikit-learn itself needs the other two
    "fastnn.onnx": {"onnx"},
    "fastnn.torch": {"torch"},
    "fastnn.playground": {"starlette", "uvicorn"},
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
