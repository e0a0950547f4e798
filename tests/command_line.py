"""The command ``fastnn`` as tests call it: in this process, or in one of its own."""

import json
import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("click")

from click.testing import CliRunner

import fastnn as fn
from fastnn.cli.commands import fastnn as command

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def run(*arguments):
    """The result of a command."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def ok(*arguments):
    """The output of a command that has to succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def failed(*arguments, status=2):
    """The output of a command that has to fail, on one line."""
    result = run(*arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def record_of(folder):
    """The record of a run."""
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


def environment():
    """The environment of a process that finds the same fastnn."""
    paths = [os.path.dirname(os.path.dirname(os.path.abspath(fn.__file__))), *filter(None, sys.path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}


def process(*arguments, **keywords):
    """The result of Python in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **keywords,
    )
