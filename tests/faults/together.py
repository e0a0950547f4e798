"""Threads of one process that train and predict at the same time: each gets the bits that it would get alone.

python -m faults.together 50, in this folder's parent
"""

import json
import sys
import threading
from collections import Counter

import numpy as np

import fastnn as fn
from fastnn._engine import threads
from faults import jobs

READERS = 16


def together(rounds: int) -> Counter:
    """So many rounds of 16 threads that predict with one network while two trainers train; counts what they got."""
    threads.insist(True)
    counts = Counter()
    network = fn.Network([fn.Input(7), fn.Dense(64, "relu"), fn.Dense(64, "gelu"), fn.Dense(3, "softmax")], seed=4)
    X, _ = jobs.data()
    parts = [X[:1], X[:31], X, np.tile(X, (9, 1))]
    alone = [network.predict(part) for part in parts]
    expected = [jobs.finish(_trainer(count)) for count in (1, 3)]
    assert expected[0] == expected[1]
    for _ in range(rounds):
        done, lock = threading.Event(), threading.Lock()

        def predict(number, done=done, lock=lock):
            predictions = 0
            while not done.is_set() or not predictions:
                which = (number + predictions) % len(parts)
                same = np.array_equal(network.predict(parts[which]), alone[which])
                predictions += 1
                with lock:
                    counts[f"predictions: {'same bits' if same else 'other bits'}"] += 1

        def train(count, lock=lock):
            same = jobs.finish(_trainer(count)) == expected[0]
            with lock:
                counts[f"runs: {'same bits' if same else 'other bits'}"] += 1

        readers = [threading.Thread(target=predict, args=(number,)) for number in range(READERS)]
        trainers = [threading.Thread(target=train, args=(count,)) for count in (2, 3)]
        for thread in readers + trainers:
            thread.start()
        for thread in trainers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
    return counts


def _trainer(count):
    usual = jobs.new_trainer()
    return fn.Trainer(usual.network, "cross_entropy", usual.optimizer, jobs.BATCH, 5, threads=count)


if __name__ == "__main__":
    print(json.dumps(together(int(sys.argv[1]))))
