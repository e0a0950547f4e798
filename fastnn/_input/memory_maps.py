"""Data in memory-mapped files: pages that have been read are given back, so that any file trains in bounded memory.

The system would take them back too, but late: until it has to, they count as the process's resident memory, for which
schedulers of batch jobs and containers end processes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from fastnn._engine import random
from fastnn._input import interruptible

if TYPE_CHECKING:
    import mmap

BUDGET = 1 << 30  # bytes of files that may be resident


def mapped_file(array: np.ndarray) -> mmap.mmap | None:
    """Return the file that the array lies in, if its pages can be given back and are more than the budget.

    Not those of a private map (``mode="c"``), whose changes would be lost.
    """
    base: object = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            found: mmap.mmap | None = getattr(base, "_mmap", None)
            can = found is not None and sys.platform == "linux" and base.mode != "c" and len(found) > BUDGET
            return found if can else None
        base = base.base
    return None


def give_back(file: mmap.mmap | None) -> None:
    """Give the pages back if files take more memory than the budget."""
    if file is not None:
        import mmap

        with open("/proc/self/statm", encoding="ascii") as status:
            resident = int(status.read().split()[2]) * mmap.PAGESIZE
        if resident > BUDGET:
            file.madvise(mmap.MADV_DONTNEED)


def first_nonfinite(array: np.ndarray) -> int:
    """Return the flat index of the first NaN or infinity of an array of one or two dimensions, or -1."""
    file = mapped_file(array)
    for rows in interruptible.slices(array):
        found = random.first_nonfinite(array[rows])
        if found >= 0:
            return rows.start * (array.size // len(array)) + found
        give_back(file)
    return -1
