"""The golden digests hold, and what is wrong is noticed and named."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fastnn as fn
from fastnn import _verify
from fastnn._runtime import instruction_sets
from fastnn._storage import files
from fastnn._verify import __main__ as program
from fastnn._verify import dense_cases, element_cases, goldens, inputs, row_cases
from fastnn.cli.commands import fastnn as command

ROOT = Path(__file__).parent.parent
LINK = ROOT / "tests" / "golden" / "golden.json"
DIGESTS = goldens.read()
CASES = goldens.cases()
DTYPES = ("float32", "float64")
WRONG = "0" * 64

# ------------------------------------------------------------------ they hold


@pytest.mark.parametrize("threads", _verify.THREADS)
def test_goldens_hold(isa, threads):
    cases = [case for case in CASES if case.threaded or threads == 1]
    found = {name: digest for name, _, _, digest in _verify.computed(cases, [isa], [threads])}
    assert len(found) == sum(len(case.goldens) for case in cases)
    assert {name: digest for name, digest in found.items() if digest != DIGESTS[name]} == {}


def test_the_link_leads_to_the_file_of_the_package():
    assert json.loads(LINK.read_text())["digests"] == DIGESTS


def test_the_file_is_sorted_and_says_its_version():
    content = json.loads(goldens.PATH.read_text())
    assert list(content["digests"]) == sorted(content["digests"])
    assert content["numerics_version"] == files.NUMERICS_VERSION


def test_no_two_goldens_are_the_same():
    """What differs in nothing would be digested twice; all but what does not depend on the dtype."""
    by_digest = {}
    for name, digest in DIGESTS.items():
        by_digest.setdefault(digest, []).append(name.replace("float32", "").replace("float64", ""))
    assert {digest: names for digest, names in by_digest.items() if len(set(names)) > 1} == {}


# --------------------------------------------------------------------- inputs


def test_inputs_are_what_they_are_everywhere():
    """Values written down: they go through no arithmetic of this machine."""
    assert [hex(word) for word in inputs.words(2, "")] == ["0xdfd603d66fd2cf11", "0xb57f1523f853b5fe"]
    assert [value.hex() for value in inputs.reals(2, "", "float64").tolist()] == [
        "0x1.7f580f59bf4b2p+1",
        "0x1.abf8a91fc29d8p+0",
    ]
    assert np.isnan(inputs.specials("float32")).sum() == 4
    assert inputs.scaled(1000, "", "float32", -3, 5).max() < 64


# --------------------------------------------------------- what is wrong is noticed


@pytest.fixture
def tampered(tmp_path, monkeypatch):
    """A function that puts a changed file in place of the golden digests."""

    def tamper(text):
        path = tmp_path / "golden.json"
        path.write_text(text)
        monkeypatch.setattr(goldens, "PATH", path)

    return tamper


def changed(**digests):
    return json.dumps({"numerics_version": 1, "digests": DIGESTS | digests})


def run(*arguments):
    return CliRunner().invoke(command, ["verify", *arguments])


def test_all_is_well():
    done = run("-k", "data")
    assert done.exit_code == 0, done.output
    assert "ok" in done.output
    assert "hold on" in done.output


def test_a_digest_that_differs_is_named(tampered):
    tampered(changed(**{"data/split": WRONG}))
    done = run("-k", "data")
    assert done.exit_code == 1
    assert "1 differ" in done.output
    assert f"data/split\n  expected {WRONG}\n  found    {DIGESTS['data/split']}\n" in done.output
    assert "1 of 4 golden digests differ" in done.output


def test_the_module_finds_the_same(tampered, capsys):
    assert program.main(["-k", "data"]) == 0
    assert "hold on" in capsys.readouterr().out
    tampered(changed(**{"data/split": WRONG}))
    assert program.main(["-k", "data"]) == 1
    assert f"data/split\n  expected {WRONG}\n" in capsys.readouterr().out


def test_json_is_for_programs(tampered, isa):
    name = "networks/counts/float64/step 010"
    tampered(changed(**{name: WRONG}))
    done = run("--json", "--isa", isa, "--threads", "1,2", "-k", "networks/counts/float64")
    assert done.exit_code == 1
    report = json.loads(done.output)
    assert report["ok"] is False
    assert report["environment"]["numerics_version"] == files.NUMERICS_VERSION
    assert report["environment"]["fastnn"] == fn.__version__
    assert len(report["results"]) == 6
    assert {entry["threads"] for entry in report["results"]} == {1, 2}
    assert {entry["isa"] for entry in report["results"]} == {isa}
    wrong = [entry for entry in report["results"] if not entry["ok"]]
    assert [(entry["golden"], entry["expected"], entry["found"]) for entry in wrong] == [
        (name, WRONG, DIGESTS[name])
    ] * 2


def without(name):
    return {key: digest for key, digest in DIGESTS.items() if key != name}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"digests": {}}', "is damaged: 'numerics_version'"),
        (changed(**{"data/split": "abc"}), "is damaged"),
        (changed(**{"data/split": "00"}), "is damaged: '00' is not a digest"),
        (changed().replace('"numerics_version": 1', '"numerics_version": 7'), "is of numerics version 7"),
        (changed(**{"data/gone": WRONG}), "a golden digest without a case: data/gone"),
        (json.dumps({"numerics_version": 1, "digests": without("data/split")}), "without a golden digest: data/split"),
    ],
)
def test_a_damaged_file_is_an_error(tampered, text, message):
    tampered(text)
    done = run("-k", "data")
    assert done.exit_code == 1
    assert message in done.output


def test_a_missing_file_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(goldens, "PATH", tmp_path / "none")
    with pytest.raises(_verify.GoldenError, match="No such file"):
        _verify.verify(only="data")


def test_a_kernel_without_a_golden_is_an_error(monkeypatch):
    monkeypatch.setattr(element_cases.CASES, "fields", element_cases.CASES.fields - {"random.philox"})
    with pytest.raises(_verify.GoldenError, match=r"kernels without a golden: random\.philox"):
        _verify.verify(only="data")


def test_a_case_that_fails_is_a_difference(monkeypatch):
    def broken(k):
        raise ZeroDivisionError("by zero")

    monkeypatch.setitem(dense_cases.CASES._functions, "dense/transpose", broken)
    report = _verify.verify(only="dense/transpose")
    assert not report.ok
    assert {result.found for result in report.failures} == {"ZeroDivisionError: by zero"}


def test_a_changed_number_is_a_difference(monkeypatch):
    """A unit in the last place of one parameter."""
    exact = row_cases.ALPHAS["elu"]
    monkeypatch.setitem(row_cases.ALPHAS, "elu", np.nextafter(exact, 2))
    report = _verify.verify(only="activations/forward elu")
    expected = {(f"activations/forward elu/{dtype}", isa) for dtype in DTYPES for isa in instruction_sets.available()}
    assert {(result.golden, result.isa) for result in report.failures} == expected


@pytest.mark.parametrize(
    "arguments", [("--isa", "sse"), ("--threads", "0"), ("--threads", "65"), ("--threads", "none")]
)
def test_wrong_usage(arguments):
    assert run(*arguments).exit_code == 2
    with pytest.raises(SystemExit) as stopped:
        program.main(list(arguments))
    assert stopped.value.code == 2


def test_a_pattern_that_matches_nothing_is_an_error():
    assert run("-k", "nothing").exit_code == 1


def test_the_instruction_set_is_restored(isa):
    _verify.verify(only="data/split")
    assert instruction_sets.current() == isa


def test_progress_is_reported():
    seen = []
    _verify.verify(only="data", progress=lambda done, total: seen.append((done, total)))
    n = 4 * len(instruction_sets.available())
    assert seen == [(i, n) for i in range(1, n + 1)]


def test_ctrl_c_ends_it():
    """In the middle of networks."""
    place = str(Path(fn.__file__).parent.parent)
    code = (
        "import os, signal, sys, threading\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from fastnn._verify.__main__ import main\nfrom fastnn._verify.cases import Case\n"
        "plain, soon = Case.digests, threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))\n"
        "def digests(case, threads):\n    if soon.ident is None: soon.start()\n    return plain(case, threads)\n"
        "Case.digests = digests\n"
        "sys.exit(main(['-k', 'networks', '--threads', '1,2']))"
    )
    child = subprocess.run(
        [sys.executable, "-P", "-c", code], env=os.environ | {"PYTHONPATH": place}, capture_output=True, text=True
    )
    assert child.returncode == program.INTERRUPTED, child
    assert child.stderr == "fastnn: interrupted\n"


def test_numpy_and_safetensors_are_enough():
    code = (
        "import sys\n"
        "for name in ('click', 'rich', 'matplotlib', 'tqdm'): sys.modules[name] = None\n"
        "from fastnn._verify.__main__ import main\nsys.exit(main(['-k', 'networks/counts', '--threads', '1']))"
    )
    place = str(Path(fn.__file__).parent.parent)
    subprocess.run([sys.executable, "-P", "-c", code], env=os.environ | {"PYTHONPATH": place}, check=True, timeout=120)
