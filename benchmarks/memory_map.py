"""A file larger than one wants in memory: ``python -m benchmarks.memory_map``.

Writes float32 rows to a file, trains on it through a memory map, shuffled, and prints how long an epoch takes and how
much memory is resident meanwhile: the process's own, and pages of the file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import fastnn as fn
from benchmarks.worker import resident

FEATURES, CLASSES, BATCH, BLOCK = 784, 10, 64, 20_000


def write(path: Path, rows: int) -> None:
    """Write rows of random numbers, repeated: what they are does not matter, where they lie does."""
    block = np.random.default_rng(0).standard_normal((BLOCK, FEATURES), np.float32)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (rows, FEATURES))
    for start in range(0, rows, BLOCK):
        X[start : start + BLOCK] = block[: rows - start]
    X.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_map", description=__doc__.split("\n\n")[0])
    parser.add_argument("--gigabytes", type=float, default=10, help="of the file (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where to write it (default: the system's for temporary files)")
    options = parser.parse_args(arguments)
    rows = int(options.gigabytes * 1e9) // (4 * FEATURES)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        write(Path(folder, "X.npy"), rows)
        X = np.load(Path(folder, "X.npy"), mmap_mode="r")
        y = np.arange(rows) % CLASSES
        net = fn.Network([fn.Input(FEATURES), fn.Dense(128, "relu"), fn.Dense(CLASSES)], seed=0)
        trainer = fn.Trainer(net, "cross_entropy", fn.Adam(1e-4), BATCH, seed=0)
        most: dict[str, float] = {"VmRSS": 0, "RssAnon": 0, "RssFile": 0}
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.02):
                for name in most:
                    most[name] = max(most[name], resident(name) or 0)

        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.perf_counter()
        trainer.fit(X, y, epochs=1)
        taken = time.perf_counter() - start
        over.set()
        watcher.join()
        step = 1e6 * taken / trainer.steps
        print(f"{X.nbytes / 1e9:.2f} GB, {rows:,} rows: {taken:.1f} s an epoch, {step:.0f} µs a step")
        print(", ".join(f"{name} at most {megabytes:,.0f} MB" for name, megabytes in most.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
