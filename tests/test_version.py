"""The version stands in one file; all that tells it reads it there."""

import re
import tomllib
from pathlib import Path

import pytest

import fastnn as fn

ROOT = Path(__file__).parent.parent
VERSION = re.compile(rf"(?<![\d.]){re.escape(fn.__version__)}(?![\d.]*\d)")
# Where a version is history and stays what it was: releases, and what was measured.
HISTORY = {"CHANGELOG.md", "README.md", "benchmarks/README.md"}
KINDS = {".py", ".pyx", ".pxd", ".h", ".toml", ".md", ".rst", ".in", ".ini", ".json", ".css"}
FOLDERS = ("fastnn", "tests", "tools", "docs", "examples", "benchmarks")


def texts():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    paths += [path for path in ROOT.iterdir() if path.is_file()]
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in KINDS and ".egg-info/" not in name and path.is_file():
            yield name, path.read_text(encoding="utf-8")


def test_the_version_is_one_of_semantic_versioning():
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)((a|b|rc|\.dev)\d+)?", fn.__version__)


def test_the_version_stands_in_one_file():
    found = {name for name, text in texts() if VERSION.search(text)}
    assert found - HISTORY == {"fastnn/_version.py"}


@pytest.mark.parametrize("text", ['"{}"', "fastnn {}", "v{}", "=={}\n", "fastnn-{}.tar.gz", "It is {}."])
def test_the_pattern_finds_it(text):
    assert VERSION.search(text.format(fn.__version__))


@pytest.mark.parametrize("text", ["1{}", "2.{}", "{}.1", "{}1"])
def test_the_pattern_leaves_out_other_versions(text):
    assert not VERSION.search(text.format(fn.__version__))


def test_the_build_reads_the_version_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "fastnn._version.__version__"}


def test_the_changelog_begins_with_the_version():
    """Keep a Changelog: newest first, dates as ISO 8601 has them, changes by their kinds."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    released = [heading for heading in headings if heading != "[Unreleased]"]
    assert re.match(r"\[(.*)\]", released[0])[1] == fn.__version__
    for heading in released:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\S*\] - (\d{4}-\d\d-\d\d|unreleased)( \[YANKED\])?", heading), heading
    for kind in re.findall(r"^### (.*)$", text, re.MULTILINE):
        assert kind in {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
