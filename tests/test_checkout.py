"""What users do in a checkout after a plain ``pip install .``: its sources have no extensions, another folder has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn as fn

ROOT = Path(__file__).parent.parent
# Where the package that these tests run on lies: what is installed, to the copy of the checkout.
PLACE = Path(fn.__file__).parent.parent
NOT_SOURCES = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", ".*", "build", "dist", "*.egg-info", "runs")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout") / "fastnn"
    names = (
        "fastnn",
        "tests",
        "benchmarks",
        "tools",
        "pyproject.toml",
        "setup.py",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
    )
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=NOT_SOURCES)
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy2(ROOT / name, folder)
    return folder


def run(folder, *arguments):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FASTNN_", "PYTEST_"))}
    clean |= {"PYTHONPATH": str(PLACE), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    "arguments",
    [("-c", "import fastnn"), ("-c", "from fastnn.sklearn import MLPClassifier"), ("-m", "fastnn.cli", "--help")],
    ids=" ".join,
)
def test_importing_sources_that_are_not_built_says_what_to_do(checkout, arguments):
    done = run(checkout, *arguments)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith(f"ImportError: the fastnn in {checkout} has not been built for Python 3.")
    assert "run 'pip install -e .' there, or start Python in another folder if another fastnn is installed" in last
    assert done.stderr.count("Traceback") == 1
    assert "__init__" in done.stderr
    assert "_engine" not in done.stderr.replace(last, "")


def test_what_is_installed_is_used_from_another_folder(checkout, tmp_path):
    done = run(tmp_path, "-c", "import fastnn; print(fastnn.__file__)")
    assert done.stdout.strip() == fn.__file__


# -P leaves the current folder out of sys.path, as the script `pytest` does.
@pytest.mark.parametrize("python", [("-m",), ("-P", "-m")], ids=" ".join)
def test_the_tests_run_on_what_is_installed(checkout, python):
    (checkout / "tests/test_place.py").write_text(
        f"import fastnn\n\n\ndef test_place():\n    assert fastnn.__file__ == {fn.__file__!r}\n"
    )
    tests = ["tests/test_place.py", "tests/test_check.py", "tests/test_layers.py"]
    done = run(checkout, *python, "pytest", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("python", [("-m",), ("-P", "-m")], ids=" ".join)
def test_the_benchmarks_tests_run_on_what_is_installed(checkout, python):
    pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")
    done = run(
        checkout, *python, "pytest", "benchmarks", "-q", "-p", "no:cacheprovider", "-k", "same_updates and fastnn"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_ladder_runs_on_what_is_installed(checkout):
    done = run(checkout, "-m", "benchmarks.ladder", "--help")
    assert done.returncode == 0, done.stderr
    assert "--rungs" in done.stdout
    quick = ["--rungs", "rl", "--systems", "fastnn", "--rounds", "1", "--seconds", "0.01"]
    done = run(checkout, "-m", "benchmarks.ladder", *quick)
    assert done.returncode == 0, done.stderr
