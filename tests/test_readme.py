"""What the README shows works as it stands there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn

README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    threads = fn.get_num_threads()
    names = {}
    try:
        for block in blocks("python"):
            exec(compile(block, str(README), "exec"), names)
    finally:
        fn.set_num_threads(threads)
    printed = capsys.readouterr().out.splitlines()
    assert float(printed[0]) > 0.95
    assert re.fullmatch("[0-9a-f]{64}", printed[1])
    assert "(128, 64)" in printed
    assert names["logits"].shape == (len(names["y_test"]), 10)


def test_shapes_in_comments_are_right():
    X, y = fn.data.load_digits()
    text = README.read_text(encoding="utf-8")
    n_test = len(fn.data.split(X, y, 0.2, seed=0, stratify=True)[1])
    assert f"# ({n_test}, 10)" in text
    assert f"# {len(X):,} images" in text


def test_the_two_commands_stand_there():
    first, second = blocks("sh")[:2]
    assert first == "pip install '.[cli]' && fastnn train digits\n"
    assert second == "pip install '.[test]' && pytest\n"


def test_fastnn_commands_run(tmp_path, monkeypatch):
    pytest.importorskip("click")
    from click.testing import CliRunner

    from fastnn._cli.commands import fastnn as command

    monkeypatch.chdir(tmp_path)
    np.savetxt("images.csv", fn.data.load_digits()[0][:5], delimiter=",")
    commands = [line for block in blocks("sh")[2:] for line in block.splitlines() if line.startswith("fastnn ")]
    assert len(commands) >= 4
    for line in commands:
        result = CliRunner().invoke(command, shlex.split(line, comments=True)[1:])
        assert result.exit_code == 0, (line, result.output)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert target.startswith("https://") or target == "benchmarks/" or (README.parent / target).exists(), target
