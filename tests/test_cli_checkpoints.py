"""Checkpoints of ``fastnn train``: runs that are killed, resumed runs with the bits of unbroken ones, and refusals."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("click")

from click.testing import CliRunner

import fastnn as fn
from fastnn import records
from fastnn.cli.commands import fastnn as command
from fastnn.cli.options import Interval

QUICK = ["--epochs", "12", "--hidden", "8", "--patience", "5", "-q"]
DIGEST = re.compile("digest ([0-9a-f]{64})")


def run(*arguments, status=0):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def record_of(folder):
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


def make_table(path, n=400, shift=0.0):
    random = np.random.default_rng(1)
    x = random.normal(size=(n, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["town"] = random.choice(["Kiel", "Bonn"], n)
    frame["y"] = x @ [1.0, -2.0, 0.5] + (frame["town"] == "Kiel") + random.normal(size=n)
    frame["b"] += shift
    frame.to_csv(path, index=False)


@pytest.fixture
def table(tmp_path):
    make_table(tmp_path / "t.csv")
    return tmp_path / "t.csv"


@pytest.fixture(params=["digits", "table"])
def source(request, table):
    return request.param if request.param == "digits" else table


class Death(BaseException):
    """What ends a process before it can tidy up."""


@pytest.fixture
def broken_off(monkeypatch):
    """A function that trains until the process dies in the epoch given, after its checkpoint."""

    def train(epoch, *arguments):
        with monkeypatch.context() as patch:
            save = fn.Checkpoint._save

            def die(self, trainer):
                save(self, trainer)
                if trainer.epoch == epoch:
                    raise Death

            patch.setattr(fn.Checkpoint, "_save", die)
            with pytest.raises(Death):
                CliRunner().invoke(command, [str(argument) for argument in arguments])

    return train


def same_run(record, expected):
    """Whether two records are of one run; it may have taken another time."""
    results = [{**found["results"], "seconds": 0} for found in (record, expected)]
    return {**record, "results": results[0]} == {**expected, "results": results[1]}


def test_a_resumed_run_is_the_unbroken_one(tmp_path, source, broken_off):
    unbroken, folder = tmp_path / "unbroken", tmp_path / "run"
    expected = DIGEST.search(run("train", source, "-o", unbroken, *QUICK))[1]
    arguments = ["train", source, "-o", folder, *QUICK]
    broken_off(2, *arguments, "--checkpoint-every", "1epoch")
    broken_off(4, *arguments, "--resume")
    assert sorted(os.listdir(folder)) == ["checkpoint.safetensors", "checkpoint.safetensors.previous"]
    output = run(*arguments, "--resume")
    assert "checkpoint.safetensors: 4 epochs" in output
    assert DIGEST.search(output)[1] == expected
    assert same_run(record_of(folder), record_of(unbroken))
    assert (
        fn.Network.load(folder / "model.safetensors").metadata
        == fn.Network.load(unbroken / "model.safetensors").metadata
    )
    assert sorted(os.listdir(folder)) == ["learning_curve.png", "model.safetensors", "record.json"]
    assert expected in run("reproduce", folder / "record.json", "-q")


def test_an_early_stop_stays_one(tmp_path, table, broken_off):
    """The process dies between the decision of early stopping and the end of the run."""
    arguments = ["train", table, "-q", "--hidden", "8", "--patience", "1", "--learning-rate", "0.1"]
    run(*arguments, "-o", tmp_path / "unbroken")
    expected = record_of(tmp_path / "unbroken")
    stopped = expected["training"]["epochs"]
    assert stopped < 100
    arguments += ["-o", tmp_path / "run"]
    broken_off(stopped, *arguments, "--checkpoint-every", "1epoch")
    assert f"{stopped} epochs" in run(*arguments, "--resume")
    assert same_run(record_of(tmp_path / "run"), expected)


def test_what_early_stopping_did_is_not_done_twice(tmp_path, table, monkeypatch):
    """The process dies when training has ended and before the record of the run is written."""
    arguments = ["train", table, "-q", "--hidden", "8", "--patience", "1", "--learning-rate", "0.1"]
    run(*arguments, "-o", tmp_path / "unbroken")

    def die(*_):
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(records, "write", die)
        with pytest.raises(Death):
            run(*arguments, "-o", tmp_path / "run", "--checkpoint-every", "1epoch")
    run(*arguments, "-o", tmp_path / "run", "--resume")
    assert same_run(record_of(tmp_path / "run"), record_of(tmp_path / "unbroken"))


def test_checkpoints_change_nothing(tmp_path, source):
    for name, more in (("without", []), ("with", ["--checkpoint-every", "0.001s"])):
        run("train", source, "-o", tmp_path / name, *QUICK, *more)
    assert same_run(record_of(tmp_path / "with"), record_of(tmp_path / "without"))
    assert os.listdir(tmp_path / "with") == os.listdir(tmp_path / "without")


def test_seconds_of_all_parts_are_counted(tmp_path, broken_off, monkeypatch):
    clock = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    broken_off(1, "train", "digits", "-o", tmp_path, *QUICK, "--checkpoint-every", "1epoch")
    before = fn.Trainer.load(tmp_path / "checkpoint.safetensors").state.callback_states["RunCheckpoint.0"][0]["elapsed"]
    monkeypatch.undo()
    run("train", "digits", "-o", tmp_path, *QUICK, "--resume")
    assert before >= 1000
    assert before < record_of(tmp_path)["results"]["seconds"] < before + 60


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--learning-rate", "0.01"], "--learning-rate was 0.003, is 0.01"),
        (["--seed", "3"], "--seed was 0, is 3"),
        (["--epochs", "13"], "--epochs was 12, is 13"),
        (["--hidden", "9,4"], "--hidden was 8, is 9, 4"),
        (["--clip-norm", "1"], "--clip-norm was not set, is 1"),
        (["--validation-fraction", "0.3", "--dropout", "0"], "--dropout was 0.3, is 0; --validation-fraction was 0.1"),
    ],
)
def test_other_options_are_refused(tmp_path, broken_off, more, expected):
    arguments = ["train", "digits", "-o", tmp_path, *QUICK]
    broken_off(1, *arguments, "--checkpoint-every", "1epoch")
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    output = run(*arguments, *more, "--resume", status=2)
    assert "checkpoint.safetensors is of another run" in output
    assert expected in output
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    assert "model.safetensors" not in os.listdir(tmp_path)


def test_threads_and_the_interval_may_be_others(tmp_path, broken_off):
    arguments = ["train", "digits", "-o", tmp_path, *QUICK]
    broken_off(1, *arguments, "--threads", "1", "--checkpoint-every", "1epoch")
    broken_off(4, *arguments, "--threads", "2", "--checkpoint-every", "2 epochs", "--resume")
    assert fn.Trainer.load(tmp_path / "checkpoint.safetensors").network.metadata["checkpoint_every"] == {"epochs": 2}


def test_other_data_are_refused(tmp_path, table, broken_off):
    arguments = ["train", table, "-o", tmp_path / "run", *QUICK]
    broken_off(1, *arguments, "--checkpoint-every", "1epoch")
    make_table(table, shift=1.0)
    output = run(*arguments, "--resume", status=2)
    assert "other values of the column 'b'" in output
    assert "'a'" not in output
    make_table(table)
    assert "--target was y, is a" in run(*arguments, "--resume", "--target", "a", status=2)
    assert "of another run" in run("train", "digits", "-o", tmp_path / "run", *QUICK, "--resume", status=2)
    os.rename(table, tmp_path / "moved.csv")
    same = ["--target", "y", "--task", "regression", "--loss", "mean_squared"]
    run("train", tmp_path / "moved.csv", "-o", tmp_path / "run", *QUICK, *same, "--resume")


def test_without_a_checkpoint_a_run_begins(tmp_path, source):
    output = run("train", source, "-o", tmp_path / "run", *QUICK, "--resume")
    assert "the run starts from the beginning" in output
    run("train", source, "-o", tmp_path / "other", *QUICK)
    assert same_run(record_of(tmp_path / "run"), record_of(tmp_path / "other"))


def test_a_checkpoint_is_not_lost_to_a_new_run(tmp_path, broken_off):
    arguments = ["train", "digits", "-o", tmp_path, *QUICK, "--checkpoint-every", "1epoch"]
    broken_off(1, *arguments)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    assert "add --resume" in run(*arguments, status=2)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_damaged_checkpoints(tmp_path, broken_off):
    arguments = ["train", "digits", "-o", tmp_path, *QUICK]
    path = tmp_path / "checkpoint.safetensors"
    broken_off(3, *arguments, "--checkpoint-every", "1epoch")
    path.write_bytes(path.read_bytes()[:-1])
    output = run(*arguments, "--resume")
    assert "the generation before it was loaded instead" in output
    assert "checkpoint.safetensors: 2 epochs" in output
    path.write_bytes(b"nothing")
    assert "truncated, damaged or not" in run(*arguments, "--resume", status=2)
    trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(1)], seed=0), "mean_squared")
    trainer.save(path)
    assert "is not a checkpoint of fastnn train" in run(*arguments, "--resume", status=2)


def test_ctrl_c_leaves_a_checkpoint(tmp_path, monkeypatch):
    arguments = ["train", "digits", "-o", tmp_path, *QUICK]
    run(*arguments)
    expected = record_of(tmp_path)

    def press(self, trainer, epoch, values):
        if epoch == 5:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(fn.Checkpoint, "on_epoch_end", press)
        assert "interrupted" in run(*arguments, "--checkpoint-every", "1h", status=130)
    assert record_of(tmp_path)["results"]["interrupted"] is True
    assert "5 epochs" in run(*arguments, "--resume")
    assert same_run(record_of(tmp_path), expected)
    assert "checkpoint.safetensors" not in os.listdir(tmp_path)


def test_runs_that_are_killed_go_on(tmp_path, source):
    """SIGKILL from outside, again and again, until the run is done."""
    options = ["--epochs", "300", "--hidden", "32,32", "--schedule", "constant", "-q"]
    run("train", source, "-o", tmp_path / "unbroken", *options)
    folder = tmp_path / "run"
    checkpoint = folder / "checkpoint.safetensors"
    arguments = [sys.executable, "-P", "-m", "fastnn.cli", "train", str(source), "-o", str(folder), *options]
    kills = 0
    while kills < 3:
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        more = ["--checkpoint-every", "2epochs", "--resume"]
        with subprocess.Popen([*arguments, *more], stderr=subprocess.PIPE, text=True) as running:
            deadline = time.monotonic() + 60
            while running.poll() is None and time.monotonic() < deadline:
                if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                    break
                time.sleep(0.001)
            running.send_signal(signal.SIGKILL)
            _, errors = running.communicate(timeout=60)
        assert running.returncode in (0, -signal.SIGKILL), errors
        if running.returncode == 0:
            break
        kills += 1
    assert kills > 0
    if kills == 3:
        subprocess.run([*arguments, "--resume"], check=True, timeout=60)
    assert same_run(record_of(folder), record_of(tmp_path / "unbroken"))
    assert not checkpoint.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", {"seconds": 90.0}),
        ("30s", {"seconds": 30.0}),
        ("0.5 s", {"seconds": 0.5}),
        ("5m", {"seconds": 300.0}),
        ("2H", {"seconds": 7200.0}),
        ("10 epochs", {"epochs": 10}),
        ("1epoch", {"epochs": 1}),
    ],
)
def test_intervals(text, expected):
    assert Interval().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-3", "1d", "1.5epochs", "0 epochs", "s", "nan", "9" * 400, "5m 3s"])
def test_wrong_intervals(tmp_path, text):
    assert "5m" in run("train", "digits", "-o", tmp_path / "x", "--checkpoint-every", text, status=2)
    assert not (tmp_path / "x").exists()


def test_one_training_at_a_time_in_a_folder(source, tmp_path):
    out = tmp_path / "run"
    code = "import sys; from fastnn.cli import main; main()"
    endless = ["--epochs", "1000000", "--patience", "1000000", "--hidden", "8", "-q", "--checkpoint-every", "1s"]
    command = [sys.executable, "-c", code, "train", str(source), *endless, "--output", str(out)]
    other = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (out / "checkpoint.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        said = run("train", source, *QUICK, "--output", out, status=2)
        assert "in use by another fastnn train" in said
        assert not (out / "model.safetensors").exists()
    finally:
        other.kill()
        other.wait()
    run("train", source, *QUICK, "--output", out)
    run("train", source, *QUICK, "--output", out)  # nor does a training in this process keep it
