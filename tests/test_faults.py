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


def test_ctrl_c_at_random_moments():
    found = counts("interrupt", 12)
    for outcome in found.values():
        assert outcome["interrupted"] >= 12
        assert outcome["finished runs"] > 0
        assert outcome["longest wait"] < 5.0  # 0.25 s; more on a machine that is busy with other tests


def test_ctrl_c_at_every_line():
    found = counts("lines", 30)
    assert found["interrupted"] > 20
    assert found["interrupted"] > 10 * found.get("not interrupted", 0)


def test_the_interpreter_ends_while_training():
    found = counts("shutdown", 1)
    assert len(found) == 7
    assert all(outcome.endswith(": ended") for outcome in found), found


def test_forks():
    found = counts("forks", 3)
    assert len(found) == 6
    assert all(outcome.endswith(": same bits") for outcome in found), found


def test_threads_that_train_and_predict_together():
    found = counts("together", 1)
    assert found.pop("runs: same bits") == 2
    assert found.pop("predictions: same bits") >= 16
    assert not found


def test_full_disks():
    found = counts("full_disk", 5)
    if "skipped" in found:
        pytest.skip(f"no small disk: {found['skipped']}")
    assert sum(found.values()) == 29
    assert sum(count for outcome, count in found.items() if outcome.endswith("read-only: refused, old file whole")) == 4
    known = ("saved", "old file whole", "same bits")
    assert all(outcome.endswith(known) for outcome in found), found
    assert any(outcome.endswith("old file whole") for outcome in found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory as Linux tells it")
def test_long_runs_take_no_more_memory():
    """A network or its buffers leaked once a cycle would be a megabyte; a float kept of each update, as much."""
    found = counts("growth", 40)
    assert found["updates"] > 40_000
    assert found["updates: resident"] < 300_000, found
    assert found["cycles: resident"] < 1_000_000, found
    assert found["updates: Python"] < 20_000, found
    assert found["cycles: Python"] < 20_000, found
