"""Golden digests are written where all results agree, and each rule is broken by some mutant."""

from pathlib import Path

import pytest
from golden import make
from mutants.mutants import MUTANTS

from fastnn._verify import goldens

ROOT = Path(__file__).parent.parent
WRONG = "0" * 64

# ------------------------------------------------------------ making them


@pytest.fixture
def computing(tmp_path, monkeypatch):
    """A function that makes the golden digests of given results."""

    def compute(*results):
        monkeypatch.setattr(goldens, "PATH", tmp_path / "golden.json")
        monkeypatch.setattr(make, "computed", lambda *_: results)
        status = make.main()
        return status, goldens.read() if goldens.PATH.exists() else None

    return compute


def test_digests_that_agree_are_written(computing, capsys):
    results = [
        ("a", "avx2", None, WRONG),
        ("a", "portable", None, WRONG),
        ("b", "avx2", 1, WRONG),
        ("b", "avx2", 2, WRONG),
    ]
    assert computing(*results) == (0, {"a": WRONG, "b": WRONG})
    assert "2 new, 0 changed, 0 gone" in capsys.readouterr().out
    assert computing(("a", "avx2", None, "1" * 64)) == (0, {"a": "1" * 64})
    assert "0 new, 1 changed, 1 gone" in capsys.readouterr().out


@pytest.mark.parametrize(
    "results",
    [
        [("a", "avx2", None, WRONG), ("a", "portable", None, "1" * 64)],
        [("a", "avx2", 1, WRONG), ("a", "avx2", 2, "1" * 64)],
        [("a", "avx2", None, "ValueError: no digest")],
    ],
)
def test_nothing_is_written_where_they_disagree(computing, capsys, results):
    assert computing(*results) == (1, None)
    assert "nothing written" in capsys.readouterr().out


# --------------------------------------------------------------------- mutants


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_made(mutant):
    """Of the sources as they are now; that it is caught, ``python tests/mutants/run.py`` shows."""
    for name, old, new in mutant.changes:
        assert (ROOT / name).read_text().count(old) == 1, f"{name}: {old}"
        assert new != old


def test_every_rule_is_broken_by_some_mutant():
    assert {mutant.rule for mutant in MUTANTS} == {*range(1, 10), 11}
