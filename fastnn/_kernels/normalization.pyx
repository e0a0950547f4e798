"""Normalisation over the units of each row, in float64 up to the one rounding of each result.

layer norm    xhat = (x - mean) * rstd        y = xhat * gain + bias        rstd = 1 / sqrt(variance + epsilon)
RMS norm      xhat = x * rstd                 y = xhat * gain               rstd = 1 / sqrt(mean(x²) + epsilon)

Layer norm: the mean first, then the (biased) variance of the deviations from it. Sources: Ba, Kiros & Hinton, "Layer
normalization" (2016); Zhang & Sennrich, "Root mean square layer normalization" (2019).
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport sqrt

from fastnn._kernels.lanes cimport LANE_VECTORS
from fastnn._kernels.rows cimport clear_lanes, join_lanes, load_units, mask_units, panel_vectors, store_units
from fastnn._kernels.shards cimport Row, join_shard
from fastnn._kernels.simd cimport (
    DLANES, FASTNN_REAL_BITS, ISA_NAME, LANES, PANEL, real, vd, vd_add, vd_fma, vd_from_real, vd_mul, vd_set, vd_sub,
    vd_to_real, vr, vr_fma, vr_load, vr_set
)
from fastnn._kernels.table cimport NormalizationKernels

cdef enum:
    BLOCK = 8    # rows whose xhat the gradient of the gain holds at a time


# --------------------------------------------------------------------- forward

cdef inline void row_statistics(const real* x, ssize_t rows, ssize_t n, double epsilon,
                                double* statistics) noexcept nogil:
    cdef vd sums[LANE_VECTORS]
    cdef vd deviation
    cdef ssize_t block, j
    cdef int k
    clear_lanes(sums)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            j = block + k * DLANES
            if j < n:
                sums[k] = vd_add(sums[k], load_units(x, rows, j, n, 0))
    statistics[0] = join_lanes(sums) / n
    cdef vd mean = vd_set(statistics[0])
    clear_lanes(sums)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            j = block + k * DLANES
            if j < n:
                deviation = mask_units(vd_sub(load_units(x, rows, j, n, 0), mean), j, n, 0)
                sums[k] = vd_fma(deviation, deviation, sums[k])
    statistics[1] = 1 / sqrt(join_lanes(sums) / n + epsilon)


cdef inline vd standardized(vd x, const double* statistics) noexcept nogil:
    return vd_mul(vd_sub(x, vd_set(statistics[0])), vd_set(statistics[1]))


cdef void layer_norm_forward(const real* x, const real* gain, const real* bias, real* y, double* statistics,
                             ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1, double epsilon) noexcept nogil:
    cdef vd xhat
    cdef ssize_t r, i, j
    for r in range(r0, r1):
        row_statistics(x + r * PANEL, rows, n, epsilon, statistics + 2 * r)
        for i in range(panel_vectors(n)):
            j = i * DLANES
            xhat = standardized(load_units(x + r * PANEL, rows, j, n, 0), statistics + 2 * r)
            store_units(y + r * PANEL, rows, j, n, vd_fma(xhat, vd_from_real(gain + j), vd_from_real(bias + j)))


# -------------------------------------------------------------------- backward

cdef inline void backward_row(const real* x, const real* gain, const double* statistics, const real* dy, real* dx,
                              ssize_t rows, ssize_t n) noexcept nogil:
    """Compute, with g = dy * gain, dx = rstd (g - mean(g) - xhat mean(g xhat))."""
    cdef vd g_sums[LANE_VECTORS]
    cdef vd gx_sums[LANE_VECTORS]
    cdef vd g, xhat
    cdef ssize_t block, i, j
    cdef int k
    clear_lanes(g_sums)
    clear_lanes(gx_sums)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            j = block + k * DLANES
            if j < n:
                g = vd_mul(load_units(dy, rows, j, n, 0), vd_from_real(gain + j))
                xhat = standardized(load_units(x, rows, j, n, 0), statistics)
                g_sums[k] = vd_add(g_sums[k], g)
                gx_sums[k] = vd_fma(g, xhat, gx_sums[k])
    cdef vd g_mean = vd_set(join_lanes(g_sums) / n)
    cdef vd gx_mean = vd_set(join_lanes(gx_sums) / n)
    for i in range(panel_vectors(n)):
        j = i * DLANES
        g = vd_mul(load_units(dy, rows, j, n, 0), vd_from_real(gain + j))
        xhat = standardized(load_units(x, rows, j, n, 0), statistics)
        g = vd_sub(vd_sub(g, g_mean), vd_mul(xhat, gx_mean))
        store_units(dx, rows, j, n, vd_mul(vd_set(statistics[1]), g))


cdef void layer_norm_backward(const real* x, const real* gain, const double* statistics, const real* dy, real* dx,
                              ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t r
    for r in range(r0, r1):
        backward_row(x + r * PANEL, gain, statistics + 2 * r, dy + r * PANEL, dx + r * PANEL, rows, n)


# -------------------------------------------------------------------- RMS norm

cdef inline double reciprocal_root_mean_square(const real* x, ssize_t rows, ssize_t n, double epsilon) noexcept nogil:
    cdef vd sums[LANE_VECTORS]
    cdef vd unit
    cdef ssize_t block, j
    cdef int k
    clear_lanes(sums)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            j = block + k * DLANES
            if j < n:
                unit = load_units(x, rows, j, n, 0)
                sums[k] = vd_fma(unit, unit, sums[k])
    return 1 / sqrt(join_lanes(sums) / n + epsilon)


cdef void rms_norm_forward(const real* x, const real* gain, real* y, double* statistics, ssize_t rows, ssize_t n,
                           ssize_t r0, ssize_t r1, double epsilon) noexcept nogil:
    cdef vd xhat
    cdef ssize_t r, i, j
    for r in range(r0, r1):
        statistics[2 * r] = 0                                # the mean that `standardized` takes off
        statistics[2 * r + 1] = reciprocal_root_mean_square(x + r * PANEL, rows, n, epsilon)
        for i in range(panel_vectors(n)):
            j = i * DLANES
            xhat = standardized(load_units(x + r * PANEL, rows, j, n, 0), statistics + 2 * r)
            store_units(y + r * PANEL, rows, j, n, vd_mul(xhat, vd_from_real(gain + j)))


cdef inline void rms_norm_backward_row(const real* x, const real* gain, const double* statistics, const real* dy,
                                       real* dx, ssize_t rows, ssize_t n) noexcept nogil:
    """Compute, with g = dy * gain, dx = rstd (g - xhat mean(g xhat))."""
    cdef vd sums[LANE_VECTORS]
    cdef vd g, xhat
    cdef ssize_t block, i, j
    cdef int k
    clear_lanes(sums)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            j = block + k * DLANES
            if j < n:
                g = vd_mul(load_units(dy, rows, j, n, 0), vd_from_real(gain + j))
                sums[k] = vd_fma(g, standardized(load_units(x, rows, j, n, 0), statistics), sums[k])
    cdef vd mean = vd_set(join_lanes(sums) / n)
    for i in range(panel_vectors(n)):
        j = i * DLANES
        g = vd_mul(load_units(dy, rows, j, n, 0), vd_from_real(gain + j))
        xhat = standardized(load_units(x, rows, j, n, 0), statistics)
        store_units(dx, rows, j, n, vd_mul(vd_set(statistics[1]), vd_sub(g, vd_mul(xhat, mean))))


cdef void rms_norm_backward(const real* x, const real* gain, const double* statistics, const real* dy, real* dx,
                            ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t r
    for r in range(r0, r1):
        rms_norm_backward_row(x + r * PANEL, gain, statistics + 2 * r, dy + r * PANEL, dx + r * PANEL, rows, n)


# ------------------------------------------------------- the gain, of both kinds

cdef inline void add_block(const real* x, const double* statistics, const real* dy, ssize_t n_rows,
                           vr* acc) noexcept nogil:
    """Add dy * xhat to acc over up to BLOCK rows, in order, xhat rounded to real."""
    cdef real xhat[BLOCK * PANEL]
    cdef ssize_t r, i
    cdef int v
    for r in range(n_rows):
        for i in range(PANEL // DLANES):
            vd_to_real(xhat + r * PANEL + i * DLANES,
                       standardized(vd_from_real(x + r * PANEL + i * DLANES), statistics + 2 * r))
    for r in range(n_rows):
        for v in range(2):
            acc[v] = vr_fma(vr_load(dy + r * PANEL + v * LANES), vr_load(xhat + r * PANEL + v * LANES), acc[v])


cdef void gain_gradient(const real* x, const double* statistics, const real* dy, real* gradient, real* scratch,
                        ssize_t rows, ssize_t n_rows, ssize_t shard, ssize_t n, ssize_t panel) noexcept nogil:
    cdef Row acc
    cdef ssize_t s, r, end, j, n_shards = (n_rows + shard - 1) // shard
    x += panel * rows * PANEL
    dy += panel * rows * PANEL
    for s in range(n_shards):
        acc[0] = acc[1] = vr_set(0)
        r = s * shard
        end = min(r + shard, n_rows)
        while r < end:
            add_block(x + r * PANEL, statistics + 2 * r, dy + r * PANEL, min(<ssize_t> BLOCK, end - r), acc)
            r += BLOCK
        join_shard(1, 2, &acc, s, n_shards, scratch, gradient)
    for j in range(n - panel * PANEL, PANEL):
        gradient[j] = 0


cdef NormalizationKernels kernels
kernels.layer_norm_forward = layer_norm_forward
kernels.layer_norm_backward = layer_norm_backward
kernels.gain_gradient = gain_gradient
kernels.rms_norm_forward = rms_norm_forward
kernels.rms_norm_backward = rms_norm_backward
table = PyCapsule_New(&kernels, "fastnn.normalization", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
