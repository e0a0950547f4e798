"""The command on columns that are hard to tell: ids, row numbers, codes of many digits, leading zeros, dates, types."""

import datetime
import decimal
import hashlib
import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from command_line import failed, ok, record_of

import fastnn as fn
from fastnn import tables
from fastnn.cli.tables.display import show_columns

QUICK = ["--epochs", "3", "--hidden", "8", "-q"]
N = 400


def table():
    """Columns by name: as Polars has them, and as a text file does."""
    random = np.random.default_rng(0)
    codes = 23_850_000_000_000_000 + random.integers(0, 8, N)
    days = [datetime.date(2019, 11, 3) + datetime.timedelta(days=int(d)) for d in random.integers(0, 900, N)]
    times = [datetime.datetime(2020, 1, 1) + datetime.timedelta(minutes=int(m)) for m in random.integers(0, 10**6, N)]
    x = random.normal(size=N).round(3)
    frame = {
        "row": np.arange(N),
        "year": np.arange(1700, 1700 + N),
        "AMOUNT_PAID": random.permutation(9000)[:N],
        "flat_id": random.permutation(9000)[:N],
        "code": codes,
        "serial": [None if row % 50 == 3 else 10**17 + int(c) for row, c in enumerate(random.integers(0, 5, N))],
        "zip": [["01067", "04103", "10115", "50667", "80331", "99084"][place] for place in random.integers(0, 6, N)],
        "sold": [None if row % 40 == 7 else day for row, day in enumerate(days)],
        "seen": times,
        "price": [decimal.Decimal(int(p)).scaleb(-2) for p in random.integers(100, 10**6, N)],
        "x": x,
    }
    effect = {code: value for code, value in zip(range(8), random.normal(size=8) * 3, strict=True)}
    frame["y"] = (x + np.array([effect[int(code) % 8] for code in codes])).round(3)
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    frame = pl.DataFrame(table())
    frame.write_parquet(folder / "t.parquet")
    frame.write_ipc(folder / "t.arrow")
    texts = frame.with_columns(pl.col("seen").dt.strftime("%Y-%m-%d %H:%M:%S"))
    texts.write_csv(folder / "t.csv")
    texts.write_csv(folder / "t.txt", separator=";")
    return folder


def test_python_and_the_command_decide_alike(folder, tmp_path):
    """Whatever the split: the same columns, encoders, bits and report."""
    frame = pl.read_parquet(folder / "t.parquet")
    for seed in (0, 1):
        ok("train", folder / "t.parquet", "--categorical", "code,zip", "--seed", seed, "-o", tmp_path, *QUICK)
        model = tables.TableModel.load(tmp_path / "model.safetensors")
        rest, _ = fn.data.split_rows(N, 0.2, seed)
        train, _ = fn.data.split_rows(len(rest), 0.2, seed)
        fitted = tables.Preprocessor(categorical=["code", "zip"]).fit(frame.drop("y"), rest[train])
        assert model.preprocessor.encoders == fitted.encoders
        assert model.preprocessor.unused_columns == fitted.unused_columns
        assert [column.name for column in fitted.unused_columns] == ["row", "flat_id"]
        assert fitted.names == ("year", "AMOUNT_PAID", "code", "serial", "zip", "sold", "seen", "price", "x")
        alone = tables.Preprocessor(categorical=["code", "zip"]).fit(frame.drop("y")[rest[train].tolist()])
        assert alone.names == fitted.names  # also where only the training rows are there


@pytest.mark.parametrize(
    "arguments",
    [
        ["--categorical", "code,serial"],
        ["--target", "code", "--task", "classification"],
        ["--numeric", "row,flat_id"],
        ["--target", "serial", "--task", "classification", "--categorical", "code"],
    ],
)
def test_the_same_bits_from_text_files_and_typed_ones(folder, tmp_path, arguments):
    digests = set()
    for name in ("t.csv", "t.txt", "t.parquet", "t.arrow"):
        ok("train", folder / name, "-o", tmp_path / name, "--ignore", "zip", *arguments, *QUICK)
        digests.add(record_of(tmp_path / name)["network"]["digest"])
        assert "reproduced" in ok("reproduce", tmp_path / name / "record.json", "-q")
    assert len(digests) == 1
    found = []
    for name in ("t.csv", "t.parquet"):
        ok("predict", tmp_path / "t.csv" / "model.safetensors", folder / name, "-o", tmp_path / "p.csv")
        found.append((tmp_path / "p.csv").read_bytes())
        assert "Scores on" in ok("evaluate", tmp_path / "t.csv" / "model.safetensors", folder / name)
    assert found[0] == found[1]


def test_classes_of_many_digits_come_back_with_all_of_them(folder, tmp_path):
    chosen = ["--target", "code", "--task", "classification", "--ignore", "zip"]
    ok("train", folder / "t.csv", *chosen, "-o", tmp_path, *QUICK)
    model = tables.TableModel.load(tmp_path / "model.safetensors")
    assert model.target.labels == tuple(str(23_850_000_000_000_000 + code) for code in range(8))
    for ending in ("csv", "parquet"):
        ok("predict", tmp_path / "model.safetensors", folder / "t.csv", "-o", tmp_path / f"p.{ending}")
    labels = pl.read_parquet(tmp_path / "p.parquet")["label"]
    assert labels.dtype == pl.Int64
    assert labels.to_list() == pl.read_csv(tmp_path / "p.csv")["label"].to_list()
    assert labels.to_list() == model.predict(pl.read_parquet(folder / "t.parquet")).tolist()


@pytest.mark.parametrize("more", [[], ["--decimal", "."], ["--missing", "NA"]])
def test_words_for_missing_cells_among_codes_of_many_digits(tmp_path, more):
    codes = ["NA" if row % 9 == 2 else str(10**17 + row % 3) for row in range(90)]
    pl.DataFrame({"code": codes, "y": np.arange(90) / 7}).write_csv(tmp_path / "t.csv")
    ok("train", tmp_path / "t.csv", "--categorical", "code", *more, "-o", tmp_path, *QUICK)
    (column,) = tables.TableModel.load(tmp_path / "model.safetensors").preprocessor.encoders
    assert set(column.categories) - {"NA"} == {str(10**17 + code) for code in range(3)}
    assert "Scores on" in ok("evaluate", tmp_path / "model.safetensors", tmp_path / "t.csv")
    assert "reproduced" in ok("reproduce", tmp_path / "record.json", "-q")


def test_classes_beyond_int64_are_written_as_texts(tmp_path):
    labels = [10**20 + row % 3 for row in range(60)]
    content = "\n".join(f"{row % 7},{label}" for row, label in enumerate(labels))
    (tmp_path / "t.csv").write_text(f"x,label\n{content}\n")
    ok("train", tmp_path / "t.csv", "-o", tmp_path, *QUICK)
    ok("predict", tmp_path / "model.safetensors", tmp_path / "t.csv", "-o", tmp_path / "p.parquet")
    assert set(pl.read_parquet(tmp_path / "p.parquet")["label"]) <= {str(label) for label in labels}
    assert "the first 10 rows" in ok("predict", tmp_path / "model.safetensors", tmp_path / "t.csv")


def test_leading_zeros_of_categories_and_classes_are_kept(folder, tmp_path):
    zips = sorted(set(table()["zip"]))
    for arguments in ([], ["--categorical", "zip"]):
        output = ok("train", folder / "t.csv", *arguments, "-o", tmp_path / "a", *QUICK[:-1])
        assert re.search(rf"zip +categories +{', '.join(zips)} +6", output)
    ok("train", folder / "t.csv", "--target", "zip", "--task", "classification", "-o", tmp_path / "b", *QUICK)
    model = tables.TableModel.load(tmp_path / "b" / "model.safetensors")
    assert list(model.target.labels) == zips
    assert "Scores on" in ok("evaluate", tmp_path / "b" / "model.safetensors", folder / "t.csv")
    output = ok("train", folder / "t.csv", "--numeric", "zip", "-o", tmp_path / "c", *QUICK[:-1])
    assert re.search(r"zip +number", output)
    for run in ("a", "b", "c"):
        assert "reproduced" in ok("reproduce", tmp_path / run / "record.json", "-q")


def test_what_is_left_out_says_why_and_numeric_keeps_it(folder, tmp_path):
    output = ok("train", folder / "t.csv", "-o", tmp_path, *QUICK[:-1])
    assert re.search(r"row +a different value in every row: numbers of the rows \(numeric or categorical", output)
    assert re.search(r"flat_id +a different value in every row: called an id \(numeric or categorical keeps it", output)
    assert re.search(r"sold +date +from 2019-11-0\d: days, year, month, weekday; missing ones +7", output)
    assert re.search(r"seen +date +from 2020-01-\d\d.*: days, year, month, weekday, hour +8", output)
    output = ok("train", folder / "t.csv", "--numeric", "row,flat_id", "-o", tmp_path, *QUICK[:-1])
    assert re.search(r"row +number", output)
    assert re.search(r"flat_id +number", output)
    assert record_of(tmp_path)["data"]["table"]["numeric"] == ["row", "flat_id"]
    assert "reproduced" in ok("reproduce", tmp_path / "record.json", "-q")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--numeric", "rwo"], "--numeric must name columns to learn from; 'rwo' is no column of it"),
        (["--numeric", "y"], "--numeric must name columns to learn from; 'y' is the target"),
        (
            ["--numeric", "x,row", "--ignore", "row"],
            "--numeric must not name columns that --ignore names too; got 'row'",
        ),
        (["--numeric", "x", "--categorical", "x"], "--numeric must not name columns that --categorical names too"),
    ],
)
def test_wrong_choices(folder, arguments, message):
    assert message in failed("train", folder / "t.csv", *QUICK, *arguments)


def test_a_column_of_texts_is_not_numeric(tmp_path):
    pd.DataFrame({"t": ["1", "2", "three", "4"] * 10, "y": np.arange(40) / 3}).to_csv(tmp_path / "t.csv", index=False)
    output = failed("train", tmp_path / "t.csv", "--numeric", "t", *QUICK)
    assert "t.csv: column 't', row 3: expected a number; got 'three', and 9 more" in output


def test_what_is_shown_are_the_texts_of_the_report(folder, tmp_path, capsys):
    from rich.console import Console

    ok("train", folder / "t.csv", "-o", tmp_path, *QUICK)
    preprocessor = tables.TableModel.load(tmp_path / "model.safetensors").preprocessor
    show_columns(Console(width=300), preprocessor)
    shown = capsys.readouterr().out
    for row in preprocessor.report():
        features = rf" +{row['features']}" if row["features"] else ""
        used_as = f" +{row['used_as']}" if row["features"] else ""
        assert re.search(rf"{row['column']}{used_as} +{re.escape(row['explanation'])}{features} *\n", shown), row


def test_dates_that_are_none_are_named_with_the_row_of_the_file(folder, tmp_path):
    lines = (folder / "t.csv").read_text().splitlines()
    lines[11] = re.sub(r",20\d\d-\d\d-\d\d,", ",2020-02-30,", lines[11], count=1)
    (tmp_path / "t.csv").write_text("\n".join(lines))
    message = "t.csv: column 'sold', row 11: expected a date; got '2020-02-30', which is none"
    assert message in failed("train", tmp_path / "t.csv", *QUICK)
    ok("train", folder / "t.csv", "-o", tmp_path, *QUICK)
    for command, more in (("predict", ["-o", tmp_path / "p.csv"]), ("evaluate", [])):
        assert message in failed(command, tmp_path / "model.safetensors", tmp_path / "t.csv", *more)


def test_categories_of_digits_in_typed_files(tmp_path):
    """What the file calls categories stays so; a run of before, which read no texts of typed files, repeats."""
    texts = [str(row * row % 7) for row in range(200)]
    frame = pl.DataFrame({"named": pl.Series(texts, dtype=pl.Categorical), "text": texts, "y": np.arange(200) / 3})
    frame.write_parquet(tmp_path / "t.parquet")
    output = ok("train", tmp_path / "t.parquet", "-o", tmp_path / "new", *QUICK[:-1])
    assert re.search(r"named +categories +0, 1, 2, 4 +4", output)
    assert re.search(r"text +number", output)
    assert "reproduced" in ok("reproduce", tmp_path / "new" / "record.json", "-q")
    assert "Scores on" in ok("evaluate", tmp_path / "new" / "model.safetensors", tmp_path / "t.parquet")
    ok("train", tmp_path / "t.parquet", "--categorical", "text", "-o", tmp_path / "old", *QUICK)
    record = record_of(tmp_path / "old")
    record["data"]["columns"]["text"] = hashlib.sha256(json.dumps(texts).encode()).hexdigest()  # texts, not numbers
    for option in ("categorical", "missing"):
        del record["data"]["table"][option]
    (tmp_path / "old" / "record.json").write_text(json.dumps(record))
    assert "reproduced" in ok("reproduce", tmp_path / "old" / "record.json", "-q")


def test_a_run_recorded_before_repeats_with_the_columns_that_it_used(folder, tmp_path):
    """Before words for missing cells: dates were not used, row numbers were, and codes were rounded to float64."""
    frame = pl.read_csv(folder / "t.csv", schema_overrides={"code": pl.Float64})
    before = frame.select("row", "code", "x", "y").with_columns(pl.col("code") + 0.0)
    before.write_parquet(tmp_path / "before.parquet")
    ok("train", tmp_path / "before.parquet", "--numeric", "row", "--categorical", "code", "-o", tmp_path, *QUICK)
    record = record_of(tmp_path)
    for option in ("numeric", "missing"):
        del record["data"]["table"][option]
    (tmp_path / "record.json").write_text(json.dumps(record))
    for name in ("t.csv", "t.parquet"):
        assert "reproduced" in ok("reproduce", tmp_path / "record.json", "-q", "--data", folder / name)
