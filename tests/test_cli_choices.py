"""The choices of the commands follow what the package has, and what its descriptions say."""

import re

import pytest
from command_line import process, record_of

from fastnn import losses
from fastnn.cli import objectives

# As somebody would add them: a class and an entry of its registry.
ADDED = """
from fastnn import layers, losses, optimizers
from fastnn._storage.descriptions import description
from fastnn.activations import ActivationKind

@description
class Tight(losses.Huber):
    delta: float = 0.1

@description
class Soft(losses.CrossEntropy):
    label_smoothing: float = 0.2

@description
class Heavy(optimizers.SGD):
    learning_rate: float = 0.05
    momentum: float = 0.8

losses.LOSSES |= {"tight": Tight, "soft": Soft}
optimizers.OPTIMIZERS["heavy"] = Heavy
layers.ACTIVATIONS["stair"] = ActivationKind()

from fastnn.cli import main
main()
"""
QUICK = ["--epochs", "2", "--hidden", "8"]


def added(*arguments, status=0):
    """What a command says where parts have been added."""
    done = process("-c", ADDED, *arguments)
    assert done.returncode == status, done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_new_parts_are_offered():
    said = added("train", "--help")
    assert re.search(r"cross_entropy, binary_cross_entropy, [\w, ]*soft, mean_squared, ", said)
    assert re.search(r", tight; tables also pinball", said)
    assert re.search(r" sgd, adam, [\w, ]*, heavy\.", said)
    assert re.search(r" relu, [\w, ]*, stair\.", said)
    assert re.search(r"0\.9 for sgd, 0 for rmsprop, [\w., ]*0\.8 for heavy", said)


def test_new_parts_are_trained_with(tmp_path):
    said = added("train", "digits", *QUICK, "--loss", "tight", "--optimizer", "heavy", "-o", tmp_path, "-q")
    assert "test accuracy" in said
    record = record_of(tmp_path)
    assert record["training"]["loss"] == {"type": "Tight", "delta": 0.1}
    assert record["training"]["optimizer"]["type"] == "Heavy"
    hyperparameters = record["hyperparameters"]
    assert (hyperparameters["learning_rate"], hyperparameters["momentum"]) == (0.05, 0.8)
    added("train", "digits", *QUICK, "--loss", "soft", "--label-smoothing", "0.1", "-o", tmp_path, "-q")
    record = record_of(tmp_path)
    assert record["training"]["loss"] == {"type": "Soft", "label_smoothing": 0.1}
    assert "accuracy" in record["history"]


def test_new_losses_are_of_a_task(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b,c\n" + "".join(f"{i % 7},{i}.5,{'xy'[i % 2]}\n" for i in range(200)))
    out = ["-o", tmp_path / "run", "-q", *QUICK]
    added("train", table, "--target", "b", "--loss", "tight", *out)
    assert record_of(tmp_path / "run")["data"]["table"]["loss"] == "tight"
    added("train", table, "--loss", "soft", *out)
    assert record_of(tmp_path / "run")["data"]["classes"] == ["x", "y"]
    refused = added("train", table, "--task", "classification", "--loss", "tight", *out, status=2)
    assert re.search(
        r"--loss must be one of cross_entropy, binary_cross_entropy, [\w, ]*soft for classification", refused
    )
    refused = added("train", "digits", "--loss", "tight", "--label-smoothing", "0.1", *out, status=2)
    assert "--label-smoothing is for the losses cross_entropy, soft" in refused


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_loss_is_offered_where_it_can_be_had(name):
    loss = losses.LOSSES[name]()
    activation = objectives.activation(loss)
    loss.check_outputs(2, activation)
    assert (activation != "identity") == loss.classifies
    assert (name in objectives.OF_CLASSES) == loss.classifies
    # Quantities are standardised, and some of them are negative.
    assert (name in objectives.OF_QUANTITIES) == (not loss.classifies and loss.upper is None)
    assert (name in objectives.ALL) == (loss.classifies or loss.upper is None or name in objectives.OF_COUNTS)


def test_the_usual_losses():
    assert objectives.OF_CLASSES[0] == objectives.DEFAULTS["classification"] == "cross_entropy"
    assert objectives.DEFAULTS["regression"] in objectives.OF_QUANTITIES
    assert objectives.DEFAULT_WITH_QUANTILES in objectives.WITH_QUANTILES
    assert objectives.OF_COUNTS == ("poisson",)
    assert "poisson" not in objectives.OF_LABELS
    assert not set(objectives.OF_LABELS) & set(objectives.WITH_QUANTILES)
    assert objectives.is_of_one_class(losses.CrossEntropy())
    assert not objectives.is_of_one_class(losses.BinaryCrossEntropy())
