"""Columns of a table that ``fastnn predict`` keeps beside its predictions."""

import datetime

import numpy as np
import polars as pl
import pytest
from command_line import failed, ok

import fastnn as fn

N = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table in two kinds of file, and a model of it."""
    path, random = tmp_path_factory.mktemp("keep"), np.random.default_rng(0)
    x = random.normal(size=N)
    frame = pl.DataFrame(
        {
            "id": [f"{i:06d}" for i in range(N)],
            "number": [2**62 + i for i in range(N)],
            "day": [datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(N)],
            "note": [None if i % 3 else 'NA "x", y' for i in range(N)],
            "x": x,
            "y": np.where(x > 0, "up", "down"),
        }
    )
    frame.write_csv(path / "t.csv")
    frame.write_parquet(path / "t.parquet")
    ok("train", path / "t.csv", "-o", path / "run", "--epochs", 3, "--hidden", 8, "--ignore", "number,day,note")
    return path


def predict(folder, table, *arguments):
    return ok("predict", folder / "run" / "model.safetensors", folder / table, *arguments)


def test_columns_are_kept_as_they_are_in_the_file(folder, tmp_path):
    kept = ["--keep", "id,number", "--keep", "day", "--keep", "note"]
    predict(folder, "t.csv", *kept, "-o", tmp_path / "p.csv")
    found = pl.read_csv(tmp_path / "p.csv", infer_schema=False)
    expected = pl.read_csv(folder / "t.csv", infer_schema=False)
    assert found.columns == ["id", "number", "day", "note", "label", "probability_down", "probability_up"]
    assert found.select("id", "number", "day", "note").equals(expected.select("id", "number", "day", "note"))
    predict(folder, "t.parquet", *kept, "-o", tmp_path / "p.parquet")
    found = pl.read_parquet(tmp_path / "p.parquet")
    columns = ["id", "number", "day", "note"]
    assert found.select(columns).equals(pl.read_parquet(folder / "t.parquet").select(columns))
    assert found.schema["day"] == pl.Date


def test_columns_are_kept_on_stdout_and_in_what_is_shown(folder):
    output = predict(folder, "t.csv", "--keep", "id", "-o", "-")
    assert output.startswith("id,label,")
    assert "\n000007," in output
    assert "000001" in predict(folder, "t.csv", "--keep", "id,y", "--rows", 2)


def test_columns_of_the_model_can_be_kept(folder, tmp_path):
    predict(folder, "t.csv", "--keep", "x", "--keep", "y", "-o", tmp_path / "p.parquet")
    assert pl.read_parquet(tmp_path / "p.parquet")["x"].cast(pl.Float64).equals(pl.read_csv(folder / "t.csv")["x"])


def test_what_cannot_be_kept(folder, tmp_path):
    model = folder / "run" / "model.safetensors"
    assert "no column is named 'idd' (did you mean 'id'?)" in failed(
        "predict", model, folder / "t.csv", "--keep", "idd"
    )
    pl.read_csv(folder / "t.csv").with_columns(label=pl.lit(1)).write_csv(tmp_path / "t.csv")
    said = failed("predict", model, tmp_path / "t.csv", "--keep", "label")
    assert "--keep cannot keep 'label': a column of the predictions has that name" in said
    fn.Network([fn.Input(2), fn.Dense(2)]).save(tmp_path / "m.safetensors")
    assert "--keep is for models of tables" in failed("predict", tmp_path / "m.safetensors", "x.npy", "--keep", "a")
    said = failed("predict", model, folder / "t.csv", "--rows", 3, "-o", tmp_path / "p.csv")
    assert "--rows is for rows that are shown" in said
