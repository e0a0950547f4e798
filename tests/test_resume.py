"""A run that is saved, loaded, even in another process, and goes on, has the bits of an unbroken one."""

import copy
import itertools
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from saving import SaveAt

import fastnn as fn
from fastnn._runtime import instruction_sets

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
