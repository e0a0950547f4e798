"""Builds the extensions: the engine once, the kernels once per instruction set and dtype."""

import os
import platform
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MSVC = sys.platform == "win32"
X86 = platform.machine().lower() in ("x86_64", "amd64")
ARM = platform.machine().lower() in ("aarch64", "arm64")

# The same bits everywhere: nothing may contract a multiply and an add unasked, and nothing may reorder.
COMMON = ["/O2", "/fp:strict"] if MSVC else ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno"]
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

REALS = {"float32": "32", "float64": "64"}
KERNELS = ("dense", "activations", "normalization", "losses", "optimizers", "random", "batch")
ENGINE = ("cpu", "threads", "memory", "data", "model", "evaluation", "pace", "steps", "layout", "training", "random")
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
HEADERS = ["fastnn/_kernels/simd.h"]
SHARED = sorted(str(path) for folder in ("_kernels", "_engine") for path in Path("fastnn", folder).glob("*.pxd"))


def kernel_extensions(isa, dtype):
    macros = [(f"FASTNN_ISA_{isa.upper()}", "1"), ("FASTNN_REAL_BITS", REALS[dtype])]
    if not MSVC:
        # Tiles are written once and specialised by constant arguments, which needs them inlined.
        macros.append(("CYTHON_INLINE", "inline __attribute__((always_inline))"))
    return [
        Extension(
            f"fastnn._kernels.{isa}.{dtype}.{name}",
            [f"fastnn/_kernels/{name}.pyx"],
            define_macros=macros,
            include_dirs=["fastnn/_kernels"],
            depends=HEADERS + SHARED,
        )
        for name in KERNELS
    ]


def translated(extensions, folder, flags):
    """The extensions as C.

    Each (instruction set, dtype) has a build folder of its own, or parallel builds collide; flags are set after
    cythonize, or they leak from one call into the next.
    """
    extensions = cythonize(
        extensions,
        build_dir=f"build/cython/{folder}",
        compiler_directives=DIRECTIVES,
        include_path=["fastnn/_kernels"],
        quiet=True,
    )
    for extension in extensions:
        extension.extra_compile_args = COMMON + flags
        extension.extra_link_args = [] if MSVC or sys.platform == "darwin" else ["-Wl,-s"]
    return extensions


def all_extensions():
    engine = [
        Extension(
            f"fastnn._engine.{name}",
            [f"fastnn/_engine/{name}.pyx"],
            include_dirs=["fastnn/_kernels"],
            depends=HEADERS + SHARED,
        )
        for name in ENGINE
    ]
    extensions = translated(engine, "engine", ["/std:c11", "/experimental:c11atomics"] if MSVC else ["-std=c11"])
    for isa, flags in ISA_FLAGS.items():
        for dtype in REALS:
            extensions += translated(kernel_extensions(isa, dtype), f"{isa}-{dtype}", flags)
    return extensions


class parallel_build_ext(build_ext):
    """build_ext that uses every core unless told otherwise."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1


setup(ext_modules=all_extensions(), cmdclass={"build_ext": parallel_build_ext})
