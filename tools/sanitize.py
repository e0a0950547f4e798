"""Builds fastnn with a sanitizer of the compiler, or for valgrind, and runs tests on that build.

``python tools/sanitize.py address,undefined`` runs the tests that `TESTS` names, with ``--quick`` those of `QUICK`,
which take some minutes. What else is given goes to pytest; files of tests take the place of the usual ones:
``python tools/sanitize.py thread tests/test_engine_together.py``. The modes are

address     AddressSanitizer: accesses outside an allocation or after its end; the gaps between an arena's parts count.
undefined   UndefinedBehaviorSanitizer; may be combined with address, as above.
thread      ThreadSanitizer: two threads at one place, and nothing that orders them.
memcheck    valgrind: also what depends on memory that nobody has written.

It prints every report and how many there were, and fails if there was one or a test failed. What is known to be
no fault of fastnn's stands in ``tools/suppressions``, with the reason. ``--folder`` keeps the build and uses it again.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builds import ROOT, Failure, compile_sources, copy_sources, environment, working_folder

# Inlined into every tile, as they are for speed, the kernels would take most of the time of a build.
NOT_INLINED = "-UCYTHON_INLINE -DCYTHON_INLINE=inline"
SUPPRESSIONS = Path(__file__).with_name("suppressions")
# Names of files of tests, as tests/test_*.py, and then what else goes to pytest.
TESTED_THREADS = "thread or interrupt or two_runs or together or forks"
# Not the engine's tests of graphs at random and of branches in every combination, which take longer than all others.
QUICK_ENGINE = [f"engine_{name}" for name in ("model", "gradients", "updates", "runs", "together", "divergence")]
QUICK_CHECKED = ["kernels_*", *QUICK_ENGINE, "engine_evaluation", "engine_sums", "sparse*", "pieces", "limits"]
TESTS = {
    "address": ["*"],
    "undefined": ["*"],
    "thread": ["engine_*", "same_bits*", "sparse*", "training*", "faults", "-k", TESTED_THREADS],
    "memcheck": ["kernels_*"],
}
QUICK = {
    "address": QUICK_CHECKED,
    "undefined": QUICK_CHECKED,
    "thread": ["engine_*", "faults", "-k", "together or two_runs or several_python or another_thread or wide_first"],
    "memcheck": ["kernels_batch"],
}
# That a report has been made, in a log: once a report.
REPORT = re.compile(r"^SUMMARY: \w+Sanitizer|runtime error:|^==\d+== (?=\S.*\n==\d+==    at )", re.MULTILINE)


@dataclass(frozen=True)
class Mode:
    """How a tool is compiled in, brought along and set."""

    flags: str = ""
    preload: Sequence[str] = ()
    settings: dict[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()


# Memory that Python never gives back is no leak; a test asks for more memory than there is; libstdc++ is there for
# extensions written in C++, whose exceptions AddressSanitizer wants to know from the start.
MODES = {
    "address": Mode(
        flags="-fsanitize=address -fsanitize-recover=address -fno-omit-frame-pointer",
        preload=("libasan.so", "libstdc++.so.6"),
        settings={"ASAN_OPTIONS": "detect_leaks=0:halt_on_error=0:allocator_may_return_null=1:log_path={log}"},
    ),
    "undefined": Mode(
        flags="-fsanitize=undefined,float-cast-overflow",
        settings={"UBSAN_OPTIONS": "print_stacktrace=1:log_path={log}"},
    ),
    "thread": Mode(
        flags="-fsanitize=thread -fno-omit-frame-pointer",
        preload=("libtsan.so",),
        settings={"TSAN_OPTIONS": "die_after_fork=0:allocator_may_return_null=1:history_size=4:log_path={log}"},
    ),
    "memcheck": Mode(
        settings={"PYTHONMALLOC": "malloc"},
        command=("valgrind", "--quiet", "--suppressions={suppressions}/memcheck.txt", "--log-file={log}.%p"),
    ),
}


def chosen(names: str) -> list[Mode]:
    """Return the modes of ``address``, or of ``address,undefined``."""
    found = names.split(",")
    if not set(found) <= set(MODES) or (len(found) > 1 and set(found) != {"address", "undefined"}):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(MODES)}, or address,undefined; got {names!r}")
    return [MODES[name] for name in found]


def usual_tests(mode: str, quick: bool = False) -> list[str]:
    """Return `TESTS` or `QUICK` as arguments for pytest."""
    found = []
    for word in (QUICK if quick else TESTS)[mode]:
        found += sorted(str(path) for path in ROOT.glob(f"tests/test_{word}.py")) or [word]
    return found


def library_file(name: str) -> str:
    """Return where the compiler has a library."""
    return subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip()


def build(modes: Sequence[Mode], isas: Sequence[str], level: str, folder: Path) -> Path:
    """Build, with line numbers for reports; return the folder to import from."""
    library = folder / "build/lib"
    if not library.exists():
        flags = " ".join(["-g1", NOT_INLINED, *(mode.flags for mode in modes)])
        changes = {"CC": "gcc", "CFLAGS": flags, "FASTNN_BUILD_ISAS": " ".join(isas)}
        compile_sources(copy_sources(folder), folder / "build", sys.executable, level, **changes)
    return library


def run_tests(modes: Sequence[Mode], library: Path, tests: Sequence[str], log: Path) -> int:
    """Run pytest; return its exit status."""
    places = {"suppressions": SUPPRESSIONS, "log": log}
    settings = {name: text.format(**places) for mode in modes for name, text in mode.settings.items()}
    preload = [library_file(name) for mode in modes for name in mode.preload]
    if preload:
        settings["LD_PRELOAD"] = " ".join(preload)
    command = [word.format(**places) for mode in modes for word in mode.command]
    clean = environment(PYTHONPATH=str(library), PYTHONDONTWRITEBYTECODE="1", **settings)
    pytest = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run([*command, *pytest], cwd=ROOT, env=clean).returncode


def reports(log: Path) -> int:
    """Print what the tools have written; return the number of reports."""
    texts = [path.read_text(errors="replace") for path in sorted(log.parent.iterdir())]
    for text in texts:
        print(text)
    return sum(len(REPORT.findall(text)) for text in texts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", metavar="mode", type=chosen, help=f"{', '.join(MODES)}, or address,undefined")
    parser.add_argument("--isas", nargs="+", default=[], metavar="NAME", help="default: all for this kind of machine")
    parser.add_argument(
        "--level", default="1", metavar="N", help="the N of -O; 0 builds faster, and then tests are slow"
    )
    parser.add_argument("--quick", action="store_true", help="fewer tests")
    parser.add_argument("--folder", type=Path, help="where to build and to leave it; default: a temporary folder")
    given, tests = parser.parse_known_args()
    if not any((ROOT / word.partition("::")[0]).exists() for word in tests):
        name = next(name for name, mode in MODES.items() if mode is given.modes[0])
        tests = [*usual_tests(name, given.quick), *tests]
    with working_folder(given.folder) as folder:
        try:
            library = build(given.modes, given.isas, given.level, folder)
        except Failure as failure:
            print(failure)
            return 1
        log = folder / "reports/log"
        shutil.rmtree(log.parent, ignore_errors=True)
        log.parent.mkdir()
        status = run_tests(given.modes, library, tests, log)
        found = reports(log)
    print(f"{found} reports; pytest's exit status {status}")
    return 0 if status == 0 and found == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
