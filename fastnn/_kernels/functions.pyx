"""The elementary functions over arrays.

A float32 result is the correctly rounded one for every argument; a float64 result is that of one fixed algorithm.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memcpy, memset

from fastnn._kernels.elementary cimport (
    TURN_LIMIT, sin_of_turns, vd_cos, vd_erf, vd_exp, vd_expm1, vd_log, vd_log1p, vd_sigmoid, vd_sin, vd_tanh
)
from fastnn._kernels.reduction cimport far_quarter_turns
from fastnn._kernels.simd cimport (
    DLANES, FASTNN_REAL_BITS, ISA_NAME, real, vd, vd_from_real, vd_set, vd_to_real
)
from fastnn._kernels.table cimport FunctionKernels

ctypedef vd (*Function)(vd) noexcept nogil


cdef inline void each(Function f, const real* x, real* y, ssize_t count) noexcept nogil:
    """Compute y = f(x). f is constant at every call, hence inlined."""
    cdef ssize_t full = count - count % DLANES, i
    cdef real[DLANES] rest
    for i in range(count // DLANES):
        vd_to_real(y + i * DLANES, f(vd_from_real(x + i * DLANES)))
    if full < count:
        memset(rest, 0, sizeof(rest))
        memcpy(rest, x + full, (count - full) * sizeof(real))
        vd_to_real(rest, f(vd_from_real(rest)))
        memcpy(y + full, rest, (count - full) * sizeof(real))


cdef void exp(const real* x, real* y, ssize_t count) noexcept nogil:
    each(vd_exp, x, y, count)


cdef void expm1(const real* x, real* y, ssize_t count) noexcept nogil:
    each(vd_expm1, x, y, count)


cdef void log(const real* x, real* y, ssize_t count) noexcept nogil:
    each(vd_log, x, y, count)


cdef void log1p(const real* x, real* y, ssize_t count) noexcept nogil:
    each(vd_log1p, x, y, count)


cdef void tanh(const real* x, real* y, ssize_t count) noexcept nogil:
    each(vd_tanh, x, y, count)


cdef void sigmoid(const real* x, real* y, ssize_t count) noexcept nogil:
    each(vd_sigmoid, x, y, count)


cdef void erf(const real* x, real* y, ssize_t count) noexcept nogil:
    each(vd_erf, x, y, count)


# The vectors' reduction of the argument ends at TURN_LIMIT. Arguments beyond it are found in a second look at each
# block, while it is in the cache, and reduced one by one.

cdef enum:
    BLOCK = 512


cdef real sin_of_far(real x, int advance) noexcept nogil:
    """Return sin(x + advance pi / 2) for finite |x| > TURN_LIMIT."""
    cdef double high, low
    cdef real[DLANES] y
    cdef int n = far_quarter_turns(x, &high, &low) + advance
    vd_to_real(y, sin_of_turns(vd_set(n), vd_set(high), vd_set(low)))
    return y[0]


cdef inline void each_angle(Function f, int advance, const real* x, real* y, ssize_t count) noexcept nogil:
    cdef ssize_t start, n, k, i
    cdef real[BLOCK] angles
    cdef bint far
    for k in range((count + BLOCK - 1) // BLOCK):
        start = k * BLOCK
        n = min(count - start, <ssize_t> BLOCK)
        memcpy(angles, x + start, n * sizeof(real))      # y may be x
        each(f, angles, y + start, n)
        far = False
        for i in range(n):
            far |= not (-TURN_LIMIT <= angles[i] <= TURN_LIMIT)
        if far:
            for i in range(n):
                if angles[i] - angles[i] == 0 and not (-TURN_LIMIT <= angles[i] <= TURN_LIMIT):
                    y[start + i] = sin_of_far(angles[i], advance)


cdef void sin(const real* x, real* y, ssize_t count) noexcept nogil:
    each_angle(vd_sin, 0, x, y, count)


cdef void cos(const real* x, real* y, ssize_t count) noexcept nogil:
    each_angle(vd_cos, 1, x, y, count)


cdef FunctionKernels kernels
kernels.exp = exp
kernels.expm1 = expm1
kernels.log = log
kernels.log1p = log1p
kernels.tanh = tanh
kernels.sigmoid = sigmoid
kernels.erf = erf
kernels.sin = sin
kernels.cos = cos
table = PyCapsule_New(&kernels, "fastnn.functions", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
