"""Trainings that tests of runs share."""

import numpy as np
from engine_oracle import ADAM, CROSS_ENTROPY, DROPOUT, make_model

import fastnn as fn
from fastnn._engine import random
from fastnn._engine.training import Training

TRAINED = {name: (cls().specification(), CROSS_ENTROPY) for name, cls in fn.optimizers.OPTIMIZERS.items()}
TRAINED |= {
    "adam": (ADAM, CROSS_ENTROPY),
    "momentum, clipped": (fn.SGD(momentum=0.9, nesterov=True, clip_norm=0.3).specification(), CROSS_ENTROPY),
    "rmsprop": (
        fn.RMSprop(smoothing=0.9, epsilon=1e-6, momentum=0.5, centered=True, l2=0.01).specification(),
        CROSS_ENTROPY,
    ),
    "nadam": (fn.NAdam(weight_decay=0.1).specification(), CROSS_ENTROPY),
    "adagrad": (fn.Adagrad(epsilon=1e-8, initial_accumulator=0.1).specification(), CROSS_ENTROPY),
    "amsgrad": (fn.Adam(amsgrad=True).specification(), {"kind": "cross_entropy", "parameter": 0.1}),
}
N, BATCH = 157, 20
STEPS = -(-N // BATCH)


class Case:
    """A training of a network with dropout on labelled, weighted, shuffled rows, the last batch ragged."""

    def __init__(self, name, dtype, threads=1):
        optimizer, loss = TRAINED[name]
        self.model, _ = make_model(DROPOUT, dtype)
        rng = np.random.default_rng(4)
        self.X = rng.normal(size=(N, 6)).astype(dtype)
        self.y = rng.integers(0, 3, N)
        self.weights = rng.uniform(0, 2, N)
        self.training = Training(self.model, loss, optimizer, 3, threads)
        self.epoch = 0

    def run(self, rates=None, seconds=100.0):
        order = random.permutation(N, 1, self.epoch)
        remaining = -(-(N - self.training.position) // BATCH)
        rates = np.linspace(0.03, 0.01, STEPS)[STEPS - remaining :] if rates is None else rates
        self.training.run(self.X, self.y, self.weights, order, BATCH, rates, seconds)

    def finish(self):
        self.run()
        assert self.training.position == N
        self.training.end_epoch()
        self.epoch += 1
