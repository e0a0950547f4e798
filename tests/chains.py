"""The numerics contract of sums, computed slowly and independently.

Every output element is one chain acc = fma(a_k, b_k, acc), k ascending from +0, then + bias; gradients have one chain
for each shard of rows, and the shards are joined by the tree that splits at the largest power of two below their
number.
"""

import numpy as np


def two_sum(a, b):
    """a + b rounded, and the error: exact together (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a, b):
    """a * b rounded, and the error: exact together (Dekker), away from overflow and underflow."""
    splitter = 2.0**27 + 1
    ah, bh = splitter * a, splitter * b
    ah, bh = ah - (ah - a), bh - (bh - b)
    al, bl = a - ah, b - bh
    p = a * b
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def add_to_odd(a, b):
    """a + b in float64, where inexact rounded to the neighbour whose last bit is 1."""
    s, error = two_sum(a, b)
    bits = s.view(np.int64)
    away = np.where((error > 0) == (s > 0), 1, -1)
    return np.where((error != 0) & (bits & 1 == 0), bits + away, bits).view(np.float64)


def fma(a, b, c):
    """a * b + c rounded once, for arrays of one dtype: Boldo and Melquiond, IEEE Trans. Comput. 57 (2008)."""
    if a.dtype == np.float32:
        return add_to_odd(a.astype(np.float64) * b, c.astype(np.float64)).astype(np.float32)
    uh, ul = two_product(a, b)
    th, tl = two_sum(c, ul)
    vh, vl = two_sum(uh, th)
    return vh + add_to_odd(np.asarray(tl), np.asarray(vl))


def chain(a, b):
    """[m, K] by [K, n] as [m, n], each element one chain of fma."""
    acc = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for k in range(a.shape[1]):
        column, row = np.broadcast_arrays(a[:, k : k + 1], b[k : k + 1])
        acc = fma(column, row, acc)
    return acc


def join(parts):
    """The sum of the parts by the fixed tree."""
    n = len(parts)
    if n == 1:
        return parts[0]
    split = 1
    while 2 * split < n:
        split *= 2
    return join(parts[:split]) + join(parts[split:])


def sharded(product, n_rows, shard):
    return join([product(slice(r, min(r + shard, n_rows))) for r in range(0, n_rows, shard)])


def same_bits(got, expected):
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    unsigned = f"u{got.dtype.itemsize}"
    np.testing.assert_array_equal(
        np.ascontiguousarray(got).view(unsigned), np.ascontiguousarray(expected).view(unsigned)
    )
