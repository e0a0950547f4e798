"""The same bits everywhere: one digest whatever the seeds leave open, and the caller's settings.

That one digest comes from every instruction set and number of threads is in test_verify.py, by golden digests.
"""

import hashlib

import numpy as np
import pytest
from same_bits_cases import CASES, labels, rows_of

import fastnn as fn
from fastnn import schedules


def result(case, dtype, threads):
    """The digest of the parameters, and of everything that the training reported and the network predicts."""
    trainer, (X, y), options = CASES[case](dtype, threads)
    initial = trainer.network.digest()
    history = trainer.fit(X, y, epochs=2, **options)
    assert trainer.network.digest() != initial
    text = repr({name: [value.hex() for value in column] for name, column in history.items()})
    text += repr({name: value.hex() for name, value in trainer.evaluate(X, y).items()})
    outputs = trainer.network.predict(X)
    assert np.isfinite(outputs).all()
    text += hashlib.sha256(outputs.astype(outputs.dtype.newbyteorder("<")).tobytes()).hexdigest()
    for name, array in trainer.state.training.get_state().items():
        text += name + hashlib.sha256(array.tobytes()).hexdigest()
    return trainer.network.digest(), hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("case", ["classifier", "several_chunks"])
def test_threads_that_are_left_open_give_the_same_digest(dtype, case):
    expected, before = result(case, dtype, 1), fn.get_num_threads()
    try:
        for n in (1, 2, 3):
            fn.set_num_threads(n)
            assert result(case, dtype, "auto") == expected
    finally:
        fn.set_num_threads(before)


def test_the_seeds_matter(dtype):
    """Digests that never differ would prove nothing."""
    digests = set()
    for net_seed, seed in ((0, 0), (1, 0), (0, 1)):
        layers = [fn.Input(3), fn.Dense(6, "relu"), fn.Dropout(0.2), fn.Dense(2)]
        trainer = fn.Trainer(fn.Network(layers, net_seed, dtype), "cross_entropy", batch_size=7, seed=seed)
        trainer.fit(rows_of(40, 3, dtype), labels(40, 2))
        digests.add(trainer.network.digest())
    assert len(digests) == 3


def test_everything_is_among_the_cases():
    """A new activation, layer or schedule has to be added to the cases."""
    trainers = [case("float32", 1)[0] for case in CASES.values()]
    used = {
        layer.activation if isinstance(layer, fn.Dense) else layer.name
        for trainer in trainers
        for layer in trainer.network.layers
        if isinstance(layer, (fn.Dense, fn.Activation))
    }
    assert used == set(fn.layers.ACTIVATIONS)
    assert {type(layer) for trainer in trainers for layer in trainer.network.layers} == set(fn.layers.LAYERS)
    assert {trainer.loss.kind for trainer in trainers} == set(fn.losses.LOSSES)
    assert {type(trainer.optimizer) for trainer in trainers} == set(fn.optimizers.OPTIMIZERS.values())
    plans = {type(trainer.optimizer.schedule) for trainer in trainers} | {schedules.Cosine}
    assert plans == set(schedules.SCHEDULES)
