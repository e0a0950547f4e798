"""Runs that others interrupt, refuse or run beside: in several Python threads, with or without workers."""

import threading
import time

import pytest
from engine_cases import Case
from engine_oracle import MSE, SGD, bits_of, dense, make_model, net, rates, regression, same_state

from fastnn._engine.team import team
from fastnn._engine.training import Training


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
