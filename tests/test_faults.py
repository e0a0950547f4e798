"""Short runs of the fault harness, each in a process of its own; `python -m faults.…` makes long ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the harness forks")


def counts(module, number):
    command = [sys.executable, "-m", f"faults.{module}", str(number)]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_killed_runs_go_on():
    found = counts("kill", 50)
    assert found["kills"] == 50
    assert found["newest generation loaded"] > 10
    assert found["finished runs"] > 0


def test_damaged_files_are_refused():
    found = counts("damage", 2000)
    assert all(outcome.endswith(": refused") for outcome in found), found
    assert found["trainer flipped: refused"] == found["network flipped: refused"] == 2000
    assert found["trainer cut: refused"] > 2000


def test_two_processes_save_to_one_path():
    found = counts("race", 200)
    assert found["loaded network 0"] > 0
    assert found["loaded network 1"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory as Linux tells it")
def test_long_runs_take_no_more_memory():
    """A network or its buffers leaked once a cycle would be a megabyte; a float kept of each update, as much."""
    found = counts("growth", 40)
    assert found["updates"] > 40_000
    assert found["updates: resident"] < 300_000, found
    assert found["cycles: resident"] < 1_000_000, found
    assert found["updates: Python"] < 20_000, found
    assert found["cycles: Python"] < 20_000, found
