"""What a newcomer trips over: no argument, wrong paths, Ctrl-C, closed pipes, narrow terminals."""

import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import environment, failed, ok, run

from fastnn.cli.commands import fastnn as command

COMMAND = [sys.executable, "-P", "-c", "from fastnn.cli import main; main()"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{i},{'ab'[i % 3 == 0]}\n" for i in range(400)))
    ok("train", folder / "t.csv", "-o", folder, "--epochs", 1, "--hidden", 8)
    return folder / "model.safetensors"


@pytest.fixture(scope="module")
def huge(model):
    path = model.parent / "huge.csv"
    path.write_text("x\n" + "1\n2.5\n" * 1_500_000)
    return path


def test_train_without_anything_says_what_it_takes():
    said = failed("train")
    assert "Missing argument 'DATA'" in said
    assert "a table in a file, which ends in .csv" in said
    assert "built-in data set: digits" in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.xlsx", "expected a file that ends in .csv, .tsv"),
        ("x.xlsx", "this one is a spreadsheet; save it as CSV there"),
        ("folder", "got a folder"),
        ("https://example.org/x.csv", "got an address"),
        ("none.csv", "none.csv: No such file"),
        ("digitz", "did you mean 'digits'?), nor a table in a file"),
    ],
)
def test_train_on_what_it_does_not_read(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert message in failed("train", name)


def test_an_output_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in failed("train", "digits", "-o", tmp_path / "file")
    assert "Not a directory" in failed("train", "digits", "-o", tmp_path / "file" / "x")


def test_a_full_disk(model):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:
        arguments = [*COMMAND, "predict", model, model.parent / "t.csv", "-o", "-"]
        done = subprocess.run(
            arguments, stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=120, check=False
        )
    assert done.returncode != 0
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_reader_that_has_had_enough(model, huge):
    arguments = [*COMMAND, "predict", model, huge, "-o", "-"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout.readline().startswith(b"label,")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(120) != 0


def test_ctrl_c_while_predicting(model, huge, tmp_path):
    arguments = [*COMMAND, "predict", model, huge, "-o", tmp_path / "p.csv"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, env=environment()) as process:
        for _ in range(1200):
            if os.listdir(tmp_path):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"fastnn: interrupted\n"
        assert process.wait(120) == 130
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", [None, *command.commands])
def test_help_fits_80_columns(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = run(*filter(None, [name, "--help"]))
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
