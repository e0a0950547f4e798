"""Builds fastnn for processors that are not here, and recomputes the golden digests under user-mode emulation.

``python tools/emulation.py aarch64 s390x nehalem`` needs Debian or a relative of it: QEMU's user-mode emulators
(qemu-user-static), the cross compilers with their C library's headers (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross;
gcc-s390x-linux-gnu, libc6-dev-s390x-cross), and apt-get and pip to fetch the other machine's Python, NumPy and
safetensors into the working folder. It needs no special rights and installs nothing. What is left out is said, and why;
only if nothing is left is that a failure.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from builds import (
    Build,
    Failure,
    Table,
    add_arguments,
    compile_sources,
    copy_sources,
    version,
    working_folder,
)

PACKAGES = ("python3", "python3-numpy", "libpython3-dev")


@dataclass(frozen=True)
class Machine:
    """A processor, by its names for QEMU and Python, for Debian, and for compilers."""

    name: str
    debian: str

    @property
    def triple(self) -> str:
        return f"{self.name}-linux-gnu"

    def compiler(self, name: str) -> str:
        return f"{self.triple}-gcc" if name == "gcc" else f"clang --target={self.triple}"


FOREIGN = {"aarch64": Machine("aarch64", "arm64"), "s390x": Machine("s390x", "s390x")}
# Without AVX and without fused multiply-add: only the portable kernels run, and the C library computes fma.
OLD = {"nehalem": "Nehalem"}


def emulator(machine: str) -> str | None:
    return shutil.which(f"qemu-{machine}-static") or shutil.which(f"qemu-{machine}")


def checked(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Failure(f"{command[0]} failed with exit status {done.returncode}\n{done.stdout[-3000:]}")


# -------------------------------------------------------- the other machine's Python


def fetch_packages(machine: Machine, folder: Path) -> Path:
    """Unpack the other machine's Python and NumPy, with all they need; return the root of their file system."""
    root, state, cache = folder / "root", folder / "state", folder / "cache"
    if root.exists():
        return root
    for place in (state / "lists/partial", cache / "archives/partial"):
        place.mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    settings = {
        "APT::Architecture": machine.debian,
        "APT::Architectures::": machine.debian,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": cache,
    }
    apt = ["apt-get", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]
    checked(*apt, "update")
    checked(*apt, "--yes", "--download-only", "install", *PACKAGES)
    unpacked = folder / "unpacked"
    for package in sorted(cache.glob("archives/*.deb")):
        checked("dpkg-deb", "--extract", package, unpacked)
    unpacked.rename(root)
    return root


def fetch_safetensors(machine: Machine, python: str, folder: Path) -> Path:
    """Unpack the wheel for the other machine's version of Python."""
    site = folder / "site"
    if not site.exists():
        platform = ("--platform", f"manylinux2014_{machine.name}", "--only-binary", ":all:", "--no-deps")
        wheel = ("--python-version", python, *platform, "--target", site, "safetensors")
        checked(sys.executable, "-m", "pip", "install", "--quiet", *wheel)
    return site


# ---------------------------------------------------------------------- builds


def cross_build(machine: Machine, tree: Path, folder: Path, compiler: str, level: str) -> Build:
    """Build fastnn for the other machine, as CPython's own cross-builds are made, with the command that emulates it."""
    root = fetch_packages(machine, folder / machine.name)
    data = next(root.glob(f"usr/lib/python3.*/_sysconfigdata__{machine.triple}.py"))
    python = data.parent.name
    site = fetch_safetensors(machine, python.removeprefix("python"), folder / machine.name)
    config = (
        folder / machine.name / "config"
    )  # the module alone: beside it lies a standard library that is not the host's
    config.mkdir(exist_ok=True)
    shutil.copy2(data, config)
    name = f"{machine.name} {compiler} -O{level}"
    library = compile_sources(
        tree,
        folder / name.replace(" ", "-"),
        sys.executable,
        level,
        CC=machine.compiler(compiler),
        CFLAGS=f"-I{root}/usr/include/{python} -I{root}/usr/include",
        PYTHONPATH=str(config),
        _PYTHON_HOST_PLATFORM=f"linux-{machine.name}",
        _PYTHON_SYSCONFIGDATA_NAME=data.stem,
    )
    libraries = ":".join(f"/usr/lib/{machine.triple}/{name}" for name in ("blas", "lapack"))
    command = [str(emulator(machine.name)), "-L", str(root), "-E", f"LD_LIBRARY_PATH={libraries}"]
    return Build(name, library, [*command, str(root / "usr/bin" / python)], [site])


def old_build(cpu: str, tree: Path, folder: Path, compiler: str, level: str) -> Build:
    """Build fastnn for this machine's kind of processor, emulated as an old one."""
    name = f"{cpu} {compiler} -O{level}"
    library = compile_sources(tree, folder / name.replace(" ", "-"), sys.executable, level, CC=compiler)
    return Build(
        f"{name} Python {version(sys.executable)}", library, [str(emulator("x86_64")), "-cpu", cpu, sys.executable]
    )


def missing_for(machine: str, compiler: str) -> list[str]:
    """Return the tools that are not installed."""
    if machine in OLD:
        tools, cpu = [compiler], "x86_64"
    else:
        foreign = FOREIGN[machine]
        tools, cpu = [foreign.compiler(compiler).split()[0], foreign.compiler("gcc"), "apt-get", "dpkg-deb"], machine
    missing = [tool for tool in dict.fromkeys(tools) if shutil.which(tool) is None]
    return missing if emulator(cpu) else [f"qemu-{cpu}", *missing]


def recompute(given: argparse.Namespace, folder: Path) -> int:
    table, tree = Table(given.threads), copy_sources(folder)
    for machine, compiler in itertools.product(given.machines, given.compilers):
        missing = missing_for(machine, compiler)
        if missing:
            table.leave_out(f"{machine} {compiler}", f"not installed: {', '.join(missing)}")
            continue
        for level in given.levels:
            try:
                if machine in OLD:
                    build = old_build(OLD[machine], tree, folder, compiler, level)
                else:
                    build = cross_build(FOREIGN[machine], tree, folder, compiler, level)
                isas = build.config()["instruction sets available"].split(", ")
                for surroundings in [[], *(build.surroundings() if given.hostile else [])]:
                    table.add(build, isas, surroundings)
            except Failure as failure:
                table.fail(failure)
    return table.finish()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machines", nargs="*", default=[*FOREIGN, *OLD], metavar="machine", help="default: %(default)s")
    add_arguments(parser, compilers=["gcc"], levels=["2"])
    parser.add_argument("--hostile", action="store_true", help="also in each of the surroundings of hostile.py")
    given = parser.parse_args()
    unknown = set(given.machines) - {*FOREIGN, *OLD}
    if unknown:
        parser.error(f"machine must be one of {', '.join([*FOREIGN, *OLD])}; got {', '.join(unknown)}")
    with working_folder(given.folder) as folder:
        return recompute(given, folder)


if __name__ == "__main__":
    raise SystemExit(main())
