"""A run that is saved, loaded, even in another process, and goes on, has the bits of an unbroken one."""

import copy
import itertools
import json
import math
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastnn as fn
from fastnn._runtime import instruction_sets
from fastnn._storage import files

OPTIMIZERS = [
    *(cls() for cls in fn.optimizers.OPTIMIZERS.values()),
    fn.SGD(0.05, momentum=0.9, nesterov=True),
    fn.Adam(fn.OneCycle(0.01, steps=60), amsgrad=True),
    fn.AdamW(fn.Warmup(fn.schedules.Cosine(0.01, 4, unit="epoch"), steps=15), clip_norm=0.5),
    fn.NAdam(fn.InverseScaling(0.01, 0.3)),
    fn.RMSprop(0.003, momentum=0.5, centered=True),
    fn.Adagrad(fn.schedules.Step(0.05, 2), learning_rate_decay=0.01, l1=1e-4),
    fn.SGD(fn.ReduceOnPlateau(0.05, patience=0, min_delta=0.05), momentum=0.5),
]


class SaveAt(fn.Callback):
    """Saves the trainer to a file after an update."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_step_end(self, trainer, step):
        if step == self.step:
            trainer.save(self.path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("step", [5, 11, 27])
def test_saved_in_the_middle_of_an_epoch(blobs, make_trainer, tmp_path, optimizer, step, dtype):
    X, y = blobs
    path = tmp_path / "run"
    unbroken = make_trainer(dtype, optimizer=optimizer)
    unbroken.fit(X, y, epochs=6, validation_fraction=0.1, callbacks=[SaveAt(step, path)])
    resumed = fn.Trainer.load(path)
    assert resumed.steps == step
    resumed.fit(X, y, epochs=6 - resumed.epoch, validation_fraction=0.1)
    assert resumed.network.digest() == unbroken.network.digest()
    assert dict(resumed.history) == dict(unbroken.history)
    assert resumed.steps == unbroken.steps


@pytest.mark.parametrize("way", ["file", "pickle", "deepcopy"])
def test_saved_between_epochs(blobs, make_trainer, tmp_path, way):
    X, y = blobs
    trainer, unbroken = make_trainer(class_weight="balanced"), make_trainer(class_weight="balanced")
    trainer.fit(X, y, epochs=2)
    trainer.step(X[:9], y[:9])
    if way == "file":
        trainer.save(tmp_path / "run")
        twin = fn.Trainer.load(tmp_path / "run")
    else:
        twin = pickle.loads(pickle.dumps(trainer)) if way == "pickle" else copy.deepcopy(trainer)
    unbroken.fit(X, y, epochs=2)
    unbroken.step(X[:9], y[:9])
    unbroken.fit(X, y, epochs=2)
    twin.step(X[:9], y[:9])  # goes its own way
    assert twin.network.digest() != trainer.network.digest()
    trainer.fit(X, y, epochs=2)
    assert trainer.network.digest() == unbroken.network.digest()


def test_saving_twice_gives_the_same_file(blobs, make_trainer, tmp_path):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y, epochs=2, callbacks=[fn.EarlyStopping(), SaveAt(5, tmp_path / "a")])
    trainer.save(tmp_path / "b")
    fn.Trainer.load(tmp_path / "b").save(tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]


WORKER = """
import json, sys
import numpy as np
import fastnn as fn
from fastnn._runtime import instruction_sets

class Stop(fn.Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, trainer, step):
        if step == self.step:
            trainer.stop()

for line in sys.stdin:
    job = json.loads(line)
    data = np.load(job["data"])
    trainer = fn.Trainer.load(job["path"], threads=job["threads"])
    stopping = fn.EarlyStopping(patience=job["patience"])
    options = {"validation_data": (data["X_val"], data["y_val"]), "callbacks": [stopping, Stop(job["step"])]}
    trainer.fit(data["X"], data["y"], job["epochs"] - trainer.epoch, **options)
    trainer.save(job["path"])
    answer = [instruction_sets.current(), trainer.steps, trainer.network.digest(), dict(trainer.history)]
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="module")
def workers():
    """For each instruction set a function that trains on in a process of its own."""
    processes = {
        isa: subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FASTNN_ISA": isa},
        )
        for isa in instruction_sets.available()
    }

    def ask(isa, **job):
        process = processes[isa]
        print(json.dumps(job), file=process.stdin, flush=True)
        answer = json.loads(process.stdout.readline())
        assert answer.pop(0) == isa
        return answer

    yield ask
    for process in processes.values():
        process.communicate()
        assert process.returncode == 0


def test_handed_from_process_to_process(blobs, make_trainer, tmp_path, workers, dtype):
    """Each step of a run, with early stopping under way, on another instruction set and number of threads."""
    X, y = blobs
    X_val, y_val = X[:40], (y[:40] + 1) % 3
    data, path = tmp_path / "data.npz", tmp_path / "run"
    np.savez(data, X=X, y=y, X_val=X_val, y_val=y_val)
    optimizer = fn.AdamW(fn.Warmup(fn.ReduceOnPlateau(0.02, patience=1, min_delta=0.01), steps=15), clip_norm=0.5)
    patience, epochs = 3, 40

    unbroken, stopping = make_trainer(dtype, optimizer=optimizer), fn.EarlyStopping(patience=patience)
    unbroken.fit(X, y, epochs, validation_data=(X_val, y_val), callbacks=stopping)
    assert stopping.stopped
    assert len(set(unbroken.history["learning_rate"])) > 2
    expected = [unbroken.steps, unbroken.network.digest(), dict(unbroken.history)]

    everywhere = [(isa, threads) for isa in instruction_sets.available() for threads in (1, 2, 3, "auto")]
    job = {"data": os.fspath(data), "path": os.fspath(path), "epochs": epochs, "patience": patience}
    for stride in (1, 7, 11):  # one update a process, some, and an epoch of 11
        make_trainer(dtype, optimizer=optimizer).save(path)
        for number, step in enumerate(range(stride, unbroken.steps + stride, stride)):
            isa, threads = everywhere[number % len(everywhere)]
            answer = workers(isa, step=step, threads=threads, **job)
            assert answer[0] == min(step, unbroken.steps)
        assert answer == expected
    for (isa, threads), step in itertools.product(everywhere, (3, 22, unbroken.steps - 2)):
        make_trainer(dtype, optimizer=optimizer).save(path)
        workers(instruction_sets.available()[0], step=step, threads=1, **job)
        assert workers(isa, step=-1, threads=threads, **job) == expected


def test_all_that_was_given_is_there_again(tmp_path):
    network = fn.Network([fn.Input(4), fn.Dense(5, "relu"), fn.Dense(3)], seed=7, dtype="float64")
    trainer = fn.Trainer(
        network,
        fn.CrossEntropy(0.1),
        fn.AdamW(fn.Warmup(fn.ReduceOnPlateau(0.1, patience=3), 7), weight_decay=0.02, clip_norm=1 / 3),
        batch_size="full",
        seed=11,
        threads=2,
        shuffle=False,
        metrics=[fn.metrics.TopK(2)],
        class_weight={1: 0.1},
    )
    trainer.save(tmp_path / "run")
    loaded = fn.Trainer.load(tmp_path / "run")
    for name in ("network", "loss", "optimizer", "batch_size", "seed", "threads", "shuffle", "metrics"):
        assert getattr(loaded, name) == getattr(trainer, name), name
    np.testing.assert_array_equal(loaded.class_weight, [1, 0.1, 1])
    assert fn.Trainer.load(tmp_path / "run", threads="auto").threads == "auto"
    assert fn.Network.load(tmp_path / "run") == network


@pytest.mark.parametrize("loss", fn.losses.LOSSES)
def test_every_loss_and_metric_is_there_again(tmp_path, loss):
    """Even those whose classes have the same name."""
    metrics = {"cross_entropy": [fn.metrics.TopK(3)], "binary_cross_entropy": []}.get(loss, ["mae", "rmse", "r2"])
    trainer = fn.Trainer(fn.Network([fn.Input(2), fn.Dense(6)]), loss, metrics=metrics)
    trainer.save(tmp_path / "run")
    loaded = fn.Trainer.load(tmp_path / "run")
    assert (loaded.loss, loaded.metrics) == (trainer.loss, trainer.metrics)


def test_early_stopping_goes_on_where_it_stood(blobs, make_trainer, tmp_path):
    X, y = blobs
    path, data = tmp_path / "run", {"validation_data": (X[:40], (y[:40] + 1) % 3)}
    unbroken, whole = make_trainer(), fn.EarlyStopping(patience=6)
    unbroken.fit(X, y, epochs=1000, callbacks=[whole, SaveAt(11 * 4 + 3, path)], **data)
    assert whole.stopped
    assert whole.best_epoch < unbroken.epoch
    resumed, stopping = fn.Trainer.load(path), fn.EarlyStopping(patience=6)
    resumed.fit(X, y, epochs=1000, callbacks=[stopping], **data)
    assert (stopping.best, stopping.best_epoch) == (whole.best, whole.best_epoch)
    assert dict(resumed.history) == dict(unbroken.history)
    assert resumed.network.digest() == unbroken.network.digest()


def test_saved_after_the_best_was_restored(blobs, make_trainer, tmp_path):
    X, y = blobs
    data = {"validation_data": (X[:40], (y[:40] + 1) % 3)}
    unbroken, first = make_trainer(), make_trainer()
    unbroken.fit(X, y, epochs=12, callbacks=fn.EarlyStopping(patience=100), **data)
    stopping = fn.EarlyStopping(patience=100)
    first.fit(X, y, epochs=7, callbacks=stopping, **data)
    assert stopping.best_epoch < 7
    first.save(tmp_path / "run")
    resumed = fn.Trainer.load(tmp_path / "run")
    assert resumed.evaluate(*data["validation_data"])["loss"] == stopping.best
    resumed.fit(X, y, epochs=5, callbacks=fn.EarlyStopping(patience=100), **data)
    assert dict(resumed.history) == dict(unbroken.history)
    assert resumed.network.digest() == unbroken.network.digest()


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


def test_files_that_are_no_trainers(blobs, make_trainer, tmp_path, rng):
    X, y = blobs
    with pytest.raises(FileNotFoundError, match="nothing"):
        fn.Trainer.load(tmp_path / "nothing")
    trainer, path = make_trainer(), tmp_path / "run"
    trainer.network.save(path)
    with pytest.raises(ValueError, match="holds a network; expected a trainer"):
        fn.Trainer.load(path)
    trainer.fit(X, y)
    trainer.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated, damaged or not a fastnn model"):
        fn.Trainer.load(path)
    header = 8 + int.from_bytes(content[:8], "little")
    for position in rng.integers(header, len(content), 30):
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged|finite"):
            fn.Trainer.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", {"type": "Dense", "units": 3}),
        ("loss", None),
        ("optimizer", {"type": "Adam", "rate": 3}),
        ("optimizer", "adm"),
        ("metrics", [{"type": "eval"}]),
        ("batch_size", -3),
        ("history", 5),
        ("epoch_rows", None),
    ],
)
def test_metadata_that_do_not_fit(blobs, make_trainer, tmp_path, name, value):
    from safetensors.numpy import load_file

    path = tmp_path / "run"
    make_trainer().save(path)
    tensors, content = load_file(path), path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = json.loads(header["__metadata__"]["fastnn"]) | {name: value}
    if value is None:
        del metadata[name]
    del metadata["sha256"]
    files.write(path, tensors, metadata)  # with valid checksums
    with pytest.raises(ValueError, match="damaged or not a fastnn trainer"):
        fn.Trainer.load(path)


def test_history_is_kept_to_the_last_bit(blobs, make_trainer, tmp_path):
    X, y = blobs
    trainer = make_trainer()
    trainer.fit(X, y)
    trainer.fit(X, y, epochs=3, validation_data=(X, y))
    trainer.save(tmp_path / "run")
    loaded = fn.Trainer.load(tmp_path / "run").history
    assert list(loaded) == list(trainer.history)
    for name, values in trainer.history.items():
        np.testing.assert_array_equal(loaded[name], values)


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


class SaveDuring(fn.Callback):
    """Saves to a file during one call."""

    def __init__(self, event, number, path):
        self.wanted, self.path = (event, number), path

    def on_epoch_begin(self, trainer, epoch):
        self.maybe_save(trainer, "begin", epoch)

    def on_step_end(self, trainer, step):
        self.maybe_save(trainer, "step", step)

    def on_epoch_end(self, trainer, epoch, values):
        self.maybe_save(trainer, "end", epoch)

    def on_fit_end(self, trainer):
        self.maybe_save(trainer, "fit", 0)

    def maybe_save(self, trainer, *found):
        if found == self.wanted:
            trainer.save(self.path)


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


@pytest.mark.parametrize("way", ["file", "pickle"])
def test_metadata_of_the_network_are_kept(make_trainer, tmp_path, way):
    trainer = make_trainer()
    trainer.network.metadata = {"classes": ["a", "b"], "scale": 0.3}
    if way == "file":
        trainer.save(tmp_path / "run")
        networks = [fn.Trainer.load(tmp_path / "run").network, fn.Network.load(tmp_path / "run")]
    else:
        networks = [pickle.loads(pickle.dumps(trainer)).network, pickle.loads(pickle.dumps(trainer.network))]
    for network in networks:
        assert network.metadata == trainer.network.metadata
