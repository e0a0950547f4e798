"""Random numbers as functions of (seed, stream, step, index).

    uniform   value i: (word i % 4 of block i // 4 >> 8) * 2^-24, in [0, 1)
    normal    by Box & Muller (1958) from the words w of block i // 4: u = ((w0 >> 8) + 1) * 2^-24, in (0, 1], and
              v = (w1 >> 8) * 2^-24 give sqrt(-2 log u) cos(2 pi v) for i % 4 = 0 and sqrt(-2 log u) sin(2 pi v) for 1;
              w2 and w3 likewise the values for 2 and 3
    dropout   unit j of row r is kept where (word j % 4 of block (c0 = j // 4, c1 = row) >> 8) >= ceil(rate * 2^24)

Uniform and normal numbers have step 0. See philox.pxd for the blocks.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastnn._kernels.elementary cimport vd_cos, vd_log, vd_sin
from fastnn._kernels.philox cimport BUNDLE, BUNDLE_PAIRS, BUNDLE_WORDS, philox_bundle
from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport RandomKernels

cdef extern from *:
    # Numbers are drawn in float64 and are the same for both dtypes.
    """
    #undef EXACTING
    #define EXACTING 1
    """


cdef inline void bundle(uint64_t seed, uint64_t first, uint64_t step, uint32_t stream, uint32_t* words) noexcept nogil:
    """Compute the words of the blocks first, first + 1, …"""
    cdef uint32_t low[BUNDLE]
    cdef uint32_t high[BUNDLE]
    cdef uint64_t k
    for k in range(BUNDLE):
        low[k] = <uint32_t> (first + k)
        high[k] = (first + k) >> 32
    philox_bundle(seed, low, high, step, stream, words)


cdef void philox(uint64_t seed, uint64_t first, uint64_t step, uint32_t stream, uint32_t* words,
                 ssize_t n_blocks) noexcept nogil:
    cdef uint32_t buffer[BUNDLE_WORDS]
    cdef ssize_t k
    for k in range(n_blocks // BUNDLE):
        bundle(seed, first + k * BUNDLE, step, stream, words + k * BUNDLE_WORDS)
    k = n_blocks - n_blocks % BUNDLE
    if k < n_blocks:
        bundle(seed, first + k, step, stream, buffer)
        memcpy(words + 4 * k, buffer, (n_blocks - k) * 4 * sizeof(uint32_t))


cdef void uniform(uint64_t seed, uint32_t stream, double* out, ssize_t count) noexcept nogil:
    cdef uint32_t words[BUNDLE_WORDS]
    cdef ssize_t block, start, i
    for block in range((count + BUNDLE_WORDS - 1) // BUNDLE_WORDS):
        start = block * BUNDLE_WORDS
        bundle(seed, block * BUNDLE, 0, stream, words)
        for i in range(min(count - start, <ssize_t> BUNDLE_WORDS)):
            out[start + i] = (words[i] >> 8) * 5.9604644775390625e-08


cdef inline void box_muller(const uint32_t* words, double* normals) noexcept nogil:
    cdef double u[BUNDLE_PAIRS]
    cdef double v[BUNDLE_PAIRS]
    cdef double x[DLANES]
    cdef double y[DLANES]
    cdef vd radius, angle
    cdef ssize_t i, k
    for i in range(BUNDLE_PAIRS):
        u[i] = ((words[2 * i] >> 8) + 1) * 5.9604644775390625e-08
        v[i] = (words[2 * i + 1] >> 8) * 5.9604644775390625e-08
    for i in range(BUNDLE_PAIRS // DLANES):
        radius = vd_sqrt(vd_mul(vd_set(-2), vd_log(vd_load(u + i * DLANES))))
        angle = vd_mul(vd_set(6.283185307179586), vd_load(v + i * DLANES))
        vd_store(x, vd_mul(radius, vd_cos(angle)))
        vd_store(y, vd_mul(radius, vd_sin(angle)))
        for k in range(DLANES):
            normals[2 * (i * DLANES + k)] = x[k]
            normals[2 * (i * DLANES + k) + 1] = y[k]


cdef void normal(uint64_t seed, uint32_t stream, double* out, ssize_t count) noexcept nogil:
    cdef uint32_t words[BUNDLE_WORDS]
    cdef double normals[BUNDLE_WORDS]
    cdef ssize_t block, start
    for block in range((count + BUNDLE_WORDS - 1) // BUNDLE_WORDS):
        start = block * BUNDLE_WORDS
        bundle(seed, block * BUNDLE, 0, stream, words)
        box_muller(words, normals)
        memcpy(out + start, normals, min(count - start, <ssize_t> BUNDLE_WORDS) * sizeof(double))


cdef inline void mask_panel(real* mask, uint64_t seed, uint64_t step, uint32_t stream, uint32_t threshold, real kept,
                            uint32_t first_block, ssize_t n_units, uint32_t first_row, ssize_t n_rows) noexcept nogil:
    """Draw units 0..n_units, at most PANEL, of one panel's rows. A bundle runs on from one row to the next."""
    cdef ssize_t n_blocks = (n_units + 3) // 4, total = n_blocks * n_rows, done = 0, at = 0, k, w
    cdef uint32_t block = 0, row = 0
    cdef uint32_t c0[BUNDLE]
    cdef uint32_t c1[BUNDLE]
    cdef uint32_t words[BUNDLE_WORDS]
    cdef real values[BUNDLE_WORDS]
    while done < total:
        for k in range(BUNDLE):
            c0[k] = first_block + block
            c1[k] = first_row + row
            block += 1
            if block == n_blocks:
                block = 0
                row += 1
        philox_bundle(seed, c0, c1, step, stream, words)
        for k in range(BUNDLE_WORDS):
            values[k] = kept if words[k] >> 8 >= threshold else 0
        for k in range(min(total - done, <ssize_t> BUNDLE)):
            memcpy(mask + at, values + 4 * k, 4 * sizeof(real))
            at += 4
            if at % PANEL == 4 * n_blocks % PANEL:           # the row's end
                for w in range(n_units, 4 * n_blocks):
                    mask[at - 4 * n_blocks + w] = 0
                at += PANEL - 4 * n_blocks
        done += BUNDLE


cdef void dropout_mask(real* mask, uint64_t seed, uint64_t step, uint32_t stream, double rate, ssize_t first_row,
                       ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef real kept = <real> (1 / (1 - rate))
    cdef uint32_t threshold = <uint32_t> (rate * 16777216)
    cdef ssize_t p, n_units
    cdef real* panel
    if threshold < rate * 16777216:                          # the product is exact, so this is its ceiling
        threshold += 1
    for p in range((n + PANEL - 1) // PANEL):
        n_units = min(n - p * PANEL, <ssize_t> PANEL)
        panel = mask + (p * rows + r0) * PANEL
        if n_units < PANEL:
            memset(panel, 0, (r1 - r0) * PANEL * sizeof(real))
        mask_panel(panel, seed, step, stream, threshold, kept, <uint32_t> (p * PANEL // 4), n_units,
                   <uint32_t> (first_row + r0), r1 - r0)


cdef void multiply(const real* x, const real* mask, real* y, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(y + i * LANES, vr_mul(vr_load(x + i * LANES), vr_load(mask + i * LANES)))


cdef RandomKernels kernels
kernels.philox = philox
kernels.uniform = uniform
kernels.normal = normal
kernels.dropout_mask = dropout_mask
kernels.multiply = multiply
table = PyCapsule_New(&kernels, "fastnn.random", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
