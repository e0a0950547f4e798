"""The command ``fastnn train`` on tables that are wrong, or of which some columns are."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from command_line import failed, ok

QUICK = ["--epochs", "3", "--hidden", "8"]


XY = b"a,b\n" + b"1,x\n2,y\n" * 20


NUMBERS = b"a,b\n" + b"1,2.5\n2,3.5\n" * 20


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"", [], "t.csv: the file is empty"),
        (b"a,b\n", [], "t.csv: the table has no rows"),
        (b"a,b\n1,2\n", [], "must have different values; every row is 2"),
        (b"a,b\n1,2\n3,4\n", [], "--test-fraction must leave at least one row in each part"),
        (b"a,b\n1,2\n3\n", [], "t.csv: line 3 has 1 cell; the header has 2 columns"),
        (b"a,b\n1,2\n3,4,5\n", [], "t.csv: line 3 has 3 cells; the header has 2 columns"),
        (b"a,a\n1,2\n", [], "the column name 'a' occurs twice"),
        (b"a,b\n1,\xe9\n", [], "line 2: expected UTF-8; got the byte 0xe9"),
        (b"area,price\n1,2\n" * 1, ["--target", "prise"], "no column is named 'prise' (did you mean 'price'?)"),
        (b"a,b\n" + b"1,x\n" * 20, [], "the target 'b' must have at least two classes; every row is 'x'"),
        (b"a,b\n" + b"1,\n" * 20, [], "the target 'b' has no value in any row"),
        (b"a,b\n" + b"1,2020-01-01\n" * 20, [], "the target 'b' must be numbers or classes; got dates"),
        (b"a,b\n" + b"\n".join(b"%d,t%d" % (i, i) for i in range(30)), [], "30 different values in 30 rows"),
        (b"a,b\n" + b"1,2\n3,4\n" * 20 + b"5,oops\n6,what\n", [], "in most rows; got 'oops', and 1 more"),
        (b"a,b\n" + b"1,2\n1,4\n" * 20, [], "must have a column to learn from; 'a': the same value in every row"),
        (b"a,b\n" + b"1,2.5\n3,inf\n" * 20, [], "column 'b', row 2: expected a finite number; got inf"),
        (b"a,b\n" + b"1,2.5\n1e999,3.5\n" * 20, [], "column 'a', row 2: expected a finite number; got inf"),
        (b"b\n" + b"2.5\n3.5\n" * 20, [], "t.csv: expected at least one column beside the target 'b'; got none"),
        (b"Report of 2024\n\n" + NUMBERS, [], "at least one column beside the target 'Report of 2024'; got none"),
        (b"a,b\n" + b"".join(b"%d,%d\n" % (i, i) for i in range(99)), ["--task", "classification"],
         "the target 'b' must be classes; got 99 different values in 99 rows"),
        (XY, ["--task", "regression"], "row 1: expected a number; got 'x'"),
        (XY, ["--loss", "huber"], "row 1: expected a number; got 'x'"),
        (XY, ["--quantiles", "0.5,0.1"], "rising numbers between 0 and 1"),
        (XY, ["--quantiles", "0.5", "--loss", "huber"], "--quantiles is for the loss pinball"),
        (XY, ["--task", "regresion"], "did you mean 'regression'?"),
        (XY, ["--loss", "huber", "--task", "classification"], "one of cross_entropy, binary_cross_entropy for"),
        (NUMBERS, ["--loss", "huber", "--label-smoothing", "0.1"], "--label-smoothing is for the loss cross_entropy"),
        (NUMBERS, ["--label-smoothing", "0.1"], "--label-smoothing is for the loss cross_entropy"),
        (XY, ["--ignore", "c"], "--ignore must name columns to learn from; 'c' is no column"),
        (XY, ["--categorical", "b"], "'b' is the target"),
        (XY, ["--ignore", "a"], "'a': left out by choice"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path, content, arguments, message):
    (tmp_path / "t.csv").write_bytes(content)
    assert message in failed("train", tmp_path / "t.csv", "-o", tmp_path / "out", *QUICK, *arguments)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_columns_that_are_named_and_left_out(tmp_path):
    random = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame(
        {
            "x": random.normal(size=n).round(3),
            "huge": [str(10**30 + 10**20 * i * i) for i in range(n)],
            "mostly": ["1.5", "2.5"] * 99 + ["2", "2nd"],
            "empty": [None] * n,
            "user": [f"u{i}" for i in range(n)],
        }
    )
    frame["y"] = np.where(frame["x"] > 0, "up", "down")
    frame.to_csv(tmp_path / "t.csv", index=False)
    output = ok("train", tmp_path / "t.csv", "-o", tmp_path, *QUICK)
    for expected in (
        r"huge +a different value in every row",
        r"mostly +numbers in most rows, but not in all, or not all written in one way: '2nd' in row 200",
        r"empty +every cell is missing",
        r"user +a different value in every row",
    ):
        assert re.search(expected, output), expected
    output = ok("train", tmp_path / "t.csv", "-o", tmp_path, *QUICK, "--categorical", "mostly")
    assert re.search(r"mostly +categories +1.5, 2.5, \(rare\)", output)
    frame = pl.DataFrame({"list": [[1]] * n, "x": frame["x"].to_list(), "y": frame["y"].to_list()})
    frame.write_parquet(tmp_path / "t.parquet")
    output = ok("train", tmp_path / "t.parquet", "-o", tmp_path, *QUICK)
    assert re.search(r"list +neither numbers nor booleans nor texts: List\(Int64\)", output)


def test_files_and_names(tmp_path):
    assert "No such file" in failed("train", tmp_path / "none.csv")
    assert "nor a table" in failed("train", "digit") or "digits" in failed("train", "digit")
    (tmp_path / "t.xlsx").write_text("")
    assert "expected a file that ends in .csv" in failed("train", tmp_path / "t.xlsx")
    assert "--target is for tables in files" in failed("train", "digits", "--target", "x")
    assert "--loss must be one of cross_entropy" in failed("train", "digits", "--loss", "pinball")
