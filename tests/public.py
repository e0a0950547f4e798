"""The public interface, found by a walk: every function, constructor and method that takes parameters, by name."""

import importlib
import inspect
import re

MODULES = [
    *("callbacks", "data", "elementary", "errors", "gradients", "history", "initializers", "inspection", "layers"),
    *("losses", "metrics", "network", "optimizers", "parameters", "records", "reproduction", "schedules"),
    *("tables", "tables.scores", "training", "onnx", "plot", "sklearn", "torch"),
]
SPECIAL = ("__call__", "__getitem__", "__setitem__", "__delitem__")


def name_of(function):
    """The name of a function, class or bound method: that of the class which defines it and its own."""
    module = function.__module__.removeprefix("fastnn.")
    return f"{module}.{function.__qualname__}"


def is_ours(value):
    return callable(value) and str(getattr(value, "__module__", "")).startswith("fastnn")


def parameters(function):
    """The parameters that a caller gives."""
    return {name: found for name, found in inspect.signature(function).parameters.items() if name != "self"}


def exported(module):
    """What a module offers under its own name: what it lists or, if it lists nothing, what it defines."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    is_package = hasattr(module, "__path__")
    for name in names:
        value = getattr(module, name)
        if is_ours(value) and (hasattr(module, "__all__") or is_package or value.__module__ == module.__name__):
            yield value


def methods(cls):
    for name in dir(cls):
        if name in SPECIAL or not name.startswith("_"):
            value = getattr(cls, name)
            if inspect.isroutine(value) and is_ours(value):
                yield value


def walked():
    """Name → function or class."""
    modules = [importlib.import_module(f"fastnn.{name}") for name in MODULES]
    found = {}
    for module in (importlib.import_module("fastnn"), *modules):
        for value in exported(module):
            for function in (value, *(methods(value) if isinstance(value, type) else ())):
                if parameters(function):
                    found[name_of(function)] = function
    return found


def called(function, arguments):
    """The result of a call with these arguments, each passed as its parameter wants it."""
    kinds = {name: parameter.kind for name, parameter in parameters(function).items()}
    nameless = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
    if not any(kinds[name] in nameless for name in arguments):
        return function(**arguments)
    return function(*arguments.values())


def described(page):
    """The functions and methods that a page of the reference describes, by qualified name."""
    for block in re.split(r"^\.\. ", page, flags=re.MULTILINE):
        directive = re.match(r"auto(class|function):: \S*?(\w+)\n", block)
        if directive:
            yield directive[2]
            for members in re.findall(r":members: (.+)", block):
                yield from (f"{directive[2]}.{member.strip()}" for member in members.split(","))
