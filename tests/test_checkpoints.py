"""`fastnn.Checkpoint`: when it saves, and that runs go on from what it saved with the bits of unbroken ones."""

import os
import time

import numpy as np
import pytest

import fastnn as fn


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


class Noting(fn.Checkpoint):
    """Notes where the trainer stood at every save."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.saved = []

    def _save(self, trainer):
        super()._save(trainer)
        self.saved.append((trainer.epoch, trainer.steps))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ({}, [(1, 11), (2, 22), (3, 33), (4, 44), (4, 44)]),
        ({"epochs": 3}, [(3, 33), (4, 44)]),
        ({"steps": 15}, [(1, 15), (2, 30), (4, 44)]),
        ({"steps": 22, "epochs": 4}, [(1, 22), (3, 44), (4, 44), (4, 44)]),
    ],
)
def test_intervals(blobs, make_trainer, path, interval, expected):
    X, y = blobs
    trainer, checkpoint = make_trainer(), Noting(path, **interval)
    trainer.fit(X, y, epochs=4, callbacks=checkpoint)
    assert checkpoint.saved == expected
    assert fn.Trainer.load(path).network == trainer.network
    assert sorted(os.listdir(path.parent)) == ["run", "run.previous"]


def test_seconds_within_an_epoch(path, rng):
    X, y = np.broadcast_to(rng.normal(size=30).astype(np.float32), (3_000_000, 30)), np.zeros(3_000_000, np.int64)
    trainer = fn.Trainer(fn.Network([fn.Input(30), fn.Dense(64), fn.Dense(3)], seed=0), "cross_entropy", batch_size=1)
    checkpoint = Noting(path, seconds=0.001)
    trainer.fit(X, y, max_seconds=1.0, callbacks=checkpoint)
    assert len(checkpoint.saved) >= 2
    assert all(epoch == 0 for epoch, _ in checkpoint.saved), "all within the first epoch"


def test_long_seconds_save_at_the_end_only(blobs, make_trainer, path):
    checkpoint = Noting(path, seconds=3600.0)
    make_trainer().fit(*blobs, epochs=3, callbacks=checkpoint)
    assert checkpoint.saved == [(3, 33)]


@pytest.mark.parametrize("interval", [{"epochs": 2}, {"steps": 5}, {"seconds": 1e-9}])
def test_going_on_gives_the_unbroken_bits(blobs, make_trainer, path, interval):
    X, y = blobs

    def watching():
        return [fn.EarlyStopping(patience=4), fn.Checkpoint(path, **interval)]

    unbroken = make_trainer()
    unbroken.fit(X, y, epochs=9, validation_fraction=0.3, callbacks=watching())

    class Power(fn.Callback):
        def on_step_end(self, trainer, step):
            if step == 37:
                raise RuntimeError("the power went")

    path.unlink()
    with pytest.raises(RuntimeError, match="power"):
        make_trainer().fit(X, y, epochs=9, validation_fraction=0.3, callbacks=[*watching(), Power()])
    resumed = fn.Trainer.load(path)
    assert 0 < resumed.steps <= 37
    resumed.fit(X, y, epochs=9 - resumed.epoch, validation_fraction=0.3, callbacks=watching())
    assert resumed.network.digest() == unbroken.network.digest()
    assert dict(resumed.history) == dict(unbroken.history)


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize("max_epochs", [3, 40])
def test_one_call_begins_a_run_goes_on_and_leaves_it_at_its_end(blobs, make_trainer, path, max_epochs, restore_best):
    """However often the process dies, at any step and in any callback."""
    X, y = blobs

    class Power(fn.Callback):
        def __init__(self, calls):
            self.calls = calls

        def on_step_end(self, trainer, step):
            self.calls -= 1
            if self.calls == 0:
                raise RuntimeError("the power went")

        def on_epoch_end(self, trainer, epoch, values):
            self.on_step_end(trainer, 0)

        def on_fit_end(self, trainer):
            self.on_step_end(trainer, 0)

    def run(*more):
        try:
            trainer = fn.Trainer.load(path)
        except FileNotFoundError:
            trainer = make_trainer()
        stopping = fn.EarlyStopping(patience=2, restore_best=restore_best)
        callbacks = [stopping, fn.Checkpoint(path, epochs=2), *more]
        trainer.fit(X, y, max_epochs=max_epochs, validation_fraction=0.3, callbacks=callbacks)
        return trainer.epoch, trainer.steps, dict(trainer.history), trainer.network.digest(), stopping.best_epoch

    expected = run()
    assert expected[0] == 3 if max_epochs == 3 else 2 < expected[0] < 40
    assert run() == expected
    for file in path.parent.iterdir():
        file.unlink()
    deaths = 0
    for calls in [*range(1, 40, 3), 25, 25, 25, 25, 25, 25, 10**9]:
        try:
            found = run(Power(calls))
        except RuntimeError:
            deaths += 1
    assert found == expected
    assert deaths > 4
    assert run() == expected


def test_more_epochs_after_a_stop_are_another_run(blobs, make_trainer):
    X, y = blobs
    trainer, stopping = make_trainer(), fn.EarlyStopping(patience=1, min_delta=1e9)
    trainer.fit(X, y, max_epochs=9, callbacks=stopping)
    assert (trainer.epoch, stopping.stopped, trainer.max_epochs) == (2, True, 9)
    assert trainer.fit(X, y, max_epochs=9, callbacks=stopping).epochs == 2
    assert trainer.fit(X, y, epochs=1, callbacks=stopping).epochs == 3
    assert trainer.max_epochs is None
    assert trainer.fit(X, y, max_epochs=2).epochs == 3, "there is nothing to take back"
    with pytest.raises(ValueError, match="epochs and max_epochs exclude each other; got 1 and 4"):
        trainer.fit(X, y, 1, max_epochs=4)
    with pytest.raises(ValueError, match="max_epochs must be an integer of at least 0; got -1"):
        trainer.fit(X, y, max_epochs=-1)


@pytest.mark.parametrize(("monitor", "mode", "best"), [("val_loss", "auto", min), ("val_accuracy", "auto", max)])
def test_the_best_so_far(blobs, make_trainer, path, monitor, mode, best):
    X, y = blobs
    trainer, checkpoint = make_trainer(), Noting(path, monitor=monitor, mode=mode)
    trainer.fit(X, y, epochs=12, validation_fraction=0.3, callbacks=checkpoint)
    column = trainer.history[monitor]
    epoch = column.index(best(column)) + 1
    assert checkpoint.saved[-1] == (epoch, trainer.steps // 12 * epoch)
    assert checkpoint.best == best(column)
    loaded = fn.Trainer.load(path)
    assert loaded.epoch == epoch
    again = Noting(path, monitor=monitor, mode=mode)
    loaded.fit(X, y, epochs=12 - epoch, validation_fraction=0.3, callbacks=again)
    assert again.saved == [], "the best value came from the file; the rest of the run is the same and not better"


@pytest.mark.parametrize("damage", ["cut", "flipped", "removed"])
def test_the_generation_before_a_damaged_one(blobs, make_trainer, path, damage):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y, epochs=3)
    trainer.save(path, keep_previous=True)
    older = trainer.network.digest()
    trainer.fit(X, y)
    trainer.save(path, keep_previous=True)
    assert fn.Trainer.load(path).network.digest() != older
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "flipped":
        content[-9] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    for load in (fn.Trainer.load, fn.Network.load):
        with pytest.warns(RuntimeWarning, match=r"generation before it was loaded instead, '.*run\.previous'"):
            loaded = load(path)
        assert (loaded.network if load == fn.Trainer.load else loaded).digest() == older
    (path.parent / "run.previous").write_bytes(b"nothing")
    with pytest.raises((ValueError, FileNotFoundError), match=r"run'"):
        fn.Trainer.load(path)


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda path: fn.Checkpoint(3), TypeError, ["path", "int 3"]),
        (lambda path: fn.Checkpoint(path, epochs=0), ValueError, ["epochs", "at least 1", "0"]),
        (lambda path: fn.Checkpoint(path, steps=1.5), TypeError, ["steps", "1.5"]),
        (lambda path: fn.Checkpoint(path, seconds=0), ValueError, ["seconds", "above 0"]),
        (lambda path: fn.Checkpoint(path, monitor="loss", steps=3), ValueError, ["monitor", "excludes"]),
        (lambda path: fn.Checkpoint(path, monitor=3), TypeError, ["monitor", "int 3"]),
        (lambda path: fn.Checkpoint(path, mode="best"), ValueError, ["mode", "'best'"]),
    ],
)
def test_bad_checkpoints(path, make, error, fragments):
    with pytest.raises(error) as caught:
        make(path)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_what_does_not_fit_is_told_before_training(blobs, make_trainer, path):
    trainer = make_trainer()
    with pytest.raises(ValueError, match="monitor must be a column"):
        trainer.fit(*blobs, callbacks=fn.Checkpoint(path, monitor="val_loss"))
    with pytest.raises(FileNotFoundError, match="folder of a Checkpoint must exist"):
        trainer.fit(*blobs, callbacks=fn.Checkpoint(path / "nowhere" / "run"))
    assert trainer.steps == 0


def test_repr(path):
    assert repr(fn.Checkpoint("run", seconds=30)) == "Checkpoint('run', seconds=30.0)"


def test_a_pause_comes_within_an_epoch(path, rng):
    X, y = np.broadcast_to(rng.normal(size=20).astype(np.float32), (3_000_000, 20)), np.zeros(3_000_000, np.int64)
    network = fn.Network([fn.Input(20), fn.Dense(64), fn.Dense(2)], seed=0)
    pauses = []
    trainer = fn.Trainer(network, "cross_entropy", batch_size=1)
    trainer.fit(
        X, y, max_seconds=1.0, callbacks=fn.LambdaCallback(on_pause=lambda trainer: pauses.append(time.monotonic()))
    )
    assert len(pauses) >= 3
