"""The command line itself: its help, its version, and processes of its own."""

import json
import signal
import subprocess
import sys

import pytest
from command_line import CONTROL, environment, process, run

import fastnn as fn

QUICK = ["--epochs", "2", "--hidden", "8"]


def test_help_is_in_groups():
    output = run("train", "--help").output
    headings = ("Network:", "Training:", "Learning-rate schedule:", "Data and seeds:", "Running and output:")
    assert [output.index(heading) for heading in headings] == sorted(output.index(heading) for heading in headings)
    for option in (
        "--hidden",
        "--loss",
        "--learning-rate",
        "--batch-size",
        "--dropout",
        "--seed",
        "--threads",
        "--output",
    ):
        assert option in output


def test_version():
    assert run("--version").output == f"fastnn {fn.__version__}\n"


def test_the_command_in_a_process_of_its_own(tmp_path):
    done = process("-m", "fastnn.cli", "train", "digits", *QUICK, "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not CONTROL.search(done.stdout.replace("\n", ""))
    shown = process("-m", "fastnn.cli", "info", tmp_path / "run" / "model.safetensors")
    digest = fn.Network.load(tmp_path / "run" / "model.safetensors").digest()
    assert digest in done.stdout
    assert digest in shown.stdout
    failed = process("-m", "fastnn.cli", "info", tmp_path)
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr.startswith("Error: ")


def test_the_package_runs_as_the_command():
    done = process("-m", "fastnn", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == process("-m", "fastnn.cli", "--help").stdout


@pytest.mark.parametrize("missing", ["click", "rich", "matplotlib"])
@pytest.mark.parametrize("run", ["from fastnn.cli import main; main()", "import fastnn.__main__"])
def test_without_a_library_the_command_names_it(missing, run):
    code = f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['fastnn', '--help']; {run}"
    done = process("-c", code)
    assert done.returncode == 2
    assert done.stderr.strip() == f"fastnn: the command needs {missing}: pip install click rich matplotlib polars"


def test_the_core_imports_nothing_of_the_command():
    code = "import sys, fastnn; sys.exit(any(name in sys.modules for name in ('click', 'rich', 'matplotlib', 'tqdm')))"
    assert process("-c", code).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_writes_what_there_is(tmp_path):
    arguments = [
        sys.executable,
        "-P",
        "-m",
        "fastnn.cli",
        "train",
        "digits",
        "--epochs",
        "1000000",
        "-o",
        str(tmp_path),
    ]
    with subprocess.Popen(
        arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as running:
        try:
            for line in running.stdout:
                if "epoch" in line and "1/1000000" in line:
                    break
            running.send_signal(signal.SIGINT)
            output, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 130, errors
    assert "test accuracy" in output
    assert "interrupted" in errors
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))["results"]["interrupted"] is True
    assert fn.Network.load(tmp_path / "model.safetensors").digest() in output
