"""The command ``fastnn playground``: its address, its end by Ctrl-C, and what stands in its way."""

import contextlib
import re
import signal
import socket
import subprocess
import sys

import playing
import pytest
from command_line import environment, process, run
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fastnn.cli import playground as command
from fastnn.playground import serving


@contextlib.contextmanager
def started(*arguments, code="import fastnn.cli; fastnn.cli.main()"):
    """A process of the command, and its address."""
    # Python in a shell's background ignores Ctrl-C; here it has to hear it.
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {code}"
    running = subprocess.Popen(
        [sys.executable, "-P", "-u", "-c", code, "playground", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        line = running.stdout.readline()
        found = re.fullmatch(r"The playground is at http://(127\.0\.0\.1:\d+)/ – Ctrl-C ends it\.\n", line)
        assert found, line + running.stderr.read()
        yield running, found[1]
    finally:
        running.kill()
        running.communicate()


def ended(running):
    """The exit status, and what else was printed, after Ctrl-C."""
    running.send_signal(signal.SIGINT)
    printed = running.communicate(timeout=30)
    return running.returncode, *printed


def test_it_says_where_it_is_and_ends_by_ctrl_c():
    with started("--no-browser") as (running, address):
        assert b"<title>fastnn playground</title>" in playing.request(address, "GET", "/")[2]
        assert ended(running) == (0, "", "")


def test_it_ends_while_a_page_is_open():
    with (
        started("--no-browser") as (running, address),
        connect(f"ws://{address}/run", origin=f"http://{address}") as page,
    ):
        page.send('{"ask": "begin"}')
        page.recv()
        assert ended(running) == (0, "", "")


def test_pages_that_vanish_leave_no_trace():
    """Closed while it trains, or gone without a word, or sending what no page sends."""
    with started("--no-browser") as (running, address):
        for message in ('{"ask": "epochs", "count": 100}', b"bytes", "x" * 200_000):
            with connect(f"ws://{address}/run", origin=f"http://{address}") as page:
                page.send('{"ask": "begin", "query": "points=2000&batch=single"}')
                page.recv()
                page.send(message)
                if message == b"bytes":
                    with pytest.raises(ConnectionClosed):
                        page.recv(timeout=30)
        with connect(f"ws://{address}/run", origin=f"http://{address}") as page:
            page.send('{"ask": "begin"}')
            page.socket.shutdown(socket.SHUT_RDWR)
        assert b"<title>" in playing.request(address, "GET", "/")[2]
        assert ended(running) == (0, "", "")


def test_it_opens_the_browser():
    code = "import webbrowser, fastnn.cli; webbrowser.open = lambda address: print(address) or True; fastnn.cli.main()"
    with started(code=code) as (running, address):
        assert running.stdout.readline() == f"http://{address}/\n"
        assert ended(running) == (0, "", "")
    code = "import webbrowser, fastnn.cli; webbrowser.open = lambda address: False; fastnn.cli.main()"
    with started(code=code) as (running, _):
        assert running.stderr.readline() == "No browser could be opened: open the address in one.\n"


def test_a_port_of_ones_choice():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with started("--no-browser", "--port", str(port)) as (_, address):
        assert address == f"127.0.0.1:{port}"
        done = process("-m", "fastnn.cli", "playground", "--no-browser", "--port", str(port))
        assert done.returncode == 1
        assert done.stderr == f"Error: port {port} is taken: choose another --port, or leave it out\n"
        assert done.stdout == ""


def test_where_the_usual_port_is_taken_it_takes_another(monkeypatch):
    with serving.listening(0) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(serving, "USUAL_PORT", port)
        with serving.listening(None) as found:
            assert found.getsockname()[1] != port


def test_it_listens_on_this_machine_alone():
    with serving.listening(0) as found:
        assert found.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_a_port_that_is_none(port):
    result = run("playground", "--port", port)
    assert result.exit_code == 2
    assert "--port" in result.output


@pytest.mark.parametrize("library", command.LIBRARIES)
def test_without_a_library_it_names_it(library):
    code = (
        f"import sys; sys.modules[{library!r}] = None; sys.argv = ['fastnn', 'playground', '--no-browser']; "
        "from fastnn.cli import main; main()"
    )
    done = process("-c", code)
    assert done.returncode == 2
    assert done.stderr == f"Error: the playground needs {library}: pip install starlette uvicorn websockets\n"


def test_other_commands_do_without_its_libraries():
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({command.LIBRARIES!r})); sys.argv = ['fastnn', '--help']; "
        "from fastnn.cli import main; main()"
    )
    done = process("-c", code)
    assert done.returncode == 0, done.stderr
    assert "playground" in done.stdout
