"""What the numerics contract costs a training step: ``python -m benchmarks.price``.

fastnn is built again in ways that the contract forbids, each a copy of the sources with a few changes, for one
instruction set and float32. The builds train every rung in turn, on one thread, each in a process of its own; the price
is how much longer the build that keeps the contract takes. A second process of that build shows what is noise. Where a
process happens to have its memory can make some per cent, so every lap starts new ones.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.ladder import machine
from benchmarks.peers import FastNN
from benchmarks.rungs import LEARNING_RATE, RUNGS, Rung
from benchmarks.worker import epochs_of_call

ROOT = Path(__file__).parents[1]
CONTRACT, AGAIN = "contract", "again"
ACTIVATIONS = ("tanh", "sigmoid", "silu", "gelu")


# ----------------------------------------------------------------- the builds


@dataclass(frozen=True)
class Variant:
    """A build: texts replaced in files, and files put in place of others or beside them."""

    replacements: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def __or__(self, other: Variant) -> Variant:
        """Combine both."""
        return Variant(self.replacements | other.replacements, self.files | other.files)


ONE_CHAIN = Variant({"fastnn/_engine/gradients.pxd": [("n_rows, SHARD,", "n_rows, n_rows,")]})
CONTRACTION = Variant({"setup.py": [("-ffp-contract=off", "-ffp-contract=fast")]})
HEADER = {"fastnn/_kernels/approximate.h": "benchmarks/free/approximate.h"}
FUNCTIONS = Variant(
    files=HEADER | {f"fastnn/_kernels/{name}.pyx": f"benchmarks/free/{name}.pyx" for name in ("activations", "losses")}
)
RECIPROCALS = Variant(
    {
        "fastnn/_kernels/optimizers.pyx": [
            ("vr_div(", "fast_div("),
            ("vr_sqrt(", "fast_sqrt("),
            (
                "\n\n\ncdef struct Scalars:",
                '\n\ncdef extern from "approximate.h" nogil:'
                "\n    vr fast_div(vr a, vr b) noexcept"
                "\n    vr fast_sqrt(vr a) noexcept"
                "\n\n\ncdef struct Scalars:",
            ),
        ]
    },
    HEADER,
)

VARIANTS = {
    CONTRACT: Variant(),
    "one chain": ONE_CHAIN,
    "contraction": CONTRACTION,
    "functions": FUNCTIONS,
    "reciprocals": RECIPROCALS,
    "free": ONE_CHAIN | CONTRACTION | FUNCTIONS | RECIPROCALS,
}


def only(isa: str) -> Variant:
    """Build nothing but what a float32 network needs on one instruction set."""
    return Variant(
        {
            "setup.py": [
                ("for isa, flags in ISA_FLAGS.items():", f'for isa, flags in [("{isa}", ISA_FLAGS["{isa}"])]:'),
                (
                    'KERNELS, "fastnn/_kernels")',
                    'KERNELS if dtype == "float32" else ("random", "functions", "batch"), "fastnn/_kernels")',
                ),
            ]
        }
    )


def sources() -> Iterable[Path]:
    """Yield what a build is made from, relative to the checkout."""
    yield from (Path("setup.py"), Path("pyproject.toml"), Path("README.md"), Path("LICENSE"))
    for path in (ROOT / "fastnn").rglob("*"):
        if path.suffix in (".py", ".pyx", ".pxd", ".h", ".npz"):
            yield path.relative_to(ROOT)


def replaced(text: str, replacements: Iterable[tuple[str, str]], path: str) -> str:
    """Return the text with the replacements made; each must have something to replace."""
    for old, new in replacements:
        if old not in text:
            raise RuntimeError(f"{path} no longer holds {old!r}; benchmarks/price.py has to follow")
        text = text.replace(old, new)
    return text


def build(tree: Path, variant: Variant, isa: str) -> None:
    """Write the variant's sources to a folder, where they have changed, and compile what depends on them."""
    files = {str(path): ROOT / path for path in sources()}
    files |= {path: ROOT / other for path, other in variant.files.items()}
    changes = [variant.replacements, only(isa).replacements]
    for path in {path for change in changes for path in change}:
        if path not in files:
            raise RuntimeError(f"there is no {path} any more; benchmarks/price.py has to follow")
    for path, source in files.items():
        content = source.read_bytes()
        for change in changes:
            if path in change:
                content = replaced(content.decode(), change[path], path).encode()
        target = tree / path
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the build in {tree} failed:\n{done.stdout}\n{done.stderr}")


# ------------------------------------------------------------------ a worker


class Engine(FastNN):
    """A rung's training on one thread, with any activation between the layers."""

    def __init__(self, rung: Rung, activation: str) -> None:
        import fastnn as fn

        hidden = [fn.Dense(units, activation) for units in rung.sizes[1:-1]]
        network = fn.Network([fn.Input(rung.sizes[0]), *hidden, fn.Dense(rung.sizes[-1])], seed=0)
        self.trainer = fn.Trainer(
            network,
            loss="binary_cross_entropy" if rung.is_binary else "cross_entropy",
            optimizer=fn.SGD(LEARNING_RATE) if rung.optimizer == "sgd" else fn.Adam(LEARNING_RATE),
            batch_size=rung.batch,
            seed=0,
            threads=1,
            shuffle=rung.shuffles,
        )
        self.X, self.y = rung.data()


def work(tree: Path) -> None:
    """Serve as the worker's process: one line asks, one line answers."""
    import fastnn

    if not Path(fastnn.__file__).is_relative_to(tree):
        raise RuntimeError(f"{fastnn.__file__} is not the build in {tree}")
    for line in sys.stdin:
        command, argument = json.loads(line)
        answer: Any = None
        if command == "set up":
            rung = RUNGS[argument[0]]
            engine = Engine(rung, argument[1])
            engine.run(1)
            answer = engine.trainer.history["loss"][0]
        elif command == "warm up":
            epochs = epochs_of_call(engine, argument)
        else:
            start = time.thread_time()
            engine.run(epochs)
            answer = 1e6 * (time.thread_time() - start) / (epochs * rung.steps)
        print(json.dumps(answer), flush=True)


class Worker:
    """The benchmark's end of a worker process."""

    def __init__(self, tree: Path, isa: str) -> None:
        path = os.pathsep.join(map(str, (tree, ROOT)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.price", "--worker", str(tree)],
            env={**os.environ, "PYTHONPATH": path, "FASTNN_ISA": isa},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str, argument: Any) -> Any:
        """Have the command carried out."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([command, argument]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a worker failed: {command} {argument}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


# --------------------------------------------------------------- measurements


@dataclass
class Result:
    """What a training took: for each build the µs of a step, one figure a round."""

    rung: str
    activation: str
    rounds: dict[str, list[float]]

    def price(self, variant: str) -> float:
        """Return how much longer a step takes under the contract than in the variant: the median over rounds, in %."""
        pairs = zip(self.rounds[CONTRACT], self.rounds[variant], strict=True)
        return 100 * (statistics.median(contract / free for contract, free in pairs) - 1)


def measure(result: Result, workers: dict[str, Worker], rounds: int, seconds: float) -> None:
    """Run the training in every build, round by round."""
    losses = {name: worker.ask("set up", [result.rung, result.activation]) for name, worker in workers.items()}
    for name, loss in losses.items():
        if not math.isclose(loss, losses[CONTRACT], rel_tol=1e-4):
            raise RuntimeError(f"the build {name!r} trains {result.rung} wrongly: {loss}, not {losses[CONTRACT]}")
    for worker in workers.values():
        worker.ask("warm up", seconds)
    names = list(workers)
    for number in range(rounds):
        turn = number % len(names)  # nobody always follows the same one
        for name in (*names[turn:], *names[:turn]):
            result.rounds[name].append(workers[name].ask("measure", None))


def table(results: Sequence[Result]) -> str:
    """Return the prices in Markdown."""
    names = [name for name in results[0].rounds if name != CONTRACT]
    rows = [["rung", "activation", "µs", *names], ["---", "---", *("--:" for _ in range(len(names) + 1))]]
    for result in results:
        step = f"{statistics.median(result.rounds[CONTRACT]):.4g}"
        prices = [f"{result.price(name):+.1f} %" for name in names]
        rows.append([result.rung, result.activation, step, *prices])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    trainings = [f"{rung}-relu" for rung in RUNGS] + [f"tab-{activation}" for activation in ACTIVATIONS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.price", description=__doc__.split("\n\n")[0])
    parser.add_argument("--trainings", nargs="+", choices=trainings, default=trainings, metavar="RUNG-ACTIVATION",
                        help=", ".join(trainings))  # fmt: skip
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS)[1:], default=list(VARIANTS)[1:],
                        metavar="VARIANT", help=", ".join(list(VARIANTS)[1:]))  # fmt: skip
    parser.add_argument("--isa", choices=("avx512", "avx2"), help="default: the better one this machine has")
    parser.add_argument("--laps", type=int, default=7, help="fresh processes of each build (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="of measurements in a lap (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.03, help="of one measurement (default: %(default)s)")
    parser.add_argument("--builds", type=Path, metavar="FOLDER", help="keep the builds here, for the next time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        work(options.worker)
        return 0

    import fastnn

    isa = options.isa or fastnn.config()["instruction sets available"].split(", ")[0]
    if isa not in ("avx512", "avx2"):
        parser.error(f"the variants are written for x86-64 with AVX2 or AVX-512, and this machine's best is {isa}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.builds or Path(temporary)).resolve()
        trees = {}
        for name in [CONTRACT, *options.variants]:
            print(f"building: {name}", file=sys.stderr)
            tree = folder / name.replace(" ", "-")
            like = folder / ("contraction" if "setup.py" in VARIANTS[name].replacements else CONTRACT)
            if like.exists() and not tree.exists():
                shutil.copytree(like, tree)  # what does not change need not be compiled
            build(tree, VARIANTS[name], isa)
            trees[name] = tree
        trees[AGAIN] = trees[CONTRACT]
        results = [Result(*training.split("-"), {name: [] for name in trees}) for training in options.trainings]
        for lap in range(options.laps):
            print(f"lap {lap + 1} of {options.laps}", file=sys.stderr)
            workers = {name: Worker(tree, isa) for name, tree in trees.items()}
            for result in results:
                measure(result, workers, options.rounds, options.seconds)
            for worker in workers.values():
                worker.close()
    print(", ".join(f"{key} {value}" for key, value in (machine() | {"instruction set": isa}).items()), end="\n\n")
    print(table(results))
    if options.json:
        data = {
            "machine": machine() | {"instruction set": isa},
            "settings": {"laps": options.laps, "rounds": options.rounds, "seconds": options.seconds},
            "results": [
                {
                    "rung": result.rung,
                    "activation": result.activation,
                    "percent": {name: result.price(name) for name in result.rounds},
                    "microseconds": result.rounds,
                }
                for result in results
            ],
        }
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
