"""The interpreter ends while training is under way: no hang, no crash, and the exit status that was asked for.

python -m faults.shutdown 20, in this folder's parent
"""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

TIMEOUT = 60  # seconds, after which a process counts as hung

START = """
import sys, threading, time
import numpy as np
import fastnn as fn
from fastnn._engine import threads
from faults import jobs
threads.insist(True)
X, y = jobs.data()
def new(count):
    network = fn.Network([fn.Input(7), fn.Dense(64, "relu"), fn.Dense(3)], seed=0)
    return fn.Trainer(network, "cross_entropy", batch_size=64, threads=count)
def train(count, **more):
    new(count).fit(X, y, epochs=10**9, **more)
"""

# What a process does, with the status it has to end with; {delay} is a random time, {threads} is 1 to 3.
ENDINGS = {
    "main ends beside a daemon thread": (
        "threading.Thread(target=train, args=({threads},), daemon=True).start(); time.sleep({delay})",
        0,
    ),
    "main ends beside three daemon threads": (
        "for count in (1, 2, {threads}): threading.Thread(target=train, args=(count,), daemon=True).start()\n"
        "time.sleep({delay})",
        0,
    ),
    "main ends beside a daemon thread with callbacks": (
        "threading.Thread(target=train, args=({threads},), daemon=True, kwargs=dict("
        "callbacks=fn.LambdaCallback(on_step_end=lambda *_: None))).start(); time.sleep({delay})",
        0,
    ),
    "main ends beside threads that predict": (
        "network = new({threads}).network\n"
        "def predict():\n"
        "    while True: network.predict(X)\n"
        "for _ in range(4): threading.Thread(target=predict, daemon=True).start()\n"
        "time.sleep({delay})",
        0,
    ),
    "sys.exit in main beside a daemon thread": (
        "threading.Thread(target=train, args=({threads},), daemon=True).start(); time.sleep({delay}); sys.exit(5)",
        5,
    ),
    "sys.exit in a callback": (
        "end = time.monotonic() + {delay}\n"
        "def leave(*_):\n"
        "    if time.monotonic() > end: sys.exit(7)\n"
        "train({threads}, callbacks=fn.LambdaCallback(on_epoch_end=leave))",
        7,
    ),
    "a daemon thread is stopped at exit": (
        "import atexit\n"
        "trainer = new({threads})\n"
        "thread = threading.Thread(target=trainer.fit, args=(X, y, 10**9), daemon=True)\n"
        "atexit.register(lambda: (trainer.stop(), thread.join()))\n"
        "thread.start(); time.sleep({delay})",
        0,
    ),
}


def shutdowns(times: int, seed: int = 0) -> Counter:
    """Ends so many processes in each way; counts what came of them."""
    chance, counts = random.Random(seed), Counter()
    for ending, (code, status) in ENDINGS.items():
        for number in range(times):
            program = START + code.format(threads=1 + number % 3, delay=chance.uniform(0.0, 0.2))
            counts[f"{ending}: {_outcome(program, status)}"] += 1
    return counts


def _outcome(program, status):
    try:
        found = subprocess.run(
            [sys.executable, "-c", program], cwd=Path(__file__).parent.parent, capture_output=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return "hung"
    if found.returncode != status or found.stderr:
        return f"status {found.returncode}, {found.stderr.decode()[-300:]}"
    return "ended"


if __name__ == "__main__":
    print(json.dumps(shutdowns(int(sys.argv[1]))))
