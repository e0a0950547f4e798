"""The commands ``fastnn reproduce`` and ``fastnn plot`` on runs on tables."""

import json

import numpy as np
import pytest
import sklearn.datasets
from command_line import failed, ok, record_of
from flats import flats, written

from fastnn.plot import _page

QUICK = ["--epochs", "3", "--hidden", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The flats in files, and a model of their prices in ``prices/``."""
    folder = tmp_path_factory.mktemp("flats")
    written(folder)
    return folder


def test_reproduce(folder, tmp_path, monkeypatch):
    digest = record_of(folder / "prices")["network"]["digest"]
    path = folder / "prices" / "record.json"
    for more in ([], ["--data", folder / "flats.parquet"], ["--threads", 2]):
        assert ok("reproduce", path, "-q", *more) == f"reproduced, digest {digest}\n"
    assert "flats.csv, 40 epochs" in ok("reproduce", path)
    # A table beside the record is found, wherever both have gone.
    (tmp_path / "flats.csv").write_bytes((folder / "flats.csv").read_bytes())
    record = record_of(folder / "prices")
    record["data"] |= {"file": "/elsewhere/flats.csv", "path": "/elsewhere/flats.csv"}
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert ok("reproduce", tmp_path / "record.json", "-q") == f"reproduced, digest {digest}\n"
    (tmp_path / "flats.csv").unlink()
    assert "name the table with --data" in failed("reproduce", tmp_path / "record.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(area=np.where(f.index == 77, 1.5, f["area"])), "other values in 'area', by their"),
        (lambda f: f.assign(town=np.where(f.index == 77, "Rom", f["town"])), "other values in 'town', by their"),
        (lambda f: f.assign(price=np.where(f.index == 77, 1.5, f["price"])), "other values in 'price', by their"),
        (lambda f: f.drop(columns="rooms"), "other values in 'rooms', by their"),
        (lambda f: f.iloc[:-1], "or other rows: it has 599"),
    ],
)
def test_changed_data_are_refused(folder, tmp_path, change, message):
    change(flats()).to_csv(tmp_path / "t.csv", index=False)
    output = failed("reproduce", folder / "prices" / "record.json", "--data", tmp_path / "t.csv")
    assert message in output
    assert "not the table of" in output


def test_changes_that_do_not_matter(folder, tmp_path):
    flats().assign(note="x", id=3, more=4).to_csv(tmp_path / "t.csv", index=False)
    assert "reproduced" in ok("reproduce", folder / "prices" / "record.json", "-q", "--data", tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("columns"), "no entry 'columns'"),
        (lambda d: d.pop("file"), "no entry 'file'"),
        (lambda d: d["table"].pop("loss"), "no entry 'loss'"),
        (lambda d: d["table"].update(loss="least"), "loss must be one of"),
        (lambda d: d["table"].update(nonsense=1), "nonsense"),
        (lambda d: d["table"].update(ignore=3), "is damaged"),
        (lambda d: d.update(columns=5), "is damaged"),
        (lambda d: d.update(test_fraction=2), "--test-fraction must be"),
    ],
)
def test_damaged_records(folder, tmp_path, change, message):
    record = record_of(folder / "prices")
    change(record["data"])
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert message in failed("reproduce", tmp_path / "record.json", "--data", folder / "flats.csv")


def test_data_are_for_tables(folder, tmp_path):
    ok("train", "digits", "-q", "-o", tmp_path, *QUICK)
    assert "--data is for runs on tables" in failed(
        "reproduce", tmp_path / "record.json", "--data", folder / "flats.csv"
    )


@pytest.fixture
def iris(tmp_path):
    data = sklearn.datasets.load_iris(as_frame=True)
    table = data.data.assign(species=data.target_names[data.target])
    table.to_csv(tmp_path / "iris.csv", index=False)
    ok("train", tmp_path / "iris.csv", "--target", "species", "-o", tmp_path / "run", "-q", *QUICK)
    return tmp_path


def test_the_page_of_a_table_shows_its_test_rows(iris):
    ok("plot", iris / "run", "-q")
    page = (iris / "run" / "page.html").read_text(encoding="utf-8")
    assert "Of 30 rows given" in page, "the rows held out"
    assert "not at hand" not in page
    assert all(f">{name}<" in page or name in page for name in ("setosa", "versicolor", "virginica"))


def test_the_page_of_a_table_that_is_elsewhere_or_another(iris, tmp_path):
    moved = tmp_path / "moved.csv"
    (iris / "iris.csv").rename(moved)
    said = failed("plot", iris / "run", "-q")
    assert "iris.csv: No such file; name the table with --data; or leave out the pictures" in said
    assert not (iris / "run" / "page.html").exists()
    ok("plot", iris / "run", "-q", "--without-data")
    assert "the data are not at hand" in (iris / "run" / "page.html").read_text(encoding="utf-8")
    ok("plot", iris / "run", "-q", "--data", moved)
    assert "Of 30 rows given" in (iris / "run" / "page.html").read_text(encoding="utf-8")
    moved.write_text(moved.read_text().replace("5.1", "5.2"))
    assert "other values in" in failed("plot", iris / "run", "--data", moved)


@pytest.mark.parametrize("moved", [False, True])
def test_a_table_is_found_from_other_folders(iris, tmp_path, monkeypatch, moved):
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "data").mkdir(parents=True)
    elsewhere.mkdir()
    (iris / "iris.csv").rename(project / "data" / "iris.csv")
    monkeypatch.chdir(project)
    ok("train", "data/iris.csv", "--target", "species", "-o", "runs/a", "-q", *QUICK)
    monkeypatch.chdir(elsewhere)
    (elsewhere / "data").mkdir()
    (elsewhere / "data" / "iris.csv").write_text("another\n1\n")  # of that name, but not the one
    if moved:
        project = project.rename(tmp_path / "archive")
    ok("plot", project / "runs" / "a", "-q")
    assert "Of 30 rows given" in (project / "runs" / "a" / "page.html").read_text(encoding="utf-8")
    assert "reproduced" in ok("reproduce", project / "runs" / "a" / "record.json", "-q")


def test_weights_of_a_table_are_drawn_under_the_names_of_features(iris, monkeypatch):
    axes = []
    weights = _page.weights
    monkeypatch.setattr(_page, "weights", lambda *args, **named: axes.append(weights(*args, **named)))
    ok("plot", iris / "run", "-q")
    labels = [label.get_text() for label in axes[0].get_xticklabels()] if axes[0] else []
    assert labels == [f"{part} {size} (cm)" for part in ("sepal", "petal") for size in ("length", "width")]
