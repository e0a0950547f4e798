"""What the documentation shows works as it stands there, and what it links to is there."""

import importlib
import pkgutil
import re
import runpy
import shutil
import sys
import types
from pathlib import Path

import doc_pages
import numpy as np
import pytest

import fastnn as fn

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FIGURES = sorted((DOCS / "figures").glob("*.py"))
PICTURES = sorted((DOCS / "pictures").glob("*"))
LARGEST_PICTURE = 150_000  # bytes


def identity(path):
    return path.relative_to(DOCS).as_posix()


def has_code(path):
    return any(block.is_run for block in doc_pages.blocks(path.read_text(encoding="utf-8")))


@pytest.fixture
def _somewhere(tmp_path, monkeypatch):
    """An empty folder."""
    monkeypatch.chdir(tmp_path)
    for name, value in doc_pages.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    yield
    doc_pages.close_figures()


@pytest.mark.usefixtures("_somewhere")
@pytest.mark.parametrize("page", [page for page in PAGES if has_code(page)], ids=identity)
def test_code_runs_and_prints_what_the_page_says(page):
    if "import torch" in page.read_text(encoding="utf-8"):
        pytest.importorskip("torch")
    doc_pages.run(page)


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for path, heading in doc_pages.links(text):
        target = page.parent / path if path else page
        assert target.exists(), path
        if heading:
            assert heading in doc_pages.headings(target.read_text(encoding="utf-8")), f"{path}#{heading}"


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_what_is_not_run_says_why(page):
    for block in doc_pages.blocks(page.read_text(encoding="utf-8")):
        if block.language in doc_pages.RUN and not block.is_run:
            assert re.match(r"# Not run[^:\n]*: \w", block.text), block.text


def test_pictures_are_small_and_shown():
    shown = {Path(path).name for page in PAGES for path, _ in doc_pages.links(page.read_text(encoding="utf-8"))}
    for picture in PICTURES:
        assert picture.stat().st_size < LARGEST_PICTURE, picture.name
        assert picture.name in shown, picture.name


def test_every_picture_has_its_script():
    scripts = {path.stem for path in FIGURES} - {"style"}
    assert scripts == {path.stem for path in PICTURES}


@pytest.mark.parametrize("script", [path for path in FIGURES if path.stem != "style"], ids=identity)
def test_scripts_draw_their_pictures(script, tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    importlib.import_module("matplotlib.image")
    if script.stem == "playground":
        pytest.importorskip("playwright")
        if shutil.which("chromium") is None:
            pytest.skip("no Chromium is installed: apt install chromium")
    monkeypatch.syspath_prepend(str(script.parent))
    modules = set(sys.modules)
    try:
        runpy.run_path(str(script))["main"](tmp_path)
    finally:
        for name in set(sys.modules) - modules:
            if name in {path.stem for path in FIGURES}:
                del sys.modules[name]
    [name] = [path.name for path in PICTURES if path.stem == script.stem]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name.endswith(".svg"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (DOCS / "pictures" / name).read_text(encoding="utf-8")
        return
    # Another version of matplotlib may draw the same lines a little otherwise.
    expected, found = (matplotlib.image.imread(folder / name)[..., :3] for folder in (DOCS / "pictures", tmp_path))
    assert expected.shape == found.shape
    assert np.abs(expected - found).mean() < 0.02


def test_drawings_that_move_can_be_stopped():
    pytest.importorskip("sphinx")
    page = DOCS / "tour" / "learning.md"
    app = types.SimpleNamespace(
        builder=types.SimpleNamespace(format="html"), env=types.SimpleNamespace(doc2path=lambda name: page)
    )
    source = [page.read_text(encoding="utf-8")]
    runpy.run_path(str(DOCS / "conf.py"))["inline_animations"](app, "tour/learning", source)
    [drawing] = re.findall(r"^```\{raw\} html\n(.*?)^```$", source[0], re.MULTILINE | re.DOTALL)
    assert '<input type="checkbox"> Pause' in drawing
    assert 'aria-label="Three paths over the same contour lines' in drawing
    assert drawing.index("@media (prefers-reduced-motion:no-preference)") < drawing.index("animation:")
    assert "<script" not in drawing
    assert not re.search(r"]\(\S+\.svg\)", source[0])


# ----------------------------------------------------------------- reference


def described():
    """The objects that the pages of the reference describe."""
    for page in (DOCS / "reference").glob("*.rst"):
        directives = r"^\.\. auto(?:class|function|exception):: (\S+)$"
        for name in re.findall(directives, page.read_text(encoding="utf-8"), re.MULTILINE):
            yield pkgutil.resolve_name(name)


def public():
    """What ``import fastnn`` gives, and every description that a module has, by name."""
    for name, value in vars(fn).items():
        if name in dir(fn) and not name.startswith("_") and not isinstance(value, types.ModuleType):
            yield name, value
    for module in (fn.onnx, fn.plot, fn.sklearn, fn.tables):
        for name, value in vars(module).items():
            if not name.startswith("_") and callable(value):
                yield f"{module.__name__}.{name}", value
    for module in (fn.layers, fn.losses, fn.optimizers, fn.schedules, fn.initializers, fn.metrics):
        for name, value in vars(module).items():
            if not name.startswith("_") and isinstance(value, type) and value.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", value


def test_every_public_name_is_in_the_reference():
    for extra in ("matplotlib", "onnx", "sklearn"):
        pytest.importorskip(extra)
    for module in ("fastnn.onnx", "fastnn.plot", "fastnn.sklearn", "fastnn.tables"):
        importlib.import_module(module)
    found = list(described())
    internal = {"fastnn.sklearn.limit_threads"}
    missing = {name for name, value in public() if not any(value is other for other in found)}
    assert missing == internal


# ------------------------------------------------------ these tests can fail


def test_output_is_compared():
    assert doc_pages.matches("a 0.5 b\nc  \n", "a … b\nc\n")
    assert doc_pages.matches("a\nx\ny\nb\n", "a\n…\nb\n")
    assert doc_pages.matches("a\nb\n", "a\n…\nb\n")
    assert not doc_pages.matches("a\nb\n", "a\n")
    assert not doc_pages.matches("a 0.5\n", "a 0.6\n")
    assert not doc_pages.matches("", "a\n")


def test_blocks_are_found_and_run(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```python\nx = 1\nprint(x)\n```\n\n```text\n1\n```\n\n```python\nprint(x + 1)\n```\n")
    first, output, second = doc_pages.blocks(page.read_text())
    assert (first.line, first.is_run, output.is_output, second.text) == (4, True, True, "print(x + 1)\n")
    assert doc_pages.run(page)["x"] == 1
    page.write_text(page.read_text().replace("\n1\n", "\n2\n"))
    with pytest.raises(AssertionError, match=r"page\.md, line 9: it prints\n1"):
        doc_pages.run(page)
    [(block, printed)] = doc_pages.outputs(page)
    assert (block.text, printed) == ("2\n", "1\n")
    page.write_text("```python\n# Not run: it would fail\n1 / 0\n```\n\n```text\nnothing\n```\n")
    assert not doc_pages.blocks(page.read_text())[0].is_run
    doc_pages.run(page)
    page.write_text("```sh\nrm -rf everything\n```\n")
    with pytest.raises(AssertionError, match="only commands of fastnn"):
        doc_pages.run(page)


def test_headings_are_named_as_on_a_code_host():
    text = "# What it costs\n\n## 1. Sums: lanes & more\n"
    assert doc_pages.headings(text) == {"what-it-costs", "1-sums-lanes--more"}
    text = "[a](b.md#c) ![d](e.png) [f](https://g) [h](#i)"
    assert doc_pages.links(text) == [("b.md", "c"), ("e.png", ""), ("", "i")]
