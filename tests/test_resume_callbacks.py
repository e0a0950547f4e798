"""Saved while callbacks are told: nobody misses an event or hears it twice, and what they keep is there again."""

import math
import pickle
import signal

import numpy as np
import pytest
from saving import SaveDuring

import fastnn as fn


def test_a_callback_of_ones_own_may_keep_state(blobs, make_trainer, tmp_path):
    class Counter(fn.Callback):
        def __init__(self):
            self.count, self.sums = 0, np.zeros(2)

        def on_step_end(self, trainer, step):
            self.count += 1
            self.sums += step

        def get_state(self):
            return {"count": self.count}, {"sums": self.sums}

        def set_state(self, values, arrays):
            self.count, self.sums = values["count"], arrays["sums"]

    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y, callbacks=[Counter(), Counter()])
    trainer.save(tmp_path / "run")
    resumed, counter = fn.Trainer.load(tmp_path / "run"), Counter()
    resumed.fit(X, y, callbacks=[counter])
    assert counter.count == 22
    np.testing.assert_array_equal(counter.sums, np.full(2, sum(range(1, 23))))


# ------------------------------------------------------- in the middle of callbacks


class Journal(fn.Callback):
    """Keeps what it was told, and a running mean of a parameter."""

    def __init__(self):
        self.calls, self.mean = [], np.zeros(3)

    def on_epoch_begin(self, trainer, epoch):
        self.calls.append(["begin", epoch])

    def on_step_end(self, trainer, step):
        self.calls.append(["step", step])
        self.mean = 0.75 * self.mean + 0.25 * trainer.network.parameters["4.bias"]

    def on_epoch_end(self, trainer, epoch, values):
        self.calls.append(["end", epoch, values])

    def get_state(self):
        return {"calls": self.calls}, {"mean": self.mean}

    def set_state(self, values, arrays):
        self.calls, self.mean = values["calls"], arrays["mean"]


def lasting(blobs, **arguments):
    """What gives a run that early stopping ends."""
    X, y = blobs
    return {"validation_data": (X[:40], (y[:40] + 1) % 3), **arguments}


@pytest.mark.parametrize("position", [0, 1, 2], ids=["before them", "between them", "after them"])
@pytest.mark.parametrize(
    ("event", "number"), [("begin", 1), ("begin", 5), ("step", 37), ("step", 44), ("end", 4), ("end", -1), ("fit", 0)]
)
def test_saved_while_callbacks_are_told(blobs, make_trainer, tmp_path, event, number, position):
    """Nobody misses an event and nobody hears it twice, wherever among the callbacks the one that saves stands."""
    (X, y), data, path = blobs, lasting(blobs), tmp_path / "run"
    alone = fn.EarlyStopping(patience=5)
    make_trainer().fit(X, y, epochs=1000, callbacks=[alone], **data)
    last = alone.best_epoch + alone.wait
    unbroken, journal, stopping = make_trainer(), Journal(), fn.EarlyStopping(patience=5)
    watching = [journal, stopping]
    watching.insert(position, SaveDuring(event, last if number < 0 else number, path))
    unbroken.fit(X, y, epochs=1000, callbacks=watching, **data)
    assert 5 < unbroken.epoch == last < 1000

    resumed, new_journal, new_stopping = fn.Trainer.load(path), Journal(), fn.EarlyStopping(patience=5)
    others = [] if event == "fit" and position == 2 else [new_journal, new_stopping]  # for then the run was over
    resumed.fit(X, y, epochs=1000 - resumed.epoch if others else 0, callbacks=others, **data)
    assert resumed.network.digest() == unbroken.network.digest()
    assert dict(resumed.history) == dict(unbroken.history)
    if others:
        assert new_journal.calls == journal.calls
        np.testing.assert_array_equal(new_journal.mean, journal.mean)
        assert vars(new_stopping).keys() == vars(stopping).keys()
        assert (new_stopping.best, new_stopping.best_epoch, new_stopping.wait, new_stopping.stopped) == (
            stopping.best,
            stopping.best_epoch,
            stopping.wait,
            stopping.stopped,
        )


def test_saved_at_the_end_of_the_last_epoch(blobs, make_trainer, tmp_path):
    """What is left then is to put the best parameters back."""
    (X, y), data = blobs, lasting(blobs)
    unbroken = make_trainer()
    watching = [SaveDuring("end", 6, tmp_path / "run"), fn.EarlyStopping(patience=100)]
    unbroken.fit(X, y, epochs=6, callbacks=watching, **data)
    resumed, stopping = fn.Trainer.load(tmp_path / "run"), fn.EarlyStopping(patience=100)
    assert resumed.network.digest() != unbroken.network.digest()
    resumed.fit(X, y, epochs=6 - resumed.epoch, callbacks=stopping, **data)
    assert resumed.network.digest() == unbroken.network.digest()
    assert stopping.wait == watching[1].wait
    assert dict(resumed.history) == dict(unbroken.history)


@pytest.mark.parametrize("event", ["on_epoch_begin", "on_step_end", "on_epoch_end"])
def test_an_exception_keeps_nobody_from_hearing(blobs, make_trainer, event):
    X, y = blobs
    unbroken, expected = make_trainer(), Journal()
    unbroken.fit(X, y, epochs=3, callbacks=expected)
    failed = []

    def fail(*_):
        if trainer.epoch == 1 and not failed:
            failed.append(True)
            raise RuntimeError("once")

    trainer, journal, stranger = make_trainer(), Journal(), Journal()
    failing = fn.LambdaCallback(**{event: fail})
    with pytest.raises(RuntimeError, match="once"):
        trainer.fit(X, y, epochs=3, callbacks=[failing, journal])
    trainer.fit(X, y, epochs=3 - trainer.epoch, callbacks=[stranger, failing, journal])
    assert journal.calls == expected.calls
    assert len(stranger.calls) < len(journal.calls)
    assert trainer.network.digest() == unbroken.network.digest()


def test_ctrl_c_after_early_stopping_has_decided(blobs, make_trainer):
    (X, y), data = blobs, lasting(blobs)
    unbroken = make_trainer()
    unbroken.fit(X, y, epochs=1000, callbacks=fn.EarlyStopping(patience=5), **data)
    stopping = fn.EarlyStopping(patience=5)

    def press(*_):
        if stopping.stopped:
            signal.raise_signal(signal.SIGINT)

    trainer = make_trainer()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, 1000, callbacks=[stopping, fn.LambdaCallback(on_epoch_end=press)], **data)
    assert trainer.network.digest() != unbroken.network.digest()
    trainer.fit(X, y, 1000, callbacks=stopping, **data)
    assert trainer.network.digest() == unbroken.network.digest()
    assert trainer.epoch == unbroken.epoch


def test_validation_that_begins_later_steers_the_plateau_alike(blobs, make_trainer, tmp_path):
    """The column that is watched changes with it; what was seen before stays seen."""
    (X, y), data = blobs, lasting(blobs)
    trainers = [make_trainer(optimizer=fn.SGD(fn.ReduceOnPlateau(0.05, patience=1))) for _ in range(2)]
    for trainer in trainers:
        trainer.fit(X, y, epochs=3)
        trainer.fit(X, y, epochs=2, **data)
    trainers[1].save(tmp_path / "run")
    trainers[1] = fn.Trainer.load(tmp_path / "run")
    for trainer in trainers:
        trainer.fit(X, y, epochs=8, **data)
    assert dict(trainers[0].history)["learning_rate"][-1] < 0.05
    assert trainers[0].history["learning_rate"] == trainers[1].history["learning_rate"]
    assert trainers[0].network.digest() == trainers[1].network.digest()


# ------------------------------------------------------------ what callbacks keep


class Keeping(fn.Callback):
    def __init__(self, values=None, arrays=None):
        self.values, self.arrays = values or {}, arrays or {}

    def get_state(self):
        return self.values, self.arrays

    def set_state(self, values, arrays):
        self.values, self.arrays = values, arrays


@pytest.mark.parametrize("way", ["file", "pickle"])
def test_state_of_every_form(blobs, make_trainer, tmp_path, way):
    X, y = blobs
    given = [
        Keeping({"text": "ß/", "list": [1, 2.5, None], "third": 1 / 3, "none": math.inf}),
        Keeping(arrays={"a/b": np.arange(6).reshape(2, 3).T, "zero": np.float64(0.1), "flags": np.zeros(0, bool)}),
        Keeping(),
    ]
    trainer = make_trainer()
    trainer.fit(X, y, callbacks=given)
    if way == "file":
        trainer.save(tmp_path / "run")
        resumed = fn.Trainer.load(tmp_path / "run")
    else:
        resumed = pickle.loads(pickle.dumps(trainer))
    taken = [Keeping(), Keeping(), Keeping({"left": "alone"})]
    resumed.fit(X, y, callbacks=taken)
    assert taken[0].values == given[0].values
    assert taken[1].values == {}
    assert taken[1].arrays.keys() == given[1].arrays.keys()
    for name, array in given[1].arrays.items():
        np.testing.assert_array_equal(taken[1].arrays[name], array, strict=True)
    assert taken[2].values == {"left": "alone"}


@pytest.mark.parametrize(
    ("callback", "fragments"),
    [
        (Keeping({"rate": np.float32(1)}), ["Keeping.1", "JSON", "float32"]),
        (Keeping({"self": object}), ["Keeping.1", "JSON"]),
        (Keeping(arrays={"names": np.array(["a"])}), ["Keeping.1", "'names'", "real numbers"]),
    ],
)
def test_state_that_no_file_can_hold(blobs, make_trainer, tmp_path, callback, fragments):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y, callbacks=[Keeping(), callback])
    with pytest.raises(TypeError) as caught:
        trainer.save(tmp_path / "run")
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert not list(tmp_path.iterdir())
