"""A run that is saved, loaded, even in another process, and goes on, has the bits of an unbroken one."""

import copy
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import fastnn as fn

OPTIMIZERS = [
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


def test_in_another_process_with_other_threads_and_instructions(blobs, make_trainer, tmp_path):
    X, y = blobs
    np.savez(tmp_path / "data.npz", X=X, y=y)
    unbroken = make_trainer()
    unbroken.fit(X, y, epochs=4, callbacks=[SaveAt(17, tmp_path / "run")])
    script = """
import sys, numpy as np, fastnn as fn
data = np.load(sys.argv[1] + "/data.npz")
trainer = fn.Trainer.load(sys.argv[1] + "/run", threads=2)
trainer.fit(data["X"], data["y"], epochs=4 - trainer.epoch)
print(trainer.network.digest())
"""
    environment = {**os.environ, "FASTNN_ISA": "portable", "FASTNN_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stdout.strip() == unbroken.network.digest(), done.stderr


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
    with pytest.raises(ValueError, match="truncated or not a fastnn model"):
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
    from safetensors.numpy import load_file, save_file

    path = tmp_path / "run"
    make_trainer().save(path)
    tensors, content = load_file(path), path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = json.loads(header["__metadata__"]["fastnn"]) | {name: value}
    if value is None:
        del metadata[name]
    save_file(tensors, path, {"fastnn": json.dumps(metadata)})
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
