"""Estimators beside scikit-learn's own: ``python -m benchmarks.estimators``.

``fit`` with the parameters as they come, for as many epochs in both, on standardised data: the sets that come with
scikit-learn, and made-up tables of 20,000 rows. In one process and in turn, each round with a seed of its own, in both
dtypes; scikit-learn with one thread and with two, of which the faster counts. Scores are of rows left out. Then what
``predict`` takes beyond `Network.predict`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.overheads import in_turn
from benchmarks.report import figure, markdown
from fastnn.sklearn import MLPClassifier, MLPRegressor

PAUSE = 0.3  # seconds between two fits, in which the threads of the last one stop spinning
THREADS = (1, 2)  # of scikit-learn
OURS = "fastnn"


@dataclass(frozen=True)
class Case:
    """Data, the solver, and how many epochs to train."""

    name: str
    classifies: bool
    epochs: int = 200
    solver: str = "adam"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all rows and targets; those of diabetes in units of their standard deviation."""
        if self.name == "made-up classes":
            return datasets.make_classification(20_000, 50, n_informative=20, n_classes=4, random_state=0)
        if self.name == "made-up numbers":
            X, y = datasets.make_regression(20_000, 50, n_informative=20, noise=10.0, random_state=0)
        else:
            X, y = getattr(datasets, f"load_{self.name}")(return_X_y=True)
        return X, y if self.classifies else (y - y.mean()) / y.std()


CASES = (
    Case("digits", True),
    Case("breast_cancer", True),
    Case("wine", True),
    Case("iris", True),
    Case("diabetes", False),
    Case("made-up classes", True, 20),
    Case("made-up numbers", False, 20),
    Case("digits", True, solver="sgd"),
    Case("digits", True, solver="lbfgs"),
    Case("diabetes", False, solver="lbfgs"),
)


def fitted(case: Case, system: str | int, data: Sequence[np.ndarray], seed: int) -> tuple[float, float]:
    """Return seconds of a fit, and its score on other rows; ``system``: "fastnn", or scikit-learn's threads."""
    X, X_test, y, y_test = data
    ours: tuple[Any, Any] = MLPRegressor, MLPClassifier
    theirs = neural_network.MLPRegressor, neural_network.MLPClassifier
    made = (ours if system == OURS else theirs)[case.classifies](
        solver=case.solver, max_iter=case.epochs, tol=1e-4 if case.solver == "lbfgs" else 0.0, random_state=seed,
        n_iter_no_change=np.inf,
    )  # fmt: skip
    with threadpool_limits(None if system == OURS else int(system)):
        time.sleep(PAUSE)
        start = time.perf_counter()
        made.fit(X, y)
        taken = time.perf_counter() - start
    if case.solver != "lbfgs" and made.n_iter_ != case.epochs:
        raise RuntimeError(f"{made} made {made.n_iter_} epochs instead of {case.epochs}")
    return taken, made.score(X_test, y_test)


def fits(cases: Sequence[Case], rounds: int) -> str:
    """Return a line a case and dtype: ms of a fit, the ratio of the two and the scores, medians of the rounds."""
    systems: tuple[str | int, ...] = (OURS, *THREADS)
    rows = [["data", "rows", "solver", "epochs", "dtype", "fastnn, ms", "scikit-learn, ms", "its threads", "ratio",
             "score", "its score"]]  # fmt: skip
    for case in cases:
        for dtype in (np.float32, np.float64):
            X, y = case.data()
            data = train_test_split(StandardScaler().fit_transform(X).astype(dtype), y, random_state=0)
            found: dict[str | int, list[tuple[float, float]]] = {system: [] for system in systems}
            for seed in range(rounds + 1):
                for system in systems:
                    result = fitted(case, system, data, seed)
                    if seed:  # the first round warms up
                        found[system].append(result)
            times = {system: [taken for taken, _ in results] for system, results in found.items()}
            scores = {system: statistics.median(score for _, score in results) for system, results in found.items()}
            best = min(THREADS, key=lambda threads: statistics.median(times[threads]))
            ratio = statistics.median(its / mine for its, mine in zip(times[best], times[OURS], strict=True))
            rows.append([
                case.name, f"{len(data[0]):,}", case.solver, str(case.epochs), np.dtype(dtype).name,
                figure(1e3 * statistics.median(times[OURS]), 3), figure(1e3 * statistics.median(times[best]), 3),
                str(best), figure(ratio, 3), f"{scores[OURS]:.3f}", f"{scores[best]:.3f}",
            ])  # fmt: skip
            print("|", " | ".join(rows[-1]), "|", file=sys.stderr, flush=True)
    return markdown(rows, 1)


def predictions(rounds: int) -> str:
    """Return a line an estimator and number of rows: µs of ``predict`` by the network, and what the estimator adds."""
    rows = [["predict, µs", "rows", "`Network.predict`", "the estimator's share", "scikit-learn"]]
    rng = np.random.default_rng(0)
    X, label = rng.standard_normal((10_000, 50), np.float32), rng.integers(0, 4, 10_000)
    for name, classifies, y in (
        ("regressor", False, X[:, 0]),
        ("classifier, 2 classes", True, label % 2),
        ("classifier, 4 classes", True, label),
    ):
        options = {"max_iter": 2, "random_state": 0}
        ours = (MLPRegressor, MLPClassifier)[classifies](threads=1, **options).fit(X, y)
        theirs = (neural_network.MLPRegressor, neural_network.MLPClassifier)[classifies](**options).fit(X, y)
        for n in (1, 10_000):
            x = X[:n].copy()
            functions = {
                "network": lambda net=ours.network_, x=x: net.predict(x),
                "ours": lambda estimator=ours, x=x: estimator.predict(x),
                "theirs": lambda estimator=theirs, x=x: estimator.predict(x),
            }
            times = in_turn(functions, rounds)
            # The least of each: what a prediction of many rows takes varies by more than the estimator adds.
            network, share = min(times["network"]), min(times["ours"]) - min(times["network"])
            rows.append([
                name, f"{n:,}", figure(1e6 * network, 3), f"{1e6 * share:.1f}",
                figure(1e6 * statistics.median(times["theirs"]), 3),
            ])  # fmt: skip
    return markdown(rows, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimators", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--only", nargs="+", metavar="DATA", help="of these data sets only")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", ConvergenceWarning)
    cases = [case for case in CASES if options.only is None or case.name in options.only]
    print(fits(cases, options.rounds), end="\n\n")
    print(predictions(15))
    return 0


if __name__ == "__main__":
    sys.exit(main())
