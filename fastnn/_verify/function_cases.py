"""Golden cases of what the Python layer computes with: random numbers, initial parameters, schedules, data, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn as fn
from fastnn._engine import random
from fastnn._engine.environment import standard_environment
from fastnn._engine.model import Model
from fastnn._engine.training import Training
from fastnn._runtime import instruction_sets
from fastnn._storage import files
from fastnn._verify.cases import DTYPES, Arrays, Case, arrays_of, single
from fastnn._verify.inputs import FIRST_ACTIVATIONS, fractions, integers, reals, scaled, specials, with_specials
from fastnn.training.plateau import PlateauState

if TYPE_CHECKING:
    from fastnn._input.names import DtypeName

LENGTHS = (1, 2, 15, 16, 17, 31, 100, 2500)

_found: dict[str, Callable[[], Arrays]] = {}


def function(name: str) -> Callable[[Callable[[], Arrays]], Callable[[], Arrays]]:
    """Declare a case."""

    def declare(function: Callable[[], Arrays]) -> Callable[[], Arrays]:
        _found[name] = function
        return function

    return declare


def as_called(function: Callable[[], Arrays]) -> Callable[[], Arrays]:
    """Set the floating-point environment as the package does before it calls what is below its public functions."""

    def compute() -> Arrays:
        with standard_environment():
            return function()

    return compute


def cases() -> Iterator[Case]:
    found = _found | initializer_cases() | schedule_cases() | metric_cases() | network_functions()
    for name, compute in found.items():
        yield single(name, compute)


# ------------------------------------------------------------- values that several read


@function("functions/branches")
def branches() -> Arrays:
    """Compute a sum of three branches and the gradients of what all of them read, one of them twice."""
    operations = [
        {"kind": "dense", "inputs": [0], "units": 37, "activation": "tanh"},
        {"kind": "dense", "inputs": [1], "units": 37, "activation": "relu"},
        {"kind": "dense", "inputs": [1], "units": 37},
        {"kind": "add", "inputs": [1, 2, 3, 1]},
        {"kind": "dense", "inputs": [4], "units": 3},
    ]
    found: dict[str, Any] = {}
    for dtype in DTYPES:
        model = Model(9, operations, dtype, instruction_sets.tables(dtype))
        for operation, kind, shape in model.tensors:
            model.write(operation, kind, 0.25 * reals(shape, f"branches {operation} {kind}", dtype))
        X, y = (reals((150, n), f"branches {n}", dtype) for n in (9, 3))
        outputs = np.empty_like(y)
        model.forward(X, outputs)
        _, gradients = Training(model, {"kind": "mean_squared"}, fn.SGD().specification()).gradient(X, y)
        found |= {f"{dtype} outputs": outputs}
        found |= {f"{dtype} {operation} {kind}": array for (operation, kind), array in gradients.items()}
    return arrays_of(**found)


# ---------------------------------------------------------------------- random, sums


@function("functions/permutation")
def permutation() -> Arrays:
    given = [(1, 0, 0), (2, 1, 0), (100, 2**64 - 1, 3), (5000, 7, 2**62)]
    return arrays_of(**{f"{n} {seed} {epoch}": random.permutation(n, seed, epoch) for n, seed, epoch in given})


@function("functions/uniform")
def uniform() -> Arrays:
    return arrays_of(**{f"{n}": random.uniform(2**63 + n, 5, (n, 3)) for n in LENGTHS})


@function("functions/normal")
def normal() -> Arrays:
    return arrays_of(**{f"{n}": random.normal(2**63 + n, 6, (n, 3)) for n in LENGTHS})


@function("functions/lane_sum")
def lane_sum() -> Arrays:
    sums = {f"{n}": random.lane_sum(scaled(n, f"lane_sum {n}", "float64", -20, 20)) for n in LENGTHS}
    return arrays_of(**sums, none=random.lane_sum(np.zeros(0)), special=random.lane_sum(specials("float64")))


@function("functions/first_nonfinite")
def first_nonfinite() -> Arrays:
    found = []
    for dtype in DTYPES:
        x = with_specials((30, 41), "first_nonfinite", dtype)
        found += [random.first_nonfinite(x[start:]) for start in range(30)]
    return arrays_of(places=np.array(found, np.int64))


@function("functions/digest")
def digest() -> Arrays:
    """Digest arrays of every byte order, every kind of NaN, several axes and orders of axes."""
    found: dict[str, np.ndarray] = {}
    for dtype in DTYPES:
        x = with_specials((7, 12), "digest", dtype)
        unsigned = f"u{x.dtype.itemsize}"
        nans = (specials(dtype)[-4:].view(unsigned) ^ integers(4, "digest", 5).astype(unsigned)).view(dtype)
        given = {
            "plain": reals((4, 5), "digest", dtype),
            "columns": np.asfortranarray(x),
            "big": x.astype(x.dtype.newbyteorder(">")),
            "little": x.astype(x.dtype.newbyteorder("<")),
            "nans": nans,
        }
        found[dtype] = np.frombuffer(bytes.fromhex(files.digest(given)), np.uint8)
    return found


# ------------------------------------------------------------------ initial values


def initializer_cases() -> dict[str, Callable[[], Arrays]]:
    def of(initializer: fn.initializers.Initializer, shapes: tuple[tuple[int, ...], ...]) -> Callable[[], Arrays]:
        return as_called(lambda: {str(shape): initializer.values(shape, 12345678901234567890, 3) for shape in shapes})

    found = {}
    for cls in fn.initializers.CLASSES:
        initializer = cls(0.1) if cls is fn.initializers.Constant else cls()
        is_matrix = cls is fn.initializers.Orthogonal
        shapes: tuple[tuple[int, ...], ...] = ((1, 1), (3, 7), (17, 5), (16, 16), (40, 33))
        found[f"initializers/{cls.__name__}"] = of(initializer, shapes if is_matrix else (*shapes, (19,)))

    def automatic(dtype: DtypeName) -> Callable[[], Arrays]:
        def compute() -> Arrays:
            names = ("identity", *FIRST_ACTIVATIONS)
            layers = [fn.Input(3), *(fn.Dense(5, name) for name in names), fn.LayerNorm(), fn.Dense(2, "softmax")]
            return dict(fn.Network(layers, seed=77, dtype=dtype).parameters)

        return compute

    return found | {f"initializers/auto/{dtype}": automatic(dtype) for dtype in DTYPES}


# ------------------------------------------------------------------- learning rates

SCHEDULES: dict[str, fn.schedules.Schedule] = {
    "Constant": fn.schedules.Constant(0.1),
    "Step": fn.schedules.Step(0.1, every=7, factor=0.3),
    "Exponential": fn.schedules.Exponential(0.1, factor=0.9),
    "Cosine": fn.schedules.Cosine(0.1, steps=70, minimum=0.003),
    "OneCycle": fn.OneCycle(0.1, steps=90, warmup_fraction=0.3),
    "InverseScaling": fn.InverseScaling(0.1, power=0.7),
    "ReduceOnPlateau": fn.ReduceOnPlateau(0.1, factor=0.3, patience=1, min_delta=0.5, cooldown=1, minimum=1e-4),
    "Warmup": fn.Warmup(fn.schedules.Cosine(0.1, steps=70), steps=9, start=0.01),
}


def schedule_cases() -> dict[str, Callable[[], Arrays]]:
    def of(schedule: fn.schedules.Schedule) -> Callable[[], Arrays]:
        if schedule.plateau:
            return as_called(lambda: arrays_of(rates=plateau_rates()))
        return lambda: arrays_of(rates=schedule.rates(0, 100))

    return {f"schedules/{name}": of(schedule) for name, schedule in SCHEDULES.items()}


def plateau_rates() -> list[float]:
    """Return the rates that `ReduceOnPlateau` comes to over a history that goes up and down."""
    schedule = SCHEDULES["ReduceOnPlateau"].plateau
    assert schedule is not None
    state = PlateauState(schedule, maximise=False)
    rates = []
    for value in reals(100, "plateau", "float64").tolist():
        state.update(value)
        rates.append(state.learning_rate)
    return rates


# ----------------------------------------------------------------------------- data


@function("data/split")
def split() -> Arrays:
    X, y = reals((101, 2), "split", "float32"), integers(101, "split", 4)
    found: dict[str, Any] = {}
    for stratify in (False, True):
        parts = fn.data.split(X, y, 0.3, seed=9, stratify=stratify)
        found |= {f"{stratify} {number}": part for number, part in enumerate(parts)}
    return found


@function("data/standardize")
def standardize() -> Arrays:
    found: dict[str, Any] = {}
    for dtype in DTYPES:
        X = reals((205, 4), "standardize", dtype).copy()
        X[:, 2] = 0.1  # constant
        scaler = fn.data.Standardizer().fit(X)
        found |= arrays_of(**{f"{dtype} mean": scaler.mean, f"{dtype} scale": scaler.scale})
        found[f"{dtype} values"] = scaler.transform(X)
    return found


@function("data/load_digits")
def load_digits() -> Arrays:
    X, y = fn.data.load_digits()
    return {"X": X, "y": y}


@function("data/fingerprint")
def fingerprint() -> Arrays:
    X, y = reals((50, 3), "fingerprint", "float64"), integers(50, "fingerprint", 3)
    narrow = reals((50, 3), "fingerprint", "float32")
    given = [(X, y), (X.astype(">f8"), y.astype(">i8")), (np.asfortranarray(narrow), y[::-1])]
    return arrays_of(
        bytes=np.frombuffer(bytes.fromhex("".join(fn.data.fingerprint(*pair) for pair in given)), np.uint8)
    )


# -------------------------------------------------------------------------- metrics


def metric_cases() -> dict[str, Callable[[], Arrays]]:
    def of(metric: fn.metrics.Metric) -> Callable[[], Arrays]:
        def compute() -> Arrays:
            found = {}
            for dtype in DTYPES:
                outputs, weights = reals((203, 7), "outputs", dtype), fractions(203, "weights", "float64")
                targets = integers(203, "labels", 7) if metric.classifies else reals((203, 7), "targets", dtype)
                found[f"{dtype}"] = metric(outputs, targets)
                found[f"{dtype} weighted"] = metric(outputs, targets, weights)
            return arrays_of(**found)

        return as_called(compute)

    return {f"metrics/{name}": of(cls()) for name, cls in fn.metrics.METRICS.items()}


# ------------------------------------------------- what else is done with a network


def network_functions() -> dict[str, Callable[[], Arrays]]:
    def network(dtype: DtypeName, units: int = 131) -> fn.Network:
        layers = [fn.Input(9), fn.Dense(units, "relu"), fn.LayerNorm(), fn.Dropout(0.3), fn.Dense(4)]
        return fn.Network(layers, seed=21, dtype=dtype)

    def predict(dtype: DtypeName) -> Callable[[], Arrays]:
        """Predict many rows and one, in the network's dtype and another, in and out of order."""

        def compute() -> Arrays:
            net, found = network(dtype), {}
            for given in DTYPES:
                X = reals((300, 9), "predict", given)
                for n in (1, 2, 7, 8, 9, 33, 300):
                    found[f"{given} {n}"] = net.predict(X[:n])
                found[f"{given} backwards"] = net.predict(X[::-3, ::-1])
                found[f"{given} columns"] = net.predict(np.asfortranarray(X))
            return found

        return compute

    def gradient(dtype: DtypeName) -> Callable[[], Arrays]:
        """Compute gradients, on dropout masks, and central differences."""

        def compute() -> Arrays:
            net = network(dtype, 19)
            X, y = reals((70, 9), "gradient", dtype), integers(70, "gradient", 4)
            training = fn.Trainer(net, "cross_entropy", seed=5).state.training
            loss, gradients = training.gradient(X, y)
            found = {f"{operation} {kind}": array for (operation, kind), array in gradients.items()}
            found |= {"loss": np.array(loss)}
            checked = fn.gradient_check(net, "cross_entropy", X[:5], y[:5])
            return found | {f"check {name}": np.array(value) for name, value in checked.items()}

        return compute

    def steps(dtype: DtypeName) -> Callable[[], Arrays]:
        """Take single steps, on batches of any size, with and without weights."""

        def compute() -> Arrays:
            net = network(dtype)
            trainer = fn.Trainer(net, "cross_entropy", fn.Adam(0.01), seed=5, threads=1)
            losses = []
            for n in (1, 2, 7, 33, 130):
                X, y = reals((n, 9), f"step {n}", dtype), integers(n, f"step {n}", 4)
                losses.append(trainer.step(X, y))
                losses.append(trainer.step(X, y, fractions(n, f"step {n}", "float64")))
            return arrays_of(losses=losses) | dict(net.parameters)

        return compute

    found = {}
    for dtype in DTYPES:
        for name, make in (("predict", predict), ("gradient", gradient), ("step", steps)):
            found[f"functions/{name}/{dtype}"] = make(dtype)
    return found
