"""The command on tables whose numbers are texts, or in which words may mean missing: the same model from every file."""

import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from command_line import failed, ok, record_of

import fastnn as fn
from fastnn import tables

QUICK = ["--epochs", "2", "--hidden", "4"]


def frame(n=300, seed=0):
    """Incomes and what is spent, a number with a word in a tenth of the rows, codes, and classes, one of them None."""
    random = np.random.default_rng(seed)
    income = random.integers(200, 9000, n)
    spent = np.round(income / 2 + random.normal(0, 50, n), 2)
    size = np.where(random.random(n) < 0.1, "refused", random.integers(1, 5, n).astype(str))
    zips = random.choice(["01067", "10115", "80331"], n)
    note = random.choice(["NA", "a", ""], n)
    grade = np.where(spent < 1500, "None", np.where(spent < 3000, "Mild", "Severe"))
    return pd.DataFrame({"income": income, "size": size, "zip": zips, "note": note, "grade": grade, "spent": spent})


def english(x):
    return f"{x:,.2f}"


def german(x):
    return f"{x:,.2f}".translate(str.maketrans(",.", ".,")) + " €"


def written(folder, table):
    """A table of texts in every kind of file, and the arguments that are needed for each."""
    texts = pl.DataFrame({name: pl.Series(name, table[name].astype(str).tolist()) for name in table})
    texts = texts.with_columns(pl.when(pl.col("note") != "").then(pl.col("note")).alias("note"))
    texts.write_csv(folder / "t.csv")
    texts.write_csv(folder / "t.tsv", separator="\t", quote_style="always")
    texts.write_csv(folder / "t.txt", separator=";")
    texts.write_parquet(folder / "t.parquet")
    return [folder / f"t.{ending}" for ending in ("csv", "tsv", "txt", "parquet")], texts


@pytest.mark.parametrize("way", [str, english, german])
def test_the_same_model_from_texts_and_from_numbers(tmp_path, way):
    table = frame()
    digest = None
    for income in (table["income"], [f"{x:.2f}" if way is str else way(x) for x in table["income"]]):
        shown = table.assign(income=income, spent=[way(x) for x in table["spent"]])
        files, texts = written(tmp_path, shown)
        for file in files:
            output = ok("train", file, "-o", tmp_path / "run", *QUICK)
            digest = digest or record_of(tmp_path / "run")["network"]["digest"]
            assert record_of(tmp_path / "run")["network"]["digest"] == digest, output
            assert re.search(r"task +regression", output)
            flat = " ".join(output.split())
            assert re.search(r"'refused' \d+ times", flat)
            assert "codes, not numbers, because of zeros in front: '01067'" in flat
            assert re.search(r"'NA' \d+ times: taken as texts", flat)
        model = tables.TableModel.load(tmp_path / "run" / "model.safetensors")
        for other in (texts, texts.to_pandas(), texts.to_arrow().to_pandas()):
            np.testing.assert_array_equal(model.predict(other), model.predict(texts))
        for file in files:
            ok("predict", tmp_path / "run" / "model.safetensors", file, "-o", tmp_path / "p.csv")
            found = pl.read_csv(tmp_path / "p.csv")["prediction"].to_numpy()
            np.testing.assert_array_equal(found, model.predict(texts))
            scores = json.loads(ok("evaluate", tmp_path / "run" / "model.safetensors", file, "--json"))
            assert scores["rows"] == len(table)
            assert scores["model"] == pytest.approx(model.evaluate(texts))
            ok("reproduce", tmp_path / "run" / "record.json", "-q", "--data", file)


def test_the_preprocessor_is_that_of_the_command(tmp_path):
    table = frame().assign(income=[english(x) for x in frame()["income"]])
    files, texts = written(tmp_path, table)
    train, test = fn.data.split_rows(len(table), 0.2, 0)
    ok("train", files[0], "-o", tmp_path / "run", *QUICK, "--validation-fraction", "0")
    model = tables.TableModel.load(tmp_path / "run" / "model.safetensors")
    for kind in (texts, texts.to_pandas()):
        rows = kind[train] if kind is texts else kind.iloc[train]
        fitted = tables.Preprocessor(unused=["spent"]).fit(rows)
        assert fitted.encoders == model.preprocessor.encoders
        target = tables.Quantity.fit("spent", rows["spent"])
        assert target == model.target
        X = fitted.transform(kind)
        assert X.tobytes() == model.preprocessor.transform(texts).tobytes()
        assert set(fitted.notes) == {"income", "size", "zip", "note", "grade"}
        back = tables.Preprocessor.from_json(fitted.to_json())
        assert back.transform(kind).tobytes() == X.tobytes()
    assert len(test) == 60


def test_no_class_is_dropped_in_silence(tmp_path):
    files, texts = written(tmp_path, frame())
    n = int((texts["grade"] == "None").sum())
    digests = set()
    for file in files:
        output = ok("train", file, "-o", tmp_path / "run", *QUICK, "--target", "grade", "--ignore", "spent")
        assert "classification, 3 classes" in output
        assert f"'None' {n} times: taken as texts, not as missing" in output
        digests.add(record_of(tmp_path / "run")["network"]["digest"])
    assert len(digests) == 1
    for file in files:
        arguments = ["--target", "grade", "--ignore", "spent", "--missing", "None,refused"]
        output = ok("train", file, "-o", tmp_path / "run", *QUICK, *arguments)
        assert "classification, 2 classes" in output
        assert f"left out: {n} rows" in output
        assert f"missing: 'None' {n} times" in output
        ok("reproduce", tmp_path / "run" / "record.json", "-q")
        evaluated = json.loads(ok("evaluate", tmp_path / "run" / "model.safetensors", file, "--json"))
        assert evaluated["rows"] == 300 - n
        digests.add(record_of(tmp_path / "run")["network"]["digest"])
    assert len(digests) == 2


def test_options(tmp_path):
    table = frame()
    table["spent"] = [f"{x:,}" if x < 1e6 else x for x in table["spent"].astype(int)]
    files, _ = written(tmp_path, table)
    row = 1 + int(table["spent"].str.contains(",").to_numpy().argmax())
    for file in files:
        assert f"column 'spent', row {row}: expected one number; got" in failed("train", file, "-o", tmp_path, *QUICK)
        output = ok("train", file, "-o", tmp_path / "run", *QUICK, "--decimal", ".")
        assert "thousands separated by commas" in output
        assert float(re.search(r"mean +([\d.]+)", output)[1]) > 1000
        ok("reproduce", tmp_path / "run" / "record.json", "-q")
        output = ok("train", file, "-o", tmp_path / "run", *QUICK, "--decimal", ".", "--missing", "none")
        assert re.search(r"size +numbers in most rows, but not in all.*", output)
    assert "','" in failed("train", files[0], "--decimal", "x") or ", ," in failed("train", files[0], "--decimal", "x")


def test_a_target_of_numbers_with_other_cells_is_refused(tmp_path):
    table = frame()
    for cell in ("unknown", "12 or so", "5 kg"):
        table["spent"] = table["spent"].astype(str)
        table.loc[17, "spent"] = cell
        files, _ = written(tmp_path, table)
        for file in files:
            problem = failed("train", file, "-o", tmp_path, *QUICK)
            assert "row 18: expected a number, written as in most rows" in problem
            assert repr(cell) in problem
        output = ok("train", files[0], "-o", tmp_path, *QUICK, "--missing", f"{cell},refused")
        assert "left out: row 18 without spent" in output
    table["spent"] = [f"{'$' if i % 2 else '€'}{x}" for i, x in enumerate(frame()["spent"])]
    files, _ = written(tmp_path, table)
    assert "expected a number, written as in most rows; got" in failed("train", files[0], "-o", tmp_path, *QUICK)


def test_models_of_the_first_version_read_as_they_did(tmp_path):
    numeric = {"type": "Numeric", "name": "x", "fill": 1.0, "mean": 0.0, "scale": 1.0, "indicator": True}
    categories = {"type": "Categorical", "name": "town", "categories": ["", " a"], "other": False, "missing": True}
    described = {"version": 1, "columns": [numeric, categories], "unused": []}
    preprocessor = tables.Preprocessor.from_description(described)
    X = preprocessor.transform({"x": [2.0, None, 3.0, 4.0], "town": ["", None, " a", "a"]})
    np.testing.assert_array_equal(X, [[2, 0, 1, 0, 0], [1, 1, 0, 0, 1], [3, 0, 0, 1, 0], [4, 0, 0, 0, 0]])
    assert preprocessor.describe()["version"] == 1
    net = fn.Network([fn.Input(5), fn.Dense(1)], dtype="float64", seed=1)
    model = tables.TableModel(preprocessor, net, tables.Quantity("y", 0.0, 1.0, [0.0]))
    model.save(tmp_path / "m.safetensors")
    (tmp_path / "t.csv").write_text("x;town\n5,361;NA\n1.5;?\nNA;None\n")
    ok("predict", tmp_path / "m.safetensors", tmp_path / "t.csv", "-o", tmp_path / "p.parquet")
    expected = model.predict({"x": [5.361, 1.5, None], "town": [None, None, None]})
    np.testing.assert_array_equal(pl.read_parquet(tmp_path / "p.parquet")["prediction"].to_numpy(), expected)


def test_records_from_before_there_was_a_choice_are_reproduced(tmp_path):
    table = frame().drop(columns="zip")  # which was a number then
    files, _ = written(tmp_path, table.assign(size=np.where(table["size"] == "refused", "NA", table["size"])))
    words = "NA,N/A,n/a,#N/A,NaN,nan,NULL,null,None,<NA>,?"
    ok("train", files[0], "-q", "-o", tmp_path / "run", *QUICK, "--missing", words)
    path = tmp_path / "run" / "record.json"
    record = json.loads(path.read_text())
    del record["data"]["table"]["missing"]
    path.write_text(json.dumps(record))
    ok("reproduce", path, "-q")
