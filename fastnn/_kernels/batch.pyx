"""Between the caller's arrays, in any strides, and panels: rows gathered into them, rows scattered out of them."""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport BatchKernels


cdef inline void copy_short(char* out, const char* x, ssize_t count) noexcept nogil:
    """Copy `count` < PANEL reals, in steps of constant size, which beat a call of memcpy."""
    cdef ssize_t size = PANEL // 2, done = 0
    while size > 0:
        if count & size:
            memcpy(out + done * sizeof(real), x + done * sizeof(real), size * sizeof(real))
            done += size
        size >>= 1


cdef inline void clear_panel_row(real* out) noexcept nogil:
    vr_store(out, vr_set(0))
    vr_store(out + LANES, vr_set(0))


cdef enum:
    ROWS_AHEAD = 4               # that a gather has under way


cdef inline void prefetch_panel(const char* p) noexcept nogil:
    cdef ssize_t line
    for line in range((PANEL * sizeof(real) + 63) // 64):
        FASTNN_PREFETCH(p + 64 * line)


cdef void gather(const char* x, ssize_t row_stride, ssize_t column_stride, const int64_t* index, ssize_t first,
                 ssize_t n, real* panels, ssize_t rows, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t full = n - n % PANEL, r, p, j
    cdef const char* row
    cdef const char* ahead
    cdef real* out
    for r in range(r0, r1):
        row = x + (index[r] if index != NULL else first + r) * row_stride
        out = panels + r * PANEL
        if column_stride == sizeof(real):
            ahead = x + (index[min(r + ROWS_AHEAD, r1 - 1)] if index != NULL else first + r) * row_stride
            for p in range(n // PANEL):
                prefetch_panel(ahead + p * PANEL * sizeof(real))
                memcpy(out, row + p * PANEL * sizeof(real), PANEL * sizeof(real))
                out += rows * PANEL
            if full < n:
                prefetch_panel(ahead + full * sizeof(real))
                clear_panel_row(out)
                copy_short(<char*> out, row + full * sizeof(real), n - full)
        else:
            for j in range(n):
                if j % PANEL == 0:
                    out = panels + j * rows + r * PANEL
                    clear_panel_row(out)
                memcpy(out + j % PANEL, row + j * column_stride, sizeof(real))


cdef void scatter(const real* panels, ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1, char* out, ssize_t row_stride,
                  ssize_t column_stride) noexcept nogil:
    cdef ssize_t full = n - n % PANEL, r, p, j
    cdef const real* x
    cdef char* row
    for r in range(r0, r1):
        row = out + r * row_stride
        x = panels + r * PANEL
        if column_stride == sizeof(real):
            for p in range(n // PANEL):
                memcpy(row + p * PANEL * sizeof(real), x, PANEL * sizeof(real))
                x += rows * PANEL
            if full < n:
                copy_short(row + full * sizeof(real), <const char*> x, n - full)
        else:
            for j in range(n):
                memcpy(row + j * column_stride, panels + (j - j % PANEL) * rows + r * PANEL + j % PANEL, sizeof(real))


cdef inline ssize_t first_nonfinite_strided(const char* x, ssize_t stride, ssize_t count) noexcept nogil:
    cdef ssize_t i
    cdef real value
    for i in range(count):
        memcpy(&value, x + i * stride, sizeof(real))
        if value * 0 != 0:                                   # NaN for NaN and the infinities
            return i
    return -1


cdef inline bint all_finite(const char* x, ssize_t vectors) noexcept nogil:
    """Return whether all of `vectors` * LANES contiguous reals are, `vectors` a multiple of 4."""
    cdef vr sums[4]
    cdef real lanes[LANES]
    cdef real total = 0
    cdef ssize_t i, k
    for k in range(4):
        sums[k] = vr_set(0)
    for i in range(0, vectors, 4):
        for k in range(4):                                   # four chains, for one would wait on its additions
            sums[k] = vr_add(sums[k], vr_mul(vr_load((<const real*> x) + (i + k) * LANES), vr_set(0)))
    vr_store(lanes, vr_add(vr_add(sums[0], sums[1]), vr_add(sums[2], sums[3])))
    for k in range(LANES):
        total += lanes[k]
    return total == 0


cdef inline ssize_t first_nonfinite_contiguous(const char* x, ssize_t count) noexcept nogil:
    cdef ssize_t i = 0, vectors, found
    while count - i >= 4 * LANES:
        vectors = min(<ssize_t> 256, (count - i) // (4 * LANES) * 4)
        if not all_finite(x + i * sizeof(real), vectors):
            break
        i += vectors * LANES
    found = first_nonfinite_strided(x + i * sizeof(real), sizeof(real), count - i)
    return found if found < 0 else i + found


cdef ssize_t first_nonfinite(const char* x, ssize_t row_stride, ssize_t column_stride, ssize_t n_rows,
                             ssize_t n) noexcept nogil:
    cdef ssize_t r, found
    if column_stride == sizeof(real) and row_stride == n * column_stride:
        return first_nonfinite_contiguous(x, n_rows * n)
    for r in range(n_rows):
        if column_stride == sizeof(real):
            found = first_nonfinite_contiguous(x + r * row_stride, n)
        else:
            found = first_nonfinite_strided(x + r * row_stride, column_stride, n)
        if found >= 0:
            return r * n + found
    return -1


cdef BatchKernels kernels
kernels.gather = gather
kernels.scatter = scatter
kernels.first_nonfinite = first_nonfinite
table = PyCapsule_New(&kernels, "fastnn.batch", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
