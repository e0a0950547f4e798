"""Private means private: no module reaches into the objects of another."""

import ast
import re

import pytest
from house import PYTHON, adapter_of, exists, identity, module_of

# Private names of others that may be used, with the reason.
PRIVATE = {
    ("fastnn.torch.reading", "_forward_hooks"): "PyTorch has no public way to ask whether a module has hooks",
    ("fastnn.torch.reading", "_forward_pre_hooks"): "the same",
    ("fastnn.torch.reading", "_modules"): "named_children leaves out a module that occurs twice",
    ("fastnn.sklearn._hooks", "_init_callback_context"): "scikit-learn's own protocol for estimators",
    ("fastnn.tables.model", "_repr_html_"): "the protocol of notebooks",
    ("fastnn.training.shown", "_repr_html_"): "the protocol of notebooks",
}


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


def test_private_parts_are_found():
    source = (
        "from m import _a, b\nclass C:\n    def f(self, other):\n        self._x = other._y\n        C._z(self._x._w)\n"
        "        del other.b._v\n        return other.__dict__\n"
    )
    assert sorted(name for name, _ in private_names(ast.parse(source))) == ["_a", "_v", "_w", "_y"]
