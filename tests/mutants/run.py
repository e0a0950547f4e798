"""Breaks each rule of the numerics contract on purpose: ``python tests/mutants/run.py [-j N] [WORD…]``.

Every mutant is made in a copy of the tree, which has to be built in place; only the modules that it changes are built
again, and the golden digests are verified there. The exit status is 1 if a mutant survives. WORDs choose mutants by
their names.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutants import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent.parent

BUILD = """
from pathlib import Path
source = Path("setup.py").read_text()
chosen = '''
KERNELS, ENGINE, REALS = {kernels}, {engine}, {{dtype: REALS[dtype] for dtype in {dtypes}}}
ISA_FLAGS = {{isa: ISA_FLAGS[isa] for isa in {isas}}}
setup('''
exec(compile(source.replace("\\nsetup(", chosen), "setup.py", "exec"))
"""
VERIFY = """
import ctypes, ctypes.util, sys
from fastnn._verify.__main__ import main
if {environment}:
    libm, words = ctypes.CDLL(ctypes.util.find_library("m")), (ctypes.c_uint32 * 16)()
    libm.fegetenv(words)
    words[7] |= {environment}  # MXCSR, in the C library of Linux on x86-64
    libm.fesetenv(words)
sys.exit(main(["--json", "--isa", "{isas}", "--only", "{only}", "--threads", "1,2,3"]))
"""


class Useless(Exception):
    """A mutant that cannot be made, or a verification that did not come to its end."""


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FASTNN_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


def copied(folder: Path) -> None:
    """The tree, with what was built in place."""
    shutil.copytree(ROOT / "fastnn", folder / "fastnn", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder / name)


def changed(folder: Path, mutant: Mutant) -> None:
    for name, old, new in mutant.changes:
        path = folder / name
        text = path.read_text()
        if text.count(old) != 1:
            raise Useless(f"{name} holds {text.count(old)} times what is to be changed: {old.strip()!r}")
        path.write_text(text.replace(old, new))


def built(folder: Path, mutant: Mutant) -> None:
    if not mutant.kernels and not mutant.engine:
        return
    code = BUILD.format(
        kernels=mutant.kernels,
        engine=mutant.engine,
        isas=mutant.isas,
        dtypes=mutant.dtypes,
    )
    done = python(folder, "-c", code, "-q", "build_ext", "--inplace", "--force", "--parallel", "1")
    if done.returncode:
        raise Useless(f"it does not build: {done.stderr[-2000:]}")


def differing(folder: Path, mutant: Mutant) -> list[str]:
    """The goldens that differ."""
    code = VERIFY.format(isas=",".join(mutant.isas), only=mutant.only, environment=mutant.environment)
    done = python(folder, "-c", code)
    try:
        results = json.loads(done.stdout)["results"]
    except ValueError:
        raise Useless(f"verifying ended with status {done.returncode}: {done.stderr[-2000:]}") from None
    return sorted({result["golden"] for result in results if not result["ok"]})


def tried(mutant: Mutant) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        changed(folder, mutant)
        built(folder, mutant)
        return differing(folder, mutant)


def described(mutant: Mutant) -> tuple[bool, str]:
    """Whether all is as it should be, and a line about it."""
    label = f"{mutant.rule}  {mutant.name:<40}"
    try:
        found = tried(mutant)
    except Useless as error:
        return False, f"{label}  FAILED: {error}"
    if mutant.rule == 0:
        return not found, f"{label}  {'all goldens hold' if not found else 'DIFFERS: ' + ', '.join(found[:5])}"
    if not found:
        return False, f"{label}  SURVIVES"
    return True, f"{label}  caught by {len(found):>3}  {found[0]}"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    isas = tuple(sorted({isa for mutant in MUTANTS for isa in mutant.isas}))
    controls = [
        Mutant(0, "nothing changed", [], isas=isas),
        Mutant(0, "nothing changed, but flush-to-zero on", [], isas=isas, environment=0x8040),
        Mutant(0, "nothing changed, but rounding upward", [], isas=isas, environment=0x4000),
    ]
    chosen = [mutant for mutant in MUTANTS if not given.words or any(word in mutant.name for word in given.words)]
    print("rule  mutant")
    failed = 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for fine, line in pool.map(described, [*controls, *chosen]):
            failed += not fine
            print(line, flush=True)
    print(f"{len(chosen)} mutants, {failed} not as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
