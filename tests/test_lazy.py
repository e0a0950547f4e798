"""Modules of the package load on first use, and say what is missing; importing the package loads none of them."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import fastnn as fn
from fastnn._runtime.lazy import LAZY

LIBRARIES = {"onnx": "onnx", "sklearn": "scikit-learn", "torch": "torch"}


def process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def public_modules():
    return {module.name for module in pkgutil.iter_modules(fn.__path__) if not module.name.startswith("_")}


def test_every_public_module_is_an_attribute():
    code = "import fastnn, sys; print(*(name for name in sys.modules if name.count('.') == 1))"
    at_import = {name.removeprefix("fastnn.") for name in process(code).stdout.split() if name.startswith("fastnn.")}
    commands = {"cli", "playground"}  # what is run, not called
    assert public_modules() - at_import == {*LAZY, *commands}
    for name in public_modules() - commands:
        assert getattr(fn, name) is importlib.import_module(f"fastnn.{name}")


@pytest.mark.parametrize("name", LAZY)
def test_they_load_on_first_use(name):
    code = (
        f"import fastnn as fn, sys; assert 'fastnn.{name}' not in sys.modules; assert '{name}' in dir(fn)\n"
        f"print(fn.{name}.__name__, fn.{name} is sys.modules['fastnn.{name}'])"
    )
    done = process(code)
    assert (done.stdout, done.stderr) == (f"fastnn.{name} True\n", "")


def test_importing_loads_no_library():
    names = ("matplotlib", "sklearn", "scipy", "onnx", "polars", "torch", "pandas", "click", "rich", "tqdm", "difflib")
    code = f"import fastnn, sys; dir(fastnn); print([name for name in {names} if name in sys.modules])"
    assert process(code).stdout == "[]\n"


def test_names_are_listed():
    assert {"Network", "plot", "tables", "__version__"} <= set(dir(fn))
    assert dir(fn) == sorted(dir(fn))


@pytest.mark.parametrize(
    ("module", "some"),
    [
        (fn.callbacks, {"Callback", "EarlyStopping"}),
        (fn.data, {"load_digits", "split", "standardize"}),
        (fn.losses, {"LOSSES", "CrossEntropy"}),
        (fn.plot, {"network", "learning_curve"}),
        (fn.sklearn, {"MLPClassifier", "MLPRegressor"}),
    ],
)
def test_names_of_modules_are_their_own(module, some):
    names = dir(module)
    assert some <= set(names)
    assert not {"np", "Any", "TYPE_CHECKING", "annotations", "checks", "explained", "Description"} & set(names)
    assert all(hasattr(module, name) for name in names)


@pytest.mark.parametrize(("name", "library"), LIBRARIES.items())
def test_a_missing_library_is_named(name, library):
    done = process(f"import sys; sys.modules['{name}'] = None; import fastnn as fn; fn.{name}")
    *_, last = done.stderr.splitlines()
    assert last.startswith("ImportError: fastnn.")
    assert last.endswith(f": pip install {library}")


def test_help_of_the_package_without_libraries():
    missing = "".join(f"sys.modules[{name!r}] = None; " for name in LIBRARIES)
    done = process(f"import pydoc, sys; {missing}import fastnn as fn; print(*dir(fn)); pydoc.render_doc(fn)")
    assert done.stderr == ""
    assert not set(LIBRARIES) & set(done.stdout.split())


def test_an_unknown_name():
    with pytest.raises(
        AttributeError, match=r"module 'fastnn' has no attribute 'Netwrok' \(did you mean 'Network'\?\)"
    ):
        _ = fn.Netwrok
    assert not hasattr(fn, "__path_of_nothing__")
