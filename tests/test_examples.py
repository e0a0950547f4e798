"""The examples run, in a reduced form, and show what they say they show."""

import re
import runpy
import sys
from pathlib import Path

import doc_pages
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function that runs an example in an empty folder and gives what it prints."""
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    yield run
    doc_pages.close_figures()


def test_digits(run, tmp_path):
    printed = run("digits.py", "--epochs", "8")
    assert float(re.search(r"test accuracy (\S+) %", printed)[1]) > 94
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_quantile_regression(run, tmp_path):
    printed = run("quantile_regression.py", "--epochs", "15")
    for quantile in (0.1, 0.5, 0.9):
        found = float(re.search(rf"below the {quantile} quantile: +(\S+) %", printed)[1])
        assert abs(found - 100 * quantile) < 4
    assert abs(float(re.search(r"coverage overall: (\S+) %", printed)[1]) - 80) < 4
    assert (tmp_path / "quantiles.png").read_bytes().startswith(b"\x89PNG")


def test_pole(run, tmp_path):
    printed = run("pole.py", "--episodes", "384")
    lasted = [float(value) for value in re.findall(r"lasted +(\S+) steps", printed)]
    assert len(lasted) == 3
    assert float(re.search(r"the likelier push: (\S+) steps", printed)[1]) > 400
    assert (tmp_path / "pole.png").read_bytes().startswith(b"\x89PNG")


def test_pole_dynamics_are_those_of_the_paper():
    """One push by the equations of Barto, Sutton and Anderson (1983), solved as a linear system."""
    import numpy as np

    poles = runpy.run_path(str(EXAMPLES / "pole.py"))["Poles"](5, np.random.default_rng(3))
    poles.state = np.random.default_rng(4).uniform(-0.2, 0.2, (5, 4))
    before, right = poles.state.copy(), np.array([True, False, True, False, True])
    poles.push(right)
    m, total, half, g = 0.1, 1.1, 0.5, 9.8
    for (x, v, angle, spin), after, force in zip(before, poles.state, np.where(right, 10.0, -10.0), strict=True):
        sin, cos = np.sin(angle), np.cos(angle)
        # total x'' + m l cos θ'' = F + m l sin θ'²;  cos x'' + 4/3 l θ'' = g sin
        matrix = [[total, m * half * cos], [cos, 4 / 3 * half]]
        speeding, turning = np.linalg.solve(matrix, [force + m * half * sin * spin**2, g * sin])
        expected = [x + 0.02 * v, v + 0.02 * speeding, angle + 0.02 * spin, spin + 0.02 * turning]
        np.testing.assert_allclose(after, expected, rtol=1e-12)


def test_spirals(run, tmp_path):
    from PIL import Image

    printed = run("spirals.py", "--epochs", "80")
    assert float(re.search(r"other points of the spirals: (\S+) %", printed)[1]) > 95
    with Image.open(tmp_path / "spirals.gif") as animation:
        assert animation.n_frames == 41
        first = animation.convert("RGB").tobytes()
        animation.seek(40)
        assert animation.convert("RGB").tobytes() != first


def test_every_example_says_what_it_shows_and_is_tested_here():
    tested = set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text()))
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested
    for path in EXAMPLES.glob("*.py"):
        assert f"python examples/{path.name}" in path.read_text().split('"""')[1]
