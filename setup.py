"""Builds the extensions: the engine once, the kernels once per instruction set and dtype."""

import os
import platform
import shlex
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MSVC = sys.platform == "win32"
# "linux-aarch64" and the like where a build for another machine sets it, as CPython's own cross-builds do.
MACHINE = os.environ.get("_PYTHON_HOST_PLATFORM", platform.machine()).rpartition("-")[2].lower()
X86 = MACHINE in ("x86_64", "amd64")
ARM = MACHINE in ("aarch64", "arm64")

# CFLAGS may change how fast the code is, and what follows them keeps the same bits everywhere: nothing may contract a
# multiply and an add unasked, and nothing may reorder.
SPEED = ["/O2"] if MSVC else ["-O3", "-g0", *shlex.split(os.environ.get("CFLAGS", ""))]
COMMON = SPEED + (["/fp:strict"] if MSVC else ["-fno-fast-math", "-ffp-contract=off", "-fno-math-errno"])
# Symbols are left out, unless CFLAGS ask for them with -g.
HAS_SYMBOLS = any(flag.startswith("-g") and flag != "-g0" for flag in SPEED)
LINK = [] if MSVC or sys.platform == "darwin" or HAS_SYMBOLS else ["-Wl,-s"]
ISA_FLAGS = {"portable": []}
if X86:
    ISA_FLAGS["avx2"] = ["/arch:AVX2"] if MSVC else ["-mavx2", "-mfma"]
    ISA_FLAGS["avx512"] = (
        ["/arch:AVX512"]
        if MSVC
        else ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]
    )
if ARM:
    ISA_FLAGS["neon"] = []

# All of them, or those named in FASTNN_BUILD_ISAS: for a build of one's own that others would only make longer.
WANTED = os.environ.get("FASTNN_BUILD_ISAS", "").split()
if unknown := set(WANTED) - set(ISA_FLAGS):
    raise SystemExit(f"FASTNN_BUILD_ISAS may name {', '.join(ISA_FLAGS)} here; got {', '.join(sorted(unknown))}")
ISA_FLAGS = {isa: flags for isa, flags in ISA_FLAGS.items() if isa in WANTED or not WANTED}

REALS = {"float32": "32", "float64": "64"}
KERNELS = sorted(path.stem for path in Path("fastnn/_kernels").glob("*.pyx"))
ENGINE = sorted(path.stem for path in Path("fastnn/_engine").glob("*.pyx"))
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
PXD = {folder: sorted(map(str, Path("fastnn", folder).rglob("*.pxd"))) for folder in ("_kernels", "_engine")}
DEPENDS = {
    "_kernels": ["fastnn/_kernels/simd.h", *PXD["_kernels"]],
    "_engine": ["fastnn/_kernels/simd.h", *PXD["_kernels"], *PXD["_engine"]],
}


def extensions(package, names, folder):
    """One extension for each source ``folder/name.pyx``, as ``package.name``."""
    depends = DEPENDS[Path(folder).name]
    return [
        Extension(f"{package}.{name}", [f"{folder}/{name}.pyx"], include_dirs=["fastnn/_kernels"], depends=depends)
        for name in names
    ]


def translated(given, folder, flags, macros=()):
    """The extensions as C, to be compiled with the flags and macros.

    Each (instruction set, dtype) has a build folder of its own, or parallel builds collide. Flags and macros are set
    after cythonize: set before, they leak from one call into the next, and an "avx512" build silently is another.
    """
    found = cythonize(
        given,
        build_dir=f"build/cython/{folder}",
        compiler_directives=DIRECTIVES,
        include_path=["."],
        nthreads=0 if MSVC else os.cpu_count() or 1,
        quiet=True,
    )
    for extension in found:
        extension.define_macros = list(macros)
        extension.extra_compile_args = COMMON + flags
        extension.extra_link_args = LINK
    return found


def kernel_macros(isa, dtype):
    macros = [(f"FASTNN_ISA_{isa.upper()}", "1"), ("FASTNN_REAL_BITS", REALS[dtype])]
    if not MSVC:
        # Tiles are written once and specialised by constant arguments, which needs them inlined.
        macros.append(("CYTHON_INLINE", "inline __attribute__((always_inline))"))
    return macros


def all_extensions():
    # Not -std=c11, with which GCC computes float32 in float64 on some machines.
    c11 = ["/std:c11", "/experimental:c11atomics"] if MSVC else ["-std=gnu11"]
    found = translated(extensions("fastnn._engine", ENGINE, "fastnn/_engine"), "engine", c11)
    for isa, flags in ISA_FLAGS.items():
        for dtype in REALS:
            kernels = extensions(f"fastnn._kernels.{isa}.{dtype}", KERNELS, "fastnn/_kernels")
            found += translated(kernels, f"{isa}-{dtype}", flags, kernel_macros(isa, dtype))
    return found


class parallel_build_ext(build_ext):
    """build_ext that uses every core unless told otherwise, and can build in place."""

    def copy_extensions_to_source(self):
        # The folders of the instruction sets hold nothing but extensions, so a checkout does not have them.
        for extension in self.extensions:
            Path(*extension.name.split(".")).parent.mkdir(parents=True, exist_ok=True)
        super().copy_extensions_to_source()

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1


setup(ext_modules=all_extensions(), cmdclass={"build_ext": parallel_build_ext})
