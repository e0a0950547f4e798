# Reductions in 16 virtual lanes.
#
# Term j of a sum belongs to lane j % 16, which starts at +0 and takes its terms in order; the lanes are joined in
# halves: lane[i] + lane[i + 8], then + 4, + 2, + 1.  Neither the width of a vector nor that of a panel can change the
# result.

from fastnn._kernels.simd cimport DLANES, vd_add, vd_load, vd_max, vd_store

cdef extern from "simd.h":
    enum:
        LANE_VECTORS "(16 / DLANES)"     # vectors of doubles that 16 lanes make


cdef inline double lane_sum(double* lane) noexcept nogil:
    """Return the sum of 16 lanes, which it uses up."""
    cdef int i
    for i in range(8 // DLANES):
        vd_store(lane + i * DLANES, vd_add(vd_load(lane + i * DLANES), vd_load(lane + 8 + i * DLANES)))
    for i in range(4):
        lane[i] += lane[i + 4]
    return (lane[0] + lane[2]) + (lane[1] + lane[3])


cdef inline double larger(double a, double b) noexcept nogil:
    return a if a > b else b


cdef inline double lane_max(double* lane) noexcept nogil:
    """Return the largest of 16 lanes, which it uses up, joined likewise by `a > b ? a : b`."""
    cdef int i
    for i in range(8 // DLANES):
        vd_store(lane + i * DLANES, vd_max(vd_load(lane + i * DLANES), vd_load(lane + 8 + i * DLANES)))
    for i in range(4):
        lane[i] = larger(lane[i], lane[i + 4])
    return larger(larger(lane[0], lane[2]), larger(lane[1], lane[3]))
