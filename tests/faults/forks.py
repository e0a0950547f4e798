"""Processes forked after, and during, training on several threads: they train and predict, with the same bits.

python -m faults.forks 100, in this folder's parent
"""

import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import Counter

import joblib
import numpy as np

import fastnn as fn
from fastnn._engine import threads
from faults import jobs

TIMEOUT = 60.0  # seconds, after which a child counts as hung


def digest_on(count):
    """A whole run on so many threads, whatever is faster."""
    threads.insist(True)
    trainer = jobs.new_trainer()
    threaded = fn.Trainer(trainer.network, "cross_entropy", trainer.optimizer, jobs.BATCH, 5, threads=count)
    return jobs.finish(threaded)


def forks(times: int, seed: int = 0) -> Counter:
    """Forks so many times in each way; counts what came of the children."""
    chance, counts = random.Random(seed), Counter()
    expected = digest_on(3)
    for ways in ("after training", "while another thread trains", "while four threads predict"):
        for number in range(times):
            stop = threading.Event()
            others = _start(ways, stop)
            time.sleep(chance.uniform(0, 0.01))
            outcome = _child(lambda count=1 + number % 3: digest_on(count) == expected)
            stop.set()
            for thread in others:
                thread.join()
            counts[f"fork {ways}: {outcome}"] += 1
            assert digest_on(2) == expected, "the parent has other bits after a fork"
    with multiprocessing.get_context("fork").Pool(2) as pool:
        _count(counts, "pool of forks", pool.map_async(digest_on, [1, 2, 3] * 2).get(TIMEOUT), expected)
    for backend in ("loky", "multiprocessing"):
        found = joblib.Parallel(2, backend=backend, timeout=TIMEOUT)(
            joblib.delayed(digest_on)(count) for count in (1, 2, 3)
        )
        _count(counts, f"joblib {backend}", found, expected)
    return counts


def _count(counts, name, found, expected):
    for digest in found:
        counts[f"{name}: {'same bits' if digest == expected else 'other bits'}"] += 1


def _start(ways, stop):
    """The threads that are busy while the process forks."""
    X, y = jobs.data()
    trainer = jobs.new_trainer()
    network = trainer.network

    def train():
        own = fn.Trainer(network, "cross_entropy", batch_size=64, threads=3)
        while not stop.is_set():
            own.fit(X, y)

    def predict():
        while not stop.is_set():
            network.predict(np.tile(X, (20, 1)))

    targets = {"while another thread trains": [train], "while four threads predict": [predict] * 4}.get(ways, [])
    others = [threading.Thread(target=target) for target in targets]
    for thread in others:
        thread.start()
    return others


def _child(does_well):
    """What a forked process makes of it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if does_well() else 2
        finally:
            os._exit(status)
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return {0: "same bits", 2 << 8: "other bits"}.get(status, f"failed with status {status}")
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


if __name__ == "__main__":
    print(json.dumps(forks(int(sys.argv[1]))))
