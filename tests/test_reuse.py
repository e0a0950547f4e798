"""A second build takes what the first has made, as long as all that it was made of is the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("Cython", reason="Cython is not installed")
pytest.importorskip("setuptools", reason="setuptools is not installed")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

ROOT = Path(__file__).parent.parent
# Two modules and what they need: as much as shows which of them a build makes.
MODULES = {
    "_engine/cpu",
    "_engine/_cython_utilities",
    "_kernels/portable/float32/batch",
    "_kernels/portable/float64/batch",
}
KERNEL = {"_kernels/portable/float32/batch", "_kernels/portable/float64/batch"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Sources of a few modules, built once."""
    tree = tmp_path_factory.mktemp("sources")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tree)
    for path in [*ROOT.glob("fastnn/_*/*.pxd"), *ROOT.glob("fastnn/_*/*.h"), *ROOT.glob("fastnn/_*/operations/*.pxd")]:
        copied = tree / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copied)
    for name in ("_engine/cpu.pyx", "_kernels/batch.pyx", "__init__.py", "_version.py", "datasets/README.md"):
        (tree / "fastnn" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / "fastnn" / name, tree / "fastnn" / name)
    assert build(tree) == MODULES
    return tree


@pytest.fixture
def sources(built, tmp_path):
    """A copy of them, with what was built."""
    return Path(shutil.copytree(built, tmp_path / "copy"))


def build(tree, *arguments, **environment):
    """Build; give the modules that were compiled. All of them must be there afterwards, and nothing else."""
    command = [sys.executable, "setup.py", "build", "--build-base", "build", "--build-lib", "lib", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FASTNN_", "CFLAGS", "CC"))}
    clean |= {"FASTNN_BUILD_ISAS": "portable", "CFLAGS": "-O0"} | environment
    done = subprocess.run(command, cwd=tree, env=clean, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names = {path.relative_to(tree / "lib/fastnn") for path in (tree / "lib").rglob("*.so")}
    isas = clean["FASTNN_BUILD_ISAS"].split()
    assert len(names) == 2 + 2 * len(isas)
    assert {path.parts[1] for path in names if path.parts[0] == "_kernels"} == set(isas)
    linked = [line.split(" -o ")[1].split()[0] for line in done.stdout.splitlines() if " -shared " in line]
    return {name.partition("/fastnn/")[2].partition(".")[0] for name in linked}


def append(path, text):
    path.write_text(path.read_text() + text)


def test_nothing_is_built_twice(sources):
    assert build(sources) == set()
    for path in sources.rglob("fastnn/**/*.*"):
        path.touch()
    assert build(sources) == set(), "what counts is what files hold"
    assert build(sources, "--build-base", "elsewhere") == set()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("_engine/cpu.pyx", "\nmore = 1\n", {"_engine/cpu"}),
        ("_kernels/batch.pyx", "\nmore = 1\n", KERNEL),
        ("_kernels/table.pxd", "\ncdef enum:\n    MORE = 1\n", KERNEL),
        ("_kernels/simd.h", "\n/* more */\n", {"_engine/cpu", *KERNEL}),
    ],
)
def test_what_depends_on_a_changed_source_is_built_again(sources, name, text, expected):
    append(sources / "fastnn" / name, text)
    assert build(sources) == expected
    assert build(sources) == set()


def test_other_flags_build_everything_again(sources):
    assert build(sources, CFLAGS="-O0 -DMORE") == MODULES
    assert build(sources, CFLAGS="-O0 -DMORE") == set()
    assert build(sources, LDFLAGS="-Wl,-O1", CFLAGS="-O0 -DMORE") == MODULES


def test_another_compiler_builds_everything_again(sources, tmp_path):
    compiler = tmp_path / "compiler"
    text = """#!/bin/sh
for word; do [ "$word" = --version ] && echo {} && exit; done
exec gcc "$@"
"""
    compiler.write_text(text.format("one"))
    compiler.chmod(0o755)
    assert build(sources, CC=str(compiler)) == MODULES
    assert build(sources, CC=str(compiler)) == set()
    compiler.write_text(text.format("two"))
    assert build(sources, CC=str(compiler)) == MODULES, "the same name, another version"


def test_another_cython_translates_and_builds_everything_again(sources):
    notes = list(sources.glob("build/cython/**/*.sha256"))
    assert len(notes) == 3
    for note in notes:
        note.write_text("of another version")
    c_file = notes[0].with_suffix("")
    append(c_file, "\n/* as another version of Cython translates */\n")
    build(sources)
    assert "another version" not in c_file.read_text()


def test_instruction_sets_that_are_not_wanted_are_not_in_a_later_build(sources):
    """Of each number of them, that number is there; `build` asserts it."""
    setup = (sources / "setup.py").read_text()
    assert 'ISA_FLAGS["avx2"]' in setup
    build(sources, FASTNN_BUILD_ISAS="portable avx2")
    assert build(sources) == set()


def test_a_build_that_was_broken_off_is_no_build(sources):
    (kept,) = sources.glob("build/extensions/fastnn/_engine/cpu.*.so")
    kept.write_bytes(b"")
    kept.with_name(kept.name + ".sha256").unlink()
    assert build(sources) == {"_engine/cpu"}
