"""Runs that others interrupt, refuse or run beside: in several Python threads, with or without workers."""

import signal
import threading
import time

import numpy as np
import pytest
from engine_branches import BRANCHES
from engine_cases import Case
from engine_oracle import MSE, SGD, add, bits_of, dense, make_model, net, parameters_of, rates, regression, same_state

from fastnn._engine.team import team
from fastnn._engine.training import Diverged, Training


def in_background(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread


def long_training(dtype):
    """A training, and the arguments of a run of some seconds."""
    model, _ = make_model(net(64, dense(256, "relu"), dense(64)), dtype)
    X, y = regression(model, 4000)
    return Training(model, MSE, SGD), lambda n: (X, y, None, None, 1, rates(n, 1e-5), 1000)


def test_interrupt_from_another_thread(dtype):
    training, arguments = long_training(dtype)
    whole, _ = long_training(dtype)
    running = in_background(training.run, *arguments(4000))
    while training.steps < 5:
        time.sleep(0)
    start = time.monotonic()
    training.interrupt()
    running.join()
    assert time.monotonic() - start < 0.25
    steps = training.steps
    assert 5 <= steps == training.position < 4000
    assert training.get_state()["counters"].tolist() == [steps, steps]
    training.run(*arguments(3))  # goes on with the same bits
    whole.run(*arguments(steps + 3))
    same_state(training.get_state(), whole.get_state())


def test_interrupt_before_a_run_ends_the_next_one(dtype):
    case = Case("adam", dtype)
    case.training.interrupt()
    case.run()
    assert case.training.steps <= 1
    case.finish()
    unbroken = Case("adam", dtype)
    unbroken.finish()
    assert bits_of(case.model) == bits_of(unbroken.model)


def test_two_runs_at_once_are_refused(dtype):
    training, arguments = long_training(dtype)
    running = in_background(training.run, *arguments(4000))
    while training.steps < 5:
        time.sleep(0)
    X, y, *_ = arguments(1)
    with pytest.raises(RuntimeError, match="already running"):
        training.gradient(X[:1], y[:1], None)
    training.interrupt()
    running.join()
    training.run(*arguments(1))


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_a_run_that_gets_no_workers_has_the_same_bits(dtype, threads):
    """Another run has the team: this one computes alone what it had shared out among more."""
    expected, case = Case("adam", dtype), Case("adam", dtype, threads)
    expected.finish()
    assert team().acquire()
    try:
        case.finish()
    finally:
        team().release()
    assert bits_of(case.model) == bits_of(expected.model)
    case.finish()
    expected.finish()
    assert bits_of(case.model) == bits_of(expected.model)


def test_trainings_in_several_python_threads(dtype):
    """One gets the team of workers, the others compute alone: the same bits."""
    cases = [Case(name, dtype, threads=2) for name in ("adam", "nadam", "adam", "nadam")]

    def train(case):
        for _ in range(3):
            case.finish()

    running = [threading.Thread(target=train, args=(case,)) for case in cases]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert bits_of(cases[0].model) == bits_of(cases[2].model)
    assert bits_of(cases[1].model) == bits_of(cases[3].model)
    alone = Case("adam", dtype)
    train(alone)
    assert bits_of(alone.model) == bits_of(cases[0].model)


# ------------------------------------------------------------ two runs at once


def long_case(dtype, seed, threads):
    """A training of some tenths of a second in a graph with two branches, and the arguments of its run."""
    model, _ = make_model(BRANCHES["two branches"], dtype, seed)
    X, y = regression(model, 3000, seed)
    training = Training(model, MSE, SGD, seed, threads)
    return model, training, (X, y, None, None, 2, rates(1500, 1e-3), 1000)


def test_two_trainings_at_once_do_not_meet(dtype):
    """Each has its own data, rates and place in the epoch, though they share a team."""
    alone = []
    for seed in (1, 2):
        model, training, arguments = long_case(dtype, seed, 1)
        training.run(*arguments)
        alone.append((bits_of(model), training.sums, training.steps))
    assert alone[0] != alone[1]
    for _ in range(3):
        cases = [long_case(dtype, seed, 2) for seed in (1, 2)]
        running = [in_background(training.run, *arguments) for _, training, arguments in cases]
        for thread in running:
            thread.join()
        assert [(bits_of(model), training.sums, training.steps) for model, training, _ in cases] == alone


def test_an_interrupt_is_for_one_of_two_trainings(dtype):
    (_, first, first_run), (model, second, second_run) = (long_case(dtype, seed, 2) for seed in (1, 2))
    whole, training, arguments = long_case(dtype, 2, 1)
    training.run(*arguments)
    running = [in_background(first.run, *first_run), in_background(second.run, *second_run)]
    while first.steps < 3:
        time.sleep(0)
    first.interrupt()
    for thread in running:
        thread.join()
    assert 3 <= first.steps < 1500
    assert second.steps == 1500
    assert bits_of(model) == bits_of(whole)


def test_a_divergence_is_of_one_of_two_trainings(dtype):
    (broken, first, (X, y, *_)), (model, second, second_run) = (long_case(dtype, seed, 2) for seed in (1, 2))
    whole, training, arguments = long_case(dtype, 2, 1)
    training.run(*arguments)
    running = in_background(second.run, *second_run)
    with pytest.raises(Diverged):
        first.run(X, y, None, None, 2, rates(1500, 1e30), 1000)
    running.join()
    assert second.steps == 1500
    assert bits_of(model) == bits_of(whole)
    assert all(np.isfinite(array).all() for array in parameters_of(broken).values())


@pytest.mark.parametrize("first", ["main", "other"])
def test_ctrl_c_surfaces_in_the_main_thread_alone(first):
    """Whichever of the two runs has the workers."""
    described = net(64, dense(256, "gelu"), dense(256, "gelu"), add(1, 2), dense(64))
    cases = {name: make_model(described, "float32")[0] for name in ("main", "other", "whole")}
    X, y = regression(cases["main"], 4000)
    trainings = {name: Training(model, MSE, SGD, threads=2) for name, model in cases.items()}
    run = (X, y, None, None, 8, rates(500, 1e-3), 1000)
    trainings["whole"].run(*run)
    caught = []

    def other():
        if first == "main":
            wait_for_a_step(trainings["main"])
        try:
            trainings["other"].run(*run)
        except BaseException as error:
            caught.append(error)

    def press():
        for name in ("main", "other"):
            wait_for_a_step(trainings[name])
        signal.raise_signal(signal.SIGINT)

    running = [in_background(other), in_background(press)]
    if first == "other":
        wait_for_a_step(trainings["other"])
    try:
        with pytest.raises(KeyboardInterrupt):
            again_and_again(trainings["main"], run)
    finally:
        for thread in running:
            thread.join()
    assert not caught
    assert trainings["other"].steps == 500
    assert bits_of(cases["other"]) == bits_of(cases["whole"])
    done = trainings["main"].position
    assert done % 8 == 0
    trainings["main"].run(X[:8], y[:8], None, None, 8, rates(1), 1)  # goes on, and raises nothing any more


def again_and_again(training, run):
    while True:  # Ctrl-C may come between two runs
        training.run(*run)
        training.end_epoch()


def wait_for_a_step(training):
    while training.steps < 1:
        time.sleep(0)
