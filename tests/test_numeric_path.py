"""What the Python layer computes with: operations that IEEE 754 rounds correctly, and the package's own functions.

NumPy's sums, means and products depend on the instruction set that it was built for and runs on; its exp, log, cos and
powers, and those of ``math``, on the C library; the built-in ``sum`` of floats on the version of Python. So each name
of ``numpy`` and ``math`` that is used where numbers come about has to be one of those below, and what could hide behind
a method, an operator or a built-in function is told by its name.
"""

import ast
import re
from pathlib import Path

import pytest

import fastnn

PACKAGE = Path(fastnn.__file__).parent
SOURCES = Path(__file__).parent.parent / "fastnn"  # what is installed has no .pyx

FOLDERS = ("", "_input", "_lowering", "_runtime", "_storage", "tables", "training")
# Where no number of a network, or of its data, comes about.
ELSEWHERE = {"_version", "errors", "_runtime/configuration", "_runtime/instruction_sets", "_storage/durable"}
ELSEWHERE |= {"_input/target_hints"}  # what errors say
MODULES_FOUND = {
    path.relative_to(PACKAGE).with_suffix("").as_posix()
    for folder in FOLDERS
    for path in (PACKAGE / folder).glob("*.py")
}
NUMERIC_PATH = sorted(MODULES_FOUND - ELSEWHERE)

ALLOWED = {
    "numpy": {
        "types and constants": "ndarray generic dtype bool_ floating integer inf nan",
        "numbers": "int32 float32 float64 int64 uint64 uint8 intp",
        "memory, no arithmetic": "array asarray ascontiguousarray require empty empty_like zeros ones full arange",
        "joined": "concatenate",
        "memory of others, and copies": "from_dlpack stack",
        "choice and comparison, no rounding": "where minimum maximum clip array_equal isfinite isinf isnan isin shape",
        "order": "argsort sort unique",
        "whole numbers": "flatnonzero count_nonzero bincount divmod unravel_index",
        "correctly rounded, one element at a time": "sqrt abs",
        "not about values": "load memmap errstate datetime64 timedelta64 may_share_memory",
    },
    "math": {
        "constants": "inf nan pi",
        "tests": "isfinite",
        "correctly rounded": "sqrt",
    },
}
METHODS = {
    "sum",
    "mean",
    "std",
    "var",
    "prod",
    "cumsum",
    "cumprod",
    "dot",
    "trace",
    "round",
    "average",
    "ptp",
    "reduce",
}
METHODS |= {"accumulate", "reduceat", "outer", "matmul", "norm", "fsum", "hypot"}
BUILT_IN = {"sum", "pow", "round", "divmod", "complex"}
MODULES = {"random", "statistics", "cmath", "decimal", "fractions"}

TOTAL_SIZE = "sum(((shape[0] + padding) * (shape[1] + padding if len(shape) > 1 else 1) for shape in shapes))"
OUTPUTS = "sum(written)"
READ = "sum((text in written.bodies for text in cells.texts or ()))"
# What is named like the above and is exact all the same.
EXCEPTIONS = {
    ("data", "counts.sum"): "whole numbers",
    ("_lowering/lowering", TOTAL_SIZE): "whole numbers",
    ("_lowering/lowering", OUTPUTS): "whole numbers",
    ("network", "sum(widths)"): "whole numbers",
    ("layers", "math.prod"): "whole numbers, in an error",
    ("_storage/descriptions", "sum((not field.kw_only for field in fields))"): "whole numbers",
    ("tables/number_texts", READ): "whole numbers",
    ("tables/dates", "scaler.mean"): "an attribute of the Standardizer",
    ("tables/encoders", "scaler.mean"): "an attribute of the Standardizer",
    ("tables/targets", "scaler.mean"): "an attribute of the Standardizer",
    ("training/usual_targets", "np.maximum.reduce"): "the largest, of whole numbers",
}


def found_in(tree):
    """(text as of `ast.unparse`, whether it is allowed) for everything in a module that could compute."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                modules[alias.asname or alias.name] = alias.name
                if alias.name.split(".")[0] in MODULES:
                    yield f"import {alias.name}", False
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("numpy", "math", *MODULES):
            yield f"from {node.module}", node.module == "numpy.typing"
    allowed = {module: set(" ".join(kinds.values()).split()) for module, kinds in ALLOWED.items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            base = modules.get(ast.unparse(node.value))
            if base in allowed:
                yield text, node.attr in allowed[base]
            elif node.attr in METHODS and ast.unparse(node.value) != "self":
                yield text, False
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Pow | ast.MatMult):
            parts = (node.left, node.right) if isinstance(node, ast.BinOp) else ()
            whole = [isinstance(part, ast.Constant) and type(part.value) is int for part in parts]
            yield ast.unparse(node), isinstance(node.op, ast.Pow) and bool(whole) and all(whole)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILT_IN:
            yield ast.unparse(node), False


@pytest.mark.parametrize("module", NUMERIC_PATH)
def test_only_what_is_exact_or_our_own(module):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    wrong = [text for text, allowed in found_in(tree) if not allowed and (module, text) not in EXCEPTIONS]
    assert not wrong, wrong


@pytest.mark.parametrize("path", sorted(SOURCES.glob("_engine/*.pyx")), ids=lambda path: path.stem)
def test_the_engine_has_memory_of_numpy_and_no_numbers(path):
    memory = {"empty", "array", "asarray", "ascontiguousarray", "frombuffer"}
    types = {"dtype", "float32", "float64", "int32", "int64", "uint32", "uint64"}
    order = {"partition"}  # of whole numbers
    assert set(re.findall(r"\bnp\.(\w+)", path.read_text(encoding="utf-8"))) <= memory | types | order


def test_the_modules_are_found():
    assert ELSEWHERE < MODULES_FOUND
    assert {"network", "training/trainer", "tables/targets", "_input/checks"} <= set(NUMERIC_PATH)


def test_nothing_is_allowed_that_is_not_used():
    used, excepted = set(), set()
    for module in NUMERIC_PATH:
        for text, allowed in found_in(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
            used.add(text)
            if not allowed:
                excepted.add((module, text))
    assert excepted == set(EXCEPTIONS)
    for prefix, kinds in (("np", ALLOWED["numpy"]), ("math", ALLOWED["math"])):
        names = {f"{prefix}.{name}" for name in " ".join(kinds.values()).split()}
        assert names <= used, names - used


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nx = np.sum(y)",
        "import numpy as np\nx = np.exp(y)",
        "import numpy as np\nx = np.linalg.norm(y)",
        "import numpy as np\nx = np.random.default_rng(0)",
        "import numpy as np\nx = np.add.reduce(y)",
        "import numpy\nx = numpy.dot(y, y)",
        "import numpy as n\nx = n.einsum('i,i', y, y)",
        "from numpy import mean",
        "import math\nx = math.cos(y)",
        "from math import pow",
        "import random",
        "from statistics import mean",
        "x = y.mean()",
        "x = y.std(axis=0)",
        "x = (y * y).sum()",
        "x = y ** 2",
        "x = 2.0 ** y",
        "x **= 2",
        "x = a @ b",
        "x = sum(y)",
        "x = pow(y, 3)",
        "x = round(y, 2)",
    ],
)
def test_these_would_be_found(source):
    assert not all(allowed for _, allowed in found_in(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nx = np.sqrt(y) / np.abs(z)",
        "from numpy.typing import ArrayLike",
        "import math\nx = math.pi * y",
        "from fastnn import elementary\nx = elementary.exp(y)",
        "x = 2**64 - 1",
        "x = {**a}; f(**a)",
        "x = y.any() and y.max()",
    ],
)
def test_these_are_fine(source):
    assert all(allowed for _, allowed in found_in(ast.parse(source)))
