"""Golden cases of whole networks: trained for 1, 10 and 400 steps, by any number of threads.

Between them they use every layer, activation, loss, optimizer, schedule, penalty and kind of clipping, dropout, sample
and class weights, metrics, ragged last batches, batches of several shards and of several chunks, denormal numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn as fn
from fastnn._runtime import instruction_sets
from fastnn._verify.cases import DTYPES, Arrays, Case
from fastnn._verify.inputs import FIRST_ACTIVATIONS, fractions, integers, reals
from fastnn.losses import LOSSES
from fastnn.optimizers import OPTIMIZERS
from fastnn.training import checkpoints

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName, DtypeName, OptimizerName

STEPS = (1, 10, 400)
LONG = 10  # steps that any number of threads does from the beginning
LAST = 5  # and before the end of more


@dataclass
class Training:
    """A trainer and what it is given."""

    trainer: fn.Trainer
    X: np.ndarray
    y: np.ndarray
    options: Mapping[str, Any] = field(default_factory=dict)


Builder = Callable[[Any, int], Training]
_builders: dict[str, tuple[Builder, tuple[int, ...]]] = {}


def network(steps: tuple[int, ...] = STEPS) -> Callable[[Builder], Builder]:
    """Declare a case: a function of dtype and number of threads."""

    def declare(function: Builder) -> Builder:
        _builders[function.__name__] = function, steps
        return function

    return declare


def built(dtype: DtypeName, threads: int) -> dict[str, Training]:
    """Return every case's training, before its first step."""
    return {name: function(dtype, threads) for name, (function, _) in _builders.items()}


def cases() -> Iterator[Case]:
    for name, (function, steps) in _builders.items():
        for dtype in DTYPES:
            goldens = tuple(f"networks/{name}/{dtype}/step {step:03}" for step in steps)

            def run(threads: int, given: tuple[Any, ...] = (function, dtype, steps, goldens)) -> Mapping[str, Arrays]:
                function, dtype, steps, goldens = given
                return dict(zip(goldens, trained(function, dtype, threads, steps), strict=True))

            yield Case(goldens, run, threaded=True)


def trained(builder: Builder, dtype: DtypeName, threads: int, steps: tuple[int, ...]) -> Iterator[Arrays]:
    """Yield what `standing` says after each of ``steps``.

    The long way is gone by one thread. Any number of them, slow where they outnumber the processors, resumes just
    before its end.
    """
    training = builder(dtype, threads)
    for step in steps:
        if step > LONG:
            training.trainer = resumed(
                *before_the_end(builder, dtype, instruction_sets.current(), step - LAST), threads
            )
        train_to(training, step)
        yield standing(training)


@functools.lru_cache(1)  # for one number of threads after the other
def before_the_end(
    builder: Builder, dtype: DtypeName, isa: str, step: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a trainer as plain data, after ``step`` updates by one thread."""
    training = builder(dtype, 1)
    train_to(training, step)
    return checkpoints.pack(training.trainer)


def resumed(metadata: dict[str, Any], tensors: dict[str, np.ndarray], threads: int) -> fn.Trainer:
    return checkpoints.unpack(fn.Trainer, metadata | {"threads": threads}, tensors)


def train_to(training: Training, step: int) -> None:
    """Train until ``step`` updates are made, which may be in the middle of an epoch."""
    trainer = training.trainer
    per_epoch = -(-trainer.steps // trainer.epoch) if trainer.epoch else 0
    whole = (step - trainer.steps) // per_epoch if per_epoch and not trainer.state.training.position else 0
    if whole:
        trainer.fit(training.X, training.y, whole, **training.options)
    if trainer.steps < step:
        stop = fn.LambdaCallback(on_step_end=lambda trainer, done: trainer.stop() if done >= step else None)
        trainer.fit(training.X, training.y, step, callbacks=[stop], **training.options)
    if trainer.steps != step:
        raise AssertionError(f"expected to come to step {step}; got {trainer.steps}")


def standing(training: Training) -> Arrays:
    """Return all that the training has come to: parameters, optimizer, history, evaluation, predictions."""
    trainer = training.trainer
    found = {f"parameter {name}": array for name, array in trainer.network.parameters.items()}
    found |= {f"optimizer {name}": array for name, array in trainer.state.training.get_state().items()}
    found |= {f"history {name}": np.array(column) for name, column in trainer.history.items()}
    rows = slice(0, 101)
    evaluation = trainer.evaluate(training.X[rows], training.y[rows])
    found |= {f"evaluation {name}": np.array(value) for name, value in evaluation.items()}
    found["predictions"] = trainer.network.predict(training.X[rows])
    found["prediction"] = trainer.network.predict(training.X[0])
    return found


# ------------------------------------------------------------------------ data


def rows_of(n: int, features: int, dtype: DtypeName) -> np.ndarray:
    return reals((n, features), "rows", dtype)


def numbers(n: int, k: int, dtype: DtypeName) -> np.ndarray:
    return reals((n, k), "targets", dtype)


def labels(n: int, classes: int) -> np.ndarray:
    return integers(n, "labels", classes)


def weights(n: int) -> np.ndarray:
    return integers(n, "weights", 5) / 4.0


# -------------------------------------------------------------------- networks


@network()
def every_activation(dtype: DtypeName, threads: int) -> Training:
    layers: list[fn.layers.Layer] = [fn.Input(5)]
    for name in FIRST_ACTIVATIONS:
        layers += [fn.Dense(9, name), fn.LayerNorm()]
    layers += [fn.Activation(name) for name in FIRST_ACTIVATIONS]
    net = fn.Network([*layers, fn.Dense(3)], seed=1, dtype=dtype)
    trainer = fn.Trainer(net, "mean_squared", fn.Adam(0.003), 10, seed=2, threads=threads)
    return Training(trainer, rows_of(38, 5, dtype), numbers(38, 3, dtype))


def with_activation(name: ActivationName) -> Builder:
    """Within a dense layer, and as a layer of its own."""

    def build(dtype: DtypeName, threads: int) -> Training:
        layers = [fn.Input(5), fn.Dense(9, name), fn.LayerNorm(), fn.Dense(6), fn.Activation(name), fn.Dense(3)]
        net = fn.Network(layers, seed=1, dtype=dtype)
        trainer = fn.Trainer(net, "mean_squared", fn.Adam(0.003), 10, seed=2, threads=threads)
        return Training(trainer, rows_of(38, 5, dtype), numbers(38, 3, dtype))

    build.__name__ = name
    return build


for later in fn.layers.ACTIVATIONS:
    if later not in ("identity", "softmax", *FIRST_ACTIVATIONS):
        network((1, 10))(with_activation(later))  # type: ignore[arg-type]


@network()
def classifier(dtype: DtypeName, threads: int) -> Training:
    layers = [fn.Input(6), fn.Dropout(0.1), fn.Dense(35, "relu"), fn.Dropout(0.4), fn.Dense(5, "softmax")]
    rates = fn.Warmup(fn.schedules.Cosine(0.02, steps=300, minimum=1e-3), steps=7)
    optimizer = fn.AdamW(rates, weight_decay=0.1, clip_norm=0.5)  # type: ignore[arg-type,misc]
    trainer = fn.Trainer(
        fn.Network(layers, seed=3, dtype=dtype),
        fn.CrossEntropy(label_smoothing=0.1),
        optimizer,
        64,
        seed=4,
        threads=threads,
        metrics=["top_k"],
        class_weight="balanced",
    )
    options = {"sample_weight": weights(333), "validation_fraction": 0.3}
    return Training(trainer, rows_of(333, 6, dtype), labels(333, 5), options)


@network()
def rms_norms(dtype: DtypeName, threads: int) -> Training:
    layers = [fn.Input(7), fn.RMSNorm(), fn.Dense(35, "relu"), fn.RMSNorm(0.01), fn.Dropout(0.1), fn.Dense(3)]
    net = fn.Network([*layers, fn.RMSNorm()], seed=4, dtype=dtype)
    trainer = fn.Trainer(net, "huber", fn.NAdam(0.01, l2=0.001, decay_all=True), 70, seed=5, threads=threads)
    return Training(trainer, rows_of(205, 7, dtype), numbers(205, 3, dtype))


@network()
def soft_targets(dtype: DtypeName, threads: int) -> Training:
    net = fn.Network([fn.Input(3), fn.Dense(17, "gelu"), fn.Dense(4)], seed=5, dtype=dtype)
    optimizer = fn.Adam(fn.OneCycle(0.05, steps=300), amsgrad=True, l1=0.001, l2=0.01)
    trainer = fn.Trainer(net, "cross_entropy", optimizer, 7, threads=threads, metrics=["accuracy"])
    return Training(trainer, rows_of(68, 3, dtype), fractions((68, 4), "soft targets", dtype))


@network()
def many_labels(dtype: DtypeName, threads: int) -> Training:
    layers = [fn.Input(4), fn.Dense(12, "selu"), fn.LayerNorm(), fn.Dense(3, "sigmoid")]
    rates = fn.ReduceOnPlateau(0.02, factor=0.5, patience=3, min_delta=0.01, minimum=1e-4)
    optimizer = fn.NAdam(rates, weight_decay=0.05, decay_all=True)
    net = fn.Network(layers, seed=6, dtype=dtype)
    trainer = fn.Trainer(net, "binary_cross_entropy", optimizer, 30, threads=threads)
    return Training(trainer, rows_of(101, 4, dtype), integers((101, 3), "bits", 2))


@network()
def one_label(dtype: DtypeName, threads: int) -> Training:
    net = fn.Network([fn.Input(4), fn.Dense(16, "silu"), fn.Dense(1)], seed=12, dtype=dtype)
    optimizer = fn.SGD(fn.schedules.Constant(0.1), momentum=0.8)
    weight = {0: 0.5, 1: 2.0}
    trainer = fn.Trainer(
        net, "binary_cross_entropy", optimizer, 33, threads=threads, shuffle=False, class_weight=weight
    )
    return Training(trainer, rows_of(100, 4, dtype), labels(100, 2))


@network()
def several_shards(dtype: DtypeName, threads: int) -> Training:
    net = fn.Network([fn.Input(4), fn.Dense(18, "tanh"), fn.Dense(2)], seed=7, dtype=dtype)
    rates = fn.schedules.Step(0.01, every=20, factor=0.5)
    optimizer = fn.RMSprop(rates, momentum=0.5, centered=True, clip_value=0.05)
    trainer = fn.Trainer(net, fn.Huber(0.5), optimizer, 130, threads=threads)
    return Training(trainer, rows_of(400, 4, dtype), numbers(400, 2, dtype), {"sample_weight": weights(400)})


@network()
def quantiles(dtype: DtypeName, threads: int) -> Training:
    layers = [fn.Input(4), fn.Dense(10, "softplus", weight_initializer="orthogonal"), fn.Dense(6)]
    rates = fn.Warmup(fn.InverseScaling(0.5), steps=3, start=0.01, unit="epoch")
    optimizer = fn.Adagrad(rates, learning_rate_decay=0.01, initial_accumulator=0.1)
    loss = fn.Pinball([0.1, 0.5, 0.875])
    trainer = fn.Trainer(fn.Network(layers, seed=8, dtype=dtype), loss, optimizer, "full", threads=threads)
    return Training(trainer, rows_of(130, 4, dtype), numbers(130, 2, dtype), {"validation_fraction": 0.2})


@network()
def counts(dtype: DtypeName, threads: int) -> Training:
    initializer = fn.initializers.HeUniform()
    layers = [fn.Input(3), fn.Dense(8, "sigmoid", weight_initializer=initializer), fn.Dense(1)]
    rates = fn.schedules.Exponential(0.02, factor=0.99, unit="step")
    optimizer = fn.SGD(rates, momentum=0.9, nesterov=True, l2=0.01)
    net = fn.Network(layers, seed=9, dtype=dtype)
    trainer = fn.Trainer(net, "poisson", optimizer, 11, threads=threads, metrics=["mae", "rmse", "r2"])
    return Training(trainer, rows_of(60, 3, dtype), integers((60, 1), "counts", 5), {"validation_fraction": 0.25})


@network()
def single_rows(dtype: DtypeName, threads: int) -> Training:
    net = fn.Network([fn.Input(2), fn.Dense(5, fn.Activation("elu", alpha=0.7)), fn.Dense(1)], seed=10, dtype=dtype)
    trainer = fn.Trainer(net, "mean_absolute", fn.RMSprop(0.003, momentum=0.9), 1, threads=threads)
    return Training(trainer, rows_of(40, 2, dtype), numbers(40, 1, dtype))


@network((1, 4))
def several_chunks(dtype: DtypeName, threads: int) -> Training:
    """Train on five chunks, the last one ragged: fewer would make a tree that says little."""
    layers = [fn.Input(3), fn.LayerNorm(), fn.Dense(40, "elu"), fn.LayerNorm(), fn.Dropout(0.2), fn.Dense(2)]
    net = fn.Network(layers, seed=11, dtype=dtype)
    trainer = fn.Trainer(net, "cross_entropy", fn.SGD(0.5, clip_norm=0.1), 2300, threads=threads)
    return Training(trainer, rows_of(2500, 3, dtype), labels(2500, 2), {"sample_weight": weights(2500)})


@network((1, 10))
def narrow(dtype: DtypeName, threads: int) -> Training:
    """Train few outputs over activations that make something of their padding, with a norm over all gradients."""
    layers = [fn.Input(5), fn.Dense(10, "sigmoid"), fn.Dense(3, "softplus"), fn.Dense(1)]
    net = fn.Network(layers, seed=15, dtype=dtype)
    trainer = fn.Trainer(net, "mean_squared", fn.Adam(0.01, clip_norm=0.001), 21, seed=7, threads=threads)
    return Training(trainer, rows_of(85, 5, dtype), numbers(85, 1, dtype))  # the last batch of an epoch is one row


@network()
def total_penalty(dtype: DtypeName, threads: int) -> Training:
    """Train with a penalty that rows share by their weights, beside one that they do not; a ragged last batch."""
    net = fn.Network([fn.Input(4), fn.Dense(9, "tanh"), fn.Dense(3)], seed=16, dtype=dtype)
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(0.02, l2=0.001, l2_total=0.3), 13, seed=8, threads=threads)
    return Training(trainer, rows_of(57, 4, dtype), labels(57, 3), {"sample_weight": weights(57)})


@network((1, 10))
def wide(dtype: DtypeName, threads: int) -> Training:
    net = fn.Network([fn.Input(70), fn.Dense(131, "relu"), fn.Dense(67, "mish"), fn.Dense(10)], seed=13, dtype=dtype)
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(0.001), 66, seed=5, threads=threads)
    return Training(trainer, rows_of(140, 70, dtype), labels(140, 10))


@network((1, 10))
def tiny_numbers(dtype: DtypeName, threads: int) -> Training:
    """Train where the squares of gradients are denormal."""
    net = fn.Network([fn.Input(5), fn.Dense(9, "tanh"), fn.Dense(3)], seed=14, dtype=dtype)
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(0.01), 20, seed=6, threads=threads)
    scale = math.ldexp(1, -66 if dtype == "float32" else -530)
    return Training(trainer, rows_of(70, 5, dtype) * np.dtype(dtype).type(scale), labels(70, 3))


# ------------------------------------- every loss and optimizer by its name


def by_loss(name: str, dtype: DtypeName, threads: int) -> Training:
    loss = LOSSES[name]()
    net = fn.Network([fn.Input(4), fn.Dense(9, "tanh"), fn.Dense(3)], seed=17, dtype=dtype)
    trainer = fn.Trainer(net, loss, fn.SGD(0.1), 20, threads=threads)
    if loss.kind == "cross_entropy":
        return Training(trainer, rows_of(50, 4, dtype), labels(50, 3))
    y = numbers(50, 3, dtype) if loss.upper is None else integers((50, 3), "counts", 2 if loss.upper == 1 else 5)
    return Training(trainer, rows_of(50, 4, dtype), y)


for _name in LOSSES:
    _builders[f"loss {_name}"] = functools.partial(by_loss, _name), (1, 10)


def by_optimizer(name: OptimizerName, dtype: DtypeName, threads: int) -> Training:
    net = fn.Network([fn.Input(4), fn.Dense(9, "tanh"), fn.Dense(3)], seed=18, dtype=dtype)
    trainer = fn.Trainer(net, "cross_entropy", name, 20, threads=threads)
    return Training(trainer, rows_of(50, 4, dtype), labels(50, 3))


for _name in OPTIMIZERS:
    _builders[f"optimizer {_name}"] = functools.partial(by_optimizer, _name), STEPS  # type: ignore[arg-type]
