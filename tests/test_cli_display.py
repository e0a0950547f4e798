"""What the commands show: tables that can be read at any width, and without a terminal."""

import io
import re

import numpy as np
import pytest
from command_line import ok
from rich.console import Console

from fastnn.cli import display

TEAMS = [f"TEAM_{letter * 4}" for letter in "abcdefghijkl"]
COUNTS = np.arange(144).reshape(12, 12) % 7 + 12 * np.eye(12, dtype=int)


def shown(counts, classes, width):
    out = Console(file=io.StringIO(), width=width)
    display.show_confusion(out, counts, classes)
    return out.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 300])
def test_every_class_of_a_confusion_has_its_whole_name(width):
    text = shown(COUNTS, TEAMS, width)
    assert all(name in text for name in TEAMS)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert "18/51" in text.replace(" ", "") or f"{COUNTS[0, 0]}/{COUNTS[0].sum()}" in text


def test_a_square_where_there_is_room_for_it():
    assert shown(COUNTS, TEAMS, 300).splitlines()[1].split() == [*TEAMS, "right"]
    numbered = shown(COUNTS, TEAMS, 120).splitlines()
    assert numbered[1].split() == [*map(str, range(1, 13)), "right"]
    assert numbered[3].split()[:2] == ["1", "TEAM_aaaa"]
    text = shown(COUNTS, TEAMS, 60)
    assert "most often taken for" in text
    assert "TEAM_gggg (6)" in text


def test_names_of_classes_are_no_markup():
    assert "[bold]" in shown(np.eye(2, dtype=int), ["[bold]", "b"], 80)


def test_a_pipe_is_as_wide_as_columns_says(tmp_path, monkeypatch):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i},{'a' * 90 if i % 2 else 'b' * 90}\n" for i in range(40)))
    for columns, widest in ((None, 100), ("60", 60), ("150", 150)):
        monkeypatch.delenv("COLUMNS", raising=False)
        if columns:
            monkeypatch.setenv("COLUMNS", columns)
        output = ok("train", table, "-o", tmp_path / "run", "--epochs", 1)
        lines = [line.rstrip() for line in output.splitlines() if not re.search(f"epoch|digest|{tmp_path}", line)]
        assert max(map(len, lines)) <= widest
        assert "…" not in output
        assert "\x1b" not in output
