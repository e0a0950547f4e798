"""The floating-point environment of a thread: the caller's rounding and denormal numbers, changed for a while."""

import contextlib
import ctypes
import ctypes.util
import platform
import sys

import pytest

X86 = platform.machine().lower() in ("x86_64", "amd64")
ARM = platform.machine().lower() in ("aarch64", "arm64")
GLIBC = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
needs_fenv = pytest.mark.skipif(not (GLIBC and (X86 or ARM)), reason="knows the fenv_t of glibc on x86-64 and aarch64")
# Where fenv_t holds MXCSR or FPCR, and its bits: rounding upward, towards zero; flush to zero (and denormals are zero).
WORD, UPWARD, TOWARDS_ZERO, FLUSH = (7, 0x4000, 0x6000, 0x8040) if X86 else (0, 0x400000, 0xC00000, 0x1000000)
ENVIRONMENTS = {"upward": UPWARD, "towards zero": TOWARDS_ZERO, "flush": FLUSH, "both": UPWARD | FLUSH}


def control_word(change=None):
    """The thread's control word; or sets it."""
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    environment = (ctypes.c_uint32 * 16)()
    assert libm.fegetenv(environment) == 0
    if change is not None:
        environment[WORD] = change
        assert libm.fesetenv(environment) == 0
    return environment[WORD]


STATUS = 0x3F if X86 else 0  # flags of MXCSR that any operation may raise


@contextlib.contextmanager
def environment(name):
    before = control_word()
    wanted = before | ENVIRONMENTS[name]
    control_word(wanted)
    try:
        yield
        after = control_word()
    finally:
        control_word(before)
    assert after & ~STATUS == wanted & ~STATUS, "the caller's settings were not given back"
