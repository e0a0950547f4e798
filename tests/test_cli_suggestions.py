"""What the command says to options, names and commands that it has not."""

import pytest
from command_line import run


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["train", "digits", "--lr", "1"], "(did you mean '--learning-rate'?)"),
        (["train", "digits", "--batchsize", "3"], "(did you mean '--batch-size'?)"),
        (["train", "digits", "--learnig-rate", "1"], "(did you mean '--learning-rate'?)"),
        (["train", "digits", "--n_jobs", "2"], "(did you mean '--threads'?)"),
        (["train", "digits", "--max-iter", "4"], "(did you mean '--epochs'?)"),
        (["train", "digits", "--val-split", "0.1"], "(did you mean '--validation-fraction'?)"),
        (["train", "digits", "--hidden-layer-sizes", "3"], "(did you mean '--hidden'?)"),
        (["train", "digits", "--random-state", "3"], "(did you mean '--seed'?)"),
        (["train", "digits", "--label", "x"], "(did you mean '--target'?)"),
        (["predict", "model", "--outptu", "x"], "(did you mean '--output'?)"),
        (["train", "digits", "--activation", "swish"], "(did you mean 'silu'?)"),
        (["train", "digits", "--loss", "mse"], "(did you mean 'mean_squared'?)"),
        (["fit", "digits"], "No such command 'fit' (did you mean 'train'?)"),
        (["tain", "digits"], "(did you mean 'train'?)"),
        (["score"], "(did you mean 'evaluate'?)"),
        (["t.csv"], "No such command 't.csv': fastnn train t.csv"),
    ],
)
def test_what_was_meant(tmp_path, monkeypatch, arguments, hint):
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("t.csv").write_text("a,b\n1,2\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert hint in " ".join(result.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "digits", "--frobnicate"],
        ["train", "digits", "--verbose"],
        ["train", "digits", "-x"],
        ["train", "digits", "--optimizer", "Adamax"],
        ["train", "digits", "--activation", "relu6"],
        ["--lr"],
        ["predict", "model", "--lr", "1"],
        ["frobnicate"],
    ],
)
def test_no_guess_where_nothing_is_like_it(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "id you mean" not in result.output
