"""The command line: what it prints, what it writes, and what it says about wrong usage."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("click")

from click.testing import CliRunner

import fastnn as fn
from fastnn.cli.commands import fastnn as command

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
QUICK = ["--epochs", "2", "--hidden", "8"]


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def train(folder, *arguments):
    result = run("train", "digits", "-o", folder, *QUICK, *arguments)
    assert result.exit_code == 0, result.output
    return result.output, json.loads((folder / "record.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with the default settings: its output, folder and record."""
    folder = tmp_path_factory.mktemp("digits")
    result = run("train", "digits", "-o", folder)
    assert result.exit_code == 0, result.output
    return result.output, folder, json.loads((folder / "record.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model(trained):
    return trained[1] / "model.safetensors"


# ---------------------------------------------------------------------- train


def test_train_shows_the_run_as_plain_text(trained):
    output, folder, record = trained
    network = fn.Network.load(folder / "model.safetensors")
    for expected in (
        "Dense(256, 'relu')",
        "(n, 256)",
        "19,210",
        "adamw",
        "epoch  1/60",
        "epoch 60/60",
        "val accuracy",
        "Confusion",
    ):
        assert expected in output
    assert f"{100 * record['results']['test_accuracy']:.2f} %" in output
    assert network.digest() in output
    assert "training time" in output
    for name in ("model.safetensors", "record.json", "learning_curve.png"):
        assert name in output
        assert (folder / name).stat().st_size > 1000
    assert not CONTROL.search(output.replace("\n", ""))


def test_default_settings_reach_their_accuracy(trained):
    assert trained[2]["results"]["test_accuracy"] >= 0.97


def test_ten_seeds_reach_their_mean(tmp_path):
    accuracies = []
    for seed in range(10):
        assert run("train", "digits", "-q", "--seed", seed, "-o", tmp_path).exit_code == 0
        accuracies.append(
            json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))["results"]["test_accuracy"]
        )
    assert np.mean(accuracies) >= 0.975
    assert len(set(accuracies)) > 1


def test_record_holds_what_repeats_the_run(trained):
    _, folder, record = trained
    assert record["seeds"] == {"network": 0, "trainer": 0, "split": 0}
    assert record["network"]["digest"] == fn.Network.load(folder / "model.safetensors").digest()
    assert record["hyperparameters"]["hidden"] == [256]
    assert record["training"]["optimizer"]["type"] == "AdamW"
    assert record["data"]["rows"] == {"train": 1294, "validation": 144, "test": 359}
    assert re.fullmatch("[0-9a-f]{64}", record["data"]["fingerprint"])
    assert {"fastnn", "python", "numpy", "instruction_set", "threads", "compiler", "numerics_version"} <= record[
        "environment"
    ].keys()
    assert np.sum(record["results"]["confusion"]) == 359
    assert len(record["history"]["loss"]) == 60


def test_confusion_is_that_of_the_model(trained, model):
    X, y = fn.data.load_digits()
    _, X_test, _, y_test = fn.data.split(X, y, 0.2, 0, stratify=True)
    labels = fn.Network.load(model).predict(X_test / np.float32(16)).argmax(axis=1)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (y_test, labels), 1)
    assert trained[2]["results"]["confusion"] == confusion.tolist()


def test_same_seed_same_digest_whatever_the_threads(tmp_path):
    digests = {train(tmp_path, "--threads", threads)[1]["network"]["digest"] for threads in (1, 2, "auto")}
    assert len(digests) == 1
    assert train(tmp_path, "--seed", 1)[1]["network"]["digest"] not in digests


def test_split_seed_alone_changes_the_split_alone(tmp_path):
    first, other = train(tmp_path)[1], train(tmp_path, "--split-seed", 5)[1]
    assert other["seeds"] == {"network": 0, "trainer": 0, "split": 5}
    assert first["data"]["fingerprint"] != other["data"]["fingerprint"]


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--hidden", "12,6"], "hidden", [12, 6]),
        (["--hidden", "none"], "hidden", []),
        (["--activation", "gelu"], "activation", "gelu"),
        (["--dropout", "0"], "dropout", 0.0),
        (["--layer-norm"], "layer_norm", True),
        (["--dtype", "float64"], "dtype", "float64"),
        (["--loss", "binary_cross_entropy"], "loss", "binary_cross_entropy"),
        (["--loss", "mean_squared"], "loss", "mean_squared"),
        (["--loss", "mean_absolute"], "loss", "mean_absolute"),
        (["--loss", "huber"], "loss", "huber"),
        (["--label-smoothing", "0.1"], "label_smoothing", 0.1),
        (["--optimizer", "sgd"], "learning_rate", 0.1),
        (["--optimizer", "sgd", "--momentum", "0.5"], "momentum", 0.5),
        (["--optimizer", "rmsprop"], "momentum", 0.0),
        (["--optimizer", "adam"], "optimizer", "adam"),
        (["--optimizer", "nadam"], "optimizer", "nadam"),
        (["--optimizer", "adagrad"], "optimizer", "adagrad"),
        (["--learning-rate", "0.01"], "learning_rate", 0.01),
        (["--weight-decay", "0"], "weight_decay", 0.0),
        (["--clip-norm", "1"], "clip_norm", 1.0),
        (["--batch-size", "100"], "batch_size", 100),
        (["--batch-size", "full"], "batch_size", "full"),
        (["--epochs", "3"], "epochs", 3),
        (["--patience", "1"], "patience", 1),
        (["--schedule", "constant"], "schedule", "constant"),
        (["--schedule", "step", "--decay-every", "1"], "decay_every", 1),
        (["--schedule", "exponential"], "decay_factor", 0.95),
        (["--schedule", "one_cycle"], "schedule", "one_cycle"),
        (["--schedule", "inverse"], "schedule", "inverse"),
        (["--schedule", "plateau", "--plateau-patience", "0", "--decay-factor", "0.5"], "decay_factor", 0.5),
        (["--warmup", "1"], "warmup", 1),
        (["--test-fraction", "0.5"], "test_fraction", 0.5),
        (["--validation-fraction", "0"], "validation_fraction", 0.0),
        (["--seed", str(2**64 - 1)], "seed", 2**64 - 1),
        (["--threads", "1"], "threads", 1),
    ],
)
def test_every_option_has_its_effect(tmp_path, arguments, name, value):
    output, record = train(tmp_path, *arguments)
    assert record["hyperparameters"][name] == value
    assert record["results"]["seconds"] > 0
    assert (tmp_path / "learning_curve.png").exists()
    assert ("val loss" in output) == (name != "validation_fraction")


def test_options_change_the_network(tmp_path):
    options = [
        [],
        ["--activation", "tanh"],
        ["--dropout", "0.1"],
        ["--label-smoothing", "0.2"],
        ["--clip-norm", "0.01"],
        ["--weight-decay", "1"],
        ["--schedule", "one_cycle"],
        ["--warmup", "1"],
    ]
    digests = [train(tmp_path, *arguments)[1]["network"]["digest"] for arguments in options]
    assert len(set(digests)) == len(digests)


def test_layer_norm_stands_before_the_activation(tmp_path):
    train(tmp_path, "--layer-norm")
    layers = fn.Network.load(tmp_path / "model.safetensors").layers
    assert [type(layer).__name__ for layer in layers] == [
        "Input",
        "Dense",
        "LayerNorm",
        "Activation",
        "Dropout",
        "Dense",
    ]


def test_patience_stops_the_run_and_keeps_the_best(tmp_path):
    _, record = train(
        tmp_path, "--epochs", 400, "--hidden", 64, "--dropout", 0, "--schedule", "constant", "--patience", 3
    )
    losses = record["history"]["val_loss"]
    assert len(losses) < 400
    assert record["results"]["best_epoch"] == int(np.argmin(losses)) + 1 == len(losses) - 3


def test_quiet_prints_one_line(tmp_path):
    output, record = train(tmp_path, "--quiet")
    assert output.count("\n") == 1
    assert record["network"]["digest"] in output


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("train", "digits", "-q", *QUICK).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "runs/digits").iterdir()) == [
        "learning_curve.png",
        "model.safetensors",
        "record.json",
    ]


def test_help_is_in_groups():
    output = run("train", "--help").output
    headings = ("Network:", "Training:", "Learning-rate schedule:", "Data and seeds:", "Running and output:")
    assert [output.index(heading) for heading in headings] == sorted(output.index(heading) for heading in headings)
    for option in (
        "--hidden",
        "--loss",
        "--learning-rate",
        "--batch-size",
        "--dropout",
        "--seed",
        "--threads",
        "--output",
    ):
        assert option in output


def test_version():
    assert run("--version").output == f"fastnn {fn.__version__}\n"


# -------------------------------------------------------------------- reproduce


def changed(folder, source, change):
    """A copy of a record, changed: its path."""
    record = json.loads((source / "record.json").read_text(encoding="utf-8"))
    change(record)
    path = folder / "record.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A short run of many parts: its folder."""
    folder = tmp_path_factory.mktemp("short")
    options = ["--hidden", "20,9", "--activation", "gelu", "--layer-norm", "--dtype", "float64", "--seed", "5"]
    options += ["--optimizer", "sgd", "--schedule", "plateau", "--warmup", "1", "--plateau-patience", "0"]
    options += ["--clip-norm", "1", "--label-smoothing", "0.1", "--split-seed", "3", "--test-fraction", "0.3"]
    train(folder, *options, "--validation-fraction", "0.25", "--epochs", "5", "--patience", "2")
    return folder


def test_reproduce_shows_what_it_did(short, isa):
    record = json.loads((short / "record.json").read_text(encoding="utf-8"))
    result = run("reproduce", short / "record.json")
    assert result.exit_code == 0, result.output
    for expected in ("digits, 5 epochs", "epoch 5/5", "recorded", "here", "instruction set", "LayerNorm", "numerics"):
        assert expected in result.output
    assert result.output.count(record["network"]["digest"]) == 2
    assert re.search(r"same bits +yes", result.output)
    assert re.search(rf"instruction set +{record['environment']['instruction_set']} +{isa}", result.output)
    assert not CONTROL.search(result.output.replace("\n", ""))


@pytest.mark.parametrize("threads", [1, 2, 7, "auto"])
def test_reproduce_quietly_on_any_number_of_threads(short, threads):
    record = json.loads((short / "record.json").read_text(encoding="utf-8"))
    result = run("reproduce", short / "record.json", "-q", "--threads", threads)
    assert (result.exit_code, result.output) == (0, f"reproduced, digest {record['network']['digest']}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--loss", "huber"],
        ["--loss", "binary_cross_entropy", "--validation-fraction", "0"],
        ["--hidden", "none", "--optimizer", "nadam", "--batch-size", "full"],
        ["--epochs", 40, "--hidden", 16, "--dropout", 0, "--schedule", "constant", "--patience", 1],
    ],
)
def test_reproduce_every_kind_of_run(tmp_path, arguments):
    train(tmp_path, *arguments)
    result = run("reproduce", tmp_path / "record.json", "-q")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("section", "entry", "value", "where"),
    [
        ("network", "digest", 64 * "0", ""),
        ("seeds", "network", 6, "they part in epoch 1, loss"),
        ("seeds", "trainer", 6, "they part in epoch 1, loss"),
        ("training", "shuffle", False, "they part in epoch 1, loss"),
    ],
)
def test_reproduce_finds_what_differs(short, tmp_path, section, entry, value, where):
    path = changed(tmp_path, short, lambda record: record[section].update({entry: value}))
    record = json.loads(path.read_text(encoding="utf-8"))
    result = run("reproduce", path, "-q")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: not the same bits: expected {record['network']['digest']}, found ")
    assert where in result.output
    assert result.output.count(record["environment"]["compiler"]) == 2
    assert result.output.count("\n") == 1
    assert re.search(r"same bits +no", run("reproduce", path).output)


@pytest.mark.parametrize(
    ("section", "entry", "value", "message"),
    [
        (None, "record_version", 2, "record version 2; this fastnn knows 1"),
        (None, "record_version", None, "no entry 'record_version'"),
        (None, "network", None, "no entry 'network'"),
        (None, "training", 3, "no entry 'training'"),
        ("environment", "numerics_version", 99, "numerics version 99; this fastnn has"),
        ("environment", "numerics_version", None, "no entry 'environment.numerics_version'"),
        ("network", "digest", "aee4", "not a SHA-256: 'aee4'"),
        ("network", "layers", [{"type": "Convolution"}], "is damaged, or holds layers of your own"),
        ("network", "layers", [], "at least one Dense"),
        ("network", "dtype", "float16", "float16"),
        ("training", "optimizer", {"type": "Adam", "rate": 1}, "'training.optimizer' is damaged"),
        ("training", "loss", {"type": "MyLoss"}, "'training.loss' is damaged, or a part of your own"),
        ("training", "loss", None, "no entry 'training.loss'"),
        ("training", "epochs", -1, "'training.epochs' is -1"),
        ("training", "epochs", "5", "'training.epochs' is '5'"),
        ("training", "steps", 7, "7 updates, which are not its 5 epochs of"),
        ("training", "callbacks", [{"type": "mine.Averaging"}], "callback of its own, mine.Averaging"),
        ("training", "callbacks", [{"type": "EarlyStopping", "patience": 0}], "patience"),
        ("training", "callbacks", 3, "'training.callbacks'"),
        ("training", "batch_size", -1, "batch_size must be"),
        ("training", "batch_size", 10**9, "75 updates, which are not its 5 epochs of 1"),
        ("seeds", "split", 4, "other data: their fingerprint"),
        ("seeds", "split", None, "no entry 'split'"),
        ("seeds", "network", "one", "seed"),
        ("data", "fingerprint", 64 * "0", "other data: their fingerprint is 000"),
        ("data", "X_shape", [3, 4], "other data: their X shape is [3, 4]; got"),
        ("data", "has_sample_weight", True, "other data: their has sample weight is True"),
        ("data", "validation", None, "without validation_data"),
        ("data", "test_fraction", 2, "fraction"),
        ("data", "name", "iris", "data set 'iris', which is not built in (digits)"),
        ("data", "name", None, "names no data set"),
        ("data", "name", ["digits"], "not built in"),
        ("results", "interrupted", True, "interrupted"),
    ],
)
def test_records_that_cannot_be_repeated(short, tmp_path, section, entry, value, message):
    def change(record):
        found = record if section is None else record[section]
        if value is None and entry != "validation":
            del found[entry]
        else:
            found[entry] = value

    path = changed(tmp_path, short, change)
    result = run("reproduce", path)
    assert result.exit_code == 2, result.output
    error = result.output[result.output.index("Error: ") :]
    assert message in error
    assert "record" in error or entry in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.json", None, "No such file"),
        ("empty.json", b"", "damaged or not JSON"),
        ("half.json", b'{"record_version": 1, "net', "damaged or not JSON"),
        ("binary.json", b"\xff\xfe\x00", "damaged or not JSON"),
        ("deep.json", b"[" * 100000, "damaged or not JSON"),
        ("list.json", b"[1]", "not the record of a fastnn run"),
        ("foreign.json", b'{"name": "package", "version": "1.0"}', "not the record of a fastnn run"),
        (".", None, "Is a directory"),
    ],
)
def test_files_that_are_no_records(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = run("reproduce", tmp_path / name)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


def test_divergence_while_repeating_is_status_1(short, tmp_path):
    path = changed(tmp_path, short, lambda record: record["training"]["optimizer"].update(learning_rate=1e300))
    result = run("reproduce", path, "-q")
    assert result.exit_code == 1
    assert result.output.startswith("Error: training diverged")


def test_ctrl_c_while_repeating(short, monkeypatch):
    def press(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fn.Trainer, "fit", press)
    result = run("reproduce", short / "record.json", "-q")
    assert (result.exit_code, result.output) == (130, "fastnn: interrupted\n")


# ------------------------------------------------------------- predict and info


def test_predict_takes_the_rows_held_out(trained, model):
    output = run("predict", model, "--rows", 3).output
    assert "3 of 359 rows" in output
    assert f"held out: {100 * trained[2]['results']['test_accuracy']:.2f} %" in output


def test_predict_of_every_kind_of_file_is_the_same(model, tmp_path):
    X, _ = fn.data.load_digits()
    rows = X[:7]
    network = fn.Network.load(model)
    expected = network.predict(rows / np.float32(16))
    np.save(tmp_path / "rows.npy", rows.astype(np.uint8))
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", fmt="%g")
    heading = ",".join(f"p{j}" for j in range(64))
    np.savetxt(tmp_path / "heading.csv", rows, delimiter=",", fmt="%g", header=heading, comments="")
    for name in ("rows.npy", "rows.csv", "heading.csv"):
        assert run("predict", model, tmp_path / name, "-o", tmp_path / "out.npy").exit_code == 0
        table = np.load(tmp_path / "out.npy")
        np.testing.assert_array_equal(table["outputs"], expected)
        np.testing.assert_array_equal(table["label"].astype(int), expected.argmax(axis=1))


def test_predict_writes_csv(model, tmp_path):
    assert run("predict", model, "-o", tmp_path / "out.csv").exit_code == 0
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert run("predict", model, "-o", "-").stdout == text
    lines = text.splitlines()
    assert lines[0] == "row,label,0,1,2,3,4,5,6,7,8,9"
    assert len(lines) == 360
    values = [float(cell) for cell in lines[1].split(",")[2:]]
    assert sum(values) == pytest.approx(1.0, abs=1e-5)
    assert int(lines[1].split(",")[1]) == int(np.argmax(values))


def test_predict_one_row(model, tmp_path):
    np.save(tmp_path / "row.npy", fn.data.load_digits()[0][0])
    assert "1 of 1 rows" in run("predict", model, tmp_path / "row.npy").output


def test_a_network_saved_from_python_works_too(tmp_path):
    fn.Network([fn.Input(64), fn.Dense(10)], seed=0).save(tmp_path / "plain.safetensors")
    assert "of 1,797 rows" in run("predict", tmp_path / "plain.safetensors").output
    assert "650" in run("info", tmp_path / "plain.safetensors").output


def test_info(trained, model):
    output = run("info", model).output
    for expected in (
        "Dense(10, 'softmax')",
        "19,210",
        "float32",
        trained[2]["network"]["digest"],
        "numerics version",
        "digits",
    ):
        assert expected in output


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digit"], "not one of digits (did you mean 'digits'?)"),
        (["digits", "--optimizer", "adm"], "did you mean 'adam'?"),
        (["digits", "--activation", "softmax"], "is not one of"),
        (["digits", "--loss", "pinball"], "cross_entropy"),
        (["digits", "--schedule", "cosin"], "did you mean 'cosine'?"),
        (["digits", "--dtype", "float16"], "float32"),
        (["digits", "--hidden", "64,x"], "64,64"),
        (["digits", "--hidden", "0"], "at least 1"),
        (["digits", "--hidden", ""], "at least 1"),
        (["digits", "--dropout", "1"], "below 1"),
        (["digits", "--dropout", "-0.1"], "at least 0"),
        (["digits", "--learning-rate", "0"], "above 0"),
        (["digits", "--learning-rate", "nan"], "not a number above 0"),
        (["digits", "--learning-rate", "inf"], "not a number above 0"),
        (["digits", "--learning-rate", "fast"], "'fast' is not a number"),
        (["digits", "--weight-decay", "-1"], "at least 0"),
        (["digits", "--batch-size", "0"], "'full'"),
        (["digits", "--batch-size", "all"], "'full'"),
        (["digits", "--batch-size", "5000"], "at most the 1294 rows"),
        (["digits", "--epochs", "0"], "x>=1"),
        (["digits", "--seed", "-1"], "range"),
        (["digits", "--threads", "1000"], "threads"),
        (["digits", "--test-fraction", "1"], "below 1"),
        (["digits", "--validation-fraction", "0.00001"], "at least one row"),
        (["digits", "--momentum", "0.9"], "--momentum is for the optimizers sgd, rmsprop"),
        (["digits", "--decay-every", "3"], "--decay-every is for the schedule step"),
        (["digits", "--loss", "huber", "--label-smoothing", "0.1"], "--label-smoothing is for the loss cross_entropy"),
        (["digits", "--nonsense"], "No such option"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_of_train(tmp_path, arguments, message):
    result = run("train", *arguments, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_output_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("train", "digits", *QUICK, "-o", tmp_path / "file")
    assert result.exit_code == 2
    assert "file" in result.output


def test_divergence_is_one_line_and_status_1(tmp_path):
    result = run("train", "digits", "-q", *QUICK, "--optimizer", "sgd", "--learning-rate", "1e30", "-o", tmp_path)
    assert result.exit_code == 1
    assert re.match(r"Error: training diverged in epoch \d+, step \d+", result.output)
    assert result.output.count("\n") == 1
    assert not (tmp_path / "model.safetensors").exists()


def bad_models(folder, model):
    content = model.read_bytes()
    (folder / "truncated.safetensors").write_bytes(content[:-100])
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "text.safetensors").write_text("a network, honestly")
    changed = bytearray(content)
    changed[-1] ^= 64
    (folder / "changed.safetensors").write_bytes(bytes(changed))
    return [
        "missing.safetensors",
        "truncated.safetensors",
        "empty.safetensors",
        "text.safetensors",
        "changed.safetensors",
        ".",
    ]


@pytest.mark.parametrize("name", ["predict", "info"])
def test_files_that_are_no_models(model, tmp_path, name):
    for bad in bad_models(tmp_path, model):
        result = run(name, tmp_path / bad)
        assert result.exit_code == 2, bad
        assert result.output.startswith("Error: "), bad
        assert result.output.count("\n") == 1, bad
        assert str(tmp_path) in result.output, bad


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npy", None, "No such file"),
        ("missing.csv", None, "No such file"),
        ("rows.txt", b"1,2", "expected the name of a data set (digits), a .npy or a .csv file"),
        ("diggits", None, "digits"),
        ("broken.npy", b"\x93NUMPY", "broken.npy"),
        ("empty.npy", b"", "empty.npy"),
        ("empty.csv", b"", "no rows of numbers"),
        ("words.csv", b"1,2\n3,four\n", "line 2: 'four' is not a number"),
        ("ragged.csv", b"1,2\n3\n", "line 2 has 1 columns"),
        ("narrow.csv", b"1,2\n3,4\n", "64 features"),
        ("nan.csv", b",".join([b"nan"] * 64), "finite"),
        ("huge.csv", b",".join([b"1e300"] * 64), "finite"),
        ("binary.csv", b"\xff\xfe\x00", "binary.csv"),
    ],
)
def test_rows_that_do_not_fit(model, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = run("predict", model, tmp_path / name)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    "array",
    [np.array([["a", "b"]]), np.ones((2, 64), complex), np.ones((2, 2, 64)), np.ones((0, 64)), np.float64(3)],
)
def test_arrays_that_do_not_fit(model, tmp_path, array):
    np.save(tmp_path / "rows.npy", array)
    result = run("predict", model, tmp_path / "rows.npy")
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")


def test_object_arrays_are_not_unpickled(model, tmp_path):
    np.save(tmp_path / "rows.npy", np.array([{}], dtype=object), allow_pickle=True)
    result = run("predict", model, tmp_path / "rows.npy")
    assert result.exit_code == 2
    assert "rows.npy" in result.output


@pytest.mark.parametrize("output", ["out.txt", "no/such/folder/out.csv"])
def test_predictions_that_cannot_be_written(model, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    result = run("predict", model, "-o", output)
    assert result.exit_code == 2
    assert output in result.output


# --------------------------------------------------------------- real processes


def environment():
    paths = [os.path.dirname(os.path.dirname(os.path.abspath(fn.__file__))), *filter(None, sys.path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}


def process(*arguments, **keywords):
    return subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **keywords,
    )


def test_the_command_in_a_process_of_its_own(tmp_path):
    done = process("-m", "fastnn.cli", "train", "digits", *QUICK, "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not CONTROL.search(done.stdout.replace("\n", ""))
    shown = process("-m", "fastnn.cli", "info", tmp_path / "run" / "model.safetensors")
    digest = fn.Network.load(tmp_path / "run" / "model.safetensors").digest()
    assert digest in done.stdout
    assert digest in shown.stdout
    failed = process("-m", "fastnn.cli", "info", tmp_path)
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr.startswith("Error: ")


@pytest.mark.parametrize("missing", ["click", "rich", "matplotlib"])
def test_without_the_extra_the_command_names_it(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from fastnn.cli import main; main()"
    done = process("-c", code)
    assert done.returncode == 2
    assert done.stderr.strip() == f"fastnn: the command needs {missing}: pip install 'fastnn[cli]'"


def test_the_core_imports_nothing_of_the_command():
    code = "import sys, fastnn; sys.exit(any(name in sys.modules for name in ('click', 'rich', 'matplotlib', 'tqdm')))"
    assert process("-c", code).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_writes_what_there_is(tmp_path):
    arguments = [
        sys.executable,
        "-P",
        "-m",
        "fastnn.cli",
        "train",
        "digits",
        "--epochs",
        "1000000",
        "-o",
        str(tmp_path),
    ]
    with subprocess.Popen(
        arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as running:
        try:
            for line in running.stdout:
                if "epoch" in line and "1/1000000" in line:
                    break
            running.send_signal(signal.SIGINT)
            output, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 130, errors
    assert "test accuracy" in output
    assert "interrupted" in errors
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))["results"]["interrupted"] is True
    assert fn.Network.load(tmp_path / "model.safetensors").digest() in output
