"""What the README shows works as it stands there."""

import re
from pathlib import Path

import doc_pages
import pytest

import fastnn as fn

README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    return [block for block in doc_pages.blocks(README.read_text(encoding="utf-8")) if block.language == language]


def test_python_blocks_run(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    threads = fn.get_num_threads()
    names = {}
    try:
        printed = "".join(doc_pages.python(block, README, names) for block in blocks("python")).splitlines()
    finally:
        fn.set_num_threads(threads)
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
    assert first.text == "pip install '.[cli]' && fastnn train digits\n"
    assert second.text == "pip install '.[test]' && pytest\n"


def test_fastnn_commands_run(tmp_path, monkeypatch):
    pytest.importorskip("click")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(README.parent / "examples")
    commands = blocks("sh")[2:]
    assert sum(block.text.count("fastnn ") for block in commands) >= 4
    for block in commands:
        doc_pages.shell(block, f"{README.name}, line {block.line}")
    assert {"rents.parquet", "labels.csv", "runs"} <= {path.name for path in tmp_path.iterdir()}


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert target.startswith("https://") or target == "benchmarks/" or (README.parent / target).exists(), target
