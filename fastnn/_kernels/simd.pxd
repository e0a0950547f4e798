# Cython's view of simd.h. Cython only needs to know that these are numbers it may hold in variables and arrays;
# the real types, and what each operation compiles to, stand in simd.h.

from libc.stdint cimport uint64_t

cdef extern from "simd.h" nogil:
    ctypedef float real      # float or double, by the build
    ctypedef float vr        # LANES reals
    ctypedef double vd       # DLANES doubles

    enum:
        LANES
        DLANES
        PANEL                # columns in a panel: 2 * LANES
        TILE_ROWS            # rows of a register tile

    const char* ISA_NAME
    enum:
        FASTNN_REAL_BITS
        EXACTING             # whether a double's last place counts

    void FASTNN_PREFETCH(const void* p) noexcept             # p will be read soon
    real real_fma(real a, real b, real c) noexcept           # a * b + c, rounded once

    vr vr_load(const real* p) noexcept
    void vr_store(real* p, vr a) noexcept
    vr vr_set(real a) noexcept
    vr vr_add(vr a, vr b) noexcept
    vr vr_sub(vr a, vr b) noexcept
    vr vr_mul(vr a, vr b) noexcept
    vr vr_div(vr a, vr b) noexcept
    vr vr_sqrt(vr a) noexcept
    vr vr_fma(vr a, vr b, vr c) noexcept                     # a * b + c, rounded once
    bint vr_has_nan(vr a) noexcept
    vr vr_max(vr a, vr b) noexcept                           # a > b ? a : b
    vr vr_min(vr a, vr b) noexcept                           # a < b ? a : b
    vr vr_select_gt(vr a, vr b, vr yes, vr no) noexcept      # a > b ? yes : no
    vr vr_select_eq(vr a, vr b, vr yes, vr no) noexcept      # a == b ? yes : no
    vr vr_zip_low(vr a, vr b) noexcept                       # a0 b0 a1 b1 ..., the lower halves
    vr vr_zip_high(vr a, vr b) noexcept                      # the same of the upper halves

    vd vd_load(const double* p) noexcept
    void vd_store(double* p, vd a) noexcept
    vd vd_set(double a) noexcept
    vd vd_add(vd a, vd b) noexcept
    vd vd_sub(vd a, vd b) noexcept
    vd vd_mul(vd a, vd b) noexcept
    vd vd_div(vd a, vd b) noexcept
    vd vd_sqrt(vd a) noexcept
    vd vd_fma(vd a, vd b, vd c) noexcept
    vd vd_max(vd a, vd b) noexcept
    vd vd_min(vd a, vd b) noexcept
    vd vd_abs(vd a) noexcept
    vd vd_copysign(vd a, vd sign) noexcept                   # |a| with the sign of `sign`
    vd vd_select_gt(vd a, vd b, vd yes, vd no) noexcept
    vd vd_select_eq(vd a, vd b, vd yes, vd no) noexcept
    vd vd_and_or(vd a, uint64_t mask, uint64_t bits) noexcept    # of the bits: (a & mask) | bits
    vd vd_round(vd a) noexcept                               # to the nearest integral value, ties to even
    vd vd_pow2(vd n) noexcept                                # 2^n, n integral in [-1022, 1023]
    vd vd_mantissa(vd x) noexcept                            # in [1, 2), for positive normal x
    vd vd_exponent(vd x) noexcept                            # floor(log2(x)), for positive normal x

    vd vd_from_real(const real* p) noexcept                  # DLANES reals, widened
    void vd_to_real(real* p, vd a) noexcept                  # DLANES reals, rounded to nearest even
