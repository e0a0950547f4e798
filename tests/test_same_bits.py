"""The same bits everywhere: one digest whatever the seeds leave open, and the caller's settings.

That one digest comes from every instruction set and number of threads is in test_verify.py, by golden digests.
The cases between them use every layer, activation, loss, optimizer, schedule, penalty and kind of clipping, dropout,
sample and class weights, ragged batches, batches of several shards and of several chunks, and both dtypes.
"""

import contextlib
import ctypes
import ctypes.util
import functools
import hashlib
import platform
import sys

import numpy as np
import pytest

import fastnn as fn
from fastnn import initializers, schedules
from fastnn._engine import random
from fastnn._runtime import instruction_sets


@pytest.fixture(autouse=True)
def instruction_set_restored():
    before = instruction_sets.current()
    yield
    instruction_sets.use(before)


# ----------------------------------------------------------------------- cases


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
    net = fn.Network([fn.Input(2), fn.Dense(5, "mish"), fn.Dense(1)], seed=10, dtype=dtype)
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
    """A new activation, loss, optimizer or schedule has to be added above."""
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
    adam = {fn.Adam, fn.AdamW}
    assert {type(trainer.optimizer) for trainer in trainers} | adam == set(fn.optimizers.OPTIMIZERS.values())
    plans = {type(trainer.optimizer.schedule) for trainer in trainers} | {schedules.Cosine}
    assert plans == set(schedules.SCHEDULES)


# ------------------------------------------------- floating-point environment

X86 = platform.machine().lower() in ("x86_64", "amd64")
ARM = platform.machine().lower() in ("aarch64", "arm64")
GLIBC = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
needs_fenv = pytest.mark.skipif(not (GLIBC and (X86 or ARM)), reason="knows the fenv_t of glibc on x86-64 and aarch64")

# Where fenv_t holds MXCSR or FPCR, and its bits: rounding upward, towards zero; flush to zero (and denormals are zero).
WORD, UPWARD, TOWARDS_ZERO, FLUSH = (7, 0x4000, 0x6000, 0x8040) if X86 else (0, 0x400000, 0xC00000, 0x1000000)
ENVIRONMENTS = {"upward": UPWARD, "towards zero": TOWARDS_ZERO, "flush": FLUSH, "both": UPWARD | FLUSH}


def control_word(change=None):
    """The thread's control word; or sets it."""
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    environment = (ctypes.c_uint32 * 16)()
    assert libm.fegetenv(environment) == 0
    if change is not None:
        environment[WORD] = change
        assert libm.fesetenv(environment) == 0
    return environment[WORD]


STATUS = 0x3F if X86 else 0  # flags of MXCSR that any operation may raise


@contextlib.contextmanager
def environment(name):
    before = control_word()
    wanted = before | ENVIRONMENTS[name]
    control_word(wanted)
    try:
        yield
        after = control_word()
    finally:
        control_word(before)
    assert after & ~STATUS == wanted & ~STATUS, "the caller's settings were not given back"


@needs_fenv
def test_the_environment_is_really_changed():
    third = np.float64(1) / np.float64(3)
    tiny = np.float64(5e-324)
    with environment("upward"):
        upward = np.float64(1) / np.float64(3)
    with environment("flush"):
        flushed = tiny * np.float64(1)
    assert upward > third
    assert flushed == 0
    assert np.float64(1) / np.float64(3) == third
    assert tiny * np.float64(1) == tiny


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("threads", [1, 2])
def test_training_steps_do_not_depend_on_the_environment(isa, dtype, name, threads):
    digests = []
    for change in (contextlib.nullcontext(), environment(name)):
        trainer, (X, y), _ = classifier(dtype, threads)
        trainer = fn.Trainer(trainer.network, "cross_entropy", fn.Adam(0.01), threads=threads)
        X = X * np.array(1e-20 if dtype == "float32" else 1e-160, dtype)  # products of which are denormal
        with change:
            losses = [trainer.step(X, y) for _ in range(3)]
            out = trainer.network.predict(X)
        digests.append((trainer.network.digest(), losses, out.tobytes()))
    assert digests[0] == digests[1]


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("initializer", ["auto", "glorot_uniform", "orthogonal"])
def test_initial_parameters_do_not_depend_on_the_environment(dtype, name, initializer):
    layers = [fn.Input(5), fn.Dense(7, "relu", weight_initializer=initializer)]
    expected = fn.Network(layers, dtype=dtype).digest()
    with environment(name):
        net = fn.Network(layers, dtype=dtype)
    assert net.digest() == expected


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("case", CASES)
def test_fit_does_not_depend_on_the_environment(dtype, name, case):
    """Schedules, shuffles, class weights, training, validation, and what they decide."""
    digests = []
    for change in (contextlib.nullcontext(), environment(name)):
        trainer, (X, y), options = CASES[case](dtype, 2)
        with change:
            trainer.fit(X, y, epochs=2, **options)
        digests.append(trainer.network.digest())
    assert digests[0] == digests[1]


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("optimizer", ["nadam", "adam", fn.Adagrad(0.01, initial_accumulator=0.1)], ids=str)
def test_making_a_trainer_does_not_depend_on_the_environment(dtype, name, optimizer):
    digests = []
    for change in (contextlib.nullcontext(), environment(name)):
        net = fn.Network([fn.Input(5), fn.Dense(4)], dtype=dtype)
        with change:
            trainer = fn.Trainer(net, "mean_squared", optimizer, batch_size=10, threads=2)
        for _ in range(20):
            trainer.step(rows_of(10, 5, dtype), reals(10, 4, dtype))
        digests.append(net.digest())
    assert digests[0] == digests[1]


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_setting_and_converting_parameters_does_not_depend_on_the_environment(name):
    digests = []
    for change in (contextlib.nullcontext(), environment(name)):
        net = fn.Network([fn.Input(5), fn.Dense(4)], dtype="float64")
        single = fn.Network([fn.Input(5), fn.Dense(4)], dtype="float32")
        with change:
            single.parameters["0.bias"] = [0.1, 0.2, -0.3, 1e-40]
            single.parameters.update({"0.weight": net.parameters["0.weight"]})
            digests.append((single.digest(), net.astype("float32").digest()))
    assert digests[0] == digests[1]


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_random_numbers_and_functions_do_not_depend_on_the_environment(name):
    x = np.concatenate([random.normal(1, 2, (50,)), [5e-324, 1e-310, 0.0, 30.0]])

    magnitudes = np.abs(x)
    magnitudes[magnitudes == 0] = 1

    def bits_of():
        found = [random.normal(3, 4, (33,)), random.uniform(3, 4, (33,)), random.permutation(33, 1, 2)]
        found += [getattr(fn.elementary, function)(x) for function in fn.elementary.__all__]
        found += [fn.elementary.log(magnitudes), np.array(random.lane_sum(x))]
        return [array.tobytes() for array in found]

    expected = bits_of()
    with environment(name):
        got = bits_of()
    assert [a == b for a, b in zip(got, expected, strict=True)] == [True] * len(expected)


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("case", CASES)
def test_saving_and_loading_does_not_depend_on_the_environment(dtype, name, case, tmp_path):
    """Decimal text is turned into numbers by arithmetic, too."""
    digests = []
    for number, change in enumerate((contextlib.nullcontext(), environment(name))):
        trainer, (X, y), options = CASES[case](dtype, 1)
        trainer.network.metadata = {"thirds": [k / 3 for k in range(50)], "denormal": 5e-324}
        trainer.fit(X, y, **options)
        with change:
            trainer.save(tmp_path / str(number))
            trainer = fn.Trainer.load(tmp_path / str(number))
        assert trainer.network.metadata == {"thirds": [k / 3 for k in range(50)], "denormal": 5e-324}
        trainer.fit(X, y, **options)
        digests.append((trainer.network.digest(), dict(trainer.history)))
    assert digests[0] == digests[1]
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


# ------------------------------------------------------------ preparing the data


def misaligned(array):
    memory = np.empty(array.nbytes + 1, dtype=np.uint8)[1:]
    result = memory.view(array.dtype).reshape(array.shape)
    result[...] = array
    assert not result.flags.aligned
    return result


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "part of a table": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]] if a.ndim == 2 else a.copy(),
    "misaligned": misaligned,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


def prepared(X, y):
    """What preparing the data gives: of values, whatever their layout, in the native one."""
    parts = fn.data.split(X, y, 0.15, seed=3, stratify=True)
    parts += fn.data.split(X, y, 0.35, seed=4)
    scaler = fn.data.Standardizer().fit(parts[0])
    found = [*parts, scaler.mean, scaler.scale, *(scaler.transform(part) for part in (parts[0], parts[1]))]
    found += [fn.data.standardize(X)]
    native = [np.ascontiguousarray(array, array.dtype.newbyteorder("=")) for array in found]
    kept = [(array.shape, array.dtype, array.tobytes()) for array in native]
    return kept, fn.data.fingerprint(X, y)


@functools.cache
def raw(dtype):
    values = rows_of(130, 5, "float64") * 37 + np.arange(5) * 11
    y = labels(130, 4)
    return values.astype(dtype), y


DATA_DTYPES = ["float32", "float64", "int64", "int16"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("data_dtype", DATA_DTYPES)
def test_preparing_the_data_does_not_depend_on_their_layout(data_dtype, layout):
    X, y = raw(data_dtype)
    change = LAYOUTS[layout]
    assert prepared(change(X), change(y)) == prepared(X, y)


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("scale", [1, 2.0**-140, 2.0**-1060])
@pytest.mark.parametrize("data_dtype", ["float32", "float64"])
def test_preparing_the_data_does_not_depend_on_the_environment(isa, data_dtype, name, scale):
    """Also of numbers that are denormal, as features and as strata."""
    X, y = raw("float64")
    X, y = (X * scale).astype(data_dtype), y * scale
    expected = prepared(X, y)
    with environment(name):
        found = prepared(X, y)
    assert found == expected


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_how_many_rows_are_held_out_does_not_depend_on_the_environment(name):
    pairs = [(n, k / 20) for n in range(20, 300, 7) for k in range(1, 20)]

    def counts_of_parts():
        return [len(fn.data.split_rows(n, fraction)[1]) for n, fraction in pairs]

    expected = counts_of_parts()
    with environment(name):
        assert counts_of_parts() == expected


def test_the_embedded_data_are_the_same_everywhere():
    X, y = fn.data.load_digits()
    assert (X.dtype, y.dtype) == (np.dtype("float32"), np.dtype("int64"))
    assert fn.data.fingerprint(X, y) == "68fcabba70b13608dc929a17bdcfec0e1d419e2f2881134d3c0910617ae2848f"
    parts = fn.data.split(X, y, 0.2, seed=0, stratify=True)
    assert fn.data.fingerprint(parts[0], parts[2]) == (
        "232fe8877994f28d45060f1bc59bb3a1a27201d4cde8160d8e8a261d14601c09"
    )
    scaled = fn.data.standardize(parts[0], parts[1])
    assert fn.data.fingerprint(*scaled) == "f5bc820017888ffcdbf3572b315717dd484ab4977ea3e15884f990fe11cd4bfd"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_training_does_not_depend_on_the_layout_of_the_data(isa, dtype, layout):
    X, y, weight = rows_of(130, 6, dtype), labels(130, 5), weights(130)
    change, digests = LAYOUTS[layout], []
    for convert in (np.ascontiguousarray, change):
        net = fn.Network([fn.Input(6), fn.Dense(9, "relu"), fn.Dense(5)], seed=3, dtype=dtype)
        trainer = fn.Trainer(net, "cross_entropy", fn.Adam(0.01), 20, class_weight="balanced", metrics=["top_k"])
        data = convert(X), convert(y), convert(weight)
        history = trainer.fit(*data[:2], 2, sample_weight=data[2], validation_data=data)
        loss = trainer.step(*data)
        text = repr((dict(history), loss, trainer.evaluate(*data)))
        digests.append((net.digest(), text, net.predict(data[0]).tobytes()))
    assert digests[0] == digests[1]


@needs_fenv
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_denormal_weights_do_not_depend_on_the_environment(name):
    weight = (weights(130) * 2.0**-140).astype(np.float32)

    def run():
        net = fn.Network([fn.Input(6), fn.Dense(5)], seed=3)
        trainer = fn.Trainer(net, "cross_entropy", fn.SGD(0.1), 20, class_weight=[1, 0.5, 0.25, 2, 1])
        X, y = rows_of(130, 6, "float32"), labels(130, 5)
        trainer.fit(X, y, 2, sample_weight=weight)
        trainer.step(X, y, weight)
        return net.digest()

    expected = run()
    with environment(name):
        assert run() == expected
