"""The command ``fastnn playground``: a page in the browser that shows a network while it is trained."""

from __future__ import annotations

import contextlib
import importlib
import threading
import webbrowser

import click

from fastnn.cli.failures import Failure, RunFailure

LIBRARIES = ("starlette", "uvicorn", "websockets")


@click.command(short_help="Watch a small network while it is trained, in the browser.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="Where the page is. [8765, or a free one]")
@click.option("--no-browser", is_flag=True, help="Print the address, and open nothing.")
def playground(port: int | None, no_browser: bool) -> None:
    """Watch a small network while it is trained, in the browser.

    Choose data of two features, layers and hyperparameters, and see the decision boundary, the loss, the units, weights
    and gradients move. The page is for this machine alone, and loads nothing from elsewhere. Ctrl-C ends it.
    """
    for library in LIBRARIES:
        try:
            importlib.import_module(library)
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
            raise Failure(f"the playground needs {library}: pip install {' '.join(LIBRARIES)}") from None
    from fastnn.playground import serving

    try:
        socket = serving.listening(port)
    except OSError as error:
        raise RunFailure(error.strerror) from None
    address = f"http://{serving.HOST}:{socket.getsockname()[1]}/"

    def ready() -> None:
        click.echo(f"The playground is at {address} – Ctrl-C ends it.")
        if not no_browser:
            threading.Thread(target=show, daemon=True).start()  # a browser in the terminal would hold up the server

    def show() -> None:
        if not webbrowser.open(address):
            click.echo("No browser could be opened: open the address in one.", err=True)

    with socket, contextlib.suppress(KeyboardInterrupt):  # how this server ends
        serving.server(ready).run(sockets=[socket])
