"""What an sdist and wheels of fastnn hold, against what they ought to; for `release`."""

from __future__ import annotations

import email
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from builds import ROOT, Failure

NOT_RELEASED = {".gitignore"}  # and what lies in .ci/
BY_THE_BUILD = re.compile(r"PKG-INFO|setup\.cfg|fastnn\.egg-info/.+")
LICENCES = {"LICENSE", "fastnn/datasets/README.md"}
PACKAGE_DATA = re.compile(r".*\.py|datasets/.+|py\.typed|_kernels/table\.pxd|_verify/golden\.json|playground/static/.+")
INSTRUCTION_SETS = {"x86_64": ("portable", "avx2", "avx512"), "aarch64": ("portable", "neon")}
DTYPES = ("float32", "float64")
SHARED = "_engine/_cython_utilities.so"  # what Cython would otherwise put into each module of the engine


def tracked() -> set[str]:
    """Return the files under version control, by their paths in the repository."""
    text = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    return set(filter(None, text.split("\0")))


def version() -> str:
    """Return what `fastnn._version` says, without importing what is not built."""
    text = (ROOT / "fastnn/_version.py").read_text(encoding="utf-8")
    return text.partition('"')[2].partition('"')[0]


def check_sdist(path: Path) -> None:
    """Check that the sdist holds every file under version control, what the build adds to any, and nothing else.

    Raises
    ------
    Failure
        If not; it names the files.
    """
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    wanted = {name for name in tracked() - NOT_RELEASED if not name.startswith(".ci/")}
    extra = {name for name in names - wanted if not BY_THE_BUILD.fullmatch(name)}
    _report(path, wanted - names, extra)


def check_wheel(path: Path, sdist: Path) -> None:
    """Check that the wheel holds modules, data, licences and every extension of the package, and nothing else.

    Raises
    ------
    Failure
        If not, or if its metadata tell of another version or name a licence file that is missing.
    """
    with tarfile.open(sdist) as archive:
        sources = {member.name.partition("/fastnn/")[2] for member in archive if member.isfile()}
    sources.discard("")
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise Failure(f"{path.name} is damaged")
        names = {name for name in archive.namelist() if not name.endswith("/")}
        (place,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(f"{place}/METADATA"))
    if metadata["Version"] != version() or place != f"fastnn-{version()}.dist-info":
        raise Failure(f"{path.name} is of version {metadata['Version']} in {place}; expected {version()}")
    if set(metadata.get_all("License-File", [])) != LICENCES:
        raise Failure(
            f"{path.name} names the licence files {metadata.get_all('License-File')}; expected {sorted(LICENCES)}"
        )
    wanted = {name for name in sources if PACKAGE_DATA.fullmatch(name)}
    wanted |= set(_extensions(sources, path.name))
    found = {_without_tag(name.removeprefix("fastnn/")) for name in names if name.startswith("fastnn/")}
    licences = {f"{place}/licenses/{name}" for name in LICENCES}
    others = {name for name in names if not name.startswith(("fastnn/", f"{place}/"))}
    _report(path, (wanted - found) | (licences - names), (found - wanted) | others)


def _extensions(sources: Iterable[str], wheel: str) -> Iterable[str]:
    """Yield the extensions that sources make on the machine of the wheel, as ``_engine/steps.so``."""
    machine = next((name for name in INSTRUCTION_SETS if wheel.endswith(f"{name}.whl")), None)
    if machine is None:
        raise Failure(f"{wheel}: expected a wheel for Linux on {' or '.join(INSTRUCTION_SETS)}")
    yield SHARED
    for source in sources:
        folder, _, name = source.rpartition("/")
        if not name.endswith(".pyx"):
            continue
        library = f"{name.removesuffix('.pyx')}.so"
        if folder == "_kernels":
            for isa in INSTRUCTION_SETS[machine]:
                yield from (f"_kernels/{isa}/{dtype}/{library}" for dtype in DTYPES)
        else:
            yield f"{folder}/{library}"


def _without_tag(name: str) -> str:
    """Return ``cpu.so`` for ``cpu.cpython-311-x86_64-linux-gnu.so``."""
    return re.sub(r"\.cpython-[^/]+\.so$", ".so", name)


def _report(path: Path, missing: set[str], extra: set[str]) -> None:
    if missing or extra:
        lines = [f"missing: {name}" for name in sorted(missing)] + [f"unexpected: {name}" for name in sorted(extra)]
        raise Failure(f"{path.name}:\n" + "\n".join(lines))
