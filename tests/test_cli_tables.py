"""The command ``fastnn train`` on tables: real ones, every kind of target, and what is shown and written."""

import re

import numpy as np
import polars as pl
import pytest
import sklearn.datasets
from command_line import failed, ok, record_of, run
from flats import flats, written

import fastnn as fn
from fastnn import tables

QUICK = ["--epochs", "3", "--hidden", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The flats in files, and a model of their prices in ``prices/``."""
    folder = tmp_path_factory.mktemp("flats")
    (folder / "output").write_text(written(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "score", "least", "baseline"),
    [("wine", "accuracy", 0.92, 0.45), ("breast_cancer", "roc_auc", 0.98, 0.5), ("diabetes", "r2", 0.25, 0.01)],
)
def test_tables_of_scikit_learn(tmp_path, name, score, least, baseline):
    loaded = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
    frame = loaded.frame
    if name != "diabetes":
        frame["target"] = [str(loaded.target_names[number]) for number in frame["target"]]
    frame.to_csv(tmp_path / "t.csv", index=False)
    output = ok("train", tmp_path / "t.csv", "-o", tmp_path / "run")
    results = record_of(tmp_path / "run")["results"]
    assert results["test_scores"][score] > least
    assert results["baseline_scores"][score] <= baseline
    for expected in ("Target", "Columns", "Scores on", "baseline", "epoch", "digest"):
        assert expected in output
    # The file alone gives the scores again, on the rows that were held out.
    back = tables.TableModel.load(tmp_path / "run" / "model.safetensors")
    labels = frame["target"].to_numpy() if name != "diabetes" else None
    _, test = fn.data.split_rows(len(frame), 0.2, 0, labels)
    assert back.evaluate(frame.iloc[test]) == pytest.approx(results["test_scores"], rel=1e-12)


def test_what_is_shown_of_a_table(folder):
    output = (folder / "output").read_text()
    for expected in (
        r"flats.csv: 382 train, 96 validation, 120 test",
        r"left out: 2 rows, the first of them row 4, without price",
        r"task +regression",
        r"area +number +mean [\d.]+, deviation [\d.]+; missing ones [\d.]+, marked +2",
        r"town +categories +Bonn, Kiel, Köln, \(rare\), \(missing\) +5",
        r"garden +true or false +mean",
        r"id +a different value in every row",
        r"sold +date +from 2020-01-\d\d: days, year, month, weekday +6",
        r"note +too many different texts to be categories: 3\d\d in 382 rows",
        r"country +the same value in every row",
        r"blank +every cell is missing",
        r"RMSE +[\d.]+ +[\d.]+",
        r"R² +0\.[6-9]",
    ):
        assert re.search(expected, output), expected
    assert max(map(len, output.splitlines())) <= 100
    assert sorted(path.name for path in (folder / "prices").iterdir()) == [
        "learning_curve.png",
        "model.safetensors",
        "record.json",
    ]


def test_the_same_bits_from_every_kind_of_file_and_any_number_of_threads(folder, tmp_path):
    digest = record_of(folder / "prices")["network"]["digest"]
    for name, threads in (("flats.parquet", 1), ("flats.arrow", 2), ("flats.csv", 3)):
        ok("train", folder / name, "-q", "-o", tmp_path, "--epochs", 40, "--threads", threads)
        assert record_of(tmp_path)["network"]["digest"] == digest
    frame = flats()
    frame.to_csv(tmp_path / "german.csv", index=False, sep=";", decimal=",", encoding="utf-8-sig")
    assert "separated by semicolons" in ok("train", tmp_path / "german.csv", "-o", tmp_path, "--epochs", 40)
    assert record_of(tmp_path)["network"]["digest"] == digest


def test_options_of_tables(folder, tmp_path):
    output = ok(
        *("train", folder / "flats.csv", "-o", tmp_path, *QUICK, "--target", "town", "--ignore", "price,note"),
        *("--categorical", "zip,rooms", "--max-categories", "4", "--activation", "silu", "--optimizer", "sgd"),
    )
    assert re.search(r"price +left out by choice", output)
    assert re.search(r"zip +categories +10000, 10001, 10002, 10003 +4", output)
    assert re.search(r"rooms +categories .*\(rare\) +5", output)
    assert "classification, 4 classes" in output
    assert "Zug, the city" in output
    record = record_of(tmp_path)
    assert record["training"]["optimizer"]["type"] == "SGD"
    assert record["hyperparameters"]["activation"] == "silu"


@pytest.mark.parametrize(
    ("arguments", "columns"),
    [
        (["--loss", "pinball"], ["quantile_0.1", "quantile_0.5", "quantile_0.9"]),
        (["--quantiles", "0.05,0.95"], ["quantile_0.05", "quantile_0.95"]),
        (["--loss", "mean_absolute"], ["prediction"]),
        (["--loss", "huber", "--dtype", "float64"], ["prediction"]),
        (["--target", "garden"], ["label", "probability_false", "probability_true"]),
        (["--target", "rooms", "--task", "classification"], ["label", *(f"probability_{i}" for i in range(1, 8))]),
        (["--target", "rooms", "--task", "regression"], ["prediction"]),
        (["--target", "town", "--loss", "binary_cross_entropy"], ["label"]),
    ],
)
def test_every_kind_of_target(folder, tmp_path, arguments, columns):
    ok("train", folder / "flats.csv", "-q", "-o", tmp_path, *QUICK, *arguments)
    ok("reproduce", tmp_path / "record.json", "-q")
    ok("predict", tmp_path / "model.safetensors", folder / "flats.csv", "-o", tmp_path / "p.parquet")
    frame = pl.read_parquet(tmp_path / "p.parquet")
    assert frame.columns[: len(columns)] == columns
    assert len(frame) == 600
    loaded = tables.TableModel.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(frame[columns[-1]].to_numpy(), _column(loaded, columns[-1]))
    ok("evaluate", tmp_path / "model.safetensors", folder / "flats.csv")
    ok("info", tmp_path / "model.safetensors")
    ok("predict", tmp_path / "model.safetensors", folder / "flats.csv")


@pytest.mark.parametrize(
    ("arguments", "baseline"),
    [
        (["--loss", "mean_squared"], "mean"),
        (["--loss", "mean_absolute"], "median"),
        (["--loss", "huber"], "median"),
        (["--loss", "pinball"], "same quantiles"),
        (["--target", "town"], "majority class"),
        (["--target", "town", "--loss", "binary_cross_entropy"], "majority class"),
    ],
)
def test_scores_stand_beside_those_of_a_guess(folder, tmp_path, arguments, baseline):
    arguments = ["train", folder / "flats.csv", "-o", tmp_path, *QUICK, *arguments]
    assert re.search(rf"Scores on \d+ rows held out\n +model +baseline \({baseline}\)", ok(*arguments))
    record = record_of(tmp_path)
    assert list(record["results"]["test_scores"]) == list(record["results"]["baseline_scores"])
    name, value = next(iter(record["results"]["test_scores"].items()))
    said = ok(*arguments, "-q")
    model = tmp_path / "model.safetensors"
    assert said == f"test {name.replace('_', ' ')} {value:.6g}, digest {record['network']['digest']}, {model}\n"


def _column(model, name):
    predicted = model.predict(flats())
    if name in ("prediction", "label"):
        return predicted
    return (model.predict_proba(flats()) if model.classifies else predicted)[:, -1]


def test_divergence_is_status_1(folder, tmp_path):
    arguments = ["--optimizer", "sgd", "--learning-rate", "1e30", "-o", tmp_path]
    assert "training diverged" in failed("train", folder / "flats.csv", *QUICK, *arguments, status=1)


def test_ctrl_c_writes_what_there_is(folder, tmp_path, monkeypatch):
    def press(self, *_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fn.Trainer, "fit", press)
    result = run("train", folder / "flats.csv", "-o", tmp_path, *QUICK)
    assert result.exit_code == 130
    assert "interrupted" in result.output
    tables.TableModel.load(tmp_path / "model.safetensors").predict(flats())
    monkeypatch.undo()
    assert "interrupted" in failed("reproduce", tmp_path / "record.json")
