"""Memory over long runs: a million updates, and networks built, trained and dropped again and again, take no more.

python -m faults.growth 1000, in this folder's parent: so many cycles, and a thousand times as many updates
"""

import gc
import json
import mmap
import sys
import tracemalloc

import numpy as np

import fastnn as fn
from faults import jobs


def growth(cycles: int) -> dict[str, int]:
    """Bytes that both kinds of run have added, resident and as Python counts its own, after as many to warm up."""
    found = {}
    trainer = jobs.new_trainer()
    X, y = jobs.data()
    X, y = X[:4], y[:4]

    def update():
        for _ in range(1000):
            trainer.step(X, y)

    for name, once in (("updates", update), ("cycles", _cycle)):
        _repeat(once, cycles)
        resident = _resident()
        _repeat(once, cycles)
        found[f"{name}: resident"] = _resident() - resident
        tracemalloc.start()
        _repeat(once, 3)
        python = tracemalloc.get_traced_memory()[0]
        _repeat(once, max(3, cycles // 10))
        found[f"{name}: Python"] = tracemalloc.get_traced_memory()[0] - python
        tracemalloc.stop()
    found["updates"] = trainer.steps
    return found


def _repeat(once, times):
    for _ in range(times):
        once()
    gc.collect()


def _cycle():
    """Everything that takes memory of its own: dense and divided batches, evaluation, prediction, an error."""
    trainer = jobs.new_trainer()
    X, y = jobs.data()
    trainer.fit(X, y, validation_data=(X, y))
    trainer.network.predict(X)
    diverging = fn.Trainer(trainer.network, "cross_entropy", fn.SGD(1e300), batch_size="full", threads=2)
    try:
        diverging.fit(X, y, epochs=9)
    except fn.DivergedError:
        return
    raise AssertionError("it was to diverge")


def _resident():
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * mmap.PAGESIZE


if __name__ == "__main__":
    np.seterr(all="raise")
    print(json.dumps(growth(int(sys.argv[1]))))
