"""One step of each optimizer against the textbook and against PyTorch; sums of squares; sums."""

import inspect

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import kernels, make, pack
from oracles import Optimizer

from fastnn._runtime import instruction_sets
from fastnn.optimizers import OPTIMIZERS

VARIANTS = [(isa, dtype) for isa in instruction_sets.available() for dtype in ("float32", "float64")]
COUNT = 96  # whole panels in every instruction set
PENALTIES = {"l1": 0.01, "l2": 0.1, "decoupled": 0.1, "clip_value": 0.5}
# The optimizer's name and its oracle's arguments.
CASES = {name: (name, oracles.defaults(OPTIMIZERS[name]())) for name in OPTIMIZERS}
CASES |= {f"{name} l2": (name, oracles.defaults(OPTIMIZERS[name]()) | {"l2": 0.1}) for name in OPTIMIZERS}
CASES |= {f"{name} penalised": (name, oracles.defaults(OPTIMIZERS[name]()) | PENALTIES) for name in OPTIMIZERS}
CASES |= {
    "sgd momentum": ("sgd", {"momentum": 0.9}),
    "sgd nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}),
    "sgd penalised momentum": ("sgd", {"momentum": 0.5, "l1": 0.03, "l2": 0.2}),
    "sgd decoupled": ("sgd", {"decoupled": 0.3}),
    "sgd clipped": ("sgd", {"clip_value": 0.4, "gradient_scale": 0.7}),
    "adam betas": ("adam", {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}),
    "adam amsgrad": ("adam", {"amsgrad": True, "beta2": 0.5}),
    "adam everything": ("adam", {"l1": 0.01, "l2": 0.1, "decoupled": 0.1, "clip_value": 0.5, "amsgrad": True}),
    "adamw": ("adamw", {"decoupled": 0.2}),
    "nadam momentum decay": ("nadam", {"l2": 0.1, "momentum_decay": 0.05}),
    "nadam decoupled": ("nadam", {"decoupled": 0.1}),
    "rmsprop momentum": ("rmsprop", {"beta2": 0.99, "momentum": 0.8}),
    "rmsprop centered": ("rmsprop", {"beta2": 0.9, "centered": True}),
    "rmsprop everything": ("rmsprop", {"beta2": 0.9, "centered": True, "momentum": 0.8, "l2": 0.1, "clip_value": 0.5}),
    "adagrad options": ("adagrad", {"eps": 1e-10, "lr_decay": 0.1, "initial": 0.5, "l2": 0.1}),
}


@pytest.fixture(params=VARIANTS, ids="-".join)
def k(request):
    return kernels(*request.param)


def kernel_steps(k, kind, options, w, gradients, lr=0.02):
    """The parameters after each step, and the three state arrays after the last."""
    numbers = Optimizer(kind, lr, **options)
    w = w.astype(k.dtype)
    state = [np.zeros(len(w), k.dtype) for _ in range(3)]
    if kind == "adagrad":
        state[0][:] = numbers.initial
    after = []
    for g in gradients:
        rule = make("UpdateRule", **numbers.rule())
        assert (
            k.optimizers[OPTIMIZERS[kind].kind].update(rule, w, g.astype(k.dtype), *state, len(w), k.panel, None) == 0
        )
        numbers.step(np.zeros(1), np.zeros(1))  # for the step count and NAdam's product alone
        after.append(w.copy())
    return after, state


def problem(dtype, steps=6, count=COUNT, seed=0):
    """Parameters and gradients that `dtype` holds exactly, some zero, in float64."""
    rng = np.random.default_rng(seed)
    w, gradients = rng.normal(size=count), rng.normal(size=(steps, count))
    w[:5], gradients[:, 3:9] = 0, 0
    return w.astype(dtype).astype(np.float64), gradients.astype(dtype).astype(np.float64)


@pytest.mark.parametrize("case", CASES)
def test_steps_follow_the_textbook(k, case):
    kind, options = CASES[case]
    w, gradients = problem(k.dtype)
    oracle = Optimizer(kind, 0.02, **options)
    if options.get("centered"):  # one gradient alone has no variance: nothing to compare but rounding
        gradients[:, 3:9] = np.random.default_rng(1).normal(size=(len(gradients), 6))
    rtol, atol = (2e-6, 1e-6) if k.dtype == np.float32 else (1e-13, 1e-14)
    assert not np.array_equal(kernel_steps(k, kind, options, w, gradients)[0][0], w)
    for i, got in enumerate(kernel_steps(k, kind, options, w, gradients)[0]):
        w = oracle.step(w, gradients[i])
        np.testing.assert_allclose(got, w, rtol, atol, err_msg=f"step {i}")


TORCH_NAMES = {"l2": "weight_decay", "initial": "initial_accumulator_value"}
# Of the optimizers that PyTorch has too, as their descriptions say; of decoupled decay those that take it there.
TORCH_CASES = [
    name
    for name, (kind, options) in CASES.items()
    if "torch.optim." in OPTIMIZERS[kind].__doc__
    and not options.keys() & {"l1", "clip_value"}
    and not (kind == "sgd" and "decoupled" in options)
    and not (kind == "adamw" and "l2" in options)
]


def torch_optimizer(torch, kind, options, w, lr):
    theirs = getattr(torch.optim, OPTIMIZERS[kind].__name__)
    taken = inspect.signature(theirs).parameters
    given = {TORCH_NAMES.get(k, k): value for k, value in options.items() if k not in ("beta1", "beta2", "decoupled")}
    if "betas" in taken:
        given["betas"] = options.get("beta1", 0.9), options.get("beta2", 0.999)
    elif "beta2" in options:
        given["alpha"] = options["beta2"]
    if "decoupled" in options:
        given["weight_decay"] = options["decoupled"]
        given |= {"decoupled_weight_decay": True} if "decoupled_weight_decay" in taken else {}
    return theirs([w], lr=lr, **given)


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs PyTorch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # in which it keeps NAdam's product of momenta
    yield torch
    torch.set_default_dtype(before)


@pytest.mark.parametrize("case", TORCH_CASES)
def test_steps_follow_torch(k, torch, case):
    kind, options = CASES[case]
    w, gradients = problem(k.dtype, steps=20)
    if options.get("centered"):
        gradients[:, 3:9] = np.random.default_rng(1).normal(size=(len(gradients), 6))
    there = torch.tensor(w.astype(k.dtype), requires_grad=True)
    optimizer = torch_optimizer(torch, kind, options, there, 0.02)
    rtol, atol = (1e-5, 2e-6) if k.dtype == np.float32 else (1e-12, 1e-13)
    for i, got in enumerate(kernel_steps(k, kind, options, w, gradients)[0]):
        there.grad = torch.tensor(gradients[i].astype(k.dtype))
        optimizer.step()
        np.testing.assert_allclose(got, there.detach().numpy(), rtol, atol, err_msg=f"step {i}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_bits_in_every_instruction_set(case, dtype):
    kind, options = CASES[case]
    w, gradients = problem(dtype)
    w[10], gradients[:, 11] = 1e-42, 1e-41  # denormal in float32
    first = None
    for isa in instruction_sets.available():
        after, state = kernel_steps(kernels(isa, dtype), kind, options, w, gradients)
        bits = b"".join(a.tobytes() for a in (*after, *state))
        first = first or bits
        assert bits == first, isa


@pytest.mark.parametrize("case", CASES)
def test_padding_stays_zero(k, case):
    kind, options = CASES[case]
    if kind == "adagrad":
        options = {**options, "initial": 0.0}
    after, state = kernel_steps(k, kind, options, np.zeros(COUNT), np.zeros((3, COUNT)))
    assert not np.any(after)
    assert not np.any(state)


def one_step(k, w, g, kind="sgd", **rule):
    w, g = np.array(w, dtype=k.dtype), np.array(g, dtype=k.dtype)
    numbers = Optimizer(kind, 0.1).rule() | rule
    state = [np.zeros(COUNT, k.dtype) for _ in range(3)]
    failed = k.optimizers[OPTIMIZERS[kind].kind].update(
        make("UpdateRule", **numbers), w, g, *state, COUNT, k.panel, None
    )
    return w, failed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, "overflow"])
@pytest.mark.parametrize("at", [0, 1, 7, 31, 32, 50, COUNT - 1])
def test_a_parameter_that_would_not_be_finite_keeps_its_value(k, bad, at):
    w, g = np.ones(COUNT), np.ones(COUNT)
    if bad == "overflow":
        w[at], g[at] = np.finfo(k.dtype).max, -np.finfo(k.dtype).max
    else:
        g[at] = bad
    for penalty in ({}, {"l2": 0.5}):
        got, failed = one_step(k, w, g, **penalty)
        assert failed == 1
        assert got[at] == w.astype(k.dtype)[at]
        assert (np.delete(got, at) == np.delete(one_step(k, np.ones(COUNT), np.ones(COUNT), **penalty)[0], at)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_gradient_that_is_not_finite_is_told(k, kind, bad):
    """Whatever the step makes of it: a sign, or 0 where it is divided by an infinite root."""
    for at in (0, 31, COUNT - 1):
        g = np.ones(COUNT)
        g[at] = bad
        got, failed = one_step(k, np.ones(COUNT), g, kind)
        assert failed == 1
        assert np.isfinite(got).all()


@pytest.mark.parametrize("kind", [name for name, cls in OPTIMIZERS.items() if hasattr(cls, "epsilon")])
@pytest.mark.parametrize("at", [0, 31, COUNT - 1])
def test_squares_that_overflow_are_told(k, kind, at):
    g = np.ones(COUNT)
    g[at] = 2 * np.sqrt(np.finfo(k.dtype).max)
    for factor, failed in ((1, 0), (g, 1)):
        got, found = one_step(k, np.ones(COUNT), np.ones(COUNT) * factor, kind, beta2=0.5)
        assert found == failed
        assert np.isfinite(got).all()


def test_clipping_lets_nan_through_and_bounds_infinity(k):
    g = np.full(COUNT, 3.0)
    g[0], g[1], g[2], g[3] = np.nan, np.inf, -np.inf, 0.25
    w, failed = one_step(k, np.zeros(COUNT), g, clip_value=0.5, step_size=1.0)
    assert failed == 1
    assert w[0] == 0
    assert w[1] == -0.5
    assert w[2] == 0.5
    assert w[3] == -0.25
    assert (w[4:] == -0.5).all()


def test_l1_pulls_towards_zero_and_not_at_it(k):
    w = np.zeros(COUNT)
    w[:4] = 2, -2, 1e-30, -0.0
    got, _ = one_step(k, w, np.zeros(COUNT), l1=0.5, step_size=1.0)
    np.testing.assert_array_equal(got[:5], np.array([1.5, -1.5, -0.5, 0, 0], k.dtype))


def test_centered_rmsprop_survives_a_variance_rounded_below_zero(k):
    g = np.random.default_rng(6).uniform(0.05, 1, COUNT)  # steady, so that its variance is nothing but rounding
    kind, options = "rmsprop", {"centered": True, "beta2": 0.5, "eps": 1e-3}
    after, _ = kernel_steps(k, kind, options, np.ones(COUNT), np.tile(g, (80, 1)))
    assert np.isfinite(after).all()


def test_only_count_parameters_change(k):
    n = k.panel
    w, g, state = np.ones(2 * n, k.dtype), np.ones(2 * n, k.dtype), [np.ones(2 * n, k.dtype) for _ in range(3)]
    numbers = Optimizer("adam", 0.1, amsgrad=True).rule()
    k.optimizers["adam"].update(make("UpdateRule", **numbers), w, g, *state, n, k.panel, None)
    assert (w[:n] != 1).all()
    assert all((a[n:] == 1).all() for a in (w, g, *state))


@pytest.mark.parametrize("width", [1, 3, 4, 5, 8, 9, 16, 17, 32])
def test_the_first_columns_of_every_row_change_as_if_alone(k, width):
    """Vectors of padding alone are left as they are."""
    width = min(width, k.panel)
    g = np.random.default_rng(7).standard_normal(3 * k.panel).astype(k.dtype)
    rule = make("UpdateRule", **Optimizer("adam", 0.1, amsgrad=True).rule())
    found = []
    for columns in (k.panel, width):
        w, state = np.ones(3 * k.panel, k.dtype), [np.zeros(3 * k.panel, k.dtype) for _ in range(3)]
        assert k.optimizers["adam"].update(rule, w, g, *state, len(w), columns, None) == 0
        found.append(np.array([w, *state]).reshape(4, 3, k.panel))
    whole, part = found
    assert (part[:, :, :width] == whole[:, :, :width]).all()
    assert (whole != [[[1]], [[0]], [[0]], [[0]]]).all()
    if width <= k.panel // 2:
        assert (part[:, :, k.panel // 2 :] == [[[1]], [[0]], [[0]], [[0]]]).all()


def step_by_its_root(k, a):
    """-a / sqrt(a): Adam's step from w = 0 where both moments are a and stay."""
    numbers = Optimizer("adam", 0.1).rule() | {"beta1": 1.0, "beta2": 1.0, "epsilon": 0.0, "root_scale": 1.0}
    rule = make("UpdateRule", **numbers | {"step_size": 1.0})
    w, zero = np.zeros(len(a), k.dtype), np.zeros(len(a), k.dtype)
    k.optimizers["adam"].update(rule, w, zero, a.copy(), a.copy(), None, len(a), k.panel, None)
    return w


def test_roots_are_correctly_rounded(k):
    """Of every mantissa of float32, with an odd and an even exponent; and at the ends of the range."""
    every, some = np.arange(2**23, dtype=np.uint32), np.arange(0, 2**23, 64, dtype=np.uint32)
    for exponent in (127, 128, 1, 26, 27, 28, 253, 254):
        mantissas = every if k.dtype == np.float32 and exponent in (127, 128) else some
        a = (np.uint32(exponent << 23) | mantissas).view(np.float32).astype(k.dtype)
        assert (step_by_its_root(k, a) == -(a / np.sqrt(a))).all()


def test_roots_of_zeros_and_denormals(k):
    tiny = np.finfo(k.dtype).smallest_subnormal
    a = np.resize(np.array([1, 0, 4, tiny, 3 * tiny, np.finfo(k.dtype).max, 0, 1e-30], k.dtype), 2 * k.panel)
    rule = make("UpdateRule", **Optimizer("adagrad", 0.5).rule() | {"step_size": 1.0, "epsilon": 1.0})
    w, g = np.zeros(len(a), k.dtype), np.full(len(a), 2.0**-60, k.dtype)
    k.optimizers["adagrad"].update(rule, w, g, a.copy(), None, None, len(a), k.panel, None)
    s = a + g * g
    assert (w == -(g / (np.sqrt(s) + np.ones(1, k.dtype)))).all()


def test_unused_state_may_be_absent(k):
    w, g = np.ones(COUNT, k.dtype), np.ones(COUNT, k.dtype)
    k.optimizers["sgd"].update(
        make("UpdateRule", **Optimizer("sgd", 0.5).rule()), w, g, None, None, None, COUNT, k.panel, None
    )
    assert (w == 0.5).all()
    m, v = np.zeros(COUNT, k.dtype), np.zeros(COUNT, k.dtype)
    k.optimizers["adam"].update(
        make("UpdateRule", **Optimizer("adam", 0.5).rule()), w, g, m, v, None, COUNT, k.panel, None
    )
    assert (w < 1e-6).all()


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(VARIANTS),
    st.sampled_from(list(CASES)),
    st.integers(0, 2**32),
    st.floats(1e-5, 1e3),
    st.integers(1, 5),
)
def test_any_gradients(variant, case, seed, scale, panels):
    k = kernels(*variant)
    kind, options = CASES[case]
    w, gradients = problem(k.dtype, steps=3, count=panels * k.panel, seed=seed)
    if options.get("centered"):  # the variance of nearly equal gradients is all rounding
        options = {**options, "eps": 1.0}
    gradients = (scale * gradients).astype(k.dtype).astype(np.float64)
    oracle = Optimizer(kind, 0.02, **options)
    for i, got in enumerate(kernel_steps(k, kind, options, w, gradients)[0]):
        w = oracle.step(w, gradients[i])
        tolerance = (3e-6 if k.dtype == np.float32 else 1e-13) * max(1, scale)
        np.testing.assert_allclose(got, w, tolerance, tolerance)


# ------------------------------------------------------------------------ sums


def as_weight(a, panel):
    """(n_out, n_in) as a weight's panels [ceil(n_out / P)][n_in][P]."""
    n_out, n_in = a.shape
    panels = np.zeros((-(-n_out // panel), n_in, panel), a.dtype)
    for o in range(n_out):
        panels[o // panel, :, o % panel] = a[o]
    return panels


def test_sum_squares_of_every_block(k):
    rng = np.random.default_rng(3)
    for n_in in (1, 2, 67):
        for n_out in sorted({1, 2, 10, 15, 16, 17, k.panel - 1, k.panel, k.panel + 1, 67}):
            a = rng.normal(size=(n_out, n_in)).astype(k.dtype)
            panels = as_weight(a, k.panel)
            for o0 in range(0, n_out, 16):
                got = k.optimizers.sum_squares(panels, n_in, n_out, o0)
                np.testing.assert_allclose(got, (a[o0 : o0 + 16].astype(np.float64) ** 2).sum(), 1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sum_squares_is_a_sum_in_lanes(dtype):
    a = (np.random.default_rng(4).normal(size=(43, 30)) * 10.0 ** np.arange(30)).astype(dtype)
    for o0 in (0, 16, 32):
        lanes = [0.0] * 16
        for o in range(o0, min(o0 + 16, 43)):
            for x in a[o].astype(np.float64):  # squares of float32 are exact; float64 is held to the other sets alone
                lanes[o - o0] += x * x
        for half in (8, 4, 2, 1):
            lanes = [lanes[i] + lanes[i + half] for i in range(half)]
        found = {
            kernels(isa, dtype).optimizers.sum_squares(as_weight(a, kernels(isa, dtype).panel), 30, 43, o0)
            for isa in instruction_sets.available()
        }
        assert len(found) == 1
        if dtype == "float32":
            assert found == {lanes[0]}


def test_the_sum_of_squares_of_a_narrow_layer_is_the_same(k):
    rng = np.random.default_rng(6)
    for n_out in range(1, k.dense.narrow + 1):
        for n_in in (1, 2, k.panel - 1, k.panel, k.panel + 1, 67):
            a = (rng.normal(size=(n_out, n_in)) * 10.0 ** rng.integers(-9, 9, (n_out, n_in))).astype(k.dtype)
            got = k.optimizers.narrow_sum_squares(pack(a, k.panel), n_in, n_out)
            assert got == k.optimizers.sum_squares(as_weight(a, k.panel), n_in, n_out, 0)


def test_add(k):
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 3 * k.panel)).astype(k.dtype)
    total = np.concatenate([(a + b)[: 2 * k.panel], a[2 * k.panel :]])
    k.optimizers.add(a, b, 2 * k.panel)
    assert np.array_equal(a, total)
