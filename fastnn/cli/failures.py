"""What ends a command: one line on stderr, and an exit status."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

INTERRUPTED = 130  # the exit status after Ctrl-C


class Failure(click.ClickException):
    """Wrong usage or a wrong file: one line on stderr."""

    exit_code = 2

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class RunFailure(Failure):
    """A run that was right to start and then failed."""

    exit_code = 1


class Incomplete(Failure):
    """A record that lacks an entry."""


def reason(error: BaseException) -> str:
    """Say what an error says, without the number of an OSError."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename!s}: {error.strerror}" if error.filename else error.strerror
    return str(error)


@contextlib.contextmanager
def damaged(path: str) -> Iterator[None]:
    """Blame the record ``path`` for what goes wrong inside.

    Raises
    ------
    Incomplete
        If an entry is missing.
    Failure
        If one is wrong.
    """
    try:
        yield
    except KeyError as error:
        raise Incomplete(f"{path!r} is damaged: it has no entry {error}") from None
    except (TypeError, ValueError) as error:
        raise Failure(f"{path!r} is damaged: {error}") from None
