"""What the engine does not know is an error that names it: nothing is guessed and nothing is left out."""

import pytest
from engine_oracle import (
    MSE,
    SGD,
    Description,
    activation,
    add,
    dense,
    dropout,
    empty_model,
    layer_norm,
    net,
    reading,
)

from fastnn._engine.training import Training
from fastnn.layers import ACTIVATIONS


def refused(match, *operations, n_inputs=3):
    with pytest.raises(ValueError, match=match):
        empty_model(net(n_inputs, *operations), "float32")


def training(loss=MSE, optimizer=SGD, groups=None):
    return Training(empty_model(net(3, dense(2)), "float32"), loss, optimizer, groups=groups)


def test_an_unknown_kind_of_operation():
    refused(
        "unknown kind of operation 'conv'; there are dense, activation, dropout, layer_norm, rms_norm, add",
        {"kind": "conv"},
    )
    refused("unknown kind of operation 'Dense'", dense(3) | {"kind": "Dense"})
    refused("unknown kind of operation 0", dense(3) | {"kind": 0})


@pytest.mark.parametrize("name", ["rleu", "RELU", "", None, 3])
def test_an_unknown_activation(name):
    for operation in (dense(3), activation("relu")):
        with pytest.raises(ValueError, match="unknown activation") as caught:
            empty_model(net(3, operation | {"activation": name}), "float32")
        assert repr(name) in str(caught.value)
        assert all(known in str(caught.value) for known in ACTIVATIONS)


@pytest.mark.parametrize(
    "operation", [dense(3), activation("relu"), dropout(0.2), layer_norm(), {"kind": "add", "inputs": [1, 1]}], ids=str
)
def test_a_name_that_a_kind_of_operation_has_not(operation):
    kind = operation["kind"]
    refused(f"an operation of kind '{kind}' has no 'unit', 'size'", dense(3), operation | {"unit": 3, "size": 2})


@pytest.mark.parametrize(
    ("operation", "name"),
    [(dense(3), "units"), (dropout(0.2), "rate"), (dropout(0.2), "stream"), (layer_norm(), "epsilon")],
)
def test_a_name_that_a_kind_of_operation_needs(operation, name):
    given = {key: value for key, value in operation.items() if key != name}
    refused(f"an operation of kind '{operation['kind']}' needs '{name}'", given)


def test_what_nobody_reads():
    refused("operation 1, of kind 'dense', writes what nobody reads", dense(3), dense(4), reading(dense(2), 1))
    refused("operation 0, of kind 'layer_norm', writes what nobody reads", layer_norm(), reading(dense(2), 0))
    refused("operation 1, of kind 'activation'", dense(3), activation("relu"), add(1, 0))


@pytest.mark.parametrize("value", [2, 3, 9, -1])
def test_what_is_not_written_yet(value):
    refused(rf"operation 1 must read values from 0 to 1; got \[1, {value}\]", dense(3), add(1, value))
    refused(rf"operation 0 must read values from 0 to 0; got \[{value}\]", reading(dense(3), value))


@pytest.mark.parametrize("operation", [dense(3), activation("relu"), dropout(0.2), layer_norm(), {"kind": "add"}])
def test_no_inputs(operation):
    refused(r"operation 0 must read values from 0 to 0; got \[\]", reading(operation))
    refused(r"operation 1 must read values from 0 to 1; got \[\]", dense(3), reading(operation), add(1, 2))


def test_operands_of_different_sizes():
    refused("operation 1 must read values of the same size", dense(4), add(0, 1))
    refused("operation 2 must read values of the same size", dense(3), dense(4), add(1, 0, 2))


@pytest.mark.parametrize("operation", [dense(3), activation("relu"), dropout(0.2), layer_norm()], ids=str)
def test_several_inputs_of_a_kind_that_reads_one(operation):
    """They are not left out, nor do they count as read."""
    for inputs in ((0, 1), (1, 1)):
        refused(rf"operation 1.*\[{inputs[0]}, {inputs[1]}\]", dense(3), reading(operation, *inputs))


def test_no_operations():
    with pytest.raises(ValueError, match="operation"):
        empty_model(Description(3, []), "float32")


@pytest.mark.parametrize("name", ["mse", "MEAN_SQUARED", "", None])
def test_an_unknown_loss(name):
    with pytest.raises(ValueError, match="unknown loss") as caught:
        training(loss={"kind": name})
    assert repr(name) in str(caught.value)
    assert "mean_squared" in str(caught.value)


def test_a_name_that_a_loss_has_not():
    with pytest.raises(ValueError, match="'delta'"):
        training(loss={"kind": "huber", "parameter": 1.0, "delta": 1.0})


@pytest.mark.parametrize("name", ["adamw", "SGD", "", None])
def test_an_unknown_optimizer(name):
    with pytest.raises(ValueError, match="unknown optimizer") as caught:
        training(optimizer=SGD | {"kind": name})
    assert repr(name) in str(caught.value)
    assert "rmsprop" in str(caught.value)


def test_a_name_that_an_optimizer_has_not():
    with pytest.raises(ValueError, match="an optimizer has no 'lr', 'beta_1'"):
        training(optimizer=SGD | {"lr": 0.1, "beta_1": 0.9})


def test_unknown_numbers_of_an_optimizer():
    with pytest.raises(ValueError, match=r"unknown numbers 'pain' of an optimizer; the engine has plain, .*\badagrad"):
        training(optimizer=SGD | {"numbers": "pain"})


def test_state_that_an_optimizer_does_not_keep_has_no_first_value():
    with pytest.raises(ValueError, match="initial_accumulator"):
        training(optimizer=SGD | {"initial_accumulator": 0.5})


def test_groups_of_tensors_that_are_not_there():
    for tensor in ((1, "weight"), (0, "gain"), "0.weight"):
        with pytest.raises(ValueError, match="group") as caught:
            training(groups={tensor: {"learning_rate": 0.5}})
        assert repr(tensor) in str(caught.value)


def test_a_name_that_a_group_has_not():
    with pytest.raises(ValueError, match="'lr'"):
        training(groups={(0, "weight"): {"lr": 0.5}})
