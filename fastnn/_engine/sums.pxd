# The contract's sums: over 16 virtual lanes by index mod 16, in float64, joined 8-4-2-1; of gradients, by shards.

cdef enum:
    SHARD = 64                   # rows of a chain in a gradient


cdef inline double join_lanes(double* lane) noexcept nogil:
    cdef int half = 8, i
    while half > 0:
        for i in range(half):
            lane[i] = lane[i] + lane[i + half]
        half >>= 1
    return lane[0]


cdef inline double lane_sum(const double* values, ssize_t n) noexcept nogil:
    cdef double[16] lane
    cdef ssize_t i, k = 0
    if n == 1:
        return 0.0 + values[0]                      # what the lanes would give
    for i in range(16):
        lane[i] = 0
    while k + 16 <= n:
        for i in range(16):
            lane[i] = lane[i] + values[k + i]
        k += 16
    for i in range(n - k):
        lane[i] = lane[i] + values[k + i]
    return join_lanes(lane)
