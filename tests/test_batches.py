"""A batch is at most the data: a larger ``batch_size`` trains as one of all rows does, and is kept as it is."""

import numpy as np
import pytest
from command_line import run

import fastnn as fn
from fastnn import records, reproduction

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32), np.array([0, 1, 1, 0])


def trainer(batch_size, **options):
    layers = [fn.Input(2), fn.Dense(8, "tanh"), fn.Dropout(0.1), fn.Dense(1)]
    schedule = fn.Adam(fn.schedules.Cosine(0.05, 100))
    return fn.Trainer(fn.Network(layers), "binary_cross_entropy", schedule, batch_size, **options)


def test_four_rows_train_at_the_default():
    net = fn.Network([fn.Input(2), fn.Dense(8, "tanh"), fn.Dense(1)], seed=0)
    by_default = fn.Trainer(net, loss="binary_cross_entropy", optimizer=fn.Adam(0.05))
    by_default.fit(*XOR, epochs=200)
    assert by_default.steps == 200
    assert by_default.evaluate(*XOR)["accuracy"] == 1.0


@pytest.mark.parametrize("batch_size", ["full", 5, 32, 10**30])
@pytest.mark.parametrize("options", [{}, {"validation_fraction": 0.25}, {"sample_weight": [1.0, 2.0, 0.5, 1.0]}])
def test_the_bits_are_those_of_a_batch_of_all_rows(batch_size, options):
    n = 3 if "validation_fraction" in options else 4
    expected, larger = trainer(n), trainer(batch_size)
    histories = [dict(one.fit(*XOR, epochs=9, **options)) for one in (expected, larger)]
    assert histories[0] == histories[1]
    assert expected.network.digest() == larger.network.digest()
    assert expected.steps == larger.steps == 9


def test_more_rows_later_make_larger_batches(rng):
    """What is kept is what was asked for, not the rows of the first fit; so it is in a file."""
    X, y = rng.normal(size=(50, 2)), rng.integers(0, 2, 50)
    one = trainer(32)
    one.fit(*XOR, epochs=3)
    assert one.batch_size == 32
    one.fit(X, y, epochs=2)
    assert one.steps == 3 + 2 * 2


def test_a_run_goes_on_from_a_file_and_is_repeated_from_its_record(tmp_path, rng):
    X, y = rng.normal(size=(50, 2)), rng.integers(0, 2, 50)
    unbroken, broken = trainer(32), trainer(32)
    unbroken.fit(*XOR, epochs=7)
    broken.fit(*XOR, epochs=4)
    broken.save(tmp_path / "run")
    loaded = fn.Trainer.load(tmp_path / "run")
    assert loaded.batch_size == 32
    loaded.fit(*XOR, epochs=3)
    assert loaded.network.digest() == unbroken.network.digest()
    for one in (loaded, unbroken):
        one.fit(X, y, epochs=1)
    assert loaded.network.digest() == unbroken.network.digest()
    fresh = trainer(32)
    fresh.fit(*XOR, epochs=7)
    record = records.run_record(fresh, *XOR)
    assert record["training"]["batch_size"] == 32
    assert reproduction.reproduce(record, *XOR).is_same


def test_an_epoch_that_was_broken_off_is_finished_with_its_rows():
    one = trainer(2)
    one.fit(*XOR, callbacks=fn.LambdaCallback(on_step_end=lambda trainer, step: trainer.stop()))
    with pytest.raises(ValueError, match="the 4 rows of the epoch that is under way; got 3"):
        one.fit(XOR[0][:3], XOR[1][:3])
    one.fit(*XOR)
    assert one.epoch == 1


def test_the_command_takes_a_batch_of_more_than_the_rows(tmp_path):
    digests = []
    for size in ("full", "5000"):
        arguments = ("--hidden", "4", "--epochs", "2", "--batch-size", size, "-q", "-o", tmp_path / size)
        result = run("train", "digits", *arguments)
        assert result.exit_code == 0, result.output
        digests.append(fn.Network.load(tmp_path / size / "model.safetensors").digest())
    assert digests[0] == digests[1]
