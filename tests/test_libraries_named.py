"""Errors name the library to install, never an extra of this package: on the index, its name is another project's."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "fastnn").rglob("*.py"))
TEXTS = sorted(
    path
    for folder in ("fastnn", "benchmarks", "docs", "examples", "tests", "tools")
    for pattern in ("*.py", "*.pyx", "*.md", "*.rst")
    for path in (ROOT / folder).rglob(pattern)
)
# An install of fastnn by its name, with or without extras; not of a checkout, '.[cli]', nor of a file.
FROM_AN_INDEX = re.compile(r"""pip3? install (-{1,2}[\w-]+ )*['"]?fastnn([\[\s'"`=<>~]|$)""")
NAMES = {"onnx", "torch", "scikit-learn", "matplotlib", "polars", "pyarrow", "tqdm"}


def identity(path):
    return path.relative_to(ROOT).as_posix()


def literals(source):
    """The text of each string literal; what an f-string puts in is left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)


def recommends_an_index(text):
    return "fastnn[" in text or FROM_AN_INDEX.search(text) is not None


def import_errors(source):
    """The messages of the ImportErrors that are raised."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Raise)
            and isinstance(node.exc, ast.Call)
            and ast.unparse(node.exc.func) == "ImportError"
        ):
            yield next(literals(ast.unparse(node.exc.args[0])))


def test_no_string_of_the_package_recommends_an_index():
    assert len(PACKAGE) > 100
    for path in PACKAGE:
        for text in literals(path.read_text(encoding="utf-8")):
            assert not recommends_an_index(text), (identity(path), text)


def test_no_page_or_tool_does():
    for path in TEXTS:
        if path != Path(__file__):
            found = FROM_AN_INDEX.search(path.read_text(encoding="utf-8"))
            assert found is None, (identity(path), found)


def test_every_import_error_names_a_library():
    found = {identity(path): list(import_errors(path.read_text(encoding="utf-8"))) for path in PACKAGE}
    unbuilt = found.pop("fastnn/_runtime/extensions.py")
    assert len(unbuilt) == 1
    libraries = set()
    for path, messages in found.items():
        for message in messages:
            named = re.search(r": pip install ([\w-]+)$", message)
            assert named, (path, message)
            libraries.add(named[1])
    assert libraries == NAMES


@pytest.mark.parametrize("text", ["pip install 'fastnn[onnx]'", "pip install -U fastnn", "pip install fastnn[cli] x"])
def test_what_must_not_stand_is_noticed(text):
    assert recommends_an_index(text)
    assert FROM_AN_INDEX.search(text)
    assert [*literals(f"raise ImportError(f'{{x}}: {text}')".replace("'fastnn[onnx]'", "fastnn[onnx]"))]


@pytest.mark.parametrize("text", ["pip install '.[cli]' && fastnn train digits", "pip install onnx", "pip install ."])
def test_what_may_stand_is_not(text):
    assert not recommends_an_index(text)
