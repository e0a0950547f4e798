"""Replacing a file so that nothing is lost: whatever happens, the old file or the whole new one is there."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator

from fastnn._input import checks

LEFTOVER_SECONDS = 3600.0  # a part this old was left by a process that died while it wrote


def previous(path: str | os.PathLike[str]) -> str:
    """Return where the generation before the file at ``path`` is kept."""
    return f"{os.fspath(path)}.previous"


def replace(path: str | os.PathLike[str], content: bytes, keep_previous: bool = False) -> None:
    """Put ``content`` into the file, which may exist, in one go and onto the disk; the parent folder has to exist.

    Parameters
    ----------
    path : path-like
        If it is a link, what it points to is replaced.
    content : bytes
    keep_previous : bool
        Whether the file that was there stays, as `previous`.

    Raises
    ------
    OSError
        If that fails; the old file is still there then. Only where the folder, at the very end, cannot be brought onto
        the disk, the new one is.
    """
    target = _target(path)
    with _part(target) as part:
        try:
            _write(part, content)
        except OSError:
            # After an fsync that failed, the system may take lost pages for written ones: only a new file can be
            # trusted.
            _remove(part)
            _write(part, content)
        _commit(part, target, keep_previous)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the name of a file to write, which takes the place of ``path`` if no error ends the ``with`` statement."""
    target = _target(path)
    with _part(target) as part:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        _commit(part, target, keep_previous=False)


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove the parts that processes killed while they wrote this file left behind."""
    folder, prefix = os.path.split(_part_prefix(os.path.realpath(path)))
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.name.endswith(".part"):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat().st_mtime > LEFTOVER_SECONDS:
                        os.remove(entry.path)


def _target(path: str | os.PathLike[str]) -> str:
    """Return the file that is replaced; never a folder, which keeping what was there would move away."""
    target = os.path.realpath(checks.path(path))
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    return target


def _part_prefix(target: str) -> str:
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name[:100]}.")  # a name may not be much longer than the longest there are


@contextlib.contextmanager
def _part(target: str) -> Iterator[str]:
    """Yield the name of a new file beside ``target``, which is gone in the end unless it was renamed."""
    part = f"{_part_prefix(target)}{os.urandom(8).hex()}.part"
    try:
        yield part
    except BaseException as error:
        _remove(part)
        if isinstance(error, OSError) and error.errno and error.filename in (None, part) and not error.filename2:
            error.filename = target  # a write or an fsync names no file, and nobody knows the part
        raise


def _commit(part: str, target: str, keep_previous: bool) -> None:
    with contextlib.suppress(OSError):
        os.chmod(part, os.stat(target).st_mode & 0o777)
    if keep_previous:
        _keep(target)
    os.replace(part, target)
    _sync_folder(os.path.dirname(target))


def _write(part: str, content: bytes) -> None:
    with open(part, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _keep(target: str) -> None:
    older = previous(target)
    _remove(older)
    try:
        os.link(target, older)  # so that there is a file at the path at any time
    except FileNotFoundError:
        pass
    except OSError:  # a file system without links
        os.replace(target, older)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):  # a read-only disk refuses it before it looks whether there is such a file
        os.remove(path)


def _sync_folder(folder: str) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # which say that there is nothing to do
            raise
    finally:
        os.close(descriptor)
