"""Runs repeated from their record and the user's own data."""

import json

import numpy as np
import pytest

import fastnn as fn
from fastnn import records
from fastnn.reproduction import reproduce


class Averaging(fn.Callback):
    """Has a say in the result: every epoch ends with rounded biases."""

    def on_epoch_end(self, trainer, epoch, values):
        bias = trainer.network.parameters["4.bias"]
        trainer.network.parameters["4.bias"] = np.round(bias, 3)


OPTIMIZERS = [fn.AdamW(fn.Warmup(fn.ReduceOnPlateau(0.02, patience=0), 5)), fn.SGD(fn.OneCycle(0.1, 30), momentum=0.5)]


def trained(make_trainer, X, y, epochs=4, callbacks=(), **given):
    """A trainer after its run, and the record, as it is in a file."""
    trainer = make_trainer(optimizer=OPTIMIZERS[0], class_weight={1: 0.3})
    trainer.fit(X, y, epochs, callbacks=callbacks, **given)
    record = records.run_record(trainer, X, y, callbacks=callbacks, **given)
    return trainer, json.loads(json.dumps(record))


@pytest.fixture
def given(blobs):
    X, y = blobs
    return {"sample_weight": np.arange(103) / 8, "validation_data": (X[:40], (y[:40] + 1) % 3, np.ones(40))}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("options", [{}, {"class_weight": "balanced", "batch_size": "full"}, {"shuffle": False}])
def test_the_same_bits(blobs, make_trainer, tmp_path, isa, dtype, optimizer, options):
    X, y = blobs
    trainer = make_trainer(dtype, optimizer=optimizer, **options)
    trainer.fit(X, y, epochs=3)
    records.write(tmp_path / "record.json", records.run_record(trainer, X, y))
    result = reproduce(tmp_path / "record.json", X, y, threads=2)
    assert result.is_same
    assert result.found == result.expected == trainer.network.digest() == result.trainer.network.digest()
    assert result.first_difference is None
    assert dict(result.trainer.history) == dict(trainer.history)


def test_weights_validation_and_early_stopping(blobs, make_trainer, given):
    X, y = blobs
    stopping = fn.EarlyStopping(patience=3, monitor="val_accuracy", min_delta=0.01)
    _, record = trained(make_trainer, X, y, 1000, stopping, **given)
    assert stopping.stopped
    assert reproduce(record, X, y, **given).is_same
    record["training"]["callbacks"] = []
    other = reproduce(record, X, y, **given)
    assert not other.is_same
    assert other.first_difference is None  # but for the best parameters, which were not put back


def test_a_part_held_out(blobs, make_trainer):
    X, y = blobs
    _, record = trained(make_trainer, X, y, callbacks=[fn.EarlyStopping()], validation_fraction=0.3)
    assert reproduce(record, X, y).is_same


def test_several_fits_are_one(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    for epochs in (1, 2, 3):
        trainer.fit(X, y, epochs)
    assert reproduce(records.run_record(trainer, X, y), X, y).is_same


def test_a_run_of_no_epochs_is_its_initial_parameters(blobs, make_trainer):
    X, y = blobs
    assert reproduce(records.run_record(make_trainer(), X, y), X, y).is_same


def test_callbacks_of_ones_own_have_to_be_there(blobs, make_trainer):
    X, y = blobs
    _, record = trained(make_trainer, X, y, callbacks=[Averaging(), fn.EarlyStopping()])
    with pytest.raises(ValueError, match=r"a callback of its own, .*Averaging: pass one like it"):
        reproduce(record, X, y)
    seen = []
    watching = fn.LambdaCallback(on_epoch_end=lambda trainer, epoch, values: seen.append(epoch))
    assert reproduce(record, X, y, callbacks=[watching, Averaging()]).is_same
    assert seen == [1, 2, 3, 4]


def test_where_two_runs_part(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y, 2)
    trainer.network.parameters["0.bias"] = np.zeros(16)
    trainer.fit(X, y, 2)
    result = reproduce(records.run_record(trainer, X, y), X, y)
    assert not result.is_same
    expected, found = trainer.history["loss"][2], result.trainer.history["loss"][2]
    assert result.first_difference == (3, "loss", expected, found)


def other_weights(given):
    return given | {"sample_weight": given["sample_weight"][::-1]}


def other_validation(given):
    X, y, weights = given["validation_data"]
    return given | {"validation_data": (X, y, weights * 2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_weights, "other data: their fingerprint"),
        (lambda given: {**given, "sample_weight": None}, "has sample weight is True; got False"),
        (other_validation, "other validation data: their fingerprint"),
        (lambda given: {"sample_weight": given["sample_weight"]}, "with validation_data; none are given"),
    ],
)
def test_other_data(blobs, make_trainer, given, change, message):
    X, y = blobs
    _, record = trained(make_trainer, X, y, **given)
    assert reproduce(record, X, y, **given).is_same
    with pytest.raises(ValueError, match=message):
        reproduce(record, X, y, **change(given))
    nudged = X.copy()
    nudged[102, 6] = np.nextafter(nudged[102, 6], np.float32(9))
    with pytest.raises(ValueError, match="other data: their fingerprint"):
        reproduce(record, nudged, y, **given)
    with pytest.raises(ValueError, match=r"other data: their X shape is \[103, 7\]; got \[102, 7\]"):
        reproduce(record, X[:102], y[:102], **given)


def test_what_a_record_does_not_hold(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y)
    trainer.step(X[:5], y[:5])
    with pytest.raises(ValueError, match="12 updates, which are not its 1 epochs of 11: it was interrupted, or holds"):
        reproduce(records.run_record(trainer, X, y), X, y)


@pytest.mark.parametrize("entry", [(section, name) for section, names in records._ENTRIES.items() for name in names])
def test_every_entry_is_missed(blobs, make_trainer, tmp_path, entry):
    X, y = blobs
    _, record = trained(make_trainer, X, y, 1)
    del record[entry[0]][entry[1]]
    records.write(tmp_path / "record.json", record)
    for given in (record, tmp_path / "record.json"):
        with pytest.raises(ValueError, match=f"damaged: it has no entry '{entry[0]}.{entry[1]}'"):
            reproduce(given, X, y)
