"""A run that is stopped, interrupted, saved and loaded at will, beside one that nothing ever disturbs.

Whatever comes in whatever order, on whatever instruction set and number of threads, both have the same bits: after each
update and, where both stand at the same place, in all that a trainer and its callbacks hold.
"""

import copy
import pickle
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import fastnn as fn
from fastnn._engine import random
from fastnn._runtime import instruction_sets
from fastnn.training import loop

N, BATCH = 47, 9
OPTIMIZERS = [
    *(cls() for cls in fn.optimizers.OPTIMIZERS.values()),
    fn.Adam(fn.ReduceOnPlateau(0.03, patience=1, cooldown=1, min_delta=0.1), amsgrad=True),
    fn.SGD(fn.Warmup(fn.schedules.Cosine(0.1, 7, unit="epoch"), steps=8), momentum=0.9, nesterov=True),
    fn.NAdam(fn.OneCycle(0.02, steps=40), clip_norm=0.5),
    fn.RMSprop(fn.schedules.Step(0.01, 2), momentum=0.5, centered=True),
    fn.Adagrad(
        fn.Warmup(fn.ReduceOnPlateau(0.1, patience=2, factor=0.5, mode="max", monitor="val_accuracy"), 3), l1=1e-3
    ),
]
LAYOUTS = [
    np.ascontiguousarray,
    np.asfortranarray,
    lambda a: np.repeat(a, 2, axis=0)[::2],
    lambda a: a[::-1].copy()[::-1],
]

isas = st.sampled_from(instruction_sets.available())
thread_counts = st.sampled_from([1, 2, 3, "auto"])
positions = st.integers(0, 2)  # among the callbacks
places = st.one_of(
    st.tuples(st.just("on_step_end"), st.integers(1, 15)),
    st.tuples(st.just("on_epoch_begin"), st.integers(1, 4)),
    st.tuples(st.just("on_epoch_end"), st.integers(1, 4)),
)


class Interruption(Exception):
    pass


class Average(fn.Callback):
    """A callback with a state of its own: a mean over the epochs, and what it was told."""

    def __init__(self):
        self.told, self.mean = [], np.zeros(3)

    def on_epoch_begin(self, trainer, epoch):
        self.told.append(epoch)

    def on_epoch_end(self, trainer, epoch, values):
        self.told.append(values["loss"])
        self.mean = 0.5 * self.mean + trainer.network.parameters["3.bias"]

    def get_state(self):
        return {"told": self.told}, {"mean": self.mean}

    def set_state(self, values, arrays):
        self.told, self.mean = values["told"], arrays["mean"]


class Trace(fn.Callback):
    """The digest after each update."""

    def __init__(self):
        self.digests = {}

    def on_step_end(self, trainer, step):
        self.digests[step] = trainer.network.digest()


class Compare(Trace):
    def __init__(self, expected):
        self.expected = expected

    def on_step_end(self, trainer, step):
        assert trainer.network.digest() == self.expected.digests[step], step


def at(place, action):
    """A callback that acts, once, at the k-th call of an event; it comes back to Python as seldom as it can."""
    event, k = place
    calls = []

    def call(trainer, *_):
        calls.append(True)
        if len(calls) == k:
            action(trainer)

    return fn.LambdaCallback(**{event: call})


def raise_interruption(trainer):
    raise Interruption


WAYS = {
    "stop": lambda trainer: trainer.stop(),
    "Ctrl-C": lambda trainer: signal.raise_signal(signal.SIGINT),
    "exception": raise_interruption,
}


def standing(trainer, stopping, average):
    """All that there is to compare."""
    state = {name: array.tobytes() for name, array in trainer.state.training.get_state().items()}
    history = {name: [value.hex() for value in values] for name, values in trainer.history.items()}
    plateau = trainer.state.plateau and trainer.state.plateau.get_state()
    early = {name: value for name, value in vars(stopping).items() if "parameters" not in name}
    for name in ("_best_parameters", "_last_parameters"):
        early[name] = {key: array.tobytes() for key, array in getattr(stopping, name).items()}
    return {
        "digest": trainer.network.digest(),
        "place": (trainer.epoch, trainer.steps, trainer.columns),
        "history": history,
        "optimizer": state,
        "plateau": plateau,
        "early stopping": early,
        "average": (average.told, average.mean.tolist()),
    }


disturbances = st.one_of(
    st.tuples(st.just("interrupt"), places, st.sampled_from(list(WAYS)), positions, st.booleans()),
    st.tuples(st.just("run_out_of_time"), st.integers(1, 15), st.booleans()),
    st.tuples(st.just("save_and_crash_later"), places, places, positions, isas, thread_counts),
    st.tuples(st.just("save_and_load"), isas, thread_counts),
    st.tuples(st.just("copy"), st.sampled_from(["pickle", "deepcopy"])),
    st.tuples(st.just("evaluate")),
)


class BrokenRun(RuleBasedStateMachine):
    @initialize(
        optimizer=st.sampled_from(OPTIMIZERS),
        dtype=st.sampled_from(["float32", "float64"]),
        shuffle=st.booleans(),
        class_weight=st.sampled_from([None, [1.0, 0.3, 2.5]]),
        options=st.fixed_dictionaries({"patience": st.integers(1, 5), "restore_best": st.booleans()}),
    )
    def begin_run(self, optimizer, dtype, shuffle, class_weight, options):
        self.before = instruction_sets.current()
        instruction_sets.use(instruction_sets.available()[-1])
        self.folder = tempfile.TemporaryDirectory()
        self.options = options
        layers = [fn.Input(4), fn.Dense(7, "relu"), fn.Dropout(0.2), fn.Dense(3)]
        trainers = [
            fn.Trainer(
                fn.Network(layers, 5, dtype),
                "cross_entropy",
                optimizer,
                BATCH,
                6,
                1,
                shuffle,
                class_weight=class_weight,
            )
            for _ in range(2)
        ]
        self.shadow, self.run = trainers
        self.X = random.normal(1, 2, (N, 4)).astype(dtype)
        self.y = (random.uniform(1, 3, (N,)) * 3).astype(np.int64)
        self.shadow_watches = [fn.EarlyStopping(**options), Average()]
        self.watches = [fn.EarlyStopping(**options), Average()]
        self.is_fresh = False  # whether the callbacks wait for what a file held about them

    def teardown(self):
        instruction_sets.use(self.before)
        self.folder.cleanup()

    # -------------------------------------------------------------------- rules

    @rule(
        epochs=st.integers(2, 7),
        reverse=st.booleans(),
        weighted=st.booleans(),
        validation=st.sampled_from(["data", "weighted data", "fraction"]),
        disturbances=st.lists(disturbances, min_size=3, max_size=8),
        layout=st.integers(0, 3),
    )
    def fit(self, epochs, reverse, weighted, validation, disturbances, layout):
        """The shadow at one go, the run with disturbances."""
        if reverse:
            self.X, self.y = self.X[::-1], self.y[::-1]
        weights = np.arange(1, N + 1) / 16
        wrong = (self.X[:20], (self.y[:20] + 1) % 3)
        self.arguments = {
            "sample_weight": weights if weighted else None,
            **{
                "data": {"validation_data": wrong},
                "weighted data": {"validation_data": (*wrong, weights[:20])},
                "fraction": {"validation_fraction": 0.2},
            }[validation],
        }
        self.last = self.shadow.epoch + epochs
        trace = Trace()
        self.shadow.fit(self.X, self.y, epochs, callbacks=[*self.shadow_watches, trace], **self.arguments)
        self.expected, self.is_over = trace, False
        for name, *arguments in disturbances:
            getattr(self, name)(*arguments)
            if self.is_over:
                return
            assert self.run.steps <= self.shadow.steps
        self.go_on(layout=layout)
        assert self.is_over

    @rule(isa=isas, threads=thread_counts)
    def save_and_load(self, isa, threads):
        path = Path(self.folder.name, "run")
        self.run.save(path)
        self.load(path, isa, threads)

    @rule(rows=st.integers(1, N), weighted=st.booleans())
    def step_and_evaluate(self, rows, weighted):
        weights = np.arange(1, rows + 1) / 8 if weighted else None
        trainers = (self.run, self.shadow)
        assert len({trainer.step(self.X[:rows], self.y[:rows], weights) for trainer in trainers}) == 1
        assert len({repr(trainer.evaluate(self.X, self.y)) for trainer in trainers}) == 1
        assert len({trainer.network.predict(self.X).tobytes() for trainer in trainers}) == 1

    # ------------------------------------------------------------- disturbances

    def go_on(self, others=(), position=0, watch_closely=True, layout=0, **arguments):
        """Goes on with the run until it has what its shadow has, or somebody stops it."""
        watching = list(self.watches)
        watching[position:position] = others
        if watch_closely:
            watching.append(Compare(self.expected))
        X = LAYOUTS[layout](self.X)
        self.is_fresh = False
        try:
            self.run.fit(X, self.y, self.last - self.run.epoch, callbacks=watching, **self.arguments, **arguments)
        except (Interruption, KeyboardInterrupt):
            return
        self.is_over = self.run.epoch == self.last or self.watches[0]._ended

    def interrupt(self, place, way, position, watch_closely):
        self.go_on([at(place, WAYS[way])], position, watch_closely)

    def run_out_of_time(self, steps, watch_closely):
        """By a clock that goes by updates: a real one would make another test of it each time."""
        run, end = self.run, self.run.steps + steps
        clock = SimpleNamespace(monotonic=lambda: 1.0 if run.steps >= end else 0.0)
        with mock.patch.object(loop, "time", clock):
            self.go_on(watch_closely=watch_closely, max_seconds=1.0)

    def save_and_crash_later(self, place, later, position, isa, threads):
        path = Path(self.folder.name, "during")
        path.unlink(missing_ok=True)
        self.go_on([at(place, lambda trainer: trainer.save(path)), at(later, raise_interruption)], position)
        if path.exists():
            self.is_over = False
            self.load(path, isa, threads)

    def copy(self, way):
        """What a copy does is its own affair."""
        double = pickle.loads(pickle.dumps(self.run)) if way == "pickle" else copy.deepcopy(self.run)
        digest, steps = self.run.network.digest(), self.run.steps
        double.step(self.X[:5], self.y[:5], np.ones(5))
        assert double.steps == steps + 1
        assert (self.run.network.digest(), self.run.steps) == (digest, steps)

    def evaluate(self):
        """Which changes nothing."""
        digest = self.run.network.digest()
        self.run.evaluate(self.X, self.y)
        self.run.network.predict(self.X)
        assert self.run.network.digest() == digest

    def load(self, path, isa, threads):
        instruction_sets.use(isa)
        self.run = fn.Trainer.load(path, threads=threads)
        self.watches = [fn.EarlyStopping(**self.options), Average()]
        self.is_fresh = True

    @invariant()
    def nothing_differs(self):
        found, expected = standing(self.run, *self.watches), standing(self.shadow, *self.shadow_watches)
        for name in expected:
            if not (self.is_fresh and name in ("early stopping", "average")):
                assert found[name] == expected[name], name


BrokenRun.TestCase.settings = settings(
    derandomize=True,
    database=None,
    max_examples=100,
    stateful_step_count=5,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
TestBrokenRun = BrokenRun.TestCase
