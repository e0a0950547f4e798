"""The commands ``fastnn predict`` and ``fastnn info`` with models of rows of features, and what does not fit them."""

import numpy as np
import pytest
from command_line import ok, record_of, run

import fastnn as fn


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with the default settings: its output, folder and record."""
    folder = tmp_path_factory.mktemp("digits")
    return ok("train", "digits", "-o", folder), folder, record_of(folder)


@pytest.fixture(scope="module")
def model(trained):
    return trained[1] / "model.safetensors"


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
