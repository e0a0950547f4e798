"""Builds the extensions: the engine's once, the kernels' once per instruction set and dtype.

Which there are follows from the sources: each ``.pyx`` in ``fastnn/_kernels`` is a kernel, each other one belongs to
the engine. Cython translates a source once. What is translated or compiled stays in ``build``, beside a digest of all
that it was made of, and is used again while that stays the same.
"""

import copy
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

MSVC = sys.platform == "win32"
# "linux-aarch64" and the like where a build for another machine sets it, as CPython's own cross-builds do.
MACHINE = os.environ.get("_PYTHON_HOST_PLATFORM", platform.machine()).rpartition("-")[2].lower()
X86 = MACHINE in ("x86_64", "amd64")
ARM = MACHINE in ("aarch64", "arm64")

# CFLAGS may change how fast the code is, and what follows them keeps the same bits everywhere: nothing may contract a
# multiply and an add unasked, and nothing may reorder.
SPEED = ["/O2"] if MSVC else ["-O3", "-g0", *shlex.split(os.environ.get("CFLAGS", ""))]
EXACT = ["/fp:strict"] if MSVC else ["-fno-fast-math", "-ffp-contract=off", "-fno-math-errno"]
# Symbols are left out, unless CFLAGS ask for them with -g.
HAS_SYMBOLS = any(flag.startswith("-g") and flag != "-g0" for flag in SPEED)
LINK = [] if MSVC or sys.platform == "darwin" or HAS_SYMBOLS else ["-Wl,-s"]
# Not -std=c11, with which GCC computes float32 in float64 on some machines.
C11 = ["/std:c11", "/experimental:c11atomics"] if MSVC else ["-std=gnu11"]
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
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
SOURCES = sorted(Path("fastnn").rglob("*.pyx"))
KERNELS = [path for path in SOURCES if path.parent.name == "_kernels"]
ENGINE = [path for path in SOURCES if path not in KERNELS]
# Typed memory views take thousands of lines of C, which the modules of the engine share.
SHARED = "fastnn._engine._cython_utilities"
SHARED_C = Path(*SHARED.split(".")).with_suffix(".c")


# -------------------------------------------------------------- the extensions


def module(path):
    return ".".join(path.with_suffix("").parts)


def extension(name, source, flags, macros=()):
    return Extension(
        name,
        [source.as_posix()],
        include_dirs=["fastnn/_kernels"],
        define_macros=list(macros),
        extra_compile_args=[*SPEED, *EXACT, *flags],
        extra_link_args=LINK,
    )


def kernel_macros(isa, dtype):
    macros = [(f"FASTNN_ISA_{isa.upper()}", "1"), ("FASTNN_REAL_BITS", REALS[dtype])]
    if not MSVC:
        # Tiles are written once and specialised by constant arguments, which needs them inlined.
        macros.append(("CYTHON_INLINE", "inline __attribute__((always_inline))"))
    return macros


def all_extensions():
    found = [extension(module(path), path, C11) for path in ENGINE]
    for isa, flags in ISA_FLAGS.items():
        for dtype in REALS:
            for path in KERNELS:
                name = f"fastnn._kernels.{isa}.{dtype}.{path.stem}"
                found.append(extension(name, path, flags, kernel_macros(isa, dtype)))
    return [*found, extension(SHARED, SHARED_C, C11)]


# -------------------------------------------------------- what is there already


def digest(*parts):
    """Return the SHA-256 of texts and of the contents of files."""
    result = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else str(part).encode()
        result.update(b"%d:" % len(data) + data)
    return result.hexdigest()


def note(path):
    """Return the file that says what another was made of."""
    return path.with_name(path.name + ".sha256")


def is_kept(path, key):
    return path.exists() and note(path).exists() and note(path).read_text() == key


# ----------------------------------------------------------------- translation


def translate():
    """Translate the sources whose C is not there; give the C file of each."""
    import Cython
    from Cython.Build import cythonize
    from Cython.Build.Dependencies import create_dependency_tree

    tree = create_dependency_tree(quiet=True)
    c_files, keys, stale = {}, {}, []
    for path in [*SOURCES, SHARED_C]:
        c_file = c_files[path.as_posix()] = Path("build/cython", path.with_suffix(".c"))
        read = [Path(name) for name in sorted(tree.all_dependencies(str(path)))] if path in SOURCES else []
        keys[c_file] = digest(Cython.__version__, DIRECTIVES, SHARED, *map(str, read), *read)
        if not is_kept(c_file, keys[c_file]):
            note(c_file).unlink(missing_ok=True)
            stale.append(path)
    for sources, options in [(KERNELS, {}), ([*ENGINE, SHARED_C], {"shared_utility_qualified_name": SHARED})]:
        cythonize(
            [Extension(module(path), [path.as_posix()]) for path in sources if path in stale],
            build_dir="build/cython",
            compiler_directives=DIRECTIVES,
            include_path=["."],
            force=True,
            nthreads=0 if MSVC else os.cpu_count() or 1,
            quiet=True,
            **options,
        )
    for path in stale:
        c_file = c_files[path.as_posix()]
        note(c_file).write_text(keys[c_file])
    return c_files


# -------------------------------------------------------------------- commands


class CleanBuild(build):
    """A build without what an earlier one has left, which would become part of this one's wheel."""

    def run(self):
        shutil.rmtree(Path(self.build_lib, "fastnn"), ignore_errors=True)
        super().run()


class KeepingBuildExt(build_ext):
    """build_ext that uses every core unless told otherwise, keeps what it has built, and can build in place."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1

    def build_extensions(self):
        c_files = translate()
        for ext in self.extensions:
            ext.sources = [str(c_files[source]) for source in ext.sources]
        self.surroundings = self._surroundings()
        super().build_extensions()

    def _surroundings(self):
        """Return what extensions depend on beside their sources and flags; None if that is not known."""
        if self.compiler.compiler_type != "unix":
            return None
        compiler = self.compiler.compiler_so
        version = subprocess.run([*compiler, "--version"], capture_output=True, text=True).stdout
        options = (self.debug, self.define, self.undef, self.libraries, self.rpath)
        return [compiler, version, self.compiler.linker_so, sys.version, *options]

    def build_extension(self, ext):
        target = Path(self.get_ext_fullpath(ext.name))
        kept = Path("build/extensions", self.get_ext_filename(self.get_ext_fullname(ext.name)))
        key = self._key(ext)
        if self.surroundings is None or not is_kept(kept, key):
            # Objects of one source for several instruction sets need folders of their own.
            alone = copy.copy(self)
            alone.build_temp = os.path.join(self.build_temp, *ext.name.split(".")[:-1])
            alone.force = True
            super(KeepingBuildExt, alone).build_extension(ext)
            kept.parent.mkdir(parents=True, exist_ok=True)
            note(kept).unlink(missing_ok=True)
            shutil.copyfile(target, kept)
            note(kept).write_text(key)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept, target)

    def _key(self, ext):
        source = Path(*ext.sources)
        included = re.findall(r'^#include "(.+)"', source.read_text(), re.MULTILINE)
        headers = [path for name in set(included) for path in sorted(Path("fastnn").rglob(name))]
        flags = (ext.define_macros, ext.extra_compile_args, ext.extra_link_args, ext.include_dirs)
        return digest(self.surroundings, flags, source, *headers)

    def copy_extensions_to_source(self):
        """Remove extensions of this Python that are not of this build: they would be used with what they do not fit."""
        wanted = {self.get_ext_filename(self.get_ext_fullname(ext.name)) for ext in self.extensions}
        suffix = self.get_ext_filename("")
        for path in Path("fastnn").rglob(f"*{suffix}"):
            if str(path) not in wanted:
                path.unlink()
        # The folders of the instruction sets hold nothing but extensions, so a checkout does not have them.
        for name in wanted:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
        super().copy_extensions_to_source()


setup(ext_modules=all_extensions(), cmdclass={"build": CleanBuild, "build_ext": KeepingBuildExt})
