"""The server on this machine: its socket, which no other machine reaches, and its end by Ctrl-C."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn

from fastnn.playground.server import application

HOST = "127.0.0.1"
USUAL_PORT = 8765  # so that a link of yesterday still leads here; another one if it is taken


def listening(port: int | None) -> socket.socket:
    """Return a socket at ``port``; by default at the usual one, or at a free one.

    Raises
    ------
    OSError
        If the port is taken, or needs rights that the user does not have.
    """
    try:
        return _bound(USUAL_PORT if port is None else port)
    except OSError as error:
        if port is None:
            return _bound(0)
        if error.errno == errno.EADDRINUSE:
            raise OSError(error.errno, f"port {port} is taken: choose another --port, or leave it out") from None
        raise OSError(error.errno, f"port {port} cannot be used: {error.strerror}") from None


def _bound(port: int) -> socket.socket:
    result = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        result.bind((HOST, port))
        result.listen()
    except OSError:
        result.close()
        raise
    return result


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_ready()


def server(when_ready: Callable[[], None]) -> uvicorn.Server:
    """Return the server; ``run(sockets=[…])`` runs it until Ctrl-C, or until its ``should_exit`` is set."""
    config = uvicorn.Config(
        application(),
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=100_000,
        timeout_graceful_shutdown=1,
    )
    return _Server(config, when_ready)
