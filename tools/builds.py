"""Builds of fastnn in folders of their own, and what the golden digests say of them; for `matrix` and `emulation`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = Path(__file__).with_name("hostile.py")
SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "fastnn")
NOT_SOURCES = shutil.ignore_patterns("*.so", "*.c", "__pycache__", "*.egg-info")
COMPILERS = ("gcc", "clang")
THREADS = [1, 2, 3, 7]
PROBE = "import json; from fastnn._runtime.configuration import config; print(json.dumps(config()))"


class Failure(Exception):
    """A build, or a run of one, that came to nothing."""


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of this process without what it says about Python and fastnn, and with the changes."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("FASTNN_", "PYTHON"))} | changes


# ---------------------------------------------------------------------- builds


@dataclass(frozen=True)
class Build:
    """fastnn as one compiler built it, and the command that runs Python on it."""

    name: str
    library: Path
    python: Sequence[str]
    more_paths: Sequence[Path] = field(default=())

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join(map(str, [self.library, *self.more_paths]))
        clean = environment(PYTHONPATH=paths, PYTHONDONTWRITEBYTECODE="1")
        # In its folder: Python looks into the current one first, and that may be a checkout.
        return subprocess.run([*self.python, *arguments], cwd=self.library, env=clean, capture_output=True, text=True)

    def config(self) -> dict[str, str]:
        """Return what `fastnn.show_config` shows."""
        done = self.run("-c", PROBE)
        if done.returncode:
            raise Failure(f"{self.name} cannot be imported:\n{done.stderr}")
        return json.loads(done.stdout)

    def surroundings(self) -> list[list[str]]:
        """Return the arguments of `hostile` for each of its surroundings."""
        return [line.split() for line in self.run(str(HOSTILE), "--list").stdout.splitlines()]

    def goldens(self, isa: str, threads: Iterable[int], hostile: Sequence[str] = ()) -> list[dict[str, object]]:
        """Return the results of ``python -m fastnn._verify``, in the `hostile` surroundings that the arguments name."""
        command = [str(HOSTILE), *hostile] if hostile else ["-m", "fastnn._verify"]
        done = self.run(*command, "--json", "--isa", isa, "--threads", ",".join(map(str, threads)))
        try:
            return json.loads(done.stdout)["results"]
        except ValueError:
            what = f"{self.name} {isa} {' '.join(hostile)}"
            raise Failure(f"{what}: exit status {done.returncode}\n{done.stdout}{done.stderr}") from None


def copy_sources(folder: Path) -> Path:
    """Copy the sources into the folder, with the C that there is, or will be generated once for all builds."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for source in (ROOT / name for name in SOURCES):
        if source.is_dir():
            shutil.copytree(source, tree / source.name, ignore=NOT_SOURCES)
        else:
            shutil.copy2(source, tree)
    if (ROOT / "build/cython").is_dir():
        shutil.copytree(ROOT / "build/cython", tree / "build/cython")  # used where it is of the same sources
    return tree


def compile_sources(tree: Path, folder: Path, python: str, level: str, **changes: str) -> Path:
    """Build every extension with -O``level``, ``changes`` in the environment; return the folder to import from.

    That the level was used is read from the commands that the build prints, where the last -O counts.
    """
    library = folder / "lib"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    changes["CFLAGS"] = f"{changes.get('CFLAGS', '')} -O{level}".strip()
    command = [python, "setup.py", "build", "--build-base", str(folder), "--build-lib", str(library)]
    log = folder / "build.log"
    with log.open("w") as file:
        done = subprocess.run(command, cwd=tree, env=environment(**changes), stdout=file, stderr=subprocess.STDOUT)
    text = log.read_text()
    if done.returncode:
        raise Failure(f"{folder.name} does not build; the end of {log}:\n{text[-3000:]}")
    used = Counter(
        re.findall(r"\s(-O\S*)", line)[-1] for line in text.splitlines() if re.search(r"\s-c\s.*\.o\b", line)
    )
    if used != {f"-O{level}": len(list(library.rglob("*.so")))}:
        raise Failure(f"{folder.name} was compiled with {dict(used)}, not all of it with -O{level}")
    return library


def interpreter(given: str, folder: Path) -> str:
    """Return the interpreter, or that of a new virtual environment if it cannot build and run fastnn as it is."""
    found = shutil.which(given)
    if found is None:
        raise Failure(f"there is no {given!r}")
    needed = "import Cython, numpy, safetensors, setuptools"
    if subprocess.run([found, "-c", needed], stderr=subprocess.DEVNULL).returncode == 0:
        return found
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    requirements = project["build-system"]["requires"] + project["project"]["dependencies"]
    place = folder / f"venv-{version(found)}"
    subprocess.run([found, "-m", "venv", "--clear", place], check=True)
    subprocess.run([place / "bin/python", "-m", "pip", "install", "--quiet", *requirements], check=True)
    return str(place / "bin/python")


def version(python: str) -> str:
    return subprocess.check_output(
        [python, "-c", "import platform; print(platform.python_version())"], text=True
    ).strip()


# ----------------------------------------------------------------------- table


class Table:
    """A row for each instruction set of each build, printed as it comes: how many goldens are equal, of how many."""

    def __init__(self, threads: Sequence[int]) -> None:
        self.threads = threads
        self.equal = 0
        self.different: list[str] = []
        self.failures: list[str] = []
        self.left_out: list[str] = []
        columns = ["without", *(f"{n} thread{'s' * (n > 1)}" for n in threads)]
        print(f"{'goldens equal':<60}" + "".join(f"{column:>11}" for column in columns), flush=True)

    def add(self, build: Build, isas: Iterable[str], hostile: Sequence[str] = ()) -> None:
        for isa in isas:
            try:
                title = " ".join([build.name, isa, *(word for word in hostile if not word.startswith("--"))])
                self._row(title, build.goldens(isa, self.threads, hostile))
            except Failure as failure:
                self.fail(failure)

    def _row(self, title: str, results: list[dict[str, object]]) -> None:
        cells = []
        for n in (None, *self.threads):
            found = [result for result in results if result["threads"] == n]
            equal = sum(result["ok"] is True for result in found)
            self.equal += equal
            self.different += [f"{title}, threads {n}: {result['golden']}" for result in found if not result["ok"]]
            cells.append(f"{equal}/{len(found)}" if found else "-")
        print(f"{title:<60}" + "".join(f"{cell:>11}" for cell in cells), flush=True)

    def fail(self, failure: Failure) -> None:
        print(failure, flush=True)
        self.failures.append(str(failure).partition("\n")[0])

    def leave_out(self, what: str, why: str) -> None:
        print(f"left out: {what}: {why}", flush=True)
        self.left_out.append(what)

    def finish(self) -> int:
        """Print the sums; return the exit status."""
        for line in self.different[:20]:
            print("differs:", line)
        for line in self.failures:
            print("failed:", line)
        print(
            f"{self.equal} goldens equal, {len(self.different)} different, {len(self.failures)} builds or runs failed"
        )
        if self.left_out:
            print("left out:", "; ".join(self.left_out))
        return 0 if self.equal and not self.different and not self.failures else 1


# ------------------------------------------------------------------- arguments


def add_arguments(parser: ArgumentParser, compilers: Sequence[str], levels: Sequence[str]) -> None:
    """Add the arguments that the two tools share."""
    default = "default: %(default)s"
    parser.add_argument("--compilers", nargs="+", default=compilers, choices=COMPILERS, metavar="NAME", help=default)
    parser.add_argument("--levels", nargs="+", default=levels, metavar="N", help=f"the N of -O; {default}")
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS, metavar="N", help=default)
    parser.add_argument("--folder", type=Path, help="where to build and to leave it; default: a temporary folder")


@contextlib.contextmanager
def working_folder(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="fastnn-") as name:
            yield Path(name)
    else:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
