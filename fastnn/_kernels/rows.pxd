# The n units of one row of panels, DLANES at a time. `row` points to the row in the first panel; unit j stands at
# row + (j // P) * rows * P + j % P. Padding, the units from n on, is not trusted, and written as zero.

from fastnn._kernels.lanes cimport LANE_VECTORS, lane_sum
from fastnn._kernels.simd cimport (
    DLANES, PANEL, real, vd, vd_from_real, vd_load, vd_select_gt, vd_set, vd_store, vd_to_real
)


cdef inline ssize_t unit_offset(ssize_t rows, ssize_t j) noexcept nogil:
    return j // PANEL * rows * PANEL + j % PANEL


cdef inline vd mask_units(vd value, ssize_t j, ssize_t n, double fill) noexcept nogil:
    """Return value, with `fill` in the lanes of units from n on."""
    cdef double unit[DLANES]
    cdef int i
    if n - j >= DLANES:
        return value
    for i in range(DLANES):
        unit[i] = i
    return vd_select_gt(vd_set(n - j), vd_load(unit), value, vd_set(fill))


cdef inline vd load_units(const real* row, ssize_t rows, ssize_t j, ssize_t n, double fill) noexcept nogil:
    return mask_units(vd_from_real(row + unit_offset(rows, j)), j, n, fill)


cdef inline void store_units(real* row, ssize_t rows, ssize_t j, ssize_t n, vd value) noexcept nogil:
    vd_to_real(row + unit_offset(rows, j), mask_units(value, j, n, 0))


cdef inline ssize_t panel_vectors(ssize_t n) noexcept nogil:
    """Return how many vectors the whole panels of n units have."""
    return (n + PANEL - 1) // PANEL * (PANEL // DLANES)


cdef inline void clear_lanes(vd* sums) noexcept nogil:
    cdef int k
    for k in range(LANE_VECTORS):
        sums[k] = vd_set(0)


cdef inline double join_lanes(const vd* sums) noexcept nogil:
    """Return the sum of the 16 lanes that LANE_VECTORS vectors hold."""
    cdef double lane[16]
    cdef int k
    for k in range(LANE_VECTORS):
        vd_store(lane + k * DLANES, sums[k])
    return lane_sum(lane)
