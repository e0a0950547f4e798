"""The pictures of the documentation, and the script that makes them."""

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a run of the script."""
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("docs") / "pictures"
    script.main(folder)
    return folder


def words(path):
    """The text of a picture, which matplotlib writes as comments before its outlines."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.parse(path, parser).getroot()
    return [element.text.strip() for element in root.iter(ElementTree.Comment)]


def test_words_in_the_documentation_are_those_that_the_script_makes(made):
    """Another version of matplotlib may draw the same words, and the numbers among them, otherwise."""
    found = words(DOCS / "pictures" / "digits.svg")
    assert len(found) > 60
    assert words(made / "digits.svg") == found


def test_pixels_in_the_documentation_are_about_those_that_the_script_makes(made):
    from matplotlib import image

    expected, found = (image.imread(folder / "spirals.png") for folder in (DOCS / "pictures", made))
    assert expected.shape == found.shape
    assert np.abs(expected - found).mean() < 0.01


def test_all_are_there_and_small(made):
    there = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert there.keys() == {path.name for path in made.iterdir()}
    assert max(there.values()) < 150_000
