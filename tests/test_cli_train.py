"""The command ``fastnn train`` on a built-in data set: what it prints, what it writes, and wrong usage."""

import re

import numpy as np
import pytest
from command_line import CONTROL, ok, record_of, run

import fastnn as fn

QUICK = ["--epochs", "2", "--hidden", "8"]


def train(folder, *arguments):
    output = ok("train", "digits", "-o", folder, *QUICK, *arguments)
    return output, record_of(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with the default settings: its output, folder and record."""
    folder = tmp_path_factory.mktemp("digits")
    return ok("train", "digits", "-o", folder), folder, record_of(folder)


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
        accuracies.append(record_of(tmp_path)["results"]["test_accuracy"])
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


def test_confusion_is_that_of_the_model(trained):
    X, y = fn.data.load_digits()
    _, X_test, _, y_test = fn.data.split(X, y, 0.2, 0, stratify=True)
    labels = fn.Network.load(trained[1] / "model.safetensors").predict(X_test / np.float32(16)).argmax(axis=1)
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
    assert not (tmp_path / "out").exists()


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
