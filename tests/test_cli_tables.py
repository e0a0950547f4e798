"""The commands on tables: real ones, wrong ones, and what is shown and written of them."""

import io
import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

pytest.importorskip("click")

import sklearn.datasets
from click.testing import CliRunner

import fastnn as fn
from fastnn import tables
from fastnn.cli.commands import fastnn as command

QUICK = ["--epochs", "3", "--hidden", "8"]


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def ok(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def failed(*arguments, status=2):
    result = run(*arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def record_of(folder):
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


def flats(n=600, seed=0):
    """Numbers, categories, truth values, gaps, and columns that cannot be used."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(n) + 7000,
            "area": random.lognormal(4.5, 0.4, n).round(1),
            "rooms": random.integers(1, 8, n),
            "town": random.choice(["Kiel", "Bonn", "Köln", "Zug, the city"], n, p=[0.5, 0.3, 0.195, 0.005]),
            "garden": random.random(n) < 0.4,
            "sold": pd.date_range("2020-01-01", periods=n, freq="D").strftime("%Y-%m-%d"),
            "note": [
                f"number {i} {j}" for i, j in zip(random.integers(0, n, n), random.integers(0, 9, n), strict=True)
            ],
            "zip": random.integers(10000, 10004, n),
            "country": "DE",
            "blank": None,
        }
    )
    worth = {"Kiel": 2.0, "Bonn": 3.0, "Köln": 3.5, "Zug, the city": 9.0}
    price = frame["area"] * frame["town"].map(worth) + 40 * frame["garden"] + random.normal(0, 10, n)
    frame["garden"] = frame["garden"].astype(object)
    for name, share in (("area", 0.05), ("town", 0.04), ("garden", 0.03)):
        frame.loc[random.random(n) < share, name] = None
    frame["price"] = price.round(1)
    frame.loc[[3, 50], "price"] = None
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The flats as CSV, Parquet and Arrow, and a model of their prices in ``prices/``."""
    folder = tmp_path_factory.mktemp("flats")
    flats().to_csv(folder / "flats.csv", index=False)
    frame = pl.DataFrame({name: [None if pd.isna(v) else v for v in values] for name, values in flats().items()})
    frame.write_parquet(folder / "flats.parquet")
    frame.write_ipc(folder / "flats.arrow")
    (folder / "output").write_text(ok("train", folder / "flats.csv", "-o", folder / "prices", "--epochs", 40))
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return folder / "prices" / "model.safetensors"


# -------------------------------------------------------------------- real data


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
        r"left out: 2 rows, the first of them row 5, without price",
        r"task +regression",
        r"area +number +mean [\d.]+, deviation [\d.]+; missing ones [\d.]+, marked +2",
        r"town +categories +Bonn, Kiel, Köln, \(rare\), \(missing\) +5",
        r"garden +true or false +mean",
        r"id +a different value in every row",
        r"sold +dates: make numbers of them first",
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


def _column(model, name):
    predicted = model.predict(flats())
    if name in ("prediction", "label"):
        return predicted
    return (model.predict_proba(flats()) if model.classifies else predicted)[:, -1]


# ---------------------------------------------------------- predict and evaluate


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
    monkeypatch.setattr(TableFile, "batches", lambda self, kinds, head=None: whole(self, kinds, rows, head))
    text = ok("predict", model, folder / "flats.csv", "-o", "-")
    monkeypatch.undo()
    assert text == ok("predict", model, folder / "flats.csv", "-o", "-")


def test_predict_shows_some_rows(folder, model):
    output = ok("predict", model, folder / "flats.csv", "--rows", 3)
    predicted = tables.TableModel.load(model).predict(flats())
    assert "the first 3 rows" in output
    assert re.search(rf"2 +{predicted[0]:.6g} +{flats()['price'][0]:.6g}", output)
    assert not re.search(r"^ +5 ", output, re.MULTILINE)


def test_columns_in_another_order_missing_or_more(folder, model, tmp_path):
    frame = flats()[["town", "garden", "zip", "rooms", "area"]].assign(more=1, extra="x")
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
        (lambda f: f.astype({"area": object}).replace({"area": {f["area"][9]: "large"}}), "column 'area', row 11"),
        (lambda f: f.assign(area=np.where(f.index == 9, np.inf, f["area"])), "expected a finite number; got inf"),
        (lambda f: f.assign(area=np.where(f.index == 9, 1e300, f["area"])), "too far from the training rows"),
        (lambda f: f.assign(garden=["maybe"] * 600), "column 'garden', row 2: expected true or false; got 'maybe'"),
        (lambda f: f.assign(garden=[7] * 600), "column 'garden', row 2: expected true or false, or 1 or 0; got 7"),
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


# -------------------------------------------------------------------- reproduce


def test_reproduce(folder, tmp_path, monkeypatch):
    digest = record_of(folder / "prices")["network"]["digest"]
    path = folder / "prices" / "record.json"
    for more in ([], ["--data", folder / "flats.parquet"], ["--threads", 2]):
        assert ok("reproduce", path, "-q", *more) == f"reproduced, digest {digest}\n"
    assert "flats.csv, 40 epochs" in ok("reproduce", path)
    # A table beside the record is found, wherever both have gone.
    (tmp_path / "flats.csv").write_bytes((folder / "flats.csv").read_bytes())
    record = record_of(folder / "prices")
    record["data"]["file"] = "/elsewhere/flats.csv"
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert ok("reproduce", tmp_path / "record.json", "-q") == f"reproduced, digest {digest}\n"
    (tmp_path / "flats.csv").unlink()
    assert "name the table with --data" in failed("reproduce", tmp_path / "record.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(area=np.where(f.index == 77, 1.5, f["area"])), "other values in 'area', by their"),
        (lambda f: f.assign(town=np.where(f.index == 77, "Rom", f["town"])), "other values in 'town', by their"),
        (lambda f: f.assign(price=np.where(f.index == 77, 1.5, f["price"])), "other values in 'price', by their"),
        (lambda f: f.drop(columns="rooms"), "other values in 'rooms', by their"),
        (lambda f: f.iloc[:-1], "or other rows: it has 599"),
    ],
)
def test_changed_data_are_refused(folder, tmp_path, change, message):
    change(flats()).to_csv(tmp_path / "t.csv", index=False)
    output = failed("reproduce", folder / "prices" / "record.json", "--data", tmp_path / "t.csv")
    assert message in output
    assert "not the table of" in output


def test_changes_that_do_not_matter(folder, tmp_path):
    flats().assign(note="x", id=3, more=4).to_csv(tmp_path / "t.csv", index=False)
    assert "reproduced" in ok("reproduce", folder / "prices" / "record.json", "-q", "--data", tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("columns"), "no entry 'columns'"),
        (lambda d: d.pop("file"), "no entry 'file'"),
        (lambda d: d["table"].pop("loss"), "no entry 'loss'"),
        (lambda d: d["table"].update(loss="least"), "loss must be one of"),
        (lambda d: d["table"].update(nonsense=1), "nonsense"),
        (lambda d: d["table"].update(ignore=3), "is damaged"),
        (lambda d: d.update(columns=5), "is damaged"),
        (lambda d: d.update(test_fraction=2), "--test-fraction must be"),
    ],
)
def test_damaged_records(folder, tmp_path, change, message):
    record = record_of(folder / "prices")
    change(record["data"])
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert message in failed("reproduce", tmp_path / "record.json", "--data", folder / "flats.csv")


def test_data_are_for_tables(folder, tmp_path):
    ok("train", "digits", "-q", "-o", tmp_path, *QUICK)
    assert "--data is for runs on tables" in failed(
        "reproduce", tmp_path / "record.json", "--data", folder / "flats.csv"
    )


# -------------------------------------------------------------------- bad tables


XY = b"a,b\n" + b"1,x\n2,y\n" * 20
NUMBERS = b"a,b\n" + b"1,2.5\n2,3.5\n" * 20


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"", [], "t.csv: the file is empty"),
        (b"a,b\n", [], "t.csv: the table has no rows"),
        (b"a,b\n1,2\n", [], "must have different values; every row is 2"),
        (b"a,b\n1,2\n3,4\n", [], "--test-fraction must leave at least one row in each part"),
        (b"a,b\n1,2\n3\n", [], "t.csv: line 3 has 1 cells; the header has 2 columns"),
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
        (b"a,b\n" + b"1,2.5\n3,inf\n" * 20, [], "column 'b', row 3: expected a finite number; got inf"),
        (b"a,b\n" + b"1,2.5\n1e999,3.5\n" * 20, [], "column 'a', row 3: expected a finite number; got inf"),
        (b"b\n" + b"2.5\n3.5\n" * 20, [], "at least one column"),
        (XY, ["--task", "regression"], "row 2: expected a number; got 'x'"),
        (XY, ["--loss", "huber"], "row 2: expected a number; got 'x'"),
        (XY, ["--quantiles", "0.5,0.1"], "rising numbers between 0 and 1"),
        (XY, ["--quantiles", "0.5", "--loss", "huber"], "--quantiles is for the loss pinball"),
        (XY, ["--task", "regresion"], "did you mean 'regression'?"),
        (XY, ["--loss", "huber", "--task", "classification"], "one of cross_entropy, binary_cross_entropy for"),
        (NUMBERS, ["--loss", "huber", "--label-smoothing", "0.1"], "--label-smoothing is for the loss cross_entropy"),
        (NUMBERS, ["--label-smoothing", "0.1"], "--label-smoothing is for the loss cross_entropy"),
        (XY, ["--ignore", "c"], "--ignore must name columns to learn from; 'c' is no column"),
        (XY, ["--categorical", "b"], "'b' is the target"),
        (XY, ["--ignore", "a"], "'a': left out by choice"),
        (XY, ["--batch-size", "100"], "--batch-size must be at most the"),
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
            "mostly": ["1.5", "2.5"] * 99 + ["2", "two"],
            "empty": [None] * n,
            "user": [f"u{i}" for i in range(n)],
        }
    )
    frame["y"] = np.where(frame["x"] > 0, "up", "down")
    frame.to_csv(tmp_path / "t.csv", index=False)
    output = ok("train", tmp_path / "t.csv", "-o", tmp_path, *QUICK)
    for expected in (
        r"huge +a different value in every row",
        r"mostly +numbers in most rows, but not in all: 'two' in row 201",
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


def test_without_polars_the_extra_is_named(folder, model, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "fastnn._readers.polars_tables", raising=False)
    monkeypatch.delattr(fn, "_polars", raising=False)
    monkeypatch.setitem(sys.modules, "polars", None)
    for arguments in (["train", folder / "flats.csv"], ["predict", model, folder / "flats.csv", "-o", "-"]):
        assert "pip install 'fastnn[cli]'" in failed(*arguments)


# -------------------------------------------------------------------- on a page


@pytest.fixture
def iris(tmp_path):
    data = sklearn.datasets.load_iris(as_frame=True)
    table = data.data.assign(species=data.target_names[data.target])
    table.to_csv(tmp_path / "iris.csv", index=False)
    ok("train", tmp_path / "iris.csv", "--target", "species", "-o", tmp_path / "run", "-q", *QUICK)
    return tmp_path


def test_the_page_of_a_table_shows_its_test_rows(iris):
    ok("plot", iris / "run", "-q")
    page = (iris / "run" / "page.html").read_text(encoding="utf-8")
    assert "Of 30 rows given" in page, "the rows held out"
    assert "not at hand" not in page
    assert all(f">{name}<" in page or name in page for name in ("setosa", "versicolor", "virginica"))


def test_the_page_of_a_table_that_is_elsewhere_or_another(iris, tmp_path):
    moved = tmp_path / "moved.csv"
    (iris / "iris.csv").rename(moved)
    ok("plot", iris / "run", "-q")
    assert "the data are not at hand" in (iris / "run" / "page.html").read_text(encoding="utf-8")
    ok("plot", iris / "run", "-q", "--data", moved)
    assert "Of 30 rows given" in (iris / "run" / "page.html").read_text(encoding="utf-8")
    moved.write_text(moved.read_text().replace("5.1", "5.2"))
    assert "other values in" in failed("plot", iris / "run", "--data", moved)
