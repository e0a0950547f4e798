"""Random sequences of calls of the public interface, good and bad ones.

A twin gets the good calls only. After every call both have the same digests, so a call that failed changed nothing. For
longer runs: ``pytest tests/test_state_machine.py --hypothesis-profile=long``.
"""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import fastnn as fn

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "long", max_examples=2000, stateful_step_count=60, deadline=None, suppress_health_check=CHECKS
)

ACTIVATIONS = ["identity", "relu", "gelu", "tanh", "elu", "silu"]
RATES = st.sampled_from([0.0, 1e-3, 0.05, fn.schedules.Cosine(0.01, 20), fn.Warmup(0.01, 3), fn.ReduceOnPlateau(0.01)])
OPTIMIZERS = st.builds(
    lambda cls, rate, clip: cls(rate, clip_norm=clip),
    st.sampled_from(list(fn.optimizers.OPTIMIZERS.values())),
    RATES,
    st.sampled_from([None, 1.0]),
)
HIDDEN = st.lists(
    st.one_of(
        st.builds(fn.Dense, st.integers(1, 19), st.sampled_from(ACTIVATIONS)),
        st.builds(fn.Dropout, st.sampled_from([0.0, 0.3])),
        st.just(fn.LayerNorm()),
        st.builds(fn.Activation, st.sampled_from(ACTIVATIONS)),
    ),
    max_size=3,
)
SEEDS = st.integers(0, 2**64 - 1)


def standing(trainer):
    """All that a call that fails must leave as it was."""
    history = {name: np.array(values).tobytes() for name, values in trainer.history.items()}
    state = {name: array.tobytes() for name, array in trainer.state.training.get_state().items()}
    return trainer.network.digest(), trainer.steps, trainer.epoch, history, state, repr(trainer)


class Calls(RuleBasedStateMachine):
    """``trainer`` gets every call, ``twin`` those that are good."""

    @initialize(
        hidden=HIDDEN,
        features=st.integers(1, 9),
        loss=st.sampled_from(["cross_entropy", "mean_squared", "huber", "binary_cross_entropy"]),
        dtype=st.sampled_from(["float32", "float64"]),
        optimizer=OPTIMIZERS,
        batch_size=st.sampled_from([1, 4, 7, "full"]),
        seed=SEEDS,
        shuffle=st.booleans(),
        stops=st.booleans(),
    )
    def build(self, hidden, features, loss, dtype, optimizer, batch_size, seed, shuffle, stops):
        layers = [fn.Input(features), *hidden, fn.Dense(1 if loss == "binary_cross_entropy" else 3)]

        def make():
            network = fn.Network(layers, seed=seed, dtype=dtype)
            return fn.Trainer(network, loss, optimizer, batch_size, seed=seed, shuffle=shuffle, threads=1)

        self.trainer, self.twin, self.features, self.dtype = make(), make(), features, dtype
        self.classes = {"cross_entropy": 3, "binary_cross_entropy": 2}.get(loss)
        # A callback that is passed again goes on, and so does a new one after a trainer was loaded.
        self.stopping = {"trainer": fn.EarlyStopping(1), "twin": fn.EarlyStopping(1)} if stops else None

    def data(self, seed, n):
        chance = np.random.default_rng(seed)
        X = chance.normal(size=(n, self.features)).astype(self.dtype)
        y = chance.integers(0, self.classes, n) if self.classes else chance.normal(size=(n, 3)).astype(self.dtype)
        return X, y

    def stopping_of(self, trainer):
        return () if self.stopping is None else self.stopping["trainer" if trainer is self.trainer else "twin"]

    def both(self, call):
        """A good call; what it does to the one it does to the other. Numbers may diverge, in the same way."""
        outcomes = []
        for trainer in (self.trainer, self.twin):
            try:
                outcomes.append(call(trainer))
            except fn.DivergedError as error:
                outcomes.append(str(error))
        np.testing.assert_equal(*outcomes)
        return outcomes[0]

    # ------------------------------------------------------------- good calls

    @rule(seed=st.integers(0, 99), n=st.integers(1, 20), weighted=st.booleans())
    def step(self, seed, n, weighted):
        X, y = self.data(seed, n)
        self.both(lambda trainer: trainer.step(X, y, np.arange(1.0, n + 1) if weighted else None))

    @rule(seed=st.integers(0, 3), epochs=st.integers(0, 3), validates=st.booleans())
    def fit(self, seed, epochs, validates):
        X, y = self.data(seed, 21)
        self.both(
            lambda trainer: dict(
                trainer.fit(
                    X,
                    y,
                    epochs,
                    validation_data=(X[:5], y[:5]) if validates else None,
                    callbacks=self.stopping_of(trainer),
                )
            )
        )

    @rule(seed=st.integers(0, 99), n=st.integers(1, 20))
    def predict(self, seed, n):
        X, _ = self.data(seed, n)
        outputs = self.both(lambda trainer: trainer.network.predict(X))
        buffer = np.empty_like(outputs)
        assert self.trainer.network.predict(X, out=buffer) is buffer
        np.testing.assert_array_equal(buffer, outputs)
        np.testing.assert_array_equal(self.trainer.network.predict(X[-1]), outputs[-1])

    @rule(seed=st.integers(0, 99))
    def evaluate(self, seed):
        X, y = self.data(seed, 9)
        self.both(lambda trainer: trainer.evaluate(X, y))

    @rule(scale=st.sampled_from([0.0, 0.5, 2.0]), data=st.data())
    def change_a_parameter(self, scale, data):
        name = data.draw(st.sampled_from(list(self.twin.network.parameters)))
        value = self.twin.network.parameters[name] * scale
        self.both(lambda trainer: trainer.network.parameters.update({name: value}))

    # ------------------------------------------- what must change nothing at all

    @rule()
    def save_and_load(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.safetensors"
            self.trainer.save(path, keep_previous=True)
            network = fn.Network.load(path)
            assert network == self.trainer.network
            network.save(path)
            with pytest.raises(ValueError, match="holds a network"):
                fn.Trainer.load(path)
            self.trainer.save(path)
            self.trainer = fn.Trainer.load(path)
            self.renew()

    def renew(self):
        if self.stopping is not None:
            self.stopping["trainer"] = fn.EarlyStopping(1)

    @rule()
    def pickle_and_back(self):
        self.trainer = pickle.loads(pickle.dumps(self.trainer))
        self.renew()
        assert pickle.loads(pickle.dumps(self.trainer.network)) == self.trainer.network

    @rule()
    def round_trip_of_a_copy(self):
        copy = self.trainer.network.astype("float64")
        name, values = next(iter(copy.parameters.items()))
        copy.parameters[name] = values * 0
        assert copy.dtype == "float64"

    # -------------------------------------------------------------- bad calls

    def refused(self, errors, call):
        before = standing(self.trainer)
        with pytest.raises(errors) as caught:
            call()
        assert type(caught.value) in (ValueError, TypeError, KeyError, FileNotFoundError)
        assert len(str(caught.value)) > 15
        assert standing(self.trainer) == before

    @rule(
        call=st.sampled_from(["fit", "step", "evaluate"]),
        kind=st.sampled_from(
            ["nan", "narrow", "short", "texts", "none", "weights", "empty", "label", "object", "flat"]
        ),
        row=st.integers(0, 7),
    )
    def bad_data(self, call, kind, row):
        X, y = self.data(row, 8)
        weights = None
        if kind == "nan":
            X[row, -1] = np.nan
        elif kind == "narrow":
            X = np.concatenate([X, X], axis=1)
        elif kind == "short":
            y = y[:-1]
        elif kind == "texts":
            X = X.astype(str)
        elif kind == "none":
            y = None
        elif kind == "weights":
            weights = np.ones(8)
            weights[row] = -1.0
        elif kind == "empty":
            X, y = X[:0], y[:0]
        elif kind == "label":
            y = y + 99 if self.classes else y * np.inf
        elif kind == "object":
            X = [[None] * self.features] * 8
        else:
            X = X.reshape(-1)[: 8 if self.features > 1 else 7]
        with np.errstate(invalid="ignore"):
            self.refused((ValueError, TypeError), lambda: getattr(self.trainer, call)(X, y, sample_weight=weights))

    @rule(
        options=st.sampled_from(
            [
                {"epochs": -1},
                {"epochs": 1.5},
                {"epochs": "2"},
                {"validation_fraction": 1.0},
                {"validation_fraction": "a"},
                {"validation_data": (1,)},
                {"validation_data": 5},
                {"callbacks": [7]},
                {"callbacks": fn.EarlyStopping},
                {"callbacks": fn.EarlyStopping(monitor="val_lss")},
                {"callbacks": fn.Checkpoint("/no/such/folder/t.safetensors")},
                {"progress": "yes"},
                {"max_seconds": 0},
                {"max_seconds": np.nan},
            ]
        )
    )
    def bad_arguments_of_fit(self, options):
        X, y = self.data(0, 21)
        self.refused((ValueError, TypeError, OSError), lambda: self.trainer.fit(X, y, **options))

    @rule(value=st.sampled_from([np.nan, "a", [[[1.0]]], None]), data=st.data())
    def bad_parameter(self, value, data):
        parameters = self.trainer.network.parameters
        names = list(parameters)
        name = data.draw(st.sampled_from(names))
        wrong = np.full_like(parameters[name], value) if isinstance(value, float) else value
        good = {other: parameters[other] * 2 + 1 for other in names if other != name}
        self.refused((ValueError, TypeError), lambda: parameters.update({**good, name: wrong}))
        self.refused(KeyError, lambda: parameters.update({**good, "nine": 0.0}))
        self.refused(TypeError, lambda: parameters.__delitem__(name))

    @rule(kind=st.sampled_from(["shape", "dtype", "list", "read-only"]))
    def bad_out(self, kind):
        X, _ = self.data(0, 3)
        network = self.trainer.network
        out = np.zeros((3, network.n_outputs), network.dtype)
        if kind == "shape":
            out = out[:2]
        elif kind == "dtype":
            out = out.astype(np.float16)
        elif kind == "list":
            out = out.tolist()
        else:
            out.flags.writeable = False
        self.refused((ValueError, TypeError), lambda: network.predict(X, out=out))

    @rule()
    def bad_paths(self):
        self.refused(FileNotFoundError, lambda: self.trainer.save("/no/such/folder/t.safetensors"))
        self.refused(FileNotFoundError, lambda: fn.Trainer.load("/no/such/file.safetensors"))

    # -------------------------------------------------------------- the twin

    @precondition(lambda self: hasattr(self, "trainer"))
    @invariant()
    def same_as_the_twin(self):
        assert standing(self.trainer) == standing(self.twin)
        assert all(np.isfinite(array).all() for array in self.trainer.network.parameters.values())


TestCalls = Calls.TestCase
if settings.get_current_profile_name() != "long":
    TestCalls.settings = settings(
        max_examples=40,
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=CHECKS,
    )
