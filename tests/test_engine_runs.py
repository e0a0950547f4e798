"""Runs of the engine's `Training`: in slices, step by step, and resumed, with the same bits."""

import numpy as np
import pytest
from engine_cases import BATCH, STEPS, TRAINED, Case, N
from engine_oracle import (
    ADAM,
    CROSS_ENTROPY,
    MSE,
    NETWORKS,
    SGD,
    bits_of,
    layouts,
    make_model,
    parameters_of,
    rates,
    regression,
    same_state,
)

from fastnn._engine import random
from fastnn._engine.training import Training
from fastnn._runtime import instruction_sets


@pytest.mark.parametrize("name", TRAINED)
def test_run_in_slices_gives_the_same_bits(isa, dtype, name):
    whole, sliced = Case(name, dtype), Case(name, dtype, threads=2)
    for _ in range(2):
        whole.run()
        calls = 0
        while sliced.training.position < N:
            before = sliced.training.steps
            sliced.run(seconds=0)
            calls += 1
            assert sliced.training.steps == before + 1
        assert calls == STEPS
        assert whole.training.sums == sliced.training.sums
        assert whole.training.steps == sliced.training.steps
        same_state(whole.training.get_state(), sliced.training.get_state())
        assert bits_of(whole.model) == bits_of(sliced.model)
        for case in (whole, sliced):
            case.training.end_epoch()
            case.epoch += 1
            assert case.training.position == 0
            assert case.training.sums == (0, 0, 0)


@pytest.mark.parametrize("name", TRAINED)
def test_step_gives_the_bits_of_run(dtype, name):
    whole, stepped = Case(name, dtype), Case(name, dtype, threads=3)
    whole.run()
    order, losses = random.permutation(N, 1, 0), []
    for start, rate in zip(range(0, N, BATCH), np.linspace(0.03, 0.01, STEPS), strict=True):
        rows = order[start : start + BATCH]
        losses.append(stepped.training.step(stepped.X[rows], stepped.y[rows], stepped.weights[rows], rate))
    assert bits_of(whole.model) == bits_of(stepped.model)
    assert stepped.training.steps == whole.training.steps == STEPS
    assert stepped.training.position == 0
    batch_weights = [whole.weights[order[s : s + BATCH]].sum() for s in range(0, N, BATCH)]
    np.testing.assert_allclose(whole.training.sums[0], np.dot(losses, batch_weights), rtol=1e-12)
    np.testing.assert_allclose(whole.training.sums[2], whole.weights.sum(), rtol=1e-12)


def test_run_ends_with_the_learning_rates(dtype):
    case = Case("adam", dtype)
    case.run(rates=rates(3, 0.03))
    assert (case.training.position, case.training.steps) == (3 * BATCH, 3)


def test_a_step_between_slices_leaves_the_epoch_as_it_stands(dtype):
    case = Case("adam", dtype)
    case.run(rates=rates(3, 0.03))
    before = case.training.position, case.training.sums
    case.training.step(case.X[:5], case.y[:5], None, 0.01)
    assert (case.training.position, case.training.sums) == before
    case.finish()


@pytest.mark.parametrize("name", TRAINED)
def test_set_state_continues_to_the_last_bit(isa, dtype, name):
    unbroken, first = Case(name, dtype), Case(name, dtype)
    unbroken.finish()
    unbroken.finish()
    first.finish()
    for _ in range(3):  # into the middle of the second epoch
        first.run(seconds=0)
    state = first.training.get_state()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    second = Case(name, dtype, threads=2)
    for key, array in parameters_of(first.model).items():
        second.model.write(*key, array)
    second.training.set_state(state)
    same_state(second.training.get_state(), state)
    assert (second.training.position, second.training.steps) == (first.training.position, first.training.steps)
    assert second.training.sums == first.training.sums
    second.epoch = 1
    second.finish()
    assert bits_of(second.model) == bits_of(unbroken.model)
    # The place in the epoch is the only difference between states taken before and after end_epoch.
    same_state(second.training.get_state(), unbroken.training.get_state())


def test_state_moves_between_instruction_sets(dtype):
    """It is unpacked: panels of other widths take it."""
    first, bits, before = None, [], instruction_sets.current()
    try:
        for name in instruction_sets.available():
            instruction_sets.use(name)
            case = Case("amsgrad", dtype)
            if first is None:
                case.run(seconds=0)
                first = case.training.get_state(), parameters_of(case.model)
            state, parameters = first
            for key, array in parameters.items():
                case.model.write(*key, array)
            case.training.set_state(state)
            case.finish()
            bits.append(bits_of(case.model))
    finally:
        instruction_sets.use(before)
    assert len(set(bits)) == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_run_reads_any_strides(isa, dtype, threads):
    def trained(X, y):
        model, _ = make_model(NETWORKS["relu"], dtype)
        Training(model, MSE, ADAM, 0, threads).run(X, y, None, None, 10, rates(7, 0.01), 100)
        return bits_of(model)

    X, y = regression(make_model(NETWORKS["relu"], dtype)[0], 67)
    expected = trained(X, y)
    for (name, X_view), y_view in zip(layouts(X, np.nan).items(), layouts(y, np.nan).values(), strict=True):
        if "repeated" not in name:
            assert trained(X_view, y_view) == expected, name
    model, _ = make_model(NETWORKS["softmax"], dtype)
    labels = np.random.default_rng(0).integers(0, 5, 67)
    spread = np.full(3 * 67, -99)
    spread[::3] = labels
    X, _ = regression(model, 67)
    losses = {Training(model, CROSS_ENTROPY, SGD).gradient(X, y, None)[0] for y in (labels, spread[::3])}
    assert len(losses) == 1
