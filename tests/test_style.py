"""Prose is wrapped: Markdown, and comments and docstrings of all sources."""

import ast
import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("fastnn", "benchmarks", "docs", "examples", "tests", "tools", ".ci")
WIDTH = 120

PAGES = sorted({*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))})
PYTHON = sorted({ROOT / "setup.py", *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))})
CYTHON = sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.p[yx][xd]"))
C = sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.h"))
WEB = sorted(path for kind in ("html", "css", "js") for path in (ROOT / "fastnn").rglob(f"*.{kind}"))


def identity(path):
    return path.relative_to(ROOT).as_posix()


def prose(text):
    """Yield (number, line) of a page of Markdown that could break: without code blocks, tables and lone links."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and fence is None:
            fence = mark.group(1)
        elif mark and line.strip() == fence:
            fence = None
        elif fence is None and not line.lstrip().startswith("|") and can_break(line):
            yield number, line


def can_break(line):
    """Return whether a line of prose has a blank to break at, outside a link that stands alone."""
    alone = re.fullmatch(r"\s*!?\[[^\]]*\]\([^)\s]*\)\S*", line)
    return alone is None and " " in line.strip().removeprefix("- ")


def words_of(source):
    """Yield (number, line) of each comment and docstring of a Python source."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not re.match(r"# (noqa|type|fmt):", token.string):
            yield token.start[0], lines[token.start[0] - 1]
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            for number in range(text.lineno, text.end_lineno + 1):
                yield number, lines[number - 1]


def words_of_c(source):
    """Yield (number, line) of each line of C with a comment."""
    for number, line in enumerate(source.splitlines(), 1):
        if re.search(r"//|/\*|^\s*\*", line):
            yield number, line


def too_long(path, lines):
    """Return where lines are wider than they may be, as an editor can open them."""
    text = path.read_text(encoding="utf-8")
    if max(map(len, text.splitlines()), default=0) <= WIDTH:
        return []
    return [f"{identity(path)}:{number}" for number, line in lines(text) if len(line) > WIDTH]


def test_the_files_are_found():
    names = {identity(path) for path in (*PAGES, *PYTHON, *CYTHON, *C)}
    assert {"README.md", "docs/tour/index.md", "fastnn/datasets/README.md", "setup.py", "fastnn/network.py"} <= names
    assert {"fastnn/_engine/steps.pyx", "fastnn/_engine/run.pxd", "fastnn/_kernels/simd.h"} <= names


def test_pages_are_wrapped():
    assert [place for page in PAGES for place in too_long(page, prose)] == []


def test_comments_and_docstrings_of_python_are_wrapped():
    assert [place for path in PYTHON for place in too_long(path, words_of)] == []


def test_all_lines_of_cython_are_short():
    assert [place for path in CYTHON for place in too_long(path, lambda text: enumerate(text.splitlines(), 1))] == []


def test_all_lines_of_web_pages_are_short():
    assert "fastnn/playground/static/app.js" in map(identity, WEB)
    assert [place for path in WEB for place in too_long(path, lambda text: enumerate(text.splitlines(), 1))] == []


def test_comments_of_c_are_wrapped():
    assert [place for path in C for place in too_long(path, words_of_c)] == []


# ------------------------------------------------------ these tests can fail


def test_long_prose_is_noticed():
    wide = "word " * 30
    text = f"# A\n\n{wide}\n\n```\n{wide}\n```\n\n| {wide} |\n\n- {wide}\n"
    assert [number for number, line in prose(text) if len(line) > WIDTH] == [3, 11]
    assert not can_break("![a picture of " + wide + "](pictures/a.png)")
    assert not can_break("- https://" + "a" * 120)
    assert can_break("see [a](b.md) and [c](d.md)")


def test_long_comments_and_docstrings_are_noticed():
    wide = "word " * 30
    source = f'"""A.\n\n{wide}\n"""\n\n\ndef f():\n    """{wide}"""\n    # {wide}\n    return "{wide}"  # {wide}\n'
    assert sorted({number for number, line in words_of(source) if len(line) > WIDTH}) == [3, 8, 9, 10]
    assert list(words_of(f"x = 1  # noqa: {wide}\n")) == []
    assert [number for number, _ in words_of_c(f"/* {wide}\n * {wide} */\nint a = 1;  // {wide}\nint b;\n")] == [
        1,
        2,
        3,
    ]
