"""The server of the page: its files, the table that a user sends, and a run for each page that is open.

The page asks, over a WebSocket, and gets one answer to each question, in order: it asks for the next frame when it has
drawn the last one, so that a slow browser, or a page that nobody sees, is never flooded. Training is in a thread of its
own, so that other pages are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

import fastnn as fn
from fastnn.playground import tables
from fastnn.playground.frames import Camera, beginning
from fastnn.playground.script import script
from fastnn.playground.session import MOST_EPOCHS, Session
from fastnn.playground.settings import TABLE, Settings, SettingsError

STATIC = Path(__file__).parent / "static"
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_MOST_TABLES = 8

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class Guard:
    """Answers those alone who call the server by its own name, from its own pages.

    Another name would be that of a foreign page that had its name point here (DNS rebinding); another origin is that of
    a foreign page that calls by itself. What is answered may load nothing from elsewhere.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        is_own = _OWN_HOST.fullmatch(host) and (reads or headers.get("origin") == f"http://{host}")

        async def send_guarded(message: _Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_protection(host if is_own else "")]
            await send(message)

        if is_own:
            await self.app(scope, receive, send_guarded)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = JSONResponse({"error": "this is for pages of the playground alone"}, status_code=403)
            await answer(scope, receive, send_guarded)


def _protection(host: str) -> list[tuple[bytes, bytes]]:
    policy = (  # of a WebSocket, not every browser takes 'self' for one to the same place
        f"default-src 'self'; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; object-src 'none'"
    )
    return [
        (b"content-security-policy", policy.encode("latin-1")),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"no-cache"),
    ]


class Playground:
    """What the pages of a server share: the tables that were sent to it lately."""

    def __init__(self) -> None:
        self._tables: OrderedDict[str, tuple[bytes, str]] = OrderedDict()

    async def take_table(self, request: Request) -> JSONResponse:
        """Read a CSV file that the page sends."""
        content = b""
        async for part in request.stream():
            content += part
            if len(content) > tables.MOST_BYTES:
                break  # `read` says that it is too large
        name = request.query_params.get("name", "table.csv")[:200]
        try:
            table = tables.read(content, name)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        self._tables[table.key] = content, name
        while len(self._tables) > _MOST_TABLES:
            self._tables.popitem(last=False)
        return JSONResponse({"table": table.key})

    async def talk(self, socket: WebSocket) -> None:
        """Answer a page for as long as it is open."""
        await socket.accept()
        conversation = Conversation(self.session)
        try:
            while True:
                answer = await asyncio.to_thread(conversation.answer, await socket.receive_text())
                await (socket.send_bytes(answer) if isinstance(answer, bytes) else socket.send_text(answer))
        except (WebSocketDisconnect, KeyError):  # gone; or bytes came, which no page sends
            pass

    def session(self, query: str) -> Session:
        """Begin the run that a link describes."""
        settings = Settings.from_query(query)
        return Session(settings, self._table(settings) if settings.data == TABLE else None)

    def _table(self, settings: Settings) -> tables.Table:
        if settings.table not in self._tables:
            raise SettingsError("choose the file of the table again: it is not here any more", "data")
        try:
            return tables.read(*self._tables[settings.table], settings.columns)
        except ValueError as error:
            raise SettingsError(str(error), "columns") from None


class Conversation:
    """What one page asks, and is answered.

    Parameters
    ----------
    begin : callable
        Makes the session that the text of a link describes.
    """

    def __init__(self, begin: Callable[[str], Session]) -> None:
        self._begin = begin
        self._camera: Camera | None = None

    def answer(self, text: str) -> str | bytes:
        """Return the answer to a question: JSON, or a frame. Errors are answers too, and leave the run as it is."""
        ask: dict[str, Callable[[dict[str, Any]], str | bytes]]
        ask = {"begin": self._begun, "update": self._updated, "epochs": self._trained, "python": self._python}
        try:
            question = json.loads(text)
        except (ValueError, RecursionError):
            return _error("a question must be JSON")
        what = question.get("ask") if isinstance(question, dict) else None
        if not isinstance(what, str) or what not in ask:
            return _error(f"a page may ask for {', '.join(ask)}; got {text[:80]!r}")
        try:
            return ask[what](question)
        except SettingsError as error:
            return _error(str(error), error.field)

    def _begun(self, question: dict[str, Any]) -> bytes:
        session = self._begin(str(question.get("query", "")))
        self._camera = Camera(session)
        return self._camera.frame(run=beginning(session))

    def _at_work(self) -> Camera:
        if self._camera is None:
            raise SettingsError("a run must begin first")
        return self._camera

    def _updated(self, question: dict[str, Any]) -> bytes:
        return self._after(self._at_work().session.update)

    def _trained(self, question: dict[str, Any]) -> bytes:
        session, count = self._at_work().session, question.get("count")
        if type(count) is not int or not 1 <= count <= MOST_EPOCHS:
            raise SettingsError(f"epochs must be from 1 to {MOST_EPOCHS} at once; got {count!r}")
        return self._after(lambda: session.epochs(count))

    def _after(self, training: Callable[[], None]) -> bytes:
        camera = self._at_work()
        try:
            training()
        except fn.DivergedError as error:
            return camera.frame(
                diverged=f"training diverged at update {camera.session.trainer.steps + 1}: {error.what} became NaN or "
                "infinite. This is the network before it: choose a smaller learning rate, or Reset."
            )
        return camera.frame()

    def _python(self, question: dict[str, Any]) -> str:
        return json.dumps({"python": script(self._at_work().session)})


def _error(message: str, field: str = "") -> str:
    return json.dumps({"error": message, "field": field})


def application() -> Starlette:
    """Make the application, as an ASGI server runs it."""
    playground = Playground()
    app = Starlette(
        routes=[
            Route("/tables", playground.take_table, methods=["POST"]),
            WebSocketRoute("/run", playground.talk),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ]
    )
    app.add_middleware(Guard)
    return app
