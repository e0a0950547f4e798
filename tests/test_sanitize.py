"""`tools/sanitize.py` counts every report of its tools, and nothing else; building and running are its own business."""

import argparse
import itertools
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"

LOGS = {
    "address": (
        "==7==ERROR: AddressSanitizer: use-after-poison on address 0x62f0 at pc 0x7f03\nREAD of size 8\n"
        "SUMMARY: AddressSanitizer: use-after-poison steps.c:8 in step\n",
        1,
    ),
    "undefined": ("model.c:5:3: runtime error: signed integer overflow\na.c:1:2: runtime error: shift\n", 2),
    "thread": (
        "WARNING: ThreadSanitizer: data race (pid=7)\nSUMMARY: ThreadSanitizer: data race steps.c:8 in step\n"
        "ThreadSanitizer: reported 1 warnings\n",
        1,
    ),
    "memcheck": (
        "==7== Invalid read of size 4\n==7==    at 0x49E04DA: step (steps.c:71)\n"
        "==7==  Address 0x1 is 0 bytes after a block of size 8 alloc'd\n==7==    at 0x48F: malloc\n==7== \n",
        1,
    ),
    "nothing": ("==7== Memcheck, a memory error detector\n==7== \n", 0),
}


@pytest.fixture
def sanitize(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.delitem(sys.modules, "sanitize", raising=False)
    import sanitize

    return sanitize


@pytest.mark.parametrize("tool", LOGS)
def test_reports_are_printed_and_counted(sanitize, tmp_path, capsys, tool):
    text, count = LOGS[tool]
    for process in (1, 2):
        (tmp_path / f"log.{process}").write_text(text)
    assert sanitize.reports(tmp_path / "log") == 2 * count
    assert capsys.readouterr().out.count(text) == 2


def test_modes_that_one_build_can_hold(sanitize):
    assert len(sanitize.chosen("address,undefined")) == 2
    assert all(len(sanitize.chosen(name)) == 1 for name in sanitize.MODES)
    for names in ("leak", "address,thread", "undefined,memcheck", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="must be one of address, undefined, thread, memcheck"):
            sanitize.chosen(names)


def test_the_usual_tests_are_there(sanitize):
    for mode, quick in itertools.product(sanitize.MODES, [False, True]):
        tests = sanitize.usual_tests(mode, quick)
        tests = tests[: tests.index("-k")] if "-k" in tests else tests
        assert tests
        assert all(Path(test).is_file() for test in tests)
