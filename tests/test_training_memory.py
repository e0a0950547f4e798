"""The memory that training takes: of the data no copy, of the engine's buffers none anew."""

import tracemalloc

import numpy as np

import fastnn as fn


def test_data_of_the_right_dtype_are_not_copied(make_trainer):
    import tracemalloc

    X = np.zeros((200_000, 7), dtype=np.float32)
    y = np.zeros(200_000, dtype=np.int64)
    trainer = make_trainer(batch_size=1000)
    trainer.fit(X[:2000], y[:2000])
    tracemalloc.start()
    trainer.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The order of the rows, in its making, takes 20 bytes a row; the data would take 28.
    assert peak < 24 * 200_000


def test_fit_and_step_in_turn_allocate_nothing_anew():
    """The engine's buffers are the largest there are; what Python itself takes is small."""
    X, y = np.random.default_rng(0).normal(size=(600, 20)).astype(np.float32), np.arange(600) % 3
    net = fn.Network([fn.Input(20), fn.Dense(64, "relu"), fn.Dense(3)], seed=0)
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(clip_norm=1.0), batch_size=300, threads=2)

    def both():
        trainer.fit(X, y, epochs=1)
        trainer.step(X[:32], y[:32])
        trainer.step(X, y)

    tracemalloc.start()
    try:
        both()
        _, first = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        both()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert first > 400_000, "the engine's memory is not seen: the bound below says nothing"
    assert peak - before < 40_000


def test_training_holds_the_parameters_four_times_and_a_batch():
    """Weights, their transposed copies (but for the first layer's) and Adam's two moments, at huge pages' starts."""
    rows, width, spare = 64, 2048, 2 << 20
    tracemalloc.start()
    try:
        net = fn.Network([fn.Input(width), fn.Dense(width, "relu"), fn.Dense(10)], seed=0)
        trainer = fn.Trainer(net, "cross_entropy", batch_size=rows, threads=2)
        X, y = np.ones((8 * rows, width), np.float32), np.zeros(8 * rows, np.int64)
        data = X.nbytes + y.nbytes
        trainer.fit(X, y)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    parameters = 4 * net.n_parameters
    tapes = 4 * 2 * rows * (3 * width + 4 * 32)  # inputs, activations and deltas, twice what they need
    assert 3 * parameters < held - data < 4.05 * parameters + 4 * spare + tapes
