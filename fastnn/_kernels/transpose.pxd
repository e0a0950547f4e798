# A square of LANES by LANES reals transposed in registers.

from fastnn._kernels.simd cimport LANES, PANEL, real, vr, vr_load, vr_set, vr_store, vr_zip_high, vr_zip_low


cdef inline void transpose_square(const real* a, real* b, ssize_t n_a, ssize_t n_b) noexcept nogil:
    """Transpose panels into panels: zipping the upper half of the rows into the lower, log2(LANES) times, does it.

    Rows of a from n_a on are zeros, those of b from n_b on are left alone.
    """
    cdef vr x[LANES]
    cdef vr y[LANES]
    cdef int i, stage = 1
    for i in range(LANES):
        x[i] = vr_load(a + i * PANEL) if i < n_a else vr_set(0)
    while stage < LANES:
        for i in range(LANES // 2):
            y[2 * i] = vr_zip_low(x[i], x[i + LANES // 2])
            y[2 * i + 1] = vr_zip_high(x[i], x[i + LANES // 2])
        for i in range(LANES):
            x[i] = y[i]
        stage *= 2
    for i in range(LANES):
        if i < n_b:
            vr_store(b + i * PANEL, x[i])
