"""SIGKILL at random moments of training with checkpoints: the run can always go on, and ends with the unbroken bits.

python -m faults.kill 1000, in this folder's parent
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import fastnn as fn
from faults import jobs


def kill_runs(folder: Path, kills: int, seed: int = 0) -> Counter:
    """Trains in processes that are killed until so many were; counts kills, finished runs and generations loaded.

    Raises AssertionError if a checkpoint cannot be loaded or a digest is not that of the unbroken run.
    """
    expected = jobs.finish(jobs.new_trainer())
    path = folder / "run.safetensors"
    chance, counts = random.Random(seed), Counter()
    while counts["kills"] < kills:
        child = os.fork()
        if child == 0:
            _train(path, expected)
        time.sleep(chance.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "a resumed run ended with other bits, or an error"
            counts["finished runs"] += 1
            for file in folder.iterdir():
                file.unlink()
        else:
            counts["kills"] += 1
            counts[_generation(path)] += 1
            counts["parts left behind"] += sum(file.suffix == ".part" for file in folder.iterdir())
            for part in folder.glob(".*.part"):
                part.unlink()
    return counts


def _train(path, expected):
    """A process's life: it never returns."""
    status = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = fn.Trainer.load(path) if _generation(path) != "no checkpoint yet" else jobs.new_trainer()
        found = jobs.finish(trainer, fn.Checkpoint(path, steps=7))
        status = 0 if found == expected else 2
    finally:
        os._exit(status)


def _generation(path):
    """Which checkpoint is loaded; an error if there is one but none can be."""
    if not path.exists() and not Path(f"{path}.previous").exists():
        return "no checkpoint yet"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fn.Trainer.load(path)
    return "older generation loaded" if caught else "newest generation loaded"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(kill_runs(Path(folder), int(sys.argv[1]))))
