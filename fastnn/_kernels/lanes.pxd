# Reductions in 16 virtual lanes.
#
# Term j of a sum belongs to lane j % 16, which starts at +0 and takes its terms in order; the lanes are joined in halves:
# lane[i] + lane[i + 8], then + 4, + 2, + 1.  Neither the width of a vector nor that of a panel can change the result.

from fastnn._kernels.simd cimport DLANES, vd_add, vd_load, vd_max, vd_store

cdef extern from "simd.h":
    enum:
        LANE_VECTORS "(16 / DLANES)"     # vectors of doubles that 16 lanes make


cdef inline double lane_sum(double* lane) noexcept nogil:
    """The sum of 16 lanes, which it uses up."""
    cdef int half = 8, i
    while half >= DLANES:
        for i in range(half // DLANES):
            vd_store(lane + i * DLANES, vd_add(vd_load(lane + i * DLANES), vd_load(lane + half + i * DLANES)))
        half //= 2
    while half > 0:
        for i in range(half):
            lane[i] += lane[i + half]
        half //= 2
    return lane[0]


cdef inline double lane_max(double* lane) noexcept nogil:
    """The largest of 16 lanes, which it uses up, joined likewise by `a > b ? a : b`."""
    cdef int half = 8, i
    while half >= DLANES:
        for i in range(half // DLANES):
            vd_store(lane + i * DLANES, vd_max(vd_load(lane + i * DLANES), vd_load(lane + half + i * DLANES)))
        half //= 2
    while half > 0:
        for i in range(half):
            lane[i] = lane[i] if lane[i] > lane[i + half] else lane[i + half]
        half //= 2
    return lane[0]
