"""Choices of ``fastnn train`` for tables: separator, logarithms, counts, weights of classes, normalisation."""

import json

import numpy as np
import polars as pl
import pytest
from command_line import failed, ok, record_of

import fastnn as fn
from fastnn import tables

QUICK = ["--epochs", "20", "--hidden", "16", "--learning-rate", "0.01", "-q"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A file of counts, prices and rare classes, separated by semicolons, with units in its header."""
    random, n = np.random.default_rng(0), 600
    x = random.normal(size=n)
    frame = pl.DataFrame(
        {
            "height, m": x.round(3),
            "town": random.choice(["a", "b"], n),
            "count": random.poisson(np.exp(1.5 + 0.8 * x)),
            "price": np.exp(8 + x).round(2),
            "kind": np.where(x + 0.5 * random.normal(size=n) > 1.3, "rare, indeed", "usual"),
        }
    )
    path = tmp_path_factory.mktemp("t") / "t.csv"
    frame.write_csv(path, separator=";")
    return path


def trained(table, folder, *arguments):
    """The record of a run that can be repeated, and its model's score on the whole table."""
    ok("train", table, "-o", folder, *QUICK, *arguments)
    assert "reproduced" in ok("reproduce", folder / "record.json", "-q")
    score = json.loads(ok("evaluate", folder / "model.safetensors", table, "--json"))
    return record_of(folder), score["model"], score["baseline"]


def test_counts_by_their_rate(table, tmp_path):
    chosen = ["--target", "count", "--loss", "poisson", "--ignore", "price,kind"]
    record, model, baseline = trained(table, tmp_path, *chosen)
    assert record["training"]["loss"] == {"type": "Poisson"}
    assert model["poisson_deviance"] < 0.7 * baseline["poisson_deviance"]
    assert baseline["r2"] == pytest.approx(0, abs=0.05)
    ok("predict", tmp_path / "model.safetensors", table, "-o", tmp_path / "p.parquet")
    predicted = pl.read_parquet(tmp_path / "p.parquet")["prediction"]
    assert predicted.min() > 0
    assert predicted.mean() == pytest.approx(pl.read_csv(table, separator=";")["count"].mean(), rel=0.2)
    assert "regression of counts, by their rate" in ok("info", tmp_path / "model.safetensors")


def test_the_logarithm_of_a_target(table, tmp_path):
    chosen = ["--target", "price", "--log-target", "--ignore", "count,kind"]
    record, model, baseline = trained(table, tmp_path, *chosen)
    assert record["data"]["table"]["log_target"] is True
    target = tables.TableModel.load(tmp_path / "model.safetensors").target
    assert target.log
    assert target.mean == pytest.approx(8.0, abs=0.2)
    assert model["mae"] < 0.5 * baseline["mae"]
    chosen += ["--loss", "pinball", "--quantiles", "0.1,0.9"]
    ok("train", table, "-o", tmp_path / "q", *QUICK, *chosen)
    assert tables.TableModel.load(tmp_path / "q" / "model.safetensors").target.log


def test_weights_of_classes(table, tmp_path):
    chosen = ["--target", "kind", "--ignore", "count,price"]
    plain = trained(table, tmp_path / "plain", *chosen)
    assert plain[0]["training"]["class_weight"] is None
    balanced = trained(table, tmp_path / "balanced", *chosen, "--class-weight", "balanced")
    assert balanced[0]["training"]["class_weight"] == "balanced"
    by_name = trained(table, tmp_path / "named", *chosen, "--class-weight", '"rare, indeed=2",usual=0')
    assert by_name[0]["training"]["class_weight"] == [2, 0]
    assert by_name[0]["hyperparameters"]["class_weight"] == {"rare, indeed": 2, "usual": 0}
    assert balanced[1]["balanced_accuracy"] > plain[1]["balanced_accuracy"]
    ok("predict", tmp_path / "named" / "model.safetensors", table, "-o", tmp_path / "p.parquet")
    assert set(pl.read_parquet(tmp_path / "p.parquet")["label"]) == {"rare, indeed"}
    ok("train", "digits", "--class-weight", "3=2.5,4=0", "-o", tmp_path / "digits", *QUICK)
    assert record_of(tmp_path / "digits")["training"]["class_weight"][2:6] == [1, 2.5, 0, 1]


def test_a_separator_that_is_told(table, tmp_path):
    content = table.read_text().replace("height, m", "height").replace("rare, indeed", "rare")
    (tmp_path / "t.txt").write_text(content.replace(";", " "))
    chosen = ["--target", "price", "--separator", "space", "--ignore", "count,kind"]
    ok("train", tmp_path / "t.txt", *chosen, "-o", tmp_path, *QUICK)
    assert record_of(tmp_path)["data"]["table"]["separator"] == " "
    model = tmp_path / "model.safetensors"
    assert "reproduced" in ok("reproduce", tmp_path / "record.json", "-q")
    assert "600 rows" in ok("evaluate", model, tmp_path / "t.txt", "--separator", "space")
    assert "600 rows" in ok("predict", model, tmp_path / "t.txt", "--separator", " ", "-o", tmp_path / "p.csv")
    assert "lacks" in failed("evaluate", model, tmp_path / "t.txt", "--separator", ";")


def test_rms_normalisation(tmp_path):
    ok("train", "digits", "--rms-norm", "-o", tmp_path, *QUICK)
    assert any(isinstance(layer, fn.RMSNorm) for layer in fn.Network.load(tmp_path / "model.safetensors").layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "kind", "--log-target"], "--log-target is for regression"),
        (["--target", "price", "--loss", "poisson", "--log-target"], "not for the loss poisson"),
        (["--target", "height, m", "--log-target"], "expected a number of at least 0, to take its logarithm; got -"),
        (["--target", "height, m", "--loss", "poisson"], "expected a number of at least 0, as a count; got -"),
        (["--target", "price", "--class-weight", "balanced"], "--class-weight is for the loss cross_entropy"),
        (["--class-weight", "rar=2"], "--class-weight must name classes (rare, indeed, usual); got 'rar'"),
        (["--class-weight", "usual=-1"], "neither 'balanced' nor weights of classes"),
        (["--class-weight", "usual"], "neither 'balanced' nor weights of classes"),
        (["--separator", "ab"], "is not one character, such as ; or |, nor tab or space"),
        (["--separator", ","], "line 2 has 1 cell; the header has 2 columns, separated by commas"),
        (["--layer-norm", "--rms-norm"], "--layer-norm and --rms-norm exclude each other"),
        (["--hidden", "none", "--dropout", "0.5"], "--dropout is for hidden layers; --hidden is none"),
        (["--hidden", "none", "--activation", "relu"], "--activation is for hidden layers; --hidden is none"),
        (["--hidden", "none", "--rms-norm"], "--rms-norm is for hidden layers; --hidden is none"),
        (["--epochs", "3", "--warmup", "3"], "--warmup must be less than --epochs, 3; got 3"),
        (["--categorical", "count", "--ignore", "count"], "got 'count' in both"),
    ],
)
def test_choices_that_do_not_go_together(table, tmp_path, arguments, message):
    assert message in failed("train", table, "-o", tmp_path / "out", *QUICK[2:-1], *arguments)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_choices_for_tables_alone():
    for option in (["--separator", ";"], ["--log-target"], ["--loss", "poisson"]):
        assert f"{option[0]} " in failed("train", "digits", *option)
