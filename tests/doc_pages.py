"""Pages of Markdown whose code runs as it stands there.

The blocks of a page are run from top to bottom, in one namespace and one folder:

- ``python`` blocks, and in ``sh`` blocks the commands ``fastnn …``;
- a ``text`` block right below one of them is what it prints, where ``…`` stands for anything (on a line of its own: for
  any lines);
- a block whose first line is a comment that begins with "Not run" is not run, and says why.
"""

import contextlib
import io
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fastnn as fn

RUN = ("python", "sh")
NOT_RUN = "# Not run"
ENVIRONMENT = {"MPLBACKEND": "Agg", "COLUMNS": "100"}  # pictures without a screen, tables 100 characters wide


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and the line of the page that the text begins in."""

    language: str
    text: str
    line: int
    is_output: bool  # whether it stands right below a block that is run

    @property
    def is_run(self) -> bool:
        return self.language in RUN and not self.text.startswith(NOT_RUN)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    found: list[Block] = []
    end = -1
    for match in re.finditer(r"^```([\w-]*)\n(.*?)^```\n?", text, re.MULTILINE | re.DOTALL):
        language, content = match.groups()
        follows = bool(found) and found[-1].is_run and not text[end : match.start()].strip()
        found.append(Block(language, content, text.count("\n", 0, match.start(2)) + 1, follows and language == "text"))
        end = match.end()
    return found


def outputs(path: Path, names: dict | None = None) -> Iterator[tuple[Block, str]]:
    """Runs a page in the current folder; gives each block of output and what is printed above it.

    What the page defines goes into ``names``.
    """
    names = {} if names is None else names
    names["__name__"] = "page"
    threads = fn.get_num_threads()
    printed = ""
    try:
        for block in blocks(path.read_text(encoding="utf-8")):
            if block.is_output:
                yield block, printed
            elif block.is_run:
                place = f"{path.name}, line {block.line}"
                printed = python(block, path, names) if block.language == "python" else shell(block, place)
    finally:
        fn.set_num_threads(threads)


def run(path: Path) -> dict:
    """Runs a page in the current folder and compares what it prints; gives the names that it has made."""
    names: dict = {}
    for block, printed in outputs(path, names):
        assert matches(printed, block.text), f"{path.name}, line {block.line}: it prints\n{printed}"
    return names


def python(block: Block, path: Path, names: dict) -> str:
    """Runs a block of Python; gives what it prints."""
    printed = io.StringIO()
    source = "\n" * (block.line - 1) + block.text  # so that a traceback shows the line of the page
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(path), "exec"), names)
    return printed.getvalue()


def shell(block: Block, place: str) -> str:
    """Runs the commands of a block of shell, each of which has to be one of ``fastnn``; gives what they print."""
    from click.testing import CliRunner

    from fastnn.cli.commands import fastnn as command

    printed = []
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[0] == "fastnn", f"{place}: only commands of fastnn are run; got {line!r}"
        result = CliRunner().invoke(command, words[1:])
        assert result.exit_code == 0, f"{place}: {line}\n{result.output}"
        printed.append(result.output)
    return "".join(printed)


def close_figures() -> None:
    """Closes what code has left open in pyplot, if it has used that."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def matches(printed: str, expected: str) -> bool:
    """Whether ``printed`` is what a page says, but for blanks at ends and what ``…`` stands for."""
    lines = tidy(expected)
    # "…" on a line of its own takes its line break along, so that it may also stand for no line.
    pattern = "".join(
        "(?:.*\n)*" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n" for line in lines
    )
    return re.fullmatch(pattern, "".join(line + "\n" for line in tidy(printed))) is not None


def tidy(text: str) -> list[str]:
    """The lines without blanks at their ends, from the first to the last that is not empty."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n").splitlines()


def links(text: str) -> list[tuple[str, str]]:
    """The links and pictures of a page to something else than the web, as (path, heading); either may be empty."""
    outside_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^()\s]+)\)", outside_code)
    return [tuple(f"{target}#".split("#")[:2]) for target in targets if not target.startswith("https://")]


def headings(text: str) -> set[str]:
    """What the headings of a page are linked by."""
    outside_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", outside_code, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}
