"""The folder of a run, which two trainings would spoil for each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from fastnn.cli.failures import Failure

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make the folder, and keep other trainings out of it until the ``with`` statement, or the process, ends.

    The system forgets the lock with the process, and it needs no file; where the file system has no locks there is
    none.

    Raises
    ------
    Failure
        If another process trains into the folder.
    OSError
        If it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"{folder} is in use by another fastnn train: choose another --output, or wait") from None
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
