"""The kernels for sparse rows: against float64 NumPy, and bit for bit against the dense kernels on the same rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import kernels, make, pack, unpack

from fastnn._runtime import instruction_sets

VARIANTS = [(isa, dtype) for isa in instruction_sets.available() for dtype in ("float32", "float64")]
SENTINEL = 7.5


@pytest.fixture(params=VARIANTS, ids="-".join)
def k(request):
    return kernels(*request.param)


def sparse(rng, n, n_in, density, dtype):
    """Dense rows, and the same as a struct; some stored entries are zero, some rows are empty."""
    present = rng.random((n, n_in)) < density
    present[rng.random(n) < 0.1] = False
    dense = np.where(present, rng.normal(size=(n, n_in)), 0).astype(dtype)
    dense[present & (rng.random((n, n_in)) < 0.1)] = 0
    starts = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
    columns = np.nonzero(present)[1].astype(np.int32)
    return dense, make("SparseRows", values=dense[present], columns=columns, starts=starts)


def sorted_entries(k, x, index, n, c0, c1):
    """The entries of the rows ``index`` in columns c0..c1."""
    counts = np.diff(x.keep["starts"])
    n_entries = int(counts[:n].sum() if index is None else counts[index].sum())
    found = []
    for _ in range(2):
        arrays = {"columns": np.zeros(n_entries, np.int32), "rows": np.zeros(n_entries, np.int32)}
        found.append(make("SparseEntries", **arrays, values=np.zeros(n_entries, k.dtype)))
    k.sparse.sort_entries(x, index, 0, n, c0, c1, *found)
    return found[0]


def same_bits(got, expected):
    assert got.dtype == expected.dtype
    assert got.tobytes() == expected.tobytes()


def padded(vector, panel):
    return pack(vector[None, :], panel).reshape(-1)


def test_gather_makes_the_dense_rows_and_touches_no_others(k, rng):
    for n_in in (1, 5, k.panel - 1, k.panel, k.panel + 1, 100):
        dense, x = sparse(rng, 9, n_in, 0.3, k.dtype)
        index = rng.integers(0, 9, 12)
        for order, expected in ((index, dense[index]), (None, dense)):
            panels = np.full((-(-n_in // k.panel), 14, k.panel), SENTINEL, k.dtype)
            k.sparse.gather(x, order, 0, n_in, panels, 14, 2, 8)
            same_bits(unpack(panels[:, 2:8], n_in), np.ascontiguousarray(expected[2:8]))
            assert (panels[:, :2] == SENTINEL).all()
            assert (panels[:, 8:] == SENTINEL).all()
            assert (panels.transpose(1, 0, 2).reshape(14, -1)[2:8, n_in:] == 0).all()
        panels = np.full((-(-n_in // k.panel), 4, k.panel), SENTINEL, k.dtype)
        k.sparse.gather(x, None, 3, n_in, panels, 4, 0, 4)
        same_bits(unpack(panels, n_in), dense[3:7].copy())


@pytest.mark.parametrize("relu", [False, True])
def test_forward_is_that_of_dense_rows(k, relu, rng):
    for n_in in (1, 7, 40, 131):
        for n_out in (1, 3, 5, k.panel // 2, k.panel - 1, k.panel + 1, 2 * k.panel, 3 * k.panel + 1, 5 * k.panel + 2):
            dense, x = sparse(rng, 11, n_in, 0.25, k.dtype)
            weight, bias = rng.normal(size=(n_out, n_in)).astype(k.dtype), rng.normal(size=n_out).astype(k.dtype)
            index = rng.integers(0, 11, 13)
            forms = [("forward", weight.T)]
            if n_out <= k.dense.narrow:
                forms.append(("narrow_forward", weight))
            for name, matrix in forms:
                results = []
                packed = pack(np.ascontiguousarray(matrix), k.panel), padded(bias, k.panel)
                for module, rows in ((k.sparse, (x, index, 0)), (k.dense, (pack(dense[index], k.panel),))):
                    y = np.full((-(-n_out // k.panel), 13, k.panel), SENTINEL, k.dtype)
                    for r0, r1 in ((1, 2), (2, 12)):
                        getattr(module, name)(*rows, *packed, y, 13, n_in, n_out, r0, r1, relu)
                    assert (y[:, 0] == SENTINEL).all()
                    assert (y[:, 12] == SENTINEL).all()
                    results.append(unpack(y, n_out)[1:12])
                same_bits(*results)
                oracle = dense[index].astype(np.float64) @ weight.T.astype(np.float64) + bias
                oracle = np.maximum(oracle, 0) if relu else oracle
                tolerance = 200 * np.finfo(k.dtype).eps
                np.testing.assert_allclose(results[0], oracle[1:12], rtol=tolerance, atol=tolerance)


def test_forward_leaves_nothing_in_the_padding(k, rng):
    """Of the vector beside a half panel; gradients and later layers rely on it."""
    _, x = sparse(rng, 6, 20, 0.3, k.dtype)
    n_out = k.panel + 1
    weight, bias = rng.normal(size=(n_out, 20)).astype(k.dtype), rng.normal(size=n_out).astype(k.dtype)
    y = np.full((2, 6, k.panel), SENTINEL, k.dtype)
    packed = pack(np.ascontiguousarray(weight.T), k.panel), padded(bias, k.panel)
    k.sparse.forward(x, None, 0, *packed, y, 6, 20, n_out, 0, 6, False)
    assert (y[1, :, 1:] == 0).all()


@pytest.mark.parametrize("n_in", [1, 30, 2048, 2049, 5000])
def test_entries_are_sorted_by_columns_and_then_by_rows(k, n_in, rng):
    dense, x = sparse(rng, 17, n_in, 0.1, k.dtype)
    index = rng.integers(0, 17, 25)
    present = np.zeros(dense.shape, bool)
    starts = x.keep["starts"]
    for r in range(17):
        present[r, x.keep["columns"][starts[r] : starts[r + 1]]] = True
    for c0, c1 in ((0, n_in), (n_in // 3, n_in), (n_in // 3, n_in // 3 + n_in // 4), (n_in, 0)):
        for order, n in ((index, 25), (None, 17), (index, 1)):
            entries = sorted_entries(k, x, order, n, c0, c1)
            rows = np.arange(n) if order is None else order[:n]
            columns, places = np.nonzero(present[rows, c0:c1].T)
            assert entries.count == len(columns)
            got = {name: array[: entries.count] for name, array in entries.keep.items()}
            assert np.array_equal(got["columns"], columns + c0)
            assert np.array_equal(got["rows"], places)
            assert np.array_equal(got["values"], dense[rows[places], columns + c0])


def gradients(k, dense, x, dy, shard, is_narrow):
    """The weight's gradient, as (n_out, n_in), by the sparse kernels and by the dense ones."""
    (n, n_in), n_out = dense.shape, dy.shape[1]
    entries = sorted_entries(k, x, None, n, 0, n_in)
    packed, deltas = pack(dense, k.panel), pack(dy, k.panel)
    scratch = np.zeros(64 * 8 * k.panel, k.dtype)
    in_panels, out_panels = -(-n_in // k.panel), -(-n_out // k.panel)
    found = []
    for is_sparse in (True, False):
        rows = n_out if is_narrow else n_in
        gradient = np.zeros((in_panels if is_narrow else out_panels, rows, k.panel), k.dtype)
        for out_panel in range(1 if is_narrow else out_panels):
            e = 0
            for in_panel in range(in_panels):
                block = gradient[in_panel] if is_narrow else gradient[out_panel, in_panel * k.panel :]
                places = (in_panel,) if is_narrow else (in_panel, out_panel)
                sizes = (n, n, shard, n_in, n_out, *places)
                module, name = k.sparse if is_sparse else k.dense, "narrow_gradient" if is_narrow else "weight_gradient"
                data = (entries, e, deltas) if is_sparse else (packed, deltas)
                end = getattr(module, name)(*data, block, scratch, *sizes)
                if is_sparse:
                    assert (entries.keep["columns"][e:end] // k.panel == in_panel).all()
                    e = end
            assert not is_sparse or e == entries.count
        found.append(unpack(gradient, n_in) if is_narrow else unpack(gradient, n_out).T)
    return found


@pytest.mark.parametrize("is_narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize(("n", "shard"), [(1, 64), (5, 64), (64, 64), (65, 64), (200, 64), (100, 7), (1000, 64)])
def test_gradient_is_that_of_dense_rows(k, n, shard, is_narrow, rng):
    for n_in, n_out, density in ((1, 3, 0.5), (40, 4, 0.02), (67, 1, 0.1), (33, k.panel + 3, 0.05)):
        if is_narrow and n_out > k.dense.narrow:
            continue
        dense, x = sparse(rng, n, n_in, density, k.dtype)
        dy = rng.normal(size=(n, n_out)).astype(k.dtype)
        got, expected = gradients(k, dense, x, dy, shard, is_narrow)
        same_bits(np.ascontiguousarray(got), np.ascontiguousarray(expected))
        oracle = dy.T.astype(np.float64) @ dense.astype(np.float64)
        tolerance = 20 * n * np.finfo(k.dtype).eps
        np.testing.assert_allclose(got, oracle, rtol=tolerance, atol=tolerance)


def test_a_gradient_is_joined_with_the_zero_of_other_shards(k):
    """A product below the smallest denormal number leaves -0, which the sum of an empty shard makes +0."""
    tiny = np.finfo(k.dtype).smallest_subnormal
    for n, sign in ((64, True), (65, False)):
        dense = np.zeros((n, 1), k.dtype)
        dense[63] = tiny
        dy = np.zeros((n, 1), k.dtype)
        dy[63] = -0.25
        x = make(
            "SparseRows",
            values=dense[63].copy(),
            columns=np.zeros(1, np.int32),
            starts=np.array([0] * 64 + [1] * (n - 63), np.int64),
        )
        got, expected = gradients(k, dense, x, dy, 64, False)
        assert bool(np.signbit(got[0, 0])) == sign
        same_bits(np.ascontiguousarray(got), np.ascontiguousarray(expected))


def test_what_a_term_left_out_can_change_is_the_sign_of_a_zero(k):
    """A product too small for a denormal number leaves -0; adding 0 * 1 makes it +0. A bias of -0 lets one see it."""
    dense = np.array([[np.finfo(k.dtype).smallest_subnormal, 0]], k.dtype)
    x = make(
        "SparseRows",
        values=dense[0, :1].copy(),
        columns=np.zeros(1, np.int32),
        starts=np.array([0, 1], np.int64),
    )
    weight = np.zeros((k.panel, 2), k.dtype)
    weight[:] = [-0.25, 1]
    for bias in (0.0, -0.0, 1.0):
        packed = pack(np.ascontiguousarray(weight.T), k.panel), np.full(k.panel, bias, k.dtype)
        y = np.full((2, k.panel), SENTINEL, k.dtype)
        k.sparse.forward(x, None, 0, *packed, y[0], 1, 2, k.panel, 0, 1, False)
        k.dense.forward(pack(dense, k.panel), *packed, y[1], 1, 2, k.panel, 0, 1, False)
        assert (y == bias).all()
        assert np.signbit(y[0]).all() == (str(bias) == "-0.0")
        assert not np.signbit(y[1]).any()


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(VARIANTS),
    st.integers(1, 150),
    st.integers(1, 80),
    st.integers(1, 70),
    st.floats(0, 1),
    st.integers(0, 2**32),
)
def test_any_size(variant, n, n_in, n_out, density, seed):
    k = kernels(*variant)
    rng = np.random.default_rng(seed)
    dense, x = sparse(rng, n, n_in, density, k.dtype)
    weight, bias = rng.normal(size=(n_out, n_in)).astype(k.dtype), rng.normal(size=n_out).astype(k.dtype)
    packed = pack(np.ascontiguousarray(weight.T), k.panel), padded(bias, k.panel)
    results = []
    for module, rows in ((k.sparse, (x, None, 0)), (k.dense, (pack(dense, k.panel),))):
        y = np.zeros((-(-n_out // k.panel), n, k.panel), k.dtype)
        module.forward(*rows, *packed, y, n, n_in, n_out, 0, n, False)
        results.append(unpack(y, n_out))
    same_bits(*results)
    got, expected = gradients(k, dense, x, rng.normal(size=(n, n_out)).astype(k.dtype), 64, False)
    same_bits(np.ascontiguousarray(got), np.ascontiguousarray(expected))
