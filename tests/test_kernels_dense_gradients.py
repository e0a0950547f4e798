"""The gradients of weights and biases, against float64 NumPy and, to the last bit, against the numerics contract."""

import numpy as np
import pytest
from chains import chain, same_bits, sharded
from dense_calls import (
    SENTINEL,
    bound,
    padding_of,
    poisoned,
    run_bias_gradient,
    run_weight_gradient,
    scratch,
    sizes,
    values,
    zero_padded,
)
from kernels import unpack

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")


def check_weight_gradient(k, rng, dtype, n_in, n_out, n_rows, shard, spare_rows=0):
    x, dy = values(rng, dtype, n_rows, n_in), values(rng, dtype, n_rows, n_out)
    got = run_weight_gradient(k, x, dy, n_rows + spare_rows, n_rows, shard)
    exact = dy.T.astype(np.float64) @ x.astype(np.float64)
    assert (abs(got - exact) <= bound(dtype, n_rows, abs(dy).T.astype(np.float64) @ abs(x).astype(np.float64))).all()
    same_bits(got, sharded(lambda part: chain(np.ascontiguousarray(dy[part].T), x[part]), n_rows, shard))


def test_weight_gradient_at_odd_sizes(built, dtype, rng):
    for n_in in sizes(built.panel):
        for n_out in sizes(built.panel):
            check_weight_gradient(built, rng, dtype, n_in, n_out, int(rng.integers(1, 12)), 4)


@pytest.mark.parametrize("n_rows", [*range(1, 10), 17, 64, 65, 129, 200, 449])
@pytest.mark.parametrize("shard", [64, 8])
def test_weight_gradient_of_any_number_of_rows(built, dtype, rng, n_rows, shard):
    check_weight_gradient(built, rng, dtype, 11, built.panel // 2 + 1, n_rows, shard, spare_rows=n_rows % 3)


@pytest.mark.parametrize("n_out", [1, 2, 3, 4])
@pytest.mark.parametrize("n_rows", [1, 2, 9, 64, 65, 200])
def test_gradient_of_a_narrow_layer(built, dtype, rng, n_out, n_rows):
    """Its columns are inputs, whose padding holds NaN here; the gradient's own has to be zero all the same."""
    P, rows = built.panel, n_rows + 1
    for n_in in sizes(P):
        x, dy = values(rng, dtype, n_rows, n_in), values(rng, dtype, n_rows, n_out)
        x_panels, dy_panels, spare = poisoned(x, P, rows), zero_padded(dy, P, rows), scratch(built)
        found = np.full((-(-n_in // P), n_out + 1, P), SENTINEL, dtype)
        for in_panel, block in enumerate(found):
            built.dense.narrow_gradient(x_panels, dy_panels, block, spare, rows, n_rows, 64, n_in, n_out, in_panel)
        assert (found[:, n_out] == SENTINEL).all(), "wrote behind the last output"
        assert (spare[-64:] == SENTINEL).all(), "wrote behind the scratch"
        assert not padding_of(found[:, :n_out], n_in).any(), "padding is not zero"
        expected = sharded(lambda part, x=x, dy=dy: chain(np.ascontiguousarray(dy[part].T), x[part]), n_rows, 64)
        same_bits(unpack(found, n_in, n_out), expected)


def test_shards_matter(built, dtype, rng):
    """The bits follow the shard, as the contract says: a kernel that ignored it would not show otherwise."""
    x, dy = values(rng, dtype, 300, 3), values(rng, dtype, 300, 5)
    results = [run_weight_gradient(built, x, dy, 300, 300, shard) for shard in (64, 32, 300)]
    assert not np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize("n_rows", [*range(1, 10), 17, 64, 65, 129, 200, 449])
def test_bias_gradient(built, dtype, rng, n_rows):
    for n in sizes(built.panel):
        dy = values(rng, dtype, n_rows, n)
        got = run_bias_gradient(built, dy, n_rows + 2, n_rows, 64)
        assert (abs(got - dy.sum(0, dtype=np.float64)) <= bound(dtype, n_rows, abs(dy).sum(0, dtype=np.float64))).all()

        def chains(part, dy=dy):
            acc = np.zeros(dy.shape[1], dy.dtype)
            for row in dy[part]:
                acc = acc + row
            return acc

        same_bits(got, sharded(chains, n_rows, 64))


def test_gradients_of_a_single_negative_zero_are_positive_zeros(built, dtype):
    """Chains start at +0."""
    dy, x = np.full((1, 3), -0.0, dtype), np.ones((1, 2), dtype)
    assert not np.signbit(run_bias_gradient(built, dy, 1, 1, 64)).any()
    assert not np.signbit(run_weight_gradient(built, x, dy, 1, 1, 64)).any()
