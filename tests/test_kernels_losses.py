"""Every loss against its oracle and against central differences, in every instruction set and at odd sizes."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import kernels, make, pack, unpack
from suited import NUMERIC, kind_of_targets

from fastnn._runtime import instruction_sets
from fastnn.losses import LOSSES

VARIANTS = [(isa, dtype) for isa in instruction_sets.available() for dtype in ("float32", "float64")]
SENTINEL = -3.0
SIZES = (1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 67)  # about one panel, more or less, in each instruction set
KINDS = [
    *NUMERIC,
    "cross_entropy labels",
    "cross_entropy smooth",
    "cross_entropy soft",
    "cross_entropy soft smooth",
]
OF_ANY_NUMBERS = [name for name, cls in LOSSES.items() if cls.upper is None]


@pytest.fixture(params=VARIANTS, ids="-".join)
def k(request):
    return kernels(*request.param)


def problem(kind, n, rows, dtype, seed=0, spread=2.0):
    """(kind's name, outputs, keyword arguments of the oracle) with values that `dtype` holds exactly."""
    rng = np.random.default_rng(seed)
    name, *options = kind.split()
    o = (spread * rng.normal(size=(rows, n))).astype(dtype)
    case = {"weights": rng.uniform(0.5, 2, rows), "scale": 0.37, "parameter": 0.8 if name == "huber" else 0.0}
    if name == "pinball":
        n_quantiles = max(q for q in (1, 2, 3) if n % q == 0)
        case["quantiles"] = rng.uniform(0.05, 0.95, n_quantiles)
        case["targets"] = rng.normal(size=(rows, n // n_quantiles)).astype(dtype)
    elif name == "cross_entropy":
        case["parameter"] = 0.1 if "smooth" in options else 0.0
        if "soft" in options:
            case["targets"] = rng.dirichlet(np.full(n, 0.3), rows).astype(dtype)
        else:
            case["labels"] = rng.integers(0, n, rows)
    elif kind_of_targets(LOSSES[name]) == "bits":
        case["targets"] = rng.integers(0, 2, (rows, n)).astype(dtype)
    elif kind_of_targets(LOSSES[name]) == "counts":
        case["targets"] = rng.poisson(2, (rows, n)).astype(dtype)
    else:
        case["targets"] = rng.normal(size=(rows, n)).astype(dtype)
    return name, o, case


def computed(k, name, o, case, r0=0, r1=None, gradients=True):
    """(losses, deltas as panels, hits) of the kernel; outputs' padding is NaN, which must not matter."""
    rows, n = o.shape
    panels = pack(o, k.panel, fill=np.nan)
    deltas, losses, hits = np.full_like(panels, SENTINEL), np.full(rows, SENTINEL), np.full(rows, SENTINEL)
    targets, quantiles = case.get("targets"), case.get("quantiles")
    batch = make(
        "LossBatch",
        outputs=panels,
        deltas=deltas if gradients else None,
        rows=rows,
        n_outputs=n,
        labels=case.get("labels"),
        targets=None if targets is None else np.ascontiguousarray(targets, k.dtype),
        n_targets=0 if targets is None else targets.shape[1],
        weights=case.get("weights"),
        scale=case.get("scale", 1.0),
        losses=losses,
        hits=hits,
        parameter=case.get("parameter", 0.0),
        quantiles=quantiles,
        n_quantiles=0 if quantiles is None else len(quantiles),
    )
    k.losses[name].loss(batch, r0, rows if r1 is None else r1)
    return losses, deltas, hits


def check(k, name, o, case):
    losses, deltas, hits = computed(k, name, o, case)
    expected, gradients, accuracies = oracles.loss(name, o, **case)
    n = o.shape[1]
    np.testing.assert_allclose(losses, expected, 1e-12, 1e-13)
    np.testing.assert_allclose(hits, accuracies, 1e-14)
    with np.errstate(over="ignore"):
        rounded = gradients.astype(k.dtype)  # once: beside it there is at most the other neighbour
    np.testing.assert_allclose(unpack(deltas, n), rounded, 1e-12 if k.dtype == np.float64 else 1.2e-7, 1e-15)
    if n % k.panel:
        assert not deltas[-1, :, n % k.panel :].any()


@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_at_odd_sizes(k, kind):
    for n in SIZES:
        for rows in (1, 16, 21):
            check(k, *problem(kind, n, rows, k.dtype, seed=n))


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_outputs(k, kind):
    check(k, *problem(kind, 2049, 2, k.dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_outside_the_range_stay_untouched(k, kind):
    for n in (1, 10, 33):
        name, o, case = problem(kind, n, 23, k.dtype)
        whole = computed(k, name, o, case)
        part = computed(k, name, o, case, 3, 20)
        for a, b, axis in zip(whole, part, (0, 1, 0), strict=True):
            a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
            assert np.array_equal(a[3:20], b[3:20])
            assert (b[:3] == SENTINEL).all()
            assert (b[20:] == SENTINEL).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_has_the_bits_that_it_has_among_others(k, kind):
    for n in (2, 10, 16, 17):
        name, o, case = problem(kind, n, 17, k.dtype, spread=5.0)
        case["weights"][::5] = 0
        o[3] = np.inf
        o[6, 1] = np.nan
        whole = computed(k, name, o, case)
        for r in range(17):
            for a, b in zip(whole, computed(k, name, o, case, r, r + 1), strict=True):
                row = (slice(None), r) if a.ndim == 3 else r
                assert np.array_equal(a[row], b[row], equal_nan=True), (n, r)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_alone(k, kind):
    for n in (1, 10, 33):
        name, o, case = problem(kind, n, 19, k.dtype)
        losses, deltas, hits = computed(k, name, o, case, gradients=False)
        assert (deltas == SENTINEL).all()
        whole = computed(k, name, o, case)
        assert np.array_equal(losses, whole[0])
        assert np.array_equal(hits, whole[2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_in_every_instruction_set(kind, dtype):
    for n in SIZES:
        name, o, case = problem(kind, n, 21, dtype, seed=n, spread=5.0)
        o[3] *= np.float32(1e4)
        found = set()
        for isa in instruction_sets.available():
            losses, deltas, hits = computed(kernels(isa, dtype), name, o, case)
            found.add(losses.tobytes() + unpack(deltas, n).tobytes() + hits.tobytes())
        assert len(found) == 1, n


@pytest.mark.parametrize("isa", instruction_sets.available())
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_against_central_differences(kind, isa):
    k = kernels(isa, "float64")
    for n in (1, 2, 9, 18):
        name, o, case = problem(kind, n, 3, "float64", seed=5)
        deltas = unpack(computed(k, name, o, case)[1], n)
        differences = np.zeros_like(o)
        for at in np.ndindex(*o.shape):
            sides = []
            for h in (1e-5, -1e-5):
                moved = o.copy()
                moved[at] += h
                sides.append(computed(k, name, moved, case, gradients=False)[0].sum())
            differences[at] = case["scale"] * (sides[0] - sides[1]) / 2e-5
        assert np.any(deltas) or (n == 1 and name == "cross_entropy")
        np.testing.assert_allclose(deltas, differences, 1e-6, 1e-8)


# --------------------------------------------------------- particular rows


def test_binary_labels_stand_for_a_column_of_targets(k):
    name, o, case = problem("binary_cross_entropy", 1, 21, k.dtype)
    labels = case["targets"][:, 0].astype(np.int64)
    by_labels = computed(k, name, o, {**case, "targets": None, "labels": labels})
    assert all(np.array_equal(a, b) for a, b in zip(by_labels, computed(k, name, o, case), strict=True))


def test_soft_binary_targets(k):
    name, o, case = problem("binary_cross_entropy", 10, 21, k.dtype)
    case["targets"] = np.random.default_rng(0).uniform(size=(21, 10)).astype(k.dtype)
    check(k, name, o, case)


def test_one_hot_targets_equal_labels(k):
    for parameter in (0.0, 0.1):
        name, o, case = problem("cross_entropy labels", 10, 21, k.dtype)
        case["parameter"] = parameter
        hot = np.eye(10, dtype=k.dtype)[case["labels"]]
        a, b = computed(k, name, o, case), computed(k, name, o, {**case, "labels": None, "targets": hot})
        np.testing.assert_allclose(a[0], b[0], 1e-13)
        np.testing.assert_allclose(a[1], b[1], 1e-6 if k.dtype == np.float32 else 1e-12, 1e-15)
        assert np.array_equal(a[2], b[2])


def test_soft_targets_need_not_sum_to_one(k):
    name, o, case = problem("cross_entropy soft", 10, 21, k.dtype)
    case["targets"] *= 3
    case["targets"][4] = 0
    check(k, name, o, case)


def test_the_first_of_equal_outputs_is_the_prediction(k):
    for n in (2, 10, 40):
        for at in {0, 1, n // 2, n - 1}:
            o = np.zeros((n, n), k.dtype)
            o[:, at:] = 5
            _, _, hits = computed(k, "cross_entropy", o, {"labels": np.arange(n)})
            assert np.array_equal(hits, np.arange(n) == at)
    o = np.zeros((3, 10), k.dtype)
    targets = np.zeros((3, 10), k.dtype)
    o[:, 4], targets[0, [4, 7]], targets[1, [2, 4]], targets[2] = 1, 0.5, 0.5, 0.1
    assert np.array_equal(computed(k, "cross_entropy", o, {"targets": targets})[2], [1, 0, 0])


def test_derivatives_where_there_is_a_kink(k):
    o = np.ones((1, 6), k.dtype)
    for kind in ("mean_absolute", "pinball"):
        case = {"targets": o.copy(), "quantiles": np.array([0.3]), "weights": np.array([2.0])}
        losses, deltas, _ = computed(k, kind, o, case)
        assert losses[0] == 0
        assert not deltas.any()


def test_weights_may_be_absent(k):
    for kind in KINDS:
        for n in (1, 10):
            name, o, case = problem(kind, n, 5, k.dtype)
            ones = computed(k, name, o, {**case, "weights": np.ones(5)})
            absent = computed(k, name, o, {**case, "weights": None})
            assert all(np.array_equal(a, b) for a, b in zip(ones, absent, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_zero_counts_for_nothing(k, kind):
    for n in (1, 10, 33):
        for value in (0.5, np.finfo(k.dtype).max, -np.finfo(k.dtype).max):
            name, o, case = problem(kind, n, 5, k.dtype)
            o[2], case["weights"][2] = value, 0
            losses, deltas, hits = computed(k, name, o, case)
            assert losses[2] == 0
            assert hits[2] == 0
            assert not deltas[:, 2].any()
            assert np.isfinite(losses).all()
            assert np.isfinite(deltas).all()
            assert n == 1 or np.any(deltas)


# ------------------------------------------------------------ extreme values


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_extreme_logits_are_stable(k, size):
    rng = np.random.default_rng(1)
    for n in (1, 2, 10, 40):
        o = (size * rng.choice([-1, 0, 1, 0.5], (30, n))).astype(k.dtype)
        labels, targets = rng.integers(0, n, 30), rng.integers(0, 2, (30, n)).astype(k.dtype)
        for name, case in [
            ("cross_entropy", {"labels": labels}),
            ("cross_entropy", {"labels": labels, "parameter": 0.1}),
            ("cross_entropy", {"targets": targets}),
            ("binary_cross_entropy", {"targets": targets}),
            *((name, {"targets": targets, "parameter": 1.0, "quantiles": np.array([0.3])}) for name in OF_ANY_NUMBERS),
        ]:
            losses, deltas, _ = computed(k, name, o, case)
            assert np.isfinite(losses).all(), name
            assert np.isfinite(deltas).all(), name
            check(k, name, o, case)


def test_logits_at_the_limits_of_the_type(k):
    largest = np.finfo(k.dtype).max
    o = np.zeros((2, 10), k.dtype)
    o[0], o[:, 3] = -largest, largest
    hot = np.eye(10, dtype=k.dtype)[[3, 3]]
    for case in ({"labels": np.array([3, 3])}, {"targets": hot}):
        losses, deltas, hits = computed(k, "cross_entropy", o, case)
        assert (losses == 0).all()
        assert not deltas.any()
        assert (hits == 1).all()


def test_small_losses_keep_their_digits(k):
    o = np.array([[30.0], [-30.0], [-600.0]], k.dtype)
    targets = np.array([[1.0], [0.0], [0.0]], k.dtype)
    losses, deltas, _ = computed(k, "binary_cross_entropy", o, {"targets": targets})
    np.testing.assert_allclose(losses, np.exp([-30.0, -30.0, -600.0]), 1e-12)
    np.testing.assert_allclose(deltas[0, :2, 0], [-np.exp(-30.0), np.exp(-30.0)], 1e-7)


def test_what_is_not_finite_shows_in_the_loss(k):
    for kind in KINDS:
        for n in (1, 10, 33):
            for bad in (np.nan, np.inf):
                name, o, case = problem(kind, n, 20, k.dtype)
                o[7, n // 2] = bad
                if name == "binary_cross_entropy" and bad == np.inf:
                    case["targets"][7] = 0
                losses, _, _ = computed(k, name, o, case)
                assert not np.isfinite(losses[7]), (kind, n, bad)
                assert np.isfinite(np.delete(losses, 7)).all()


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(VARIANTS),
    st.sampled_from(KINDS),
    st.integers(1, 90),
    st.integers(1, 40),
    st.integers(0, 2**32),
    st.floats(1e-3, 50),
)
def test_any_shape_and_values(variant, kind, n, rows, seed, spread):
    k = kernels(*variant)
    check(k, *problem(kind, n, rows, k.dtype, seed, spread))
