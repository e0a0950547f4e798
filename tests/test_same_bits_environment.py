"""The same bits whatever the caller's floating-point environment."""

import contextlib

import numpy as np
import pytest
from floating_point import ENVIRONMENTS, environment, needs_fenv
from same_bits_cases import CASES, classifier, labels, reals, rows_of, weights

import fastnn as fn
from fastnn._engine import random


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
@pytest.mark.parametrize("optimizer", [*fn.optimizers.OPTIMIZERS, fn.Adagrad(0.01, initial_accumulator=0.1)], ids=str)
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
