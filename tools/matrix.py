"""Builds fastnn by several compilers, optimisation levels and Pythons, and recomputes the golden digests with each.

``python tools/matrix.py`` prints a row for each build and instruction set: how many goldens are equal, of how many,
without threads and by several numbers of them. It fails if one differs. The last build does those of networks once more
in each of the `hostile` surroundings. ``--quick`` takes some minutes; without it, ask for an hour.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from builds import (
    COMPILERS,
    Build,
    Failure,
    Table,
    add_arguments,
    compile_sources,
    copy_sources,
    interpreter,
    version,
    working_folder,
)

SELF_NAMES = {"gcc": "GCC", "clang": "Clang"}  # in the macro that says what compiled
QUICK = {"levels": ["0"], "threads": [1, 3]}
QUICK_SURROUNDINGS = ("misaligned", "odd", "swapped", "upward-flush")


def compiled(tree: Path, folder: Path, python: str, compiler: str, level: str) -> Build:
    name = f"{compiler} -O{level} Python {version(python)}"
    library = compile_sources(tree, folder / name.replace(" ", "-"), python, level, CC=compiler)
    build = Build(name, library, [python])
    used = build.config()["compiler"]
    if not used.startswith(SELF_NAMES[compiler]):
        raise Failure(f"{name} was compiled by {used}")
    return build


def instruction_sets(build: Build, wanted: Sequence[str], table: Table) -> list[str]:
    """Return those that the machine can run of those wanted, or of all that were compiled; best first."""
    available = build.config()["instruction sets available"].split(", ")
    built = {path.name for path in (build.library / "fastnn/_kernels").iterdir() if path.is_dir()}
    for isa in set(wanted or built) - set(available):
        table.leave_out(f"{build.name} {isa}", "this machine does not run it")
    return [isa for isa in available if not wanted or isa in wanted]


def recompute(given: argparse.Namespace, folder: Path) -> int:
    table = Table(given.threads)
    compilers = [name for name in given.compilers if shutil.which(name)]
    for name in set(given.compilers) - set(compilers):
        table.leave_out(name, "not installed")
    tree, build = copy_sources(folder), None
    for python in (interpreter(name, folder) for name in given.pythons):
        for compiler in compilers:
            for level in given.levels:
                try:
                    build = compiled(tree, folder, python, compiler, level)
                    table.add(build, instruction_sets(build, given.isas, table))
                except Failure as failure:
                    table.fail(failure)
    if build is not None:
        isas = instruction_sets(build, given.isas, table)
        for surroundings in build.surroundings():
            if not given.quick:
                table.add(build, isas, surroundings)
            elif any(name in surroundings for name in QUICK_SURROUNDINGS):
                table.add(build, isas[:1], surroundings)
    return table.finish()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, COMPILERS, levels=["0", "2", "3"])
    parser.add_argument("--pythons", nargs="+", default=[sys.executable], metavar="PYTHON", help="names or paths")
    parser.add_argument("--isas", nargs="+", default=[], metavar="NAME", help="default: all that were compiled")
    parser.add_argument(
        "--quick", action="store_true", help="-O0 only, 1 and 3 threads, fewer surroundings by one instruction set"
    )
    if "--quick" in sys.argv:
        parser.set_defaults(**QUICK)
    given = parser.parse_args()
    with working_folder(given.folder) as folder:
        return recompute(given, folder)


if __name__ == "__main__":
    raise SystemExit(main())
