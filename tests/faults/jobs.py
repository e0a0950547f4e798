"""The run that faults are tried on."""

import numpy as np

import fastnn as fn

EPOCHS = 12
BATCH = 20


def data():
    generator = np.random.default_rng(3)
    X = generator.normal(size=(503, 7)).astype(np.float32)
    return X, generator.integers(0, 3, len(X))


def new_trainer():
    """Dropout, a learning rate of each step, momentum: what goes wrong shows in the digest."""
    network = fn.Network([fn.Input(7), fn.Dense(16, "tanh"), fn.Dropout(0.2), fn.Dense(3)], seed=1)
    optimizer = fn.Adam(fn.schedules.Cosine(0.02, steps=21 * EPOCHS))
    return fn.Trainer(network, "cross_entropy", optimizer, batch_size=BATCH, seed=5)


def finish(trainer, callbacks=()):
    """The rest of the run, and the digest at its end."""
    X, y = data()
    trainer.fit(X, y, max_epochs=EPOCHS, validation_fraction=0.2, callbacks=callbacks)
    return trainer.network.digest()
