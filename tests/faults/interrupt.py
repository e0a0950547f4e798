"""Ctrl-C at random moments: a KeyboardInterrupt soon after, and the run goes on to the unbroken digest.

python -m faults.interrupt 200, in this folder's parent
"""

import functools
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

import fastnn as fn
from faults import jobs

WAITS = {  # the longest before a press, in seconds
    "small steps": 0.03,
    "long steps": 0.3,
    "long validation": 0.2,
    "many rows": 2.0,
    "predictions": 0.5,
}


def long_trainer():
    """Steps of some hundred milliseconds, which Ctrl-C does not wait for."""
    network = fn.Network([fn.Input(64), fn.Dense(512, "relu"), fn.Dense(512, "relu"), fn.Dense(1)], seed=1)
    return fn.Trainer(network, "mean_squared", "adam", batch_size="full", seed=5)


def new_large_batches():
    return fn.Trainer(fn.Network([fn.Input(7), fn.Dense(3)]), "cross_entropy", "sgd", batch_size=4096, seed=5)


def finish_long(trainer):
    X = np.random.default_rng(3).normal(size=(3000, 64)).astype(np.float32)
    trainer.fit(X, X[:, 0], max_epochs=6)
    return trainer.network.digest()


def finish_validation(trainer):
    X, y = jobs.data()
    X_val, y_val = (np.resize(array, (300_000, *array.shape[1:])) for array in (X, y))
    trainer.fit(X, y, max_epochs=3, validation_data=(X_val, y_val))
    return trainer.network.digest()


def finish_many_rows(trainer):
    """Rows to be converted, held out and shuffled: work outside of the steps."""
    X = repeated_rows(5_000_000, "float64")
    trainer.fit(X, np.zeros(len(X), int), max_epochs=1, validation_fraction=0.1)
    return trainer.network.digest()


def finish_predictions(network):
    return hashlib.sha256(network.predict(repeated_rows(3_000_000, "float32"))).hexdigest()


@functools.cache  # it takes longer than a wait may
def repeated_rows(n, dtype):
    return np.resize(jobs.data()[0].astype(dtype), (n, 7))


def interrupts(folder: Path, presses: int, seed: int = 0) -> dict:
    """Presses Ctrl-C so many times during runs of each kind; counts, and the longest time to the KeyboardInterrupt.

    Raises AssertionError if a run ends with other bits than the unbroken one.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chance = random.Random(seed)

    def new_watched():
        trainer = jobs.new_trainer()
        trainer.watching = [fn.EarlyStopping(100), fn.Checkpoint(folder / "run", seconds=0.005)]
        return trainer

    def finish_watched(trainer):
        return jobs.finish(trainer, trainer.watching)  # the same ones, each time

    kinds = {
        "small steps": (new_watched, finish_watched),
        "long steps": (long_trainer, finish_long),
        "long validation": (jobs.new_trainer, finish_validation),
        "many rows": (new_large_batches, finish_many_rows),
        "predictions": (
            lambda: fn.Network([fn.Input(7), fn.Dense(64, "gelu"), fn.Dense(64, "gelu"), fn.Dense(3)]),
            finish_predictions,
        ),
    }
    result = {}
    for kind, (new, finish) in kinds.items():
        expected, counts, longest = finish(new()), Counter(), 0.0
        while counts["interrupted"] < presses:
            trainer, digest = new(), None
            while digest is None and counts["interrupted"] < presses:
                digest, seconds = _pressed(finish, trainer, chance.uniform(0, WAITS[kind]))
                if digest is None:
                    counts["interrupted"] += 1
                    longest = max(longest, seconds)
            digest = digest or finish(trainer)
            assert digest == expected, "a run that was interrupted ended with other bits"
            counts["finished runs"] += 1
        result[kind] = counts | {"longest wait": round(longest, 3)}
    return result


def _pressed(finish, trainer, delay):
    """Goes on with a run and presses Ctrl-C after a while: the digest, or None, and seconds until it was heard."""
    pressed, digest = [], None

    def press():
        time.sleep(delay)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    try:
        thread.start()
        digest = finish(trainer)
        time.sleep(60)  # the run was over before
    except KeyboardInterrupt:
        heard = time.monotonic()
    thread.join()
    return digest, heard - pressed[0]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(interrupts(Path(folder), int(sys.argv[1]))))
