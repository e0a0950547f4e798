"""The page of a trainer: whole, self-contained and safe, for every kind of network."""

import os
import re

import numpy as np
import pytest
from pages import EVERY, HOSTILE, Page, check_whole, sketched

import fastnn as fn
from fastnn import plot, records
from fastnn.plot import _html, _page, _run

matplotlib = pytest.importorskip("matplotlib")
sparse = pytest.importorskip("scipy.sparse")


@pytest.fixture
def sketch(monkeypatch):
    """Pictures are drawn, but what is written is empty."""
    monkeypatch.setattr(_page, "_drawn", sketched)


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
        ({"data": (sparse.csr_array((2, 7)), [0, 1])}, TypeError, "X of data must be a dense array; got a sparse"),
        ({"labels": ["a"]}, ValueError, "labels must name 3 classes; got 1"),
        ({"labels": 3}, TypeError, "labels must be a sequence of classes; got int 3"),
        ({"image_shape": (3, 3)}, ValueError, "image_shape must be .* of 7 pixels"),
    ],
)
def test_bad_arguments(sketch, tmp_path, make_trainer, options, error, message):
    with pytest.raises(error, match=message):
        plot.page(make_trainer(), tmp_path / "x.html", **options)
    assert os.listdir(tmp_path) == []


def test_what_is_no_run(tmp_path):
    expected = r"run must be a Trainer, the path of a run's folder, or a fitted estimator of fastnn\.sklearn; got int 3"
    with pytest.raises(TypeError, match=expected):
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


def test_long_values_wait_until_they_are_asked_for():
    few, many = {"a": 1, "b_c": [1, 2]}, {f"name {i}": HOSTILE for i in range(13)}
    text = _html.table("H", {"few": few, "many": many, "object": {"type": "Adam", "l1": 0.0}})
    assert "<td>a: 1\nb_c: 1, 2</td>" in text
    assert "<td><details><summary>13 entries</summary>name 0: " in text
    assert "<td>Adam(l1=0.0)</td>" in text
    assert HOSTILE not in text


def test_hostile_classes_in_pictures(tmp_path, blobs, make_trainer):
    trainer = make_trainer()
    trainer.fit(*blobs, 1)
    labels = [HOSTILE, "$", "__"]
    plot.page(trainer, tmp_path / "x.html", data=blobs, labels=labels, title=HOSTILE)
    check_whole(Page(tmp_path / "x.html"))
