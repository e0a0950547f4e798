"""Recomputes golden digests of whole networks in surroundings that are none of fastnn's making.

``python tools/hostile.py --layout odd --json`` takes, besides what is below, the arguments of
``python -m fastnn._verify``. Every call of the Python layer that the goldens are made of gets its arrays in an unusual
layout, or is made with a rounding mode and a treatment of denormals that another library might have left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import platform
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fastnn as fn
from fastnn._verify import THREADS
from fastnn._verify import __main__ as goldens

ENTRIES = (
    (fn.Network, ("__init__", "predict")),
    (fn.Trainer, ("__init__", "fit", "step", "evaluate")),
)

# --------------------------------------------------------------------- layouts


def misaligned(a: np.ndarray) -> np.ndarray:
    """Lay the array at an odd address."""
    b = np.frombuffer(bytearray(a.nbytes + 1), a.dtype, a.size, offset=1).reshape(a.shape)
    b[...] = a
    return b


def odd(a: np.ndarray) -> np.ndarray:
    """Lay the array with strides that are no multiple of the item's size, so that most items are misaligned."""
    b = np.empty(a.shape, [("padding", np.uint8), ("value", a.dtype)])["value"]
    b[...] = a
    return b


def spread(a: np.ndarray) -> np.ndarray:
    """Lay the array as every second item of a larger array of other numbers, along each axis."""
    b = np.full([2 * n for n in a.shape], 113, a.dtype)[(slice(1, None, 2),) * a.ndim]
    b[...] = a
    return b


def backwards(a: np.ndarray) -> np.ndarray:
    """Lay the array with negative strides."""
    last_first = (slice(None, None, -1),) * a.ndim
    return a[last_first].copy()[last_first]


def fortran(a: np.ndarray) -> np.ndarray:
    return np.asfortranarray(a)


def swapped(a: np.ndarray) -> np.ndarray:
    """Lay the array in the byte order that is not the machine's."""
    return a.astype(a.dtype.newbyteorder("S"))


LAYOUTS = {f.__name__: f for f in (misaligned, odd, spread, backwards, fortran, swapped)}
relaid = 0


def lay(value: Any, layout: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Return the value, if it is an array in the layout and read-only."""
    global relaid
    if not isinstance(value, np.ndarray):
        return value
    result = layout(value)
    result.flags.writeable = False
    if not np.array_equal(result, value):
        raise AssertionError("expected the same numbers")
    relaid += not (result.flags.c_contiguous and result.flags.aligned and result.dtype.isnative)
    return result


# ------------------------------------------------- floating-point environments

X86 = platform.machine() == "x86_64"
# Where glibc's fenv_t holds MXCSR or FPCR; rounding upward; towards zero; flush to zero (and denormals are zero).
WORD, UPWARD, TOWARDS_ZERO, FLUSH = (7, 0x4000, 0x6000, 0x8040) if X86 else (0, 0x400000, 0xC00000, 0x1000000)
FLAGS = 0x3F if X86 else 0  # that any operation may raise
ENVIRONMENTS = {"upward": UPWARD, "towards-zero": TOWARDS_ZERO, "flush": FLUSH, "upward-flush": UPWARD | FLUSH}
AFFECTED = ("caller", "workers", "both")


def control_word(change: int | None = None) -> int:
    """Return the control word of the thread, after the change."""
    libm = ctypes.CDLL("libm.so.6")
    fenv = (ctypes.c_uint32 * 16)()
    libm.fegetenv(fenv)
    if change is not None:
        fenv[WORD] = change
        libm.fesetenv(fenv)
    return fenv[WORD]


def probe() -> bytes:
    """Return numbers of which each of `ENVIRONMENTS` changes one, as bytes: comparing may flush denormals too."""
    return np.array([np.divide(1.0, 3.0), np.divide(5.0, 3.0), np.multiply(5e-324, 1.0)]).tobytes()


NORMAL = probe()


@contextlib.contextmanager
def changed(change: int) -> Iterator[None]:
    before = control_word()
    control_word(before | change)
    try:
        if probe() == NORMAL:
            raise AssertionError("the floating-point environment cannot be changed")
        yield
        if (control_word() ^ (before | change)) & ~FLAGS:
            raise AssertionError("the caller's floating-point environment was not given back")
    finally:
        control_word(before)


def start_workers() -> None:
    """Start the threads that runs will use; they keep the floating-point environment that their maker has now."""
    trainer = fn.Trainer(fn.Network([fn.Input(1), fn.Dense(1)], seed=0), "mean_squared", threads=max(THREADS))
    trainer.step(np.zeros((4096, 1), np.float32), np.zeros((4096, 1), np.float32))


# ---------------------------------------------------------------- surroundings


def surroundings() -> Iterator[str]:
    """Yield the arguments for each, as far as this machine's control word is known."""
    yield from (f"--layout {name}" for name in LAYOUTS)
    if platform.machine() in ("x86_64", "aarch64"):
        yield from (f"--environment {name} --affected {who}" for name in ENVIRONMENTS for who in AFFECTED)


def surround(function: Callable[..., Any], layout: Callable[..., Any] | None, change: int) -> Callable[..., Any]:
    @functools.wraps(function)
    def surrounded(*arguments: Any, **options: Any) -> Any:
        if layout is not None:
            arguments = tuple(lay(value, layout) for value in arguments)
            options = {name: lay(value, layout) for name, value in options.items()}
        with changed(change) if change else contextlib.nullcontext():
            return function(*arguments, **options)

    return surrounded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", choices=LAYOUTS)
    parser.add_argument("--environment", choices=ENVIRONMENTS)
    parser.add_argument("--affected", choices=AFFECTED, default="both", help="threads whose environment is changed")
    parser.add_argument("--list", action="store_true", help="print the arguments of all surroundings and do no more")
    given, rest = parser.parse_known_args()
    if given.list:
        print("\n".join(surroundings()))
        return 0
    layout, change = LAYOUTS.get(given.layout), ENVIRONMENTS.get(given.environment, 0)
    if change:
        with changed(change) if given.affected != "caller" else contextlib.nullcontext():
            start_workers()
    for owner, names in ENTRIES:
        for name in names:
            entry = surround(getattr(owner, name), layout, change if given.affected != "workers" else 0)
            setattr(owner, name, entry)
    status = goldens.main([*rest, "--only", "networks"])
    if layout is not None and not relaid:
        raise AssertionError("no array was in an unusual layout")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
