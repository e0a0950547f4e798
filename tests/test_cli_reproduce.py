"""The command ``fastnn reproduce`` on runs of a built-in data set, and on records that cannot be repeated."""

import json
import re

import pytest
from command_line import CONTROL, ok, record_of, run

import fastnn as fn

QUICK = ["--epochs", "2", "--hidden", "8"]


def train(folder, *arguments):
    output = ok("train", "digits", "-o", folder, *QUICK, *arguments)
    return output, record_of(folder)


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
