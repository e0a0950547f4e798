import numpy as np
import pytest

import fastnn as fn


class Recorder(fn.Callback):
    def __init__(self):
        self.calls = []

    def on_fit_begin(self, trainer):
        self.calls.append("fit begins")

    def on_epoch_begin(self, trainer, epoch):
        self.calls.append(f"epoch {epoch} begins")

    def on_epoch_end(self, trainer, epoch, values):
        assert values == trainer.history.last()
        assert epoch == trainer.epoch
        self.calls.append(f"epoch {epoch} ends")

    def on_fit_end(self, trainer):
        self.calls.append("fit ends")


class StepRecorder(Recorder):
    def on_step_end(self, trainer, step):
        assert step == trainer.steps
        self.calls.append(step)


def test_the_order_of_calls(blobs, make_trainer):
    X, y = blobs
    recorder = StepRecorder()
    make_trainer(batch_size=40).fit(X, y, epochs=2, callbacks=[recorder])
    assert recorder.calls == [
        "fit begins",
        "epoch 1 begins",
        *(1, 2, 3),
        "epoch 1 ends",
        "epoch 2 begins",
        *(4, 5, 6),
        "epoch 2 ends",
        "fit ends",
    ]


def test_watching_changes_nothing(blobs, make_trainer):
    X, y = blobs
    digests, histories = set(), []
    for callbacks in ([], [Recorder()], StepRecorder(), [fn.LambdaCallback(on_step_end=lambda *_: None)]):
        trainer = make_trainer()
        histories.append(dict(trainer.fit(X, y, epochs=3, callbacks=callbacks)))
        digests.add(trainer.network.digest())
    assert len(digests) == 1
    assert all(history == histories[0] for history in histories)


def test_a_callback_may_stop_after_an_epoch(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    recorder = Recorder()
    stop = fn.LambdaCallback(on_epoch_end=lambda trainer, epoch, values: epoch == 3 and trainer.stop())
    trainer.fit(X, y, epochs=10, callbacks=[stop, recorder])
    assert trainer.epoch == 3
    assert recorder.calls[-2:] == ["epoch 3 ends", "fit ends"]
    trainer.fit(X, y, epochs=1)
    assert trainer.epoch == 4


def test_a_callback_that_fails_leaves_a_trainer_that_goes_on(blobs, make_trainer):
    X, y = blobs

    def fail(trainer, step):
        if step == 17:
            raise RuntimeError("from the callback")

    trainer, reference = make_trainer(), make_trainer()
    with pytest.raises(RuntimeError, match="from the callback"):
        trainer.fit(X, y, epochs=3, callbacks=[fn.LambdaCallback(on_step_end=fail)])
    trainer.fit(X, y, epochs=2)
    reference.fit(X, y, epochs=3)
    assert trainer.network.digest() == reference.network.digest()


def test_a_callback_may_set_parameters(blobs, make_trainer):
    X, y = blobs

    def clear(trainer, step):
        trainer.network.parameters["0.bias"] = np.zeros(16)

    trainer = make_trainer()
    trainer.fit(X, y, callbacks=[fn.LambdaCallback(on_step_end=clear)])
    np.testing.assert_array_equal(trainer.network.parameters["0.bias"], np.zeros(16))


def test_fitting_from_within_is_refused(blobs, make_trainer):
    X, y = blobs
    trainer = make_trainer()
    for call in (trainer.fit, trainer.step):
        again = fn.LambdaCallback(on_epoch_end=lambda *_, call=call: call(X, y))
        with pytest.raises(RuntimeError, match="while this trainer is"):
            trainer.fit(X, y, callbacks=[again])
    trainer.fit(X, y)


@pytest.mark.parametrize(
    ("callbacks", "fragment"),
    [([1], "int 1"), ([fn.EarlyStopping], "write EarlyStopping(...)"), ([lambda: None], "function <lambda>")],
)
def test_what_is_no_callback(blobs, make_trainer, callbacks, fragment):
    with pytest.raises(TypeError) as caught:
        make_trainer().fit(*blobs, callbacks=callbacks)
    assert fragment in str(caught.value)
    with pytest.raises(TypeError, match="on_epoch_end must be a function"):
        fn.LambdaCallback(on_epoch_end=1)


# -------------------------------------------------------------- early stopping


@pytest.fixture
def overfitting(rng):
    """Data with nothing to learn: the validation loss soon rises."""
    X = rng.normal(size=(60, 7)).astype(np.float32)
    y = rng.integers(0, 3, 60)
    return (X[:40], y[:40]), (X[40:], y[40:])


def test_early_stopping_stops_and_restores_the_best(overfitting, make_trainer):
    train, validation = overfitting
    trainer, stopping = make_trainer(), fn.EarlyStopping(patience=4)
    history = trainer.fit(*train, epochs=1000, validation_data=validation, callbacks=[stopping])
    losses = history["val_loss"]
    best = int(np.argmin(losses))
    assert stopping.stopped
    assert (stopping.best, stopping.best_epoch) == (losses[best], best + 1)
    assert history.epochs == best + 1 + 4
    assert trainer.evaluate(*validation)["loss"] == losses[best]
    reference = make_trainer()
    reference.fit(*train, epochs=best + 1)
    assert trainer.network.digest() == reference.network.digest()


def test_early_stopping_may_leave_the_last(overfitting, make_trainer):
    train, validation = overfitting
    trainer, reference = make_trainer(), make_trainer()
    stopping = fn.EarlyStopping(patience=4, restore_best=False)
    epochs = trainer.fit(*train, epochs=1000, validation_data=validation, callbacks=stopping).epochs
    reference.fit(*train, epochs=epochs)
    assert trainer.network.digest() == reference.network.digest()


def test_the_best_is_restored_when_epochs_run_out_and_the_run_still_goes_on(overfitting, make_trainer):
    train, validation = overfitting
    unbroken, broken = make_trainer(), make_trainer()
    whole, parts = fn.EarlyStopping(patience=8), fn.EarlyStopping(patience=8)
    unbroken.fit(*train, epochs=1000, validation_data=validation, callbacks=whole)
    total = unbroken.epoch
    broken.fit(*train, epochs=total - 3, validation_data=validation, callbacks=parts)
    assert not parts.stopped
    assert broken.evaluate(*validation)["loss"] == parts.best == whole.best
    broken.fit(*train, epochs=1000, validation_data=validation, callbacks=parts)
    assert parts.stopped
    assert dict(broken.history) == dict(unbroken.history)
    assert broken.network.digest() == unbroken.network.digest()


def test_parameters_set_by_hand_are_not_taken_back(overfitting, make_trainer):
    train, validation = overfitting
    trainer, stopping = make_trainer(), fn.EarlyStopping(patience=50)
    trainer.fit(*train, epochs=30, validation_data=validation, callbacks=stopping)
    trainer.network.parameters["0.bias"] = np.full(16, 0.5)
    seen = []
    look = fn.LambdaCallback(on_epoch_begin=lambda trainer, _: seen.append(trainer.network.parameters["0.bias"]))
    trainer.fit(*train, validation_data=validation, callbacks=[stopping, look])
    np.testing.assert_array_equal(seen[0], np.full(16, 0.5))


def test_after_a_stop_it_counts_anew(overfitting, make_trainer):
    train, validation = overfitting
    trainer, stopping = make_trainer(), fn.EarlyStopping(patience=3)
    trainer.fit(*train, epochs=1000, validation_data=validation, callbacks=stopping)
    first = trainer.epoch
    trainer.fit(*train, epochs=1000, validation_data=validation, callbacks=stopping)
    assert stopping.stopped
    assert stopping.best_epoch > first
    assert trainer.epoch >= first + 4


def test_what_is_better(overfitting, make_trainer):
    train, _ = overfitting
    stopping = fn.EarlyStopping(patience=2, monitor="accuracy", min_delta=2.0)
    trainer = make_trainer()
    trainer.fit(*train, epochs=50, callbacks=stopping)
    assert trainer.epoch == 3, "no accuracy is better than another by 2"
    assert stopping.best == trainer.history["accuracy"][0]
    by_loss = fn.EarlyStopping(patience=100)
    trainer = make_trainer()
    trainer.fit(*train, epochs=5, callbacks=by_loss)
    assert by_loss.best == min(trainer.history["loss"])
    largest = fn.EarlyStopping(patience=100, monitor="loss", mode="max")
    trainer = make_trainer()
    trainer.fit(*train, epochs=5, callbacks=largest)
    assert largest.best == max(trainer.history["loss"])


def test_a_column_that_will_not_be_there_is_told_at_once(overfitting, make_trainer):
    train, validation = overfitting
    trainer = make_trainer()
    before = trainer.network.digest()
    for monitor in ("val_loss", "los"):
        with pytest.raises(ValueError, match=r"monitor must be a column of the history, loss, accuracy"):
            trainer.fit(*train, callbacks=fn.EarlyStopping(monitor=monitor))
    assert (trainer.network.digest(), trainer.steps) == (before, 0)
    trainer = make_trainer(optimizer=fn.SGD(fn.ReduceOnPlateau(0.1, monitor="val_loss")))
    with pytest.raises(ValueError, match="monitor must be a column of the history"):
        trainer.fit(*train)
    trainer.fit(*train, validation_data=validation)


@pytest.mark.parametrize(
    ("arguments", "error", "fragments"),
    [
        ({"patience": 0}, ValueError, ["patience", "at least 1"]),
        ({"min_delta": -1}, ValueError, ["min_delta", "at least 0"]),
        ({"mode": "maximum"}, ValueError, ["mode", "did you mean 'max'"]),
        ({"monitor": 1}, TypeError, ["monitor", "int 1"]),
        ({"restore_best": "yes"}, TypeError, ["restore_best", "'yes'"]),
    ],
)
def test_bad_arguments(arguments, error, fragments):
    with pytest.raises(error) as caught:
        fn.EarlyStopping(**arguments)
    for fragment in fragments:
        assert fragment in str(caught.value)


def callback(**methods):
    return type("Mine", (fn.Callback,), methods)()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *(("on_train_begin", "on_fit_begin"), ("on_train_end", "on_fit_end"), ("on_train_batch_end", "on_step_end")),
        *(("on_epoch_start", "on_epoch_begin"), ("on_epoch_ends", "on_epoch_end")),
    ],
)
def test_methods_that_nothing_calls(name, ours):
    def act(self, *arguments):
        pass

    X, y = np.ones((4, 3)), np.array([0, 1, 0, 1])
    trainer = fn.Trainer(fn.Network([fn.Input(3), fn.Dense(2)]), "cross_entropy")
    with pytest.raises(TypeError, match=rf"^nothing calls Mine\.{name} \(did you mean '{ours}'\?\)$"):
        trainer.fit(X, y, callbacks=callback(**{name: act}))
    assert trainer.epoch == 0
    trainer.fit(X, y, callbacks=callback(**{name: act, ours: act}))  # it serves another library too
    trainer.fit(X, y, callbacks=callback(on_my_own=act))


def test_methods_with_the_arguments_of_another_library():
    X, y = np.ones((4, 3)), np.array([0, 1, 0, 1])

    def on_epoch_end(self, epoch, logs=None):
        pass

    def wrong(self, trainer, epoch, values):
        len()

    for given in (callback(on_epoch_end=on_epoch_end), fn.LambdaCallback(on_epoch_end=lambda epoch, logs: None)):
        trainer = fn.Trainer(fn.Network([fn.Input(3), fn.Dense(2)]), "cross_entropy")
        with pytest.raises(TypeError, match=r"on_epoch_end must take \(trainer, epoch, values\); .*takes"):
            trainer.fit(X, y, callbacks=given)
    with pytest.raises(TypeError, match=r"^len\(\) takes"):
        fn.Trainer(trainer.network, "cross_entropy").fit(X, y, callbacks=callback(on_epoch_end=wrong))
