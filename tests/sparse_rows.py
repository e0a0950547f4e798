"""Sparse rows for tests, and all that a run on them leaves."""

from types import SimpleNamespace

import numpy as np
import pytest

import fastnn as fn

scipy_sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")


def rows_of(n, n_features, density=0.05, dtype="float32", seed=1):
    """Rows in CSR; some entries are stored zeros, some rows empty."""
    rng = np.random.default_rng(seed)
    X = scipy_sparse.random_array((n, n_features), density=density, format="csr", rng=rng, dtype=np.dtype(dtype))
    X.data -= X.dtype.type(0.5)
    X.data[::17] = 0
    return X


def labels(n, classes=3):
    return np.random.default_rng(2).integers(0, classes, n)


def network(n_features, hidden=20, dtype="float32", outputs=3, activation="relu"):
    return fn.Network([fn.Input(n_features), fn.Dense(hidden, activation), fn.Dense(outputs)], seed=1, dtype=dtype)


def outcome(net, X, y, epochs=2, **arguments):
    """All that a run leaves, as bytes."""
    options = {"loss": "cross_entropy", "optimizer": fn.Adam(0.01), "batch_size": 32, "seed": 3}
    fit = {name: arguments.pop(name) for name in ("sample_weight", "validation_fraction") if name in arguments}
    trainer = fn.Trainer(net, **(options | arguments))
    trainer.fit(X, y, epochs, **fit)
    state = trainer.state.training.get_state()
    return {
        "digest": net.digest(),
        "history": repr(dict(trainer.history)),
        "outputs": net.predict(X).tobytes(),
        "state": {name: array.tobytes() for name, array in state.items()},
    }


OPTIMIZERS = {name: cls(0.01) for name, cls in fn.optimizers.OPTIMIZERS.items()}
OPTIMIZERS |= {
    "sgd": fn.SGD(fn.schedules.Constant(0.1)),
    "momentum": fn.SGD(0.1, momentum=0.9, nesterov=True),
    "penalised sgd": fn.SGD(fn.schedules.Constant(0.1), l1=0.001, l2=0.01),
    "sgd penalised in total": fn.SGD(fn.schedules.Constant(0.1), l2_total=1.0),
    "clipped sgd": fn.SGD(fn.schedules.Constant(0.1), clip_norm=0.1),
    "values clipped": fn.SGD(fn.schedules.Constant(0.1), clip_value=0.001),
    "adam": fn.Adam(0.01, amsgrad=True),
    "adamw": fn.AdamW(0.01, weight_decay=0.1, clip_norm=0.5),
    "rmsprop": fn.RMSprop(0.01, momentum=0.5, centered=True),
    "adagrad": fn.Adagrad(0.05),
    "penalised adagrad": fn.Adagrad(0.05, l2=0.1),
    "adagrad penalised in total": fn.Adagrad(0.05, l2_total=1.0),
}


def quacking(X, **changes):
    """What has the attributes of CSR and nothing else."""
    parts = {"format": "csr", "data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    return SimpleNamespace(**(parts | changes))
