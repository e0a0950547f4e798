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
