"""The server of the playground: for its own pages alone, with an answer to whatever they ask."""

import json

import playing
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fastnn.playground.server import STATIC


@pytest.fixture(scope="module")
def address():
    with playing.served() as found:
        yield found


# ----------------------------------------------------------------------- guard


@pytest.mark.parametrize("name", ["", *sorted(path.name for path in STATIC.iterdir())])
def test_files_of_the_page_load_nothing_from_elsewhere(address, name):
    status, headers, body = playing.request(address, "GET", f"/{name}")
    assert status == 200
    assert body == (STATIC / (name or "index.html")).read_bytes()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'self'; connect-src 'self' ws://{address}; ")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_localhost_is_a_name_of_it_too(address):
    port = address.rpartition(":")[2]
    assert playing.request(address, "GET", "/", Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "[::1", "", "127.0.0.1:x"]
)
def test_a_foreign_name_is_refused(address, host):
    """A page whose name has been made to point here."""
    status, headers, body = playing.request(address, "GET", "/", Host=host)
    assert status == 403
    assert b"pages of the playground alone" in body
    assert "evil" not in str(headers)


@pytest.mark.parametrize("origin", ["http://evil.example", "https://{}", "null", "http://127.0.0.1:1", None])
def test_a_foreign_page_is_refused(address, origin):
    headers = {} if origin is None else {"Origin": origin.format(address)}
    assert playing.request(address, "POST", "/tables", playing.table(), **headers)[0] == 403
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        connect(f"ws://{address}/run", origin=headers.get("Origin"))


def test_nothing_but_the_page_is_there(address):
    for path in ("/../server.py", "/%2e%2e/server.py", "//etc/passwd", "/server.py", "/tables", "/run"):
        assert playing.request(address, "GET", path)[0] in (400, 404, 405), path


# --------------------------------------------------------------------- answers


def test_a_run_from_its_beginning_on(address):
    with playing.asking(address) as ask:
        first = ask("begin", query="data=xor")
        assert first["run"]["settings"]["data"] == "xor"
        assert (first["updates"], first["epochs"]) == (0, 0)
        assert ask("update")["updates"] == 1
        later = ask("epochs", count=10)
        assert (later["updates"], later["epochs"]) == (210, 10)
        assert later["train"]["loss"] < first["train"]["loss"]
        assert f'== "{later["digest"]}"' in ask("python")["python"]
        assert ask("begin", query="data=xor")["digest"] == first["digest"]


def test_pages_have_runs_of_their_own(address):
    with playing.asking(address) as one, playing.asking(address) as other:
        one("begin", query="seed=1")
        other("begin", query="seed=2")
        assert one("epochs", count=3)["updates"] == 63
        assert other("update")["updates"] == 1


@pytest.mark.parametrize("question", ["{", "[]", '"x"', "{}", '{"ask": ["begin"]}', '{"ask": "stop"}', "1" * 5000])
def test_what_is_no_question_is_told(address, question):
    with connect(f"ws://{address}/run", origin=f"http://{address}") as socket:
        socket.send(question)
        assert set(json.loads(socket.recv())) == {"error", "field"}
        socket.send(json.dumps({"ask": "begin"}))
        assert playing.frame(socket.recv())["updates"] == 0


@pytest.mark.parametrize("question", [{"ask": "update"}, {"ask": "epochs", "count": 1}, {"ask": "python"}])
def test_a_run_has_to_begin(address, question):
    with playing.asking(address) as ask:
        assert ask(**question) == {"error": "a run must begin first", "field": ""}


@pytest.mark.parametrize("count", [0, 101, 1.5, True, "2", None, 10**30])
def test_epochs_are_limited(address, count):
    with playing.asking(address) as ask:
        ask("begin")
        assert "epochs must be from 1 to 100 at once" in ask("epochs", count=count)["error"]


def test_a_wrong_setting_leaves_the_run_as_it_is(address):
    with playing.asking(address) as ask:
        ask("begin", query="data=gauss")
        ask("update")
        answer = ask("begin", query="layers=1000")
        assert answer == {
            "error": "units of a layer must be an integer of at least 1 and at most 12; got 1000",
            "field": "layers",
        }
        assert ask("update")["updates"] == 2


def test_divergence_is_told_with_the_last_finite_parameters(address):
    with playing.asking(address) as ask:
        ask("begin", query="data=xor&activation=relu&optimizer=momentum&learning_rate=10.0&layers=12-12-12")
        for _ in range(200):
            answer = ask("epochs", count=10)
            if "diverged" in answer:
                break
        assert f"training diverged at update {answer['updates'] + 1}: the outputs of layer" in answer["diverged"]
        assert "choose a smaller learning rate" in answer["diverged"]


# ---------------------------------------------------------------------- tables


def test_a_table_is_there_for_all_pages(address):
    status, answer = playing.send_table(address, playing.table(classes=("u", "v", "w")), "my%20table.csv")
    assert status == 200
    with playing.asking(address) as ask:
        run = ask("begin", query=f"data=table&table={answer['table']}")["run"]
        assert (run["file"], run["classes"], run["names"]) == (
            "my table.csv",
            ["u", "v", "w"],
            ["left", "right", "kind"],
        )
        assert ask("epochs", count=20)["heldOut"]["accuracy"] > 0.9


def test_columns_of_a_table_may_be_chosen(address):
    content = b"id,a,b,c,kind\n" + b"u,1,2,3,yes\nv,2,1,5,no\n" * 8
    link = f"data=table&table={playing.send_table(address, content)[1]['table']}"
    with playing.asking(address) as ask:
        run = ask("begin", query=link)["run"]
        assert (run["names"], run["columns"]) == (["a", "b", "kind"], [1, 2, 4])
        assert run["header"] == ["id", "a", "b", "c", "kind"]
        run = ask("begin", query=f"{link}&columns=3-1-0")["run"]
        assert (run["names"], run["classes"]) == (["c", "a", "id"], ["u", "v"])
        answer = ask("begin", query=f"{link}&columns=0-1-4")
        assert answer == {"error": "line 2: 'id' must hold numbers; got 'u'", "field": "columns"}


def test_a_bad_table_is_told(address):
    assert playing.send_table(address, b"a,b\n1,2\n")[0] == 400
    assert "three columns" in playing.send_table(address, b"a,b\n1,2\n")[1]["error"]
    assert "at most 1,000 kB" in playing.send_table(address, b"1,2,3\n" * 300_000)[1]["error"]


def test_a_table_that_is_not_here_is_told(address):
    with playing.asking(address) as ask:
        answer = ask("begin", query="data=table&table=0123456789abcdef")
        assert answer == {"error": "choose the file of the table again: it is not here any more", "field": "data"}


def test_a_share_that_leaves_nothing_is_told(address):
    content = b"x,y,z\n" + b"1,2,a\n2,1,b\n" * 5
    key = playing.send_table(address, content)[1]["table"]
    with playing.asking(address) as ask:
        assert ask("begin", query=f"data=table&table={key}&held_out=0.8")["run"]["units"][-1] == 1


def test_only_the_latest_tables_are_kept(address):
    keys = [playing.send_table(address, playing.table(), f"{i}.csv")[1]["table"] for i in range(9)]
    with playing.asking(address) as ask:
        assert "error" in ask("begin", query=f"data=table&table={keys[0]}")
        assert "run" in ask("begin", query=f"data=table&table={keys[8]}")
