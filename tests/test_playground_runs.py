"""Runs of the playground: pictures of what the network computes, and scripts that repeat them."""

import subprocess
import sys

import command_line
import numpy as np
import playing
import pytest

import fastnn as fn
from fastnn.playground import session as sessions
from fastnn.playground import tables
from fastnn.playground.frames import PLANE_POINTS, UNIT_POINTS, Camera, beginning
from fastnn.playground.script import script
from fastnn.playground.session import Session
from fastnn.playground.settings import OPTIMIZERS, Settings

REGRESSION = "\n".join(["x;y;z", *(f"{i % 7};{i % 5};{(i % 7) * (i % 5) + i / 9}" for i in range(60))]).encode()
FILES = {
    "two": playing.table(classes=("no", "yes")),
    "three": playing.table("\t", ("a", "b b", "c")),
    "numbers": playing.table(classes=("1", "2.0")),
    "regression": REGRESSION,
    "wide": b"id,a,b,c,kind\n" + b"u,1,2,3,yes\nv,2,1,5,no\nw,3,3,4,no\n" * 8,
}


@pytest.fixture(autouse=True)
def _without_haste(monkeypatch):
    """No call is cut short on a busy machine."""
    monkeypatch.setattr(sessions, "MOST_SECONDS", 60.0)


def session(text="", file=None, columns=()):
    if file is None:
        return Session(Settings.from_query(text))
    table = tables.read(FILES[file], "my table.csv", columns)
    return Session(Settings.from_query(f"data=table&table={table.key}&{text}"), table)


# --------------------------------------------------------------------- scripts


def repeated(run, folder):
    """The digest that the script of a run prints, in a process of its own."""
    if run.table:
        (folder / run.table.file).write_bytes(next(data for data in FILES.values() if is_of(data, run.table)))
    done = command_line.process("-W", "error", "-c", script(run), cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def is_of(data, table):
    return tables.read(data, table.file).key == table.key


@pytest.mark.parametrize(
    ("text", "updates", "epochs"),
    [
        ("", 0, 4),
        ("data=circles&noise=0.3&dropout=0.2&activation=relu&optimizer=momentum&learning_rate=0.05", 3, 2),
        ("data=xor&batch=full&layers=&seed=12", 2, 5),
        ("data=gauss&batch=single&layers=3-2&held_out=0.55&points=40", 7, 0),
        ("data=gauss&batch_size=2000", 0, 0),
    ],
)
def test_a_script_repeats_the_run(text, updates, epochs, tmp_path):
    run = session(text)
    for _ in range(updates):
        run.update()
    for _ in range(epochs):
        run.epochs(1)
    for _ in range(updates):
        run.update()
    assert repeated(run, tmp_path) == run.trainer.network.digest()


@pytest.mark.parametrize("file", FILES)
def test_a_script_repeats_the_run_on_a_table(file, tmp_path):
    run = session("layers=4", file, (3, 1, 0) if file == "wide" else ())
    run.epochs(2)
    run.update()
    assert repeated(run, tmp_path) == run.trainer.network.digest()


def test_a_script_that_is_changed_says_so(tmp_path):
    run = session()
    run.epochs(1)
    text = script(run).replace("epochs=1", "epochs=2")
    done = subprocess.run(
        [sys.executable, "-P", "-c", text], cwd=tmp_path, env=command_line.environment(), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "AssertionError" in done.stderr


def test_names_in_a_table_cannot_become_code():
    content = b'"x\nimport os",y,\'z\n' + b"1,2,a\n2,1,b\n" * 8
    run = Session(*with_table(tables.read(content, '");print("x.csv')))
    assert not any(line.startswith("import os") for line in script(run).splitlines())
    assert 'open("\\");print(\\"x.csv"' in script(run)
    compile(script(run), "script", "exec")


def with_table(table):
    return Settings.from_query(f"data=table&table={table.key}"), table


# ------------------------------------------------------------------------ runs


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_updates_and_epochs_in_any_mixture_are_one_run(optimizer):
    """As often as it is stopped: the bits of a run in one piece."""
    mixed, whole = session(f"optimizer={optimizer}"), session(f"optimizer={optimizer}")
    for _ in range(5):
        mixed.update()
    mixed.epochs(2)
    whole.epochs(2)
    assert mixed.trainer.steps == whole.trainer.steps == 42
    assert mixed.trainer.network.digest() == whole.trainer.network.digest()


def test_an_epoch_that_takes_long_goes_on_in_the_next_call(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SECONDS", 1e-3)
    cut, whole = (session("points=2000&batch=single&layers=12-12-12-12-12-12&held_out=0.1") for _ in range(2))
    calls = 0
    while not cut.trainer.epoch:
        cut.epochs(1)
        calls += 1
    assert calls > 1
    monkeypatch.setattr(sessions, "MOST_SECONDS", 60.0)
    whole.epochs(1)
    assert cut.trainer.network.digest() == whole.trainer.network.digest()


# ---------------------------------------------------------------------- frames


def taken(run, **more):
    return playing.frame(Camera(run).frame(**more))


def grid(run, points):
    (left, right), (bottom, top) = beginning(run)["plane"]
    x = left + (right - left) * (np.arange(points) + 0.5) / points
    y = top - (top - bottom) * (np.arange(points) + 0.5) / points
    return np.array([[column, row] for row in y for column in x], np.float32)


def test_a_frame_shows_what_each_unit_puts_out():
    run = session("layers=3-2&dropout=0.3")
    run.epochs(3)
    found = taken(run)
    rows = grid(run, UNIT_POINTS)
    network = run.trainer.network
    hidden = fn.Network(network.layers[:2], seed=0)
    for name in hidden.parameters:
        hidden.parameters[name] = network.parameters[name]
    pictures = found["units"].reshape(-1, UNIT_POINTS**2) / 127 * found["scales"][:, None]
    assert pictures.shape[0] == 2 + 3 + 2 + 1
    np.testing.assert_allclose(pictures[:2].T, rows, atol=0.05)
    np.testing.assert_allclose(pictures[2:5].T, hidden.predict(rows), atol=0.01)
    np.testing.assert_allclose(pictures[-1], network.predict(rows)[:, 0], atol=found["scales"][-1] / 200)


def test_a_frame_shows_how_sure_the_network_is():
    run = session()
    run.epochs(5)
    outputs = run.trainer.network.predict(grid(run, PLANE_POINTS)).astype(np.float64)[:, 0]
    np.testing.assert_allclose(taken(run)["plane"] / 127, 2 / (1 + np.exp(-outputs)) - 1, atol=0.01)
    run = session("layers=4", "three")
    run.epochs(5)
    outputs = run.trainer.network.predict(grid(run, PLANE_POINTS)).astype(np.float64)
    share = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    found = taken(run)
    np.testing.assert_array_equal(found["winners"], outputs.argmax(axis=1))
    np.testing.assert_allclose(found["plane"] / 127, share.max(axis=1), atol=0.01)


def test_a_frame_has_parameters_gradients_scores_and_the_digest():
    run = session("dropout=0.2&layers=3")
    run.epochs(1)
    found = taken(run, diverged="x")
    network = run.trainer.network
    np.testing.assert_array_equal(
        found["parameters"], np.concatenate([array.ravel() for array in network.parameters.values()])
    )
    bare = fn.Network([fn.Input(2), fn.Dense(3, "tanh"), fn.Dense(1)])
    for name, array in zip(bare.parameters, network.parameters.values(), strict=True):
        bare.parameters[name] = array
    slopes = fn.gradients.gradient(bare, "binary_cross_entropy", *run.problem.train)
    np.testing.assert_array_equal(found["gradients"], np.concatenate([array.ravel() for array in slopes.values()]))
    assert found["digest"] == network.digest()
    assert found["train"] == run.trainer.evaluate(*run.problem.train)
    assert found["heldOut"] == run.trainer.evaluate(*run.problem.held_out)
    assert (found["updates"], found["epochs"], found["diverged"]) == (21, 1, "x")


def test_taking_frames_does_not_change_the_run():
    watched, alone = session("dropout=0.1"), session("dropout=0.1")
    camera = Camera(watched)
    for _ in range(3):
        watched.epochs(1)
        camera.frame()
        alone.epochs(1)
    assert watched.trainer.network.digest() == alone.trainer.network.digest()


def test_the_beginning_tells_the_page_what_it_draws():
    found = beginning(session("data=xor&layers=4-2"))
    assert found["units"] == [2, 4, 2, 1]
    assert found["query"] == "data=xor&layers=4-2"
    assert (len(found["train"]["X"]), len(found["heldOut"]["y"])) == (210, 90)
    found = beginning(session("", "regression"))
    assert (found["names"], found["classes"], found["units"][-1]) == (["x", "y", "z"], [], 1)
    assert found["labels"] == [["-0.4", "6.4"], ["-0.2", "4.2"]], "the ends of the axes, as the table has them"
    assert beginning(session("", "three"))["units"][-1] == 3
