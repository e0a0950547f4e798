import numpy as np
import pytest

import fastnn as fn
from fastnn import schedules
from fastnn.training.plateau import PlateauState

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")


def torch_rates(count, make):
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=0.3)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


T = torch.optim.lr_scheduler
CASES = [
    (schedules.Constant(0.3), 20, lambda o: T.ConstantLR(o, 1.0)),
    (schedules.Step(0.3, every=7, factor=0.2), 40, lambda o: T.StepLR(o, 7, 0.2)),
    (schedules.Exponential(0.3, 0.93), 60, lambda o: T.ExponentialLR(o, 0.93)),
    (schedules.Cosine(0.3, steps=50, minimum=0.01), 51, lambda o: T.CosineAnnealingLR(o, 50, 0.01)),
    (schedules.OneCycle(0.3, steps=100), 100, lambda o: T.OneCycleLR(o, 0.3, 100, cycle_momentum=False)),
    (
        schedules.OneCycle(0.3, steps=33, warmup_fraction=0.4, start_divisor=10, end_divisor=50),
        33,
        lambda o: T.OneCycleLR(o, 0.3, 33, pct_start=0.4, div_factor=10, final_div_factor=50, cycle_momentum=False),
    ),
    (
        schedules.Warmup(0.3, steps=8, start=0.03),
        20,
        lambda o: T.LinearLR(o, start_factor=0.1, total_iters=8),
    ),
    (
        schedules.Warmup(schedules.Cosine(0.3, steps=30), steps=8, start=0.03),
        36,
        lambda o: T.SequentialLR(
            o, [T.LinearLR(o, start_factor=0.1, total_iters=8), T.CosineAnnealingLR(o, 30)], milestones=[8]
        ),
    ),
]


@pytest.mark.parametrize(("schedule", "count", "make"), CASES, ids=[repr(case[0])[:30] for case in CASES])
@pytest.mark.filterwarnings("ignore")
def test_rates_are_pytorchs(schedule, count, make):
    np.testing.assert_allclose(schedule.rates(0, count), torch_rates(count, make), rtol=1e-12, atol=1e-15)


def test_inverse_scaling_is_scikit_learns():
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    optimizer = SGDOptimizer([np.zeros(1)], learning_rate_init=0.3, lr_schedule="invscaling", power_t=0.7)
    expected = [0.3]
    for t in range(1, 40):
        optimizer.iteration_ends(t)
        expected.append(optimizer.learning_rate)
    np.testing.assert_allclose(schedules.InverseScaling(0.3, 0.7).rates(0, 40), expected, rtol=1e-14)


ALL = [schedule for schedule, _, _ in CASES] + [schedules.InverseScaling(0.3, 0.7)]


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_any_part_of_the_rates_is_the_same(schedule, isa):
    whole = schedule.rates(0, 300)
    assert whole.dtype == np.float64
    for start, stop in [(0, 1), (5, 9), (7, 8), (8, 8), (3, 300), (123, 124)]:
        np.testing.assert_array_equal(schedule.rates(start, stop), whole[start:stop])
    assert schedule.initial == whole[0]
    assert (whole >= 0).all()
    assert whole.tobytes() == schedule.rates(0, 300).tobytes()


def test_what_comes_after_the_end_stays():
    np.testing.assert_array_equal(schedules.Cosine(1.0, steps=5, minimum=0.25).rates(5, 9), np.full(4, 0.25))
    cycle = schedules.OneCycle(1.0, steps=10)
    np.testing.assert_allclose(cycle.rates(9, 15), np.full(6, 1 / 25 / 1e4), rtol=1e-12)


def test_one_cycle_at_the_edges():
    only_down = schedules.OneCycle(1.0, steps=10, warmup_fraction=0.0).rates(0, 10)
    assert (np.diff(only_down) < 0).all()
    only_up = schedules.OneCycle(1.0, steps=10, warmup_fraction=1.0).rates(0, 12)
    assert (np.diff(only_up[:10]) > 0).all()
    assert only_up[9] == pytest.approx(1.0)


def test_units():
    step = schedules.Step(1.0, every=2, factor=0.5)
    assert step.unit == "epoch"
    np.testing.assert_array_equal(step.of_steps(100, 103, epoch=4, reduced=0.0), np.full(3, 0.25))
    cosine = schedules.Cosine(1.0, steps=10)
    np.testing.assert_array_equal(cosine.of_steps(2, 5, epoch=4, reduced=0.0), cosine.rates(2, 5))


def test_warm_up_in_front_of_a_schedule_of_another_unit():
    warm = schedules.Warmup(schedules.Step(1.0, every=2, factor=0.5), steps=4)
    np.testing.assert_array_equal(warm.of_steps(0, 6, epoch=0, reduced=0.0), [0, 0.25, 0.5, 0.75, 1, 1])
    np.testing.assert_array_equal(warm.of_steps(6, 8, epoch=2, reduced=0.0), [0.5, 0.5])
    with pytest.raises(ValueError, match="counts in steps and its schedule in epochs"):
        warm.rates(0, 6)
    by_epoch = schedules.Warmup(schedules.Step(1.0, every=2, factor=0.5), steps=4, unit="epoch")
    np.testing.assert_array_equal(by_epoch.rates(0, 8), [0, 0.25, 0.5, 0.75, 1, 1, 0.5, 0.5])
    np.testing.assert_array_equal(by_epoch.of_steps(50, 52, epoch=6, reduced=0.0), [0.5, 0.5])


@pytest.mark.parametrize(
    "options", [{"patience": 0}, {"patience": 3, "cooldown": 2}, {"patience": 2, "min_delta": 0.3, "minimum": 0.05}]
)
@pytest.mark.parametrize("maximise", [False, True])
def test_reduce_on_plateau_is_pytorchs(rng, options, maximise):
    values = np.cumsum(rng.normal(size=120)).tolist()
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.8)
    other = T.ReduceLROnPlateau(
        optimizer,
        mode="max" if maximise else "min",
        factor=0.5,
        patience=options["patience"],
        threshold=options.get("min_delta", 0.0),
        threshold_mode="abs",
        cooldown=options.get("cooldown", 0),
        min_lr=options.get("minimum", 0.0),
        eps=0.0,
    )
    state = PlateauState(fn.ReduceOnPlateau(0.8, factor=0.5, **options), maximise)
    for value in values:
        other.step(value)
        state.update(value)
        assert state.learning_rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
    assert state.learning_rate < 0.8


def test_reduce_on_plateau_in_a_run(blobs, make_trainer):
    X, y = blobs
    schedule = fn.ReduceOnPlateau(0.05, factor=0.5, patience=0, monitor="accuracy")
    trainer = make_trainer(optimizer=fn.SGD(fn.Warmup(schedule, steps=2)))
    history = trainer.fit(X, y, epochs=12)
    rate, best, expected = 0.05, -np.inf, []
    for accuracy in history["accuracy"]:
        expected.append(rate)
        rate, best = (rate, accuracy) if accuracy > best else (rate * 0.5, best)
    assert history["learning_rate"] == expected
    assert expected[-1] < 0.05


def test_learning_rates_reach_the_updates(blobs, make_trainer):
    X, y = blobs
    schedule = schedules.Cosine(0.05, steps=33)
    scheduled = make_trainer(optimizer=fn.SGD(schedule), batch_size="full", shuffle=False)
    by_hand = make_trainer(optimizer=fn.SGD(0.0), batch_size="full", shuffle=False)
    for rate in schedule.rates(0, 6):
        scheduled.step(X, y)
        by_hand.set_learning_rate(float(rate))
        by_hand.step(X, y)
    assert scheduled.network.digest() == by_hand.network.digest()
    in_fit = make_trainer(optimizer=fn.SGD(schedule), batch_size="full", shuffle=False)
    history = in_fit.fit(X, y, epochs=6)
    assert in_fit.network.digest() == scheduled.network.digest()
    assert history["learning_rate"] == schedule.rates(0, 6).tolist()


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: schedules.Cosine(0.1, 0), ValueError, ["steps", "at least 1"]),
        (lambda: schedules.Cosine(0.1, 10, minimum=0.2), ValueError, ["minimum", "at most 0.1"]),
        (lambda: schedules.Cosine(-0.1, 10), ValueError, ["learning_rate", "at least 0"]),
        (lambda: schedules.Cosine(0.1, 10, unit="steps"), ValueError, ["unit", "'epoch'", "did you mean 'step'"]),
        (lambda: schedules.Exponential(0.1, 1.5), ValueError, ["factor", "at most 1"]),
        (lambda: schedules.Step(0.1, 2.0), TypeError, ["every", "integer"]),
        (lambda: schedules.OneCycle(0.1, 1), ValueError, ["steps", "at least 2"]),
        (lambda: schedules.Warmup("cosine", 5), TypeError, ["schedule", "number"]),
        (lambda: fn.ReduceOnPlateau(0.1, factor=1.0), ValueError, ["factor", "below 1"]),
        (lambda: fn.ReduceOnPlateau(0.1, mode="up"), ValueError, ["mode", "'min'", "'max'"]),
        (lambda: fn.ReduceOnPlateau(0.1).rates(0, 3), ValueError, ["depend on the run"]),
        (lambda: fn.Adam(schedules.Cosine), TypeError, ["learning_rate", "class", "Cosine(...)"]),
    ],
)
def test_bad_arguments(make, error, fragments):
    with pytest.raises(error) as caught:
        make()
    for fragment in fragments:
        assert fragment in str(caught.value)
