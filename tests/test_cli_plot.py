"""The command ``fastnn plot``: a run on one page, with what is at hand, whatever names and numbers its record holds."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from pages import EVERY, HOSTILE, Page, check_whole, sketched

import fastnn as fn
from fastnn import inspection
from fastnn.plot import _html, _page

pytest.importorskip("matplotlib")
testing = pytest.importorskip("click.testing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of ``fastnn train``."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    arguments = [
        "train",
        "digits",
        "-o",
        str(path),
        "-q",
        "--epochs",
        "3",
        "--hidden",
        "24,12",
        "--schedule",
        "plateau",
    ]
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def run_folder(folder, tmp_path):
    """A copy of its own, whose record a test may spoil."""
    return shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("*.html"))


@pytest.fixture
def sketch(monkeypatch):
    """Pictures are drawn, but what is written is empty."""
    monkeypatch.setattr(_page, "_drawn", sketched)


def change(folder, spoil):
    path = folder / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    spoil(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    return record


def command(*arguments):
    from fastnn.cli.commands import fastnn

    return testing.CliRunner().invoke(fastnn, [str(argument) for argument in arguments])


def draw(*arguments):
    return command("plot", *arguments)


# ------------------------------------------------------------- of fastnn train


@pytest.fixture(scope="module")
def drawn(folder):
    result = draw(folder)
    assert result.exit_code == 0, result.output
    return result.output, Page(folder / "page.html")


def test_a_run_on_one_page(drawn, folder):
    output, page = drawn
    check_whole(page)
    assert [heading for heading, _, _ in page.pictures] == EVERY
    assert all(alt.startswith(heading) for heading, _, alt in page.pictures)
    assert "page.html" in output
    assert os.listdir(folder).count("page.html") == 1
    assert page.headings[0] == "digits"


def test_the_tables_say_what_the_record_says(drawn, folder):
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    tables = drawn[1].tables
    parts = ["Results", "Hyperparameters", "Training", "Seeds", "Data", "Parameters", "Environment"]
    assert list(tables) == ["Network", "Dead units", *parts, "History"]
    assert ["digest", record["network"]["digest"]] in tables["Parameters"]
    assert ["test accuracy", repr(record["results"]["test_accuracy"])] in tables["Results"]
    assert ["fingerprint", record["data"]["fingerprint"]] in tables["Data"]
    for name, value in record["environment"].items():
        assert [name.replace("_", " "), _html.described(value)] in tables["Environment"]
    names = [row[0] for row in tables["Hyperparameters"]]
    assert names == [name.replace("_", " ") for name in record["hyperparameters"]]
    assert ["Dense(24, 'relu')", "(n, 24)", "1,560"] in tables["Network"]
    history = tables["History"]
    assert history[0] == ["epoch", *(name.replace("_", " ") for name in record["history"])]
    assert [float(row[1]) for row in history[1:]] == record["history"]["loss"]


def test_dead_units_are_all_in_the_table(drawn, folder):
    network = fn.Network.load(folder / "model.safetensors")
    X, y = fn.data.load_digits()
    _, test, _, _ = fn.data.split(X / np.float32(16), y, 0.2, 0, stratify=True)
    dead = inspection.dead_units(network, test)
    rows = drawn[1].tables["Dead units"][1:]
    assert [int(row[1]) for row in rows] == [len(units) for units in dead.values()]
    for row, units in zip(rows, dead.values(), strict=True):
        found = set()
        for part in re.findall(r"\d+–\d+|\d+", row[2]):
            first, *last = map(int, part.split("–"))
            found |= set(range(first, (last or [first])[0] + 1))
        assert found == set(units.tolist())


def test_the_same_run_gives_the_same_page(drawn, folder, tmp_path):
    assert draw(folder / "record.json", "-o", tmp_path / "x.html", "-q").output == ""
    assert (tmp_path / "x.html").read_bytes() == (folder / "page.html").read_bytes()
    assert os.listdir(tmp_path) == ["x.html"]


@pytest.mark.parametrize("loss", ["mean_squared", "binary_cross_entropy"])
def test_other_losses_of_classes(sketch, tmp_path, loss):
    arguments = ["train", "digits", "-o", str(tmp_path), "-q", "--epochs", "1", "--hidden", "4", "--loss", loss]
    assert command(*arguments).exit_code == 0
    assert draw(tmp_path).exit_code == 0
    page = Page(tmp_path / "page.html")
    check_whole(page)
    assert {"Confusion matrix", "Gradients"} <= set(page.headings)


def test_layers_that_make_no_network(run_folder):
    (run_folder / "model.safetensors").unlink()
    for layers in ([1], 3, [{"type": "Dense"}], [{"type": "Mine"}]):
        change(run_folder, lambda record, layers=layers: record["network"].update(layers=layers))
        result = draw(run_folder)
        assert result.exit_code == 2
        assert "is damaged, or holds layers of your own: 'network.layers'" in result.output


# ------------------------------------------------------ what is not at hand


def test_without_the_data(sketch, run_folder):
    change(run_folder, lambda record: record["data"].update(name="my table"))
    assert draw(run_folder).exit_code == 0
    page = Page(run_folder / "page.html")
    check_whole(page)
    assert [heading for heading, _, _ in page.pictures] == [name for name in EVERY if name not in EVERY[-2:]]
    assert "No predictions, activations and gradients: the data are not at hand." in page.notes
    assert page.headings[0] == "my table"


def test_without_the_model(sketch, run_folder):
    (run_folder / "model.safetensors").unlink()
    assert draw(run_folder).exit_code == 0
    page = Page(run_folder / "page.html")
    check_whole(page)
    assert [heading for heading, _, _ in page.pictures] == [*EVERY[:4], "Confusion matrix"]
    assert "No weights, activations and gradients: there is no model.safetensors beside the record." in page.notes


def test_the_record_alone_and_of_classes_of_the_authors_own(sketch, run_folder):
    def spoil(record):
        del record["results"], record["hyperparameters"], record["data"]["classes"], record["seeds"]["split"]
        record["training"]["loss"] = {"type": "MyLoss", "a": 1}
        record["training"]["optimizer"] = {"type": "MyOptimizer"}
        record["history"] = {"loss": [], "val_loss": []}
        record["remark"] = "of my own"

    change(run_folder, spoil)
    (run_folder / "model.safetensors").unlink()
    assert draw(run_folder).exit_code == 0
    page = Page(run_folder / "page.html")
    check_whole(page)
    assert [heading for heading, _, _ in page.pictures] == ["Network"]
    assert "No learning curve: no epoch was completed." in page.notes
    assert ["loss", "MyLoss(a=1)"] in page.tables["Training"]
    assert page.tables["Remark"] == [["remark", "of my own"]]


def test_scores_and_the_name_of_a_table(sketch, run_folder):
    """As runs on tables record them."""

    def spoil(record):
        del record["data"]["name"]
        record["data"]["file"] = "folder/iris.csv"
        record["results"] = {"test_scores": {"macro_f1": 0.75, "wrong": None}, "confusion": None}

    change(run_folder, spoil)
    assert draw(run_folder).exit_code == 0
    page = Page(run_folder / "page.html")
    assert page.headings[0] == "folder/iris.csv"
    assert "<dt>test macro f1</dt><dd>0.75</dd>" in page.text
    assert "test wrong" not in page.text
    assert "Confusion matrix" not in page.headings


def test_values_that_are_null(sketch, run_folder):
    change(run_folder, lambda record: record["history"].update(loss=[None, 1.0, None], val_loss=[None] * 3))
    assert draw(run_folder).exit_code == 0
    check_whole(Page(run_folder / "page.html"))


# --------------------------------------------------------------------- safety


def test_hostile_names_are_text(run_folder):
    def spoil(record):
        record["data"].update(name=HOSTILE, classes=[f"{i}{HOSTILE}" for i in range(10)])
        record["environment"][HOSTILE] = HOSTILE
        record["history"][HOSTILE] = [1.0, 2.0, 3.0]
        record[HOSTILE] = {HOSTILE: [{"type": HOSTILE, HOSTILE: [HOSTILE]}]}

    change(run_folder, spoil)
    result = draw(run_folder)
    assert result.exit_code == 0, result.output
    page = Page(run_folder / "page.html")
    check_whole(page)
    assert "<script" not in page.text
    assert page.headings[0].startswith("<script>alert('x')</script> & \"q\" <img src=")
    assert any(heading.startswith("Learning curve: <script>") for heading in page.headings)
    assert any(row[0].startswith("<script>") and "$title" not in row[1][:5] for row in page.tables["Environment"])


def test_what_is_nested_without_end(sketch, run_folder):
    deep = []
    for _ in range(400):
        deep = [deep]
    change(run_folder, lambda record: record.update(deep={"deep": deep}))
    assert draw(run_folder).exit_code == 0
    assert Page(run_folder / "page.html").tables["Deep"] == [["deep", "…"]]


SPOILT = {
    "no history": (lambda record: record.pop("history"), "it has no entry 'history'"),
    "history": (lambda record: record["history"].update(loss="x"), "'history.loss' is not a list of numbers"),
    "text in it": (lambda record: record["history"].update(loss=[1, "x", 2]), "'history.loss' is not a list"),
    "ragged": (lambda record: record["history"].update(loss=[1.0]), "the columns of 'history' are not of one length"),
    "epochs": (lambda record: record["training"].update(epochs="3"), "'training.epochs' is '3'"),
    "steps": (lambda record: record["training"].update(steps=-1), "'training.steps' is -1"),
    "dtype": (lambda record: record["network"].update(dtype=3), "3"),
    "digest": (lambda record: record["network"].update(digest="0" * 64), "is not the network of"),
    "fraction": (lambda record: record["data"].update(test_fraction=2), "fraction must be"),
    "loss": (
        lambda record: record["training"].update(loss=3),
        "No predictions and gradients: the record only names the loss.",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_damaged_records(sketch, run_folder, name):
    spoil, message = SPOILT[name]
    change(run_folder, spoil)
    result = draw(run_folder)
    if name == "loss":  # like one of the author's own
        assert message in Page(run_folder / "page.html").notes
    else:
        assert result.exit_code == 2
        assert result.output.startswith("Error: ")
        assert message in result.output
        assert not (run_folder / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: No such file or directory"),
        (["{folder}", "-o", "{tmp}/no/page.html"], "no: No such file or directory"),
        (["{folder}", "-o", "{tmp}"], "Is a directory"),
        (["{tmp}"], "record.json: No such file or directory"),
        (["{folder}/model.safetensors"], "is damaged or not JSON"),
    ],
)
def test_wrong_files(folder, tmp_path, arguments, message):
    result = draw(*(argument.format(folder=folder, tmp=tmp_path) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.output
    assert os.listdir(tmp_path) == []


def test_an_old_page_stays_if_a_new_one_fails(sketch, run_folder):
    page = run_folder / "page.html"
    page.write_text("old")
    change(run_folder, lambda record: record["history"].update(loss="x"))
    assert draw(run_folder).exit_code == 2
    assert page.read_text() == "old"
