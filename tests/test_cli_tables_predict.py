"""The commands ``fastnn predict``, ``fastnn evaluate`` and ``fastnn info`` with models of tables."""

import io
import json
import re
import sys

import numpy as np
import polars as pl
import pytest
from command_line import failed, ok, run
from flats import flats, written

import fastnn as fn
from fastnn import _readers, tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The flats in files, and a model of their prices in ``prices/``."""
    folder = tmp_path_factory.mktemp("flats")
    written(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return folder / "prices" / "model.safetensors"


def test_predictions_are_the_models_whatever_the_files(folder, model, tmp_path):
    expected = tables.TableModel.load(model).predict(flats())
    for source in ("csv", "parquet", "arrow"):
        for ending, read in {"csv": pl.read_csv, "parquet": pl.read_parquet, "arrow": pl.read_ipc}.items():
            ok("predict", model, folder / f"flats.{source}", "-o", tmp_path / f"p.{ending}")
            np.testing.assert_array_equal(read(tmp_path / f"p.{ending}")["prediction"].to_numpy(), expected)
    text = run("predict", model, folder / "flats.csv", "-o", "-").stdout  # and notes on stderr
    np.testing.assert_array_equal(pl.read_csv(io.StringIO(text))["prediction"].to_numpy(), expected)


@pytest.mark.parametrize("rows", [1, 7, 599, 600])
def test_predictions_do_not_depend_on_the_size_of_the_parts(folder, model, tmp_path, monkeypatch, rows):
    from fastnn._readers.polars_tables import TableFile

    whole = TableFile.batches
    monkeypatch.setattr(
        TableFile, "batches", lambda self, kinds, *, head, keep, old: whole(self, kinds, rows, head, keep, old)
    )
    text = ok("predict", model, folder / "flats.csv", "-o", "-")
    monkeypatch.undo()
    assert text == ok("predict", model, folder / "flats.csv", "-o", "-")


def test_predict_shows_some_rows(folder, model):
    output = ok("predict", model, folder / "flats.csv", "--rows", 3)
    predicted = tables.TableModel.load(model).predict(flats())
    assert "the first 3 rows" in output
    assert re.search(rf"1 +{predicted[0]:.6g} +{flats()['price'][0]:.6g}", output)
    assert not re.search(r"^ +5 ", output, re.MULTILINE)


def test_rows_without_a_label_are_not_called_wrong(tmp_path):
    frame = pl.DataFrame({"x": range(40), "y": ["a", "b"] * 20})
    frame.write_csv(tmp_path / "t.csv")
    ok("train", tmp_path / "t.csv", "-o", tmp_path / "run", "--epochs", 1)
    for name in ("t.csv", "t.parquet"):
        write = frame[:1].with_columns(y=pl.lit(None, pl.String))
        write.write_csv(tmp_path / name) if name == "t.csv" else write.write_parquet(tmp_path / name)
        output = ok("predict", tmp_path / "run" / "model.safetensors", tmp_path / name)
        assert re.search(r"– *\n", output)
        assert "✗" not in output


def test_the_table_is_not_written_over(folder, model, tmp_path):
    flats().to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "link.csv").symlink_to(tmp_path / "t.csv")
    before = (tmp_path / "t.csv").read_bytes()
    for output in ("t.csv", "link.csv"):
        message = failed("predict", model, tmp_path / "t.csv", "-o", tmp_path / output)
        assert "--output must be another file than the one that is predicted" in message
    assert (tmp_path / "t.csv").read_bytes() == before


def test_columns_in_another_order_missing_or_more(folder, model, tmp_path):
    frame = flats()[["town", "garden", "sold", "zip", "rooms", "area"]].assign(more=1, extra="x")
    frame.loc[[0, 1, 2], "town"] = ["Rom", "Ulm", "Rom"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    output = ok("predict", model, tmp_path / "t.csv", "-o", tmp_path / "p.csv")
    assert "not known to the model, ignored: 'more', 'extra'" in output
    assert "column 'town': 3 categories rare or unseen in training: 'Rom', 'Ulm', 'Zug, the city'" in output
    assert "600 rows written" in output
    np.testing.assert_array_equal(
        pl.read_csv(tmp_path / "p.csv")["prediction"].to_numpy(), tables.TableModel.load(model).predict(frame)
    )
    frame.drop(columns=["area", "rooms"]).to_csv(tmp_path / "t.csv", index=False)
    for name in ("predict", "evaluate"):
        assert "t.csv lacks the columns 'area', 'rooms'" in failed(name, model, tmp_path / "t.csv")
    frame.rename(columns={"area": "Area"}).to_csv(tmp_path / "t.csv", index=False)
    assert "t.csv lacks the column 'area' (did you mean 'Area'?)" in failed("predict", model, tmp_path / "t.csv")


def test_evaluate(folder, model, tmp_path):
    loaded = tables.TableModel.load(model)
    found = json.loads(ok("evaluate", model, folder / "flats.csv", "--json"))
    assert found["rows"] == 598
    assert found["model"] == pytest.approx(loaded.evaluate(flats()), rel=1e-12)
    assert found["baseline"]["r2"] < 0.01
    output = ok("evaluate", model, folder / "flats.parquet")
    assert f"{found['model']['rmse']:.4f}" in output
    assert "2 more without price" in output
    flats().drop(columns="price").to_csv(tmp_path / "t.csv", index=False)
    assert "no column is named 'price', which the model predicts" in failed("evaluate", model, tmp_path / "t.csv")
    flats().assign(price=None).to_csv(tmp_path / "t.csv", index=False)
    assert "no row has a value of 'price'" in failed("evaluate", model, tmp_path / "t.csv")


def test_info(model):
    output = ok("info", model)
    for expected in ("regression", "Bonn, Kiel, Köln, (rare), (missing)", "Not used", "Dense(64, 'relu')", "test r2"):
        assert expected in output


def test_models_that_are_not_of_tables(folder, tmp_path):
    fn.Network([fn.Input(2), fn.Dense(2)]).save(tmp_path / "m.safetensors")
    assert "is a network without a table" in failed("evaluate", tmp_path / "m.safetensors", folder / "flats.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.astype({"area": object}).replace({"area": {f["area"][9]: "large"}}), "column 'area', row 10"),
        (lambda f: f.assign(area=np.where(f.index == 9, np.inf, f["area"])), "expected a finite number; got inf"),
        (lambda f: f.assign(area=np.where(f.index == 9, 1e300, f["area"])), "too far from the training rows"),
        (lambda f: f.assign(garden=["maybe"] * 600), "column 'garden', row 1: expected true or false; got 'maybe'"),
        (lambda f: f.assign(garden=[7] * 600), "column 'garden', row 1: expected true or false, or 1 or 0; got 7"),
        (lambda f: f.iloc[:0], "the table has no rows"),
    ],
)
@pytest.mark.parametrize("output", ["p.csv", "p.parquet", "-", None])
def test_cells_that_do_not_fit_leave_no_file(model, tmp_path, change, message, output):
    change(flats()).to_csv(tmp_path / "t.csv", index=False)
    target = [] if output is None else ["-o", output if output == "-" else tmp_path / output]
    assert message in failed("predict", model, tmp_path / "t.csv", *target)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("name", ["p.npy", "p.xlsx", "p"])
def test_outputs_of_no_known_kind(folder, model, tmp_path, name):
    assert "--output must end in .csv, .tsv, .parquet, .arrow" in failed(
        "predict", model, folder / "flats.csv", "-o", tmp_path / name
    )
    assert "Missing argument" in failed("predict", model)
    assert "none" in failed("predict", model, folder / "flats.csv", "-o", tmp_path / "none" / "p.csv")


def test_without_polars_it_is_named(folder, model, monkeypatch):
    monkeypatch.delitem(sys.modules, "fastnn._readers.polars_tables", raising=False)
    monkeypatch.delattr(_readers, "polars_tables", raising=False)
    monkeypatch.setitem(sys.modules, "polars", None)
    for arguments in (["train", folder / "flats.csv"], ["predict", model, folder / "flats.csv", "-o", "-"]):
        assert "pip install polars" in failed(*arguments)
