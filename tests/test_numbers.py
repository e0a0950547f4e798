"""Numbers at the edges: finite results, or an error that says where training diverged; the same bits everywhere."""

import hypothesis
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import fastnn as fn
from fastnn._runtime import instruction_sets

N = 41
OPTIMIZERS = list(fn.optimizers.OPTIMIZERS.values())
LARGEST = {"float32": 1e38, "float64": 1e307}
DENORMAL = {"float32": 1e-42, "float64": 1e-320}


@pytest.fixture
def data(rng):
    return rng.normal(size=(N, 3)), rng.normal(size=(N, 1))


def trained(X, y, dtype="float32", loss="mean_squared", optimizer=None, n_outputs=1, weights=None, **arguments):
    """A trainer after three epochs: everything that it says is finite."""
    layers = [fn.Input(3), fn.Dense(9, "gelu"), fn.LayerNorm(), fn.Dense(9, "relu"), fn.Dense(n_outputs)]
    net = fn.Network(layers, seed=1, dtype=dtype)
    trainer = fn.Trainer(net, loss, optimizer or fn.SGD(0.1), batch_size=8, seed=1, **arguments)
    trainer.fit(X, y, epochs=3, sample_weight=weights)
    for values in trainer.history.values():
        assert np.isfinite(values).all()
    assert all(np.isfinite(value) for value in trainer.evaluate(X, y, weights).values())
    assert np.isfinite(net.predict(X)).all()
    assert all(np.isfinite(array).all() for array in net.parameters.values())
    return trainer


def outcome(*arguments, **options):
    """The digest, or where and why it diverged."""
    try:
        return trained(*arguments, **options).network.digest()
    except fn.DivergedError as error:
        return f"{error.epoch} {error.step} {error}"


def everywhere(*arguments, **options):
    """The outcome, the same by every instruction set and number of threads."""
    before, found = instruction_sets.current(), set()
    try:
        for isa in instruction_sets.available():
            instruction_sets.use(isa)
            found |= {outcome(*arguments, threads=threads, **options) for threads in (1, 2)}
    finally:
        instruction_sets.use(before)
    assert len(found) == 1, found
    return found.pop()


def is_digest(found):
    return len(found) == 64


# ------------------------------------------------------------------ data


@pytest.mark.parametrize("kind", ["denormal", "zero", "minus zero", "constant"])
def test_data_that_say_little(data, dtype, kind):
    X, y = data
    X = {"denormal": X * DENORMAL[dtype], "zero": X * 0, "minus zero": -np.zeros_like(X), "constant": X * 0 + 7}[kind]
    assert is_digest(everywhere(X.astype(dtype), y, dtype))


def test_zeros_of_either_sign_are_the_same_data(data, dtype):
    X, y = data
    X = np.where(X > 0, X, 0.0)
    assert outcome(X, y, dtype) == outcome(np.where(X > 0, X, -0.0), y, dtype)


def test_huge_data_diverge_and_the_layer_is_named(data):
    X, y = data
    found = everywhere(np.full_like(X, 3e38), y)
    assert "epoch 1, step 1: the outputs of layer 1, Dense(9, 'gelu')" in found


@pytest.mark.parametrize("name", ["equal", "denormal", "zero"])
def test_targets_that_say_little(data, dtype, name):
    X, y = data
    y = {"equal": np.ones_like(y), "denormal": y * DENORMAL[dtype], "zero": y * 0}[name]
    assert is_digest(everywhere(X, y, dtype))


@pytest.mark.parametrize("loss", [name for name, cls in fn.losses.LOSSES.items() if cls.upper is None])
def test_huge_targets_end_in_numbers_or_in_an_error(data, dtype, loss):
    X, y = data
    found = everywhere(X, y * LARGEST[dtype], dtype, loss)
    assert is_digest(found) or "training diverged in epoch " in found


def test_only_one_class(data, dtype):
    X, _ = data
    for loss, n_outputs in (("cross_entropy", 3), ("binary_cross_entropy", 1)):
        trainer = trained(X, np.ones(N, int), dtype, loss, n_outputs=n_outputs)
        assert trainer.history["loss"][-1] < trainer.history["loss"][0]
        assert is_digest(everywhere(X, np.ones(N, int), dtype, loss, n_outputs=n_outputs))


def test_equal_targets_are_learnt(data):
    X, _ = data
    trainer = trained(X, np.full((N, 1), 3.0), optimizer=fn.Adam(0.05))
    trainer.fit(X, np.full((N, 1), 3.0), epochs=200)
    assert trainer.history["loss"][-1] < 1e-2 * trainer.history["loss"][0]


# ---------------------------------------------------------- learning rates


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_learning_rate_that_changes_nothing(data, dtype, optimizer):
    X, y = data
    fresh = fn.Network(trained(X, y, dtype).network.layers, seed=1, dtype=dtype).digest()
    assert everywhere(X, y, dtype, optimizer=optimizer(0.0)) == fresh


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rate", [1e30, 1e300])
def test_a_learning_rate_that_is_far_too_large(data, dtype, optimizer, rate):
    X, y = data
    found = everywhere(X, y, dtype, optimizer=optimizer(rate))
    if dtype == "float32":
        assert "training diverged in epoch 1, step" in found
        assert "of layer " in found


def test_a_network_that_diverged_has_its_last_finite_parameters(data):
    X, y = data
    net = fn.Network([fn.Input(3), fn.Dense(9, "relu"), fn.Dense(1)], seed=1)
    trainer = fn.Trainer(net, "mean_squared", fn.SGD(1e300), batch_size=8)
    with pytest.raises(fn.DivergedError):
        trainer.fit(X, y)
    assert all(np.isfinite(array).all() for array in net.parameters.values())


@pytest.mark.parametrize("optimizer", [cls for cls in OPTIMIZERS if hasattr(cls, "epsilon")])
def test_squares_of_gradients_that_overflow(data, optimizer):
    """By an infinite root every further step would be 0, and a run that stands still look like one that learns."""
    X, y = data
    found = everywhere(X, y * 1e37, optimizer=optimizer(1e-3))
    assert "training diverged in epoch 1, step 1: the update of the parameters of layer 4, Dense(1)," in found


# ----------------------------------------------------------------- weights


@pytest.mark.parametrize("weight", [1e-300, 1e-50, 1e50, 1e300])
def test_weights_count_by_their_ratios(data, weight):
    X, y = data
    plain = trained(X, y, "float64")
    scaled = trained(X, y, "float64", weights=np.full(N, weight))
    for name, array in plain.network.parameters.items():
        np.testing.assert_allclose(scaled.network.parameters[name], array, rtol=1e-9, atol=1e-12)
    assert is_digest(everywhere(X, y, "float64", weights=np.full(N, weight)))


def test_weights_of_whole_batches_may_be_0(data, dtype):
    X, y = data
    weights = np.zeros(N)
    weights[:2] = 1
    assert is_digest(everywhere(X, y, dtype, weights=weights))


@pytest.mark.parametrize(
    ("weight", "fragment"),
    [(0.0, "not be 0 in every row"), (5e-324, "0 or at least 2.22507e-308; got 5e-324 in row 3"),
     (1e308, r"at most 2.19231e\+306 with 41 rows.*got 1e\+308 in row 3"), (-1.0, "at least 0"), (np.nan, "finite")],
)  # fmt: skip
def test_weights_without_a_sum_to_divide_by(data, weight, fragment):
    X, y = data
    weights = np.zeros(N)
    weights[3] = weight
    trainer = trained(X, y)
    digest = trainer.network.digest()
    for call in (trainer.fit, trainer.step, trainer.evaluate):
        with pytest.raises(ValueError, match=f"sample_weight must .*{fragment}"):
            call(X, y, sample_weight=weights)
    assert trainer.network.digest() == digest


def test_class_weights_times_sample_weights_without_a_sum(data):
    X, _ = data
    for weight in (1e-160, 1e200):
        with pytest.raises(ValueError, match="class_weight times sample_weight must be"):
            trained(X, np.arange(N) % 2, loss="cross_entropy", n_outputs=2, class_weight=[1.0, weight],
                    weights=np.full(N, weight))  # fmt: skip


# ------------------------------------------------------------ anything at all

anything = st.floats(-(2.0**127), 2.0**127, width=32) | st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1e-38, 3e38, -3e38])


@settings(max_examples=25, deadline=None)
@hypothesis.given(
    st.lists(anything, min_size=12, max_size=12),
    st.lists(anything, min_size=4, max_size=4),
    st.sampled_from(OPTIMIZERS),
    st.sampled_from([0.0, 1e-3, 1e30]),
)
def test_any_numbers_end_in_numbers_or_in_an_error(X, y, optimizer, rate):
    X, y = np.reshape(X, (4, 3)).repeat(3, axis=0), np.reshape(y, (4, 1)).repeat(3, axis=0)
    everywhere(X, y, optimizer=optimizer(rate))
