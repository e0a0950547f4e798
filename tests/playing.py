"""The playground as tests use it: its server in a thread of this process, and questions as the page asks them."""

import contextlib
import http.client
import json
import threading
from unittest import mock

import numpy as np
from websockets.sync.client import connect

from fastnn.playground import serving, session


@contextlib.contextmanager
def served():
    """The address of a server, such as ``127.0.0.1:43210``, while it runs; no call is cut short on a busy machine."""
    ready = threading.Event()
    with serving.listening(0) as socket, mock.patch.object(session, "MOST_SECONDS", 60.0):
        server = serving.server(ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            assert ready.wait(30)
            yield "{}:{}".format(*socket.getsockname())
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def request(address, method, path, body=None, **headers):
    """The status, headers and body of an answer; a name of a header with ``_`` for ``-``."""
    connection = http.client.HTTPConnection(address, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def send_table(address, content, name="table.csv"):
    """The status and the answer to a file that the page sends."""
    status, _, body = request(address, "POST", f"/tables?name={name}", content, Origin=f"http://{address}")
    return status, json.loads(body)


@contextlib.contextmanager
def asking(address):
    """A function that asks a question and gives the answer: a frame, or what the JSON holds."""
    with connect(f"ws://{address}/run", origin=f"http://{address}", max_size=None) as socket:

        def ask(ask, **more):
            socket.send(json.dumps({"ask": ask, **more}))
            answer = socket.recv(timeout=60)
            return json.loads(answer) if isinstance(answer, str) else frame(answer)

        yield ask


def frame(content):
    """A frame as the page reads it: the header, and its arrays by name."""
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    offset = 4 + length
    for name, dtype, size in header["arrays"]:
        header[name] = np.frombuffer(content, dtype, size, offset)
        offset += header[name].nbytes
    assert offset == len(content)
    return header


def table(separator=",", classes=("a", "b"), n=60):
    """A CSV file of two features and classes."""
    rng = np.random.default_rng(5)
    rows = [separator.join(["left", "right", "kind"])]
    for i in range(n):
        x = rng.normal(size=2) + 3 * (i % len(classes))
        rows.append(separator.join([f"{x[0]:.3f}", f"{x[1]:.3f}", classes[i % len(classes)]]))
    return ("\n".join(rows) + "\n").encode()
