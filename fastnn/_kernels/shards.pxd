# How a kernel joins the sums of a batch's shards, held in registers, by the fixed tree.

from fastnn._kernels.simd cimport LANES, PANEL, real, vr, vr_add, vr_load, vr_store
from fastnn._kernels.tree cimport join_level

ctypedef vr[2] Row              # one row of a panel: its two vectors


cdef inline void join_shard(int M, int V, Row* sum, ssize_t s, ssize_t n, real* stack, real* result) noexcept nogil:
    """Take in the sum of shard s of n, M rows of V vectors: the tree's sum is in result after the last shard.

    stack holds the levels of the tree, M rows of a panel each. M and V are compile-time constants at every call.
    """
    cdef ssize_t level = 0
    cdef real* target
    cdef int m, v
    while join_level(s, n, &level):
        for m in range(M):
            for v in range(V):
                sum[m][v] = vr_add(vr_load(stack + (level * M + m) * PANEL + v * LANES), sum[m][v])
        level += 1
    target = result if s == n - 1 else stack + level * M * PANEL
    for m in range(M):
        for v in range(V):
            vr_store(target + m * PANEL + v * LANES, sum[m][v])
