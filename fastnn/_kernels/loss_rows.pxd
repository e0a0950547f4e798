# What every loss does with the rows of a batch.

from fastnn._kernels.rows cimport panel_vectors, unit_offset
from fastnn._kernels.simd cimport DLANES, PANEL, real, vd, vd_from_real, vd_set, vd_to_real
from fastnn._kernels.table cimport LossBatch


cdef inline vd load_reals(const real* p, ssize_t readable) noexcept nogil:
    """Load DLANES reals, of which only `readable` may be touched: zeros after those."""
    cdef real buffer[DLANES]
    cdef ssize_t k
    if readable >= DLANES:
        return vd_from_real(p)
    for k in range(DLANES):
        buffer[k] = p[k] if k < readable else 0
    return vd_from_real(buffer)


cdef inline vd load_targets(const LossBatch* batch, ssize_t r, ssize_t r1, ssize_t j) noexcept nogil:
    """Load targets j, j + 1, … of row r; what stands beyond the last is not to be used."""
    return load_reals(batch.targets + r * batch.n_targets + j, (r1 - r) * batch.n_targets - j)


cdef inline double weight_of(const LossBatch* batch, ssize_t r) noexcept nogil:
    return batch.weights[r] if batch.weights != NULL else 1


cdef inline void clear_deltas(const LossBatch* batch, ssize_t r, ssize_t first) noexcept nogil:
    """Write zeros in row r from its vector `first` to the end of its last panel."""
    cdef ssize_t k
    for k in range(first, panel_vectors(batch.n_outputs)):
        vd_to_real(batch.deltas + r * PANEL + unit_offset(batch.rows, k * DLANES), vd_set(0))


cdef inline void skip_row(const LossBatch* batch, ssize_t r) noexcept nogil:
    batch.losses[r] = 0
    batch.hits[r] = 0
    if batch.deltas != NULL:
        clear_deltas(batch, r, 0)
