"""Builds the sdist and a wheel for each Python, checks what they hold, and tests them where nothing else is installed.

``python tools/release.py build --folder dist`` makes the sdist of the files under version control, and from the sdist
alone a wheel by each Python. ``python tools/release.py check --folder dist`` compares what they hold with the sources
and installs each wheel in new virtual environments: one with the newest dependencies, one with exactly the lower bounds
in ``pyproject.toml`` (of a Python for which those had wheels), each by itself and with the extras. There it imports,
recomputes golden digests and runs the tests, those of the sdist, that need no more than is installed. A row is printed
for each environment; the exit status is 0 if all is well. Needs what ``pip install '.[release]'`` brings.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from email import message_from_bytes
from pathlib import Path

import distributions
from builds import ROOT, Failure, environment, version, working_folder
from environments import Environment, lower_bounds, needed_by_tests
from packaging.requirements import Requirement

EXTRAS = ("cli", "onnx", "playground", "sklearn")
# What the tests themselves need beside what they test; without PyTorch, which is large, tests that compare with it are
# left out.
TOOLS, MORE_TOOLS = ("pytest", "hypothesis", "mpmath"), ("onnxruntime", "pandas", "pyarrow")
DIGESTS = ["-m", "fastnn._verify", "--threads", "1,3"]
MINUTES_APART = ("test_faults", "test_resume_anywhere")  # tests that take minutes, and nothing of the environment


def run(command: Sequence[str | Path], what: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{what} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


# ----------------------------------------------------------------------- build


def build(given: argparse.Namespace) -> int:
    folder: Path = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Failure(f"{folder} must be empty: what is in it would pass for part of the release")
    with working_folder(None) as scratch:
        sdist = make_sdist(folder, scratch) if given.sdist is None else Path(shutil.copy2(given.sdist, folder))
        print(sdist.name, flush=True)
        for python in given.pythons:
            print(make_wheel(sdist, python, scratch).name, flush=True)
    return 0


def make_sdist(folder: Path, scratch: Path) -> Path:
    """Make an sdist of the files under version control, in a tree of their own."""
    tree = scratch / "tree"
    for name in distributions.tracked():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    run([sys.executable, "-m", "build", "--sdist", "--outdir", folder, tree], "the sdist")
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


def make_wheel(sdist: Path, python: str, scratch: Path) -> Path:
    """Make a wheel of the sdist alone, beside it, whose tag says which C library it needs: no index takes others."""
    place = Environment.new(scratch / f"build-{version(python)}", python)
    raw, named = scratch / f"raw-{version(python)}", scratch / f"named-{version(python)}"
    place.pip("wheel", "--no-deps", "--no-cache-dir", "--wheel-dir", str(raw), str(sdist))
    run([sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", named, *raw.glob("*.whl")], "auditwheel")
    (wheel,) = named.glob("*.whl")
    return Path(shutil.copy2(wheel, sdist.parent))


# ----------------------------------------------------------------------- check


def check(given: argparse.Namespace) -> int:
    folder: Path = given.folder.resolve()
    sdists, wheels = list(folder.glob("*.tar.gz")), sorted(folder.glob("*.whl"))
    if len(sdists) != 1 or not wheels:
        raise Failure(f"{folder} must hold one sdist and wheels; it has {len(sdists)} and {len(wheels)}")
    distributions.check_sdist(sdists[0])
    for wheel in wheels:
        distributions.check_wheel(wheel, sdists[0])
    run([sys.executable, "-m", "twine", "check", "--strict", *sdists, *wheels], "twine check")
    print(f"{sdists[0].name} and {len(wheels)} wheels hold what they ought to", flush=True)
    failures = 0
    with working_folder(given.work) as scratch:
        with tarfile.open(sdists[0]) as archive:
            archive.extractall(scratch, filter="data")
        sources = scratch / sdists[0].name.removesuffix(".tar.gz")
        for python in given.pythons:
            tag = "cp" + "".join(version(python).split(".")[:2])
            found = [wheel for wheel in wheels if f"-{tag}-" in wheel.name]
            if len(found) != 1:
                raise Failure(f"expected one wheel for {tag} in {folder}; got {len(found)}")
            for extras in [(), EXTRAS]:
                for oldest in [False, True]:
                    failures += not row(found[0], python, extras, oldest, scratch, sources)
    return 1 if failures else 0


def row(wheel: Path, python: str, extras: Sequence[str], oldest: bool, scratch: Path, sources: Path) -> bool:
    """Test one environment and print its row; return whether all went well."""
    title = f"Python {version(python)}, {'oldest' if oldest else 'newest'}, {', '.join(extras) or 'no extras'}"
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            metadata = message_from_bytes(archive.read(name))
        requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
        tools = TOOLS + MORE_TOOLS if extras else TOOLS
        place = Environment.new(scratch / title.replace(", ", "-").replace(" ", "-"), python)
        wanted = f"fastnn[{','.join(extras)}] @ {wheel.as_uri()}" if extras else str(wheel)
        bounds = lower_bounds(requirements, extras, tools)
        if oldest and not place.has_wheels(bounds):
            print(f"{title}: left out: no wheels of {' '.join(bounds)}", flush=True)
            return True
        place.pip("install", "--only-binary=:all:", wanted, *(bounds if oldest else tools))
        digests = place.python(DIGESTS, "the golden digests", scratch).strip().splitlines()[-1]
        tests, left_out = needed_by_tests(sources / "tests", place.modules())
        names = [f"tests/{test}.py" for test in tests if test not in MINUTES_APART]
        # Old releases meet dependencies of their own that are newer than they are, which warn.
        options = ["-q", "-p", "no:cacheprovider", *(["-W", "ignore::DeprecationWarning"] if oldest else [])]
        outcome = place.python(["-m", "pytest", *options, *names], "the tests", sources).strip().splitlines()[-1]
    except Failure as failure:
        print(f"{title}: {failure}", flush=True)
        return False
    print(f"{title}: {place.versions()}; {digests}; {outcome}; {len(names)} files of tests, not {left_out}", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for function in (build, check):
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function)
        command.add_argument("--folder", type=Path, required=True, help="of the sdist and the wheels")
        command.add_argument("--pythons", nargs="+", default=[sys.executable], metavar="PYTHON", help="names or paths")
    commands.choices["build"].add_argument("--sdist", type=Path, help="one that is there, to make wheels of")
    command.add_argument("--work", type=Path, help="where to make environments and leave them; default: temporary")
    given = parser.parse_args()
    try:
        return given.function(given)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
