"""Rows gathered into panels and scattered out of them, and the search for values that are not finite."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import kernels, pack, unpack

from fastnn._runtime import instruction_sets

VARIANTS = [(isa, dtype) for isa in instruction_sets.available() for dtype in ("float32", "float64")]
SENTINEL = 7.5


@pytest.fixture(params=VARIANTS, ids="-".join)
def k(request):
    return kernels(*request.param)


def sizes(panel):
    return sorted({1, 2, 10, 15, 16, 17, panel - 1, panel, panel + 1, 67})


def layouts(a):
    """The same values in differing strides."""
    rows, n = a.shape
    wide, tall, both = np.zeros((rows, 3 * n), a.dtype), np.zeros((2 * rows, n), a.dtype), a[::-1, ::-1].copy()
    record = np.zeros(rows, dtype=[("odd", "u1"), ("x", a.dtype, (n,))])
    wide[:, ::3], tall[::2], record["x"] = a, a, a
    yield "contiguous", a.copy()
    yield "Fortran", np.asfortranarray(a)
    yield "every third column", wide[:, ::3]
    yield "every second row", tall[::2]
    yield "reversed", both[::-1, ::-1]
    yield "unaligned", record["x"]


def gathered(k, x, index=None, first=0, rows=None, r0=0, r1=None):
    n_rows = len(x) if index is None else len(index)
    rows = n_rows if rows is None else rows
    panels = np.full((-(-x.shape[1] // k.panel), rows, k.panel), SENTINEL, dtype=x.dtype)
    r1 = n_rows if r1 is None else r1
    k.batch.gather(x, x.strides[0], x.strides[1], index, first, x.shape[1], panels, rows, r0, r1)
    return panels


def test_gather_every_layout_and_size(k):
    rng = np.random.default_rng(0)
    for n in sizes(k.panel):
        a = rng.normal(size=(9, n)).astype(k.dtype)
        index = np.array([3, 8, 0, 3, 5], dtype=np.int64)
        for name, x in layouts(a):
            assert np.array_equal(gathered(k, x), pack(a, k.panel)), (n, name)
            assert np.array_equal(gathered(k, x, index), pack(a[index], k.panel)), (n, name)


def test_gather_touches_its_rows_alone(k):
    for n in sizes(k.panel):
        a = np.arange(20 * n, dtype=k.dtype).reshape(20, n)
        for x in (a, np.asfortranarray(a)):
            panels = gathered(k, x, first=4, rows=11, r0=3, r1=9)
            assert np.array_equal(panels[:, 3:9], pack(a[7:13], k.panel))
            assert (panels[:, :3] == SENTINEL).all()
            assert (panels[:, 9:] == SENTINEL).all()


def test_scatter_every_layout_and_size(k):
    rng = np.random.default_rng(1)
    for n in sizes(k.panel):
        a = rng.normal(size=(9, n)).astype(k.dtype)
        panels = pack(a, k.panel, rows=12, fill=np.nan)
        for name, out in layouts(np.full_like(a, SENTINEL)):
            k.batch.scatter(panels, 12, n, 2, 8, out, *out.strides)
            assert np.array_equal(out[2:8], a[2:8]), (n, name)
            assert (out[:2] == SENTINEL).all(), (n, name)
            assert (out[8:] == SENTINEL).all(), (n, name)


def test_scatter_writes_nothing_beside_its_columns(k):
    for n in sizes(k.panel):
        a = np.ones((3, n), dtype=k.dtype)
        frame = np.full((3, n + 40), SENTINEL, dtype=k.dtype)
        out = frame[:, 20 : 20 + n]
        k.batch.scatter(pack(a, k.panel), 3, n, 0, 3, out, *out.strides)
        assert (out == 1).all()
        assert (frame[:, :20] == SENTINEL).all()
        assert (frame[:, 20 + n :] == SENTINEL).all()


def first_nonfinite(k, x):
    return k.batch.first_nonfinite(x, *x.strides, *x.shape)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_first_nonfinite_is_found_wherever_it_stands(k, bad):
    for shape in [(1, 1), (3, 2), (5, 17), (2, 64), (3, 130), (1, 20011), (701, 29)]:
        clean = np.random.default_rng(2).normal(size=shape).astype(k.dtype)
        limits = np.finfo(k.dtype)
        clean[0, 0] = limits.max
        clean[-1, -1] = -limits.max
        clean[0, -1] = limits.smallest_subnormal
        for _, x in layouts(clean):
            assert first_nonfinite(k, x) == -1
        size = clean.size
        for at in {0, 1, size // 3, size // 2, size - 2, size - 1} - {-1, size}:
            a = clean.copy()
            a.flat[at] = bad
            a.flat[size - 1] = np.nan
            for name, x in layouts(a):
                assert first_nonfinite(k, x) == at, (shape, name)


def test_first_nonfinite_looks_at_nothing_beside(k):
    for n in range(1, 300, 7):
        frame = np.full(3 * n + 600, np.nan, dtype=k.dtype)
        for x in (frame[300 : 300 + n].reshape(1, n), frame[300 : 300 + 3 * n].reshape(3, n)):
            x[...] = 1
            assert first_nonfinite(k, x) == -1


def test_first_nonfinite_of_nothing(k):
    assert first_nonfinite(k, np.zeros((0, 5), k.dtype)) == -1
    assert first_nonfinite(k, np.zeros((5, 0), k.dtype)) == -1


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(VARIANTS), st.integers(1, 30), st.integers(1, 90), st.integers(0, 2**32), st.integers(0, 5))
def test_scatter_undoes_gather(variant, n_rows, n, seed, layout):
    k = kernels(*variant)
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n_rows, n)).astype(k.dtype)
    index = rng.integers(0, n_rows, rng.integers(1, 20))
    panels = gathered(k, list(layouts(a))[layout][1], index)
    out = list(layouts(np.zeros((len(index), n), k.dtype)))[layout][1]
    k.batch.scatter(panels, len(index), n, 0, len(index), out, *out.strides)
    assert np.array_equal(out, a[index])
    assert np.array_equal(unpack(panels, n), a[index])
