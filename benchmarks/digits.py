"""A whole training as people run it: ``python -m benchmarks.digits``.

scikit-learn's digits with the network, batch size and optimizer of its ``MLPClassifier`` as they come, for 130 epochs:
1,347 rows, 64-100-10, ReLU, Adam, batches of 200. PyTorch trains it in two ways: with the rows shuffled once an epoch
and sliced, and the fused optimizer; and with a ``DataLoader`` and the optimizer as it comes, as its tutorials do. Each
system in a process of its own, in turn; the best of one thread and two counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.report import figure, markdown
from benchmarks.worker import environment

ROWS, HIDDEN, BATCH, EPOCHS, LEARNING_RATE = 1347, 100, 200, 130, 1e-3
PAUSE = 0.5  # seconds between two trainings, in which the threads of the last one stop spinning


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return rows to train on and their labels, and the rest."""
    import fastnn as fn

    X, y = fn.data.load_digits()
    return X[:ROWS] / 16, y[:ROWS], X[ROWS:] / 16, y[ROWS:]


def with_fastnn(threads: int | str) -> tuple[float, float]:
    """Train fastnn; return seconds, and the accuracy on the other rows."""
    import fastnn as fn

    X, y, X_test, y_test = digits()
    start = time.perf_counter()
    net = fn.Network([fn.Input(64), fn.Dense(HIDDEN, "relu"), fn.Dense(10)], seed=0)
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(LEARNING_RATE), BATCH, threads=threads)
    trainer.fit(X, y, epochs=EPOCHS)
    return time.perf_counter() - start, trainer.evaluate(X_test, y_test)["accuracy"]


def with_torch(threads: int | str, loader: bool = False) -> tuple[float, float]:
    """Train PyTorch; ``loader``: by a ``DataLoader`` and the optimizer as it comes."""
    import torch

    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    X, y, X_test, y_test = map(torch.from_numpy, digits())
    start = time.perf_counter()
    net = torch.nn.Sequential(torch.nn.Linear(64, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=None if loader else True)
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=BATCH, shuffle=True)
    for _ in range(EPOCHS):
        if not loader:
            order = torch.randperm(ROWS)
            batches = zip(X[order].split(BATCH), y[order].split(BATCH), strict=True)
        for x_batch, y_batch in batches:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x_batch), y_batch).backward()
            optimizer.step()
    taken = time.perf_counter() - start
    return taken, (net(X_test).argmax(1) == y_test).double().mean().item()


def with_torch_loader(threads: int | str) -> tuple[float, float]:
    """Train PyTorch with a ``DataLoader``."""
    return with_torch(threads, loader=True)


def with_scikit_learn(threads: int | str) -> tuple[float, float]:
    """Fit ``MLPClassifier``, in float32, without early stopping."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y, X_test, y_test = digits()
    with threadpool_limits(threads):
        start = time.perf_counter()
        net = MLPClassifier(max_iter=EPOCHS, tol=0, n_iter_no_change=EPOCHS + 1, random_state=0).fit(X, y)
        return time.perf_counter() - start, net.score(X_test, y_test)


Training = Callable[[int | str], tuple[float, float]]
SYSTEMS: dict[str, tuple[str, tuple[int | str, ...], Training]] = {
    "fastnn": ("fastnn", ("auto",), with_fastnn),
    "PyTorch, slices": ("torch", (1, 2), with_torch),
    "PyTorch, DataLoader": ("torch", (1, 2), with_torch_loader),
    "scikit-learn": ("scikit-learn", (1, 2), with_scikit_learn),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.digits", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    options = parser.parse_args(arguments)
    configurations = [
        (name, threads)
        for name, (peer, settings, _) in SYSTEMS.items()
        if find_spec(PEERS[peer].module) is not None
        for threads in settings
    ]
    pools = {}
    for name, threads in configurations:
        # The process takes the environment as it is when it starts, which is when it is first asked for something.
        with environment(PEERS[SYSTEMS[name][0]].environment(threads, None)):
            pools[name, threads] = ProcessPoolExecutor(1, get_context("spawn"))
            pools[name, threads].submit(os.getpid).result()
    rounds: dict[tuple[str, int | str], list[tuple[float, float]]] = {each: [] for each in configurations}
    for number in range(options.rounds + 1):
        for name, threads in configurations:
            time.sleep(PAUSE)
            result = pools[name, threads].submit(SYSTEMS[name][2], threads).result()
            if number:  # the first round imports
                rounds[name, threads].append(result)
    rows = [["system", "threads", "ms", "time / fastnn's", "accuracy on the other rows"]]
    for name in dict.fromkeys(name for name, _ in configurations):
        times = {setting: [t for t, _ in rounds[setting]] for setting in configurations if setting[0] == name}
        best = min(times, key=lambda setting: statistics.median(times[setting]))
        ratio = statistics.median(t / ours for t, (ours, _) in zip(times[best], rounds["fastnn", "auto"], strict=True))
        rows.append([
            name, str(best[1]), figure(1e3 * statistics.median(times[best]), 3), figure(ratio, 3),
            f"{100 * rounds[best][-1][1]:.1f} %",
        ])  # fmt: skip
    print(markdown(rows, 1))
    for pool in pools.values():
        pool.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
