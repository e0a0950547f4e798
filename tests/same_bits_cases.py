"""Networks in training, for tests that compare the bits of whole runs.

The cases between them use every layer, activation, loss, optimizer, schedule, penalty and kind of clipping, dropout,
sample and class weights, ragged batches, batches of several shards and of several chunks, and both dtypes.
"""

import functools

import numpy as np
from suited import kind_of_targets

import fastnn as fn
from fastnn import initializers, schedules
from fastnn._engine import random


@functools.cache
def rows_of(n, features, dtype):
    """Data from exact operations on the package's own random numbers."""
    return random.normal(7, 100, (n, features)).astype(dtype)


@functools.cache
def reals(n, k, dtype):
    return random.normal(7, 101, (n, k)).astype(dtype)


@functools.cache
def labels(n, classes):
    return (random.uniform(7, 102, (n,)) * classes).astype(np.int64)


@functools.cache
def bits(n, k, dtype):
    return (random.uniform(7, 103, (n, k)) < 0.4).astype(dtype)


@functools.cache
def counts_of(n, dtype):
    return np.floor(3 * np.abs(reals(n, 1, dtype)))


@functools.cache
def weights(n):
    return np.floor(random.uniform(7, 104, (n,)) * 5) / 4


ELEMENTWISE = [name for name in fn.layers.ACTIVATIONS if name not in ("identity", "softmax")]


def every_activation(dtype, threads):
    layers = [fn.Input(5)]
    for name in ELEMENTWISE:
        layers += [fn.Dense(9, name), fn.LayerNorm()]
    layers += [fn.Activation(name) for name in ELEMENTWISE]
    net = fn.Network([*layers, fn.Dense(3)], seed=1, dtype=dtype)
    trainer = fn.Trainer(net, "mean_squared", fn.Adam(0.01), 20, seed=2, threads=threads)
    return trainer, (rows_of(70, 5, dtype), reals(70, 3, dtype)), {}


def classifier(dtype, threads):
    net = fn.Network(
        [fn.Input(6), fn.Dropout(0.1), fn.Dense(35, "relu"), fn.Dropout(0.4), fn.Dense(5, "softmax")],
        seed=3,
        dtype=dtype,
    )
    optimizer = fn.AdamW(schedules.Warmup(schedules.Cosine(0.02, steps=9), steps=3), weight_decay=0.1, clip_norm=0.5)
    loss = fn.CrossEntropy(label_smoothing=0.1)
    options = {"class_weight": "balanced", "metrics": ["top_k"]}
    trainer = fn.Trainer(net, loss, optimizer, 64, seed=4, threads=threads, **options)
    return (
        trainer,
        (rows_of(333, 6, dtype), labels(333, 5)),
        {"sample_weight": weights(333), "validation_fraction": 0.3},
    )


def soft_targets(dtype, threads):
    net = fn.Network([fn.Input(3), fn.Dense(17, "gelu"), fn.Dense(4)], seed=5, dtype=dtype)
    rates = schedules.OneCycle(0.05, steps=20)
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(rates, amsgrad=True, l1=0.001, l2=0.01), 7, threads=threads)
    return trainer, (rows_of(90, 3, dtype), np.abs(reals(90, 4, dtype))), {}


def many_labels(dtype, threads):
    layers = [fn.Input(4), fn.Dense(12, "selu"), fn.LayerNorm(), fn.Dense(3, "sigmoid")]
    net = fn.Network(layers, seed=6, dtype=dtype)
    optimizer = fn.NAdam(schedules.ReduceOnPlateau(0.02, patience=0, min_delta=1.0), weight_decay=0.05, decay_all=True)
    trainer = fn.Trainer(net, "binary_cross_entropy", optimizer, 30, threads=threads)
    return trainer, (rows_of(101, 4, dtype), bits(101, 3, dtype)), {}


def huber(dtype, threads):
    net = fn.Network([fn.Input(4), fn.Dense(33, "tanh"), fn.Dense(2)], seed=7, dtype=dtype)
    optimizer = fn.RMSprop(schedules.Step(0.01, every=1, factor=0.5), momentum=0.5, centered=True, clip_value=0.05)
    trainer = fn.Trainer(net, fn.Huber(0.5), optimizer, 50, threads=threads)
    return trainer, (rows_of(170, 4, dtype), reals(170, 2, dtype)), {"sample_weight": weights(170)}


def quantiles(dtype, threads):
    layers = [fn.Input(4), fn.Dense(10, "softplus", weight_initializer="orthogonal"), fn.Dense(6)]
    net = fn.Network(layers, seed=8, dtype=dtype)
    optimizer = fn.Adagrad(schedules.InverseScaling(0.05), learning_rate_decay=0.01, initial_accumulator=0.1)
    trainer = fn.Trainer(net, fn.Pinball([0.1, 0.5, 0.9]), optimizer, "full", threads=threads)
    return trainer, (rows_of(130, 4, dtype), reals(130, 2, dtype)), {"validation_fraction": 0.2}


def counts(dtype, threads):
    layers = [fn.Input(3), fn.Dense(8, "sigmoid", weight_initializer=initializers.HeUniform()), fn.Dense(1)]
    net = fn.Network(layers, seed=9, dtype=dtype)
    optimizer = fn.SGD(schedules.Exponential(0.05, factor=0.9, unit="step"), momentum=0.9, nesterov=True, l2=0.01)
    trainer = fn.Trainer(net, "poisson", optimizer, 11, threads=threads, metrics=["mae", "rmse", "r2"])
    return trainer, (rows_of(60, 3, dtype), counts_of(60, dtype)), {"validation_fraction": 0.25}


def absolute(dtype, threads):
    net = fn.Network([fn.Input(2), fn.Dense(5, "mish"), fn.RMSNorm(), fn.Dense(1)], seed=10, dtype=dtype)
    trainer = fn.Trainer(net, "mean_absolute", fn.RMSprop(0.01, momentum=0.9), 1, threads=threads)
    return trainer, (rows_of(33, 2, dtype), reals(33, 1, dtype)), {}


def several_chunks(dtype, threads):
    layers = [fn.Input(3), fn.LayerNorm(), fn.Dense(6, "elu"), fn.Dropout(0.2), fn.Dense(2)]
    net = fn.Network(layers, seed=11, dtype=dtype)
    trainer = fn.Trainer(net, "cross_entropy", fn.SGD(0.5, clip_norm=0.1), 2700, threads=threads)
    return trainer, (rows_of(5003, 3, dtype), labels(5003, 2)), {"sample_weight": weights(5003)}


CASES = {
    function.__name__: function
    for function in (
        every_activation,
        classifier,
        soft_targets,
        many_labels,
        huber,
        quantiles,
        counts,
        absolute,
        several_chunks,
    )
}


def of_loss(name, dtype, threads):
    net = fn.Network([fn.Input(4), fn.Dense(9, "tanh"), fn.Dense(3)], seed=12, dtype=dtype)
    targets = {
        "labels": lambda: labels(50, 3),
        "bits": lambda: bits(50, 3, dtype),
        "counts": lambda: np.abs(reals(50, 3, dtype)),
        "reals": lambda: reals(50, 3, dtype),
    }
    trainer = fn.Trainer(net, name, fn.SGD(0.1), 20, threads=threads)
    return trainer, (rows_of(50, 4, dtype), targets[kind_of_targets(fn.losses.LOSSES[name])]()), {}


def of_optimizer(name, dtype, threads):
    net = fn.Network([fn.Input(4), fn.Dense(9, "tanh"), fn.Dense(3)], seed=13, dtype=dtype)
    return fn.Trainer(net, "cross_entropy", name, 20, threads=threads), (rows_of(50, 4, dtype), labels(50, 3)), {}


CASES |= {f"optimizer {name}": functools.partial(of_optimizer, name) for name in fn.optimizers.OPTIMIZERS}
CASES |= {f"loss {name}": functools.partial(of_loss, name) for name in fn.losses.LOSSES}
