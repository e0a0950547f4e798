"""The page of a run: whole, self-contained, and safe whatever names it holds; and ``fastnn plot``."""

import base64
import json
import os
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import fastnn as fn
from fastnn import inspection, plot, records
from fastnn.plot import _html, _page, _run

matplotlib = pytest.importorskip("matplotlib")
testing = pytest.importorskip("click.testing")


VOID = {"meta", "img", "source", "br"}
URI = "data:image/svg+xml;base64,"
EVERY = [
    *("Learning curve: loss", "Learning curve: accuracy", "Learning rate", "Network", "Weights of the first layer"),
    *("Confusion matrix", "Activations", "Gradients"),
]


class Page(HTMLParser):
    """A page taken apart; an element that is not closed, or closes another, is an error."""

    def __init__(self, path):
        super().__init__()
        self.open, self.headings, self.pictures, self.tables, self.notes = [], [], [], {}, []
        self.links, self.tags = [], set()
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        given = dict(attributes)
        self.links += [value for name, value in given.items() if name in ("src", "srcset", "href", "data", "action")]
        assert not any(name.startswith("on") for name in given)
        if tag == "img":
            self.pictures.append((self.headings[-1], given["src"], given["alt"]))
        if tag not in VOID:
            self.open.append([tag, ""])
        if tag == "tr":
            self.tables[self.caption].append([])

    def handle_data(self, data):
        if self.open:
            self.open[-1][1] += data

    def handle_endtag(self, tag):
        opened, text = self.open.pop()
        assert opened == tag
        if tag in ("h1", "h2", "h3"):
            self.headings.append(text)
        elif tag == "caption":
            self.caption = text
            self.tables[text] = []
        elif tag in ("td", "th"):
            self.tables[self.caption][-1].append(text)
        elif tag == "p":
            self.notes.append(text)


def check_whole(page):
    """What holds for every page: nothing from elsewhere, nothing that runs, pictures that are pictures."""
    assert page.tags & {"script", "link", "iframe", "object", "base", "form", "a"} == set()
    assert page.links
    assert all(link.startswith(URI) for link in page.links)
    assert "url(" not in page.text
    for link in page.links:
        root = ElementTree.fromstring(base64.b64decode(link.removeprefix(URI)))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        for element in root.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith(("#", "data:image/png;base64,"))
    assert "prefers-color-scheme: dark" in page.text


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
    """Pictures are drawn but not written as SVG, which takes most of the time of a page."""
    from matplotlib.figure import Figure

    empty = URI + base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg"/>').decode()

    def drawn(draw, size):
        draw(Figure(figsize=size).add_subplot())
        return empty, empty

    monkeypatch.setattr(_page, "_drawn", drawn)


def change(folder, spoil):
    path = folder / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    spoil(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    return record


def command(*arguments):
    from fastnn._cli.commands import fastnn

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


def test_values_that_are_null(sketch, run_folder):
    change(run_folder, lambda record: record["history"].update(loss=[None, 1.0, None], val_loss=[None] * 3))
    assert draw(run_folder).exit_code == 0
    check_whole(Page(run_folder / "page.html"))


# --------------------------------------------------------------------- safety

HOSTILE = (
    "<script>alert('x')</script> & \"q\" <img src=http://x.example/ onerror=alert(1)> $\\frac{ ${title} \x00\ud800 語"
)


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


def test_hostile_classes_in_pictures(tmp_path, blobs, make_trainer):
    trainer = make_trainer()
    trainer.fit(*blobs, 1)
    labels = [HOSTILE, "$", "__"]
    plot.page(trainer, tmp_path / "x.html", data=blobs, labels=labels, title=HOSTILE)
    check_whole(Page(tmp_path / "x.html"))


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
    "loss": (lambda record: record["training"].update(loss=3), "No gradients: the record only names the loss."),
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


# --------------------------------------------------------------- of a trainer


def trained(layers, loss, X, y, epochs=2, **options):
    trainer = fn.Trainer(fn.Network(layers, seed=1), loss, batch_size=8, **options)
    trainer.fit(X, y, epochs)
    return trainer


def test_a_trainer(sketch, tmp_path, blobs, make_trainer):
    trainer = make_trainer(dtype="float64")
    trainer.fit(*blobs, 2, validation_fraction=0.2)
    path = plot.page(trainer, tmp_path / "run.html", data=blobs, labels=["a", "b", "c"], title="Blobs")
    assert path == tmp_path / "run.html"
    page = Page(path)
    check_whole(page)
    assert [heading for heading, _, _ in page.pictures] == EVERY
    assert page.headings[0] == "Blobs"
    assert ["digest", trainer.network.digest()] in page.tables["Parameters"]
    assert ["trainer", "3"] in page.tables["Seeds"]


def test_a_trainer_without_data_and_before_its_first_epoch(sketch, tmp_path, make_trainer):
    page = Page(plot.page(make_trainer(), tmp_path / "run.html"))
    check_whole(page)
    assert [heading for heading, _, _ in page.pictures] == ["Network", "Weights of the first layer"]
    assert len([note for note in page.notes if note.startswith("No ")]) == 2


@pytest.mark.parametrize("last", [fn.Dense(1), fn.Dense(1, "sigmoid")])
def test_two_features_and_one_output_for_two_classes(tmp_path, rng, last):
    X, y = rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
    trainer = trained([fn.Input(2), last], "binary_cross_entropy", X, y)
    page = Page(plot.page(trainer, tmp_path / "run.html", data=(X, y), labels=["no", "yes"]))
    check_whole(page)
    assert {"Confusion matrix", "Decision boundary"} <= set(page.headings)


def test_the_classes_of_one_output(rng):
    """By the sign of a logit, or by which side of a half a probability lies on."""
    X, y = rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
    for last in ("identity", "sigmoid"):
        trainer = trained([fn.Input(2), fn.Dense(1, last)], "binary_cross_entropy", X, y)
        run = _run.of(trainer)
        true, guessed = _page._classes(run, _page._looked_at(run, (X, y)))
        assert true.tolist() == y.tolist()
        assert np.mean(true == guessed) == pytest.approx(trainer.evaluate(X, y)["accuracy"])


def test_regressions(sketch, tmp_path, rng):
    X, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 6))
    cases = {
        "several": (fn.Dense(6), "mean_squared", y),
        "one": (fn.Dense(1), "huber", y[:, 0]),
        "quantiles": (fn.Dense(3), fn.Pinball((0.1, 0.5, 0.9)), y[:, 0]),
        "counts": (fn.Dense(1), "poisson", np.floor(np.abs(y[:, 0]) * 5)),
    }
    for name, (last, loss, targets) in cases.items():
        trainer = trained([fn.Input(2), last], loss, X, targets)
        page = Page(plot.page(trainer, tmp_path / f"{name}.html", data=(X, targets)))
        check_whole(page)
        found = [heading for heading in page.headings if heading.startswith("Predicted and true values")]
        assert len(found) == (4 if name == "several" else 1)
        assert ("Decision boundary" in page.headings) == (name in ("one", "counts"))
        assert "Confusion matrix" not in page.headings


def test_several_labels_at_once_have_no_confusion_matrix(sketch, tmp_path, rng):
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, (40, 4))
    page = Page(
        plot.page(trained([fn.Input(3), fn.Dense(4)], "binary_cross_entropy", X, y), tmp_path / "x", data=(X, y))
    )
    assert "No confusion matrix: the outputs are not one class of several." in page.notes


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"data": 3}, TypeError, r"data must be \(X, y\); got int 3"),
        ({"data": (np.zeros((2, 3)), [0, 1])}, ValueError, "X of data must have 7 features a row; got 3"),
        ({"data": (np.zeros((2, 7)), [0, 3])}, ValueError, "y of data must hold labels from 0 to 2.*; got 3 in row 1"),
        ({"data": (np.zeros((2, 7)), [0])}, ValueError, "y of data must have as many rows as X of data, 2; got 1"),
        ({"labels": ["a"]}, ValueError, "labels must name 3 classes; got 1"),
        ({"labels": 3}, TypeError, "labels must be a sequence; got int 3"),
        ({"image_shape": (3, 3)}, ValueError, "shape must be .* of 7 pixels"),
    ],
)
def test_bad_arguments(sketch, tmp_path, make_trainer, options, error, message):
    with pytest.raises(error, match=message):
        plot.page(make_trainer(), tmp_path / "x.html", **options)
    assert os.listdir(tmp_path) == []


def test_what_is_no_run(tmp_path):
    with pytest.raises(TypeError, match="run must be a Trainer, or the path of a run's folder; got int 3"):
        plot.page(3, tmp_path / "x.html")


def test_steps_of_an_epoch(blobs, make_trainer, tmp_path):
    """As the data and the batch say, or else the updates and the epochs."""
    trainer = make_trainer()
    trainer.fit(*blobs, 2)
    assert _run.of(trainer).steps_per_epoch == 11
    records.write(tmp_path / "record.json", records.run_record(trainer, *blobs) | {"history": {"loss": [1.0]}})
    assert _run.of(tmp_path).steps_per_epoch == 11


def test_matplotlib_is_left_as_it_was(tmp_path, make_trainer):
    before = dict(matplotlib.rcParams)
    plot.page(make_trainer(), tmp_path / "x.html")
    assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_long_histories_are_shown_in_part(tmp_path):
    text = _html.rows("H", ("epoch",), [(i,) for i in range(2001)])
    found = re.findall(r"<td>(\d+)</td>", text)
    assert len(found) <= 501
    assert (found[0], found[-1]) == ("0", "2000")
