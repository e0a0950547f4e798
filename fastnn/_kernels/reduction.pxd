# The argument of sine and cosine far from 0 less multiples of pi / 2, by the method of Payne & Hanek, "Radian reduction
# for trigonometric functions" (1983): of the binary digits of 2 / pi only those matter that neither make whole turns of
# x nor vanish beside the result. Integers, one argument at a time: such arguments are rare.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    WINDOW = 6          # words of 2 / pi that count

cdef inline int far_quarter_turns(double x, double* high, double* low) noexcept nogil:
    """Return x / (pi / 2) for 2^30 <= |x| < infinity: an integer, mod 4, and high + low, at most 1/2."""
    cdef uint32_t* two_over_pi = [      # in words of 32 bits, a zero in front
        0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB, 0xDEBBC561, 0xB7246E3A,
        0x424DD2E0, 0x06492EEA, 0x09D1921C, 0xFE1DEB1C, 0xB129A73E, 0xE88235F5, 0x2EBB4484, 0xE99C7026, 0xB45F7E41,
        0x3991D639, 0x835339F4, 0x9C845F8B, 0xBDF9283B, 0x1FF897FF, 0xDE05980F, 0xEF2F118B, 0x5A0A6D1F, 0x6D367ECF,
        0x27CB09B7, 0x4F463F66, 0x9E5FEA2D, 0x7527BAC7, 0xEBE5F17B, 0x3D0739F7, 0x8A5292EA, 0x6BFB5FB1, 0x1F8D5D08,
        0x56033046, 0xFC7B6BAB
    ]
    cdef uint64_t bits, mantissa, carry, upper, lower
    cdef uint32_t[WINDOW] window
    cdef uint32_t[WINDOW] product
    cdef int start, word, shift, k, turns
    cdef double unit = 1
    memcpy(&bits, &x, sizeof(bits))
    mantissa = (bits & 0xFFFFFFFFFFFFFULL) | 0x10000000000000ULL

    # x = ± mantissa 2^e; digits of 2 / pi above 2^(2 - e) would make whole turns.
    start = <int> ((bits >> 52) & 0x7FF) - 1045
    word, shift = start // 32, start % 32
    for k in range(WINDOW):
        carry = <uint64_t> two_over_pi[word + k] << 32 | two_over_pi[word + k + 1]
        window[WINDOW - 1 - k] = <uint32_t> ((carry << shift) >> 32)

    # The product mod 2^192, in units of 2^-190 quarter turns, words ascending.
    carry = 0
    for k in range(WINDOW):
        carry += (mantissa & 0xFFFFFFFFULL) * window[k]
        product[k] = <uint32_t> carry
        carry >>= 32
    carry = 0
    for k in range(1, WINDOW):
        carry += (mantissa >> 32) * window[k - 1] + product[k]
        product[k] = <uint32_t> carry
        carry >>= 32

    # Its fraction to 128 binary digits; what is over a half is brought below 0.
    turns = product[5] >> 30
    upper = (<uint64_t> product[5] << 34) | (<uint64_t> product[4] << 2) | (product[3] >> 30)
    lower = (<uint64_t> product[3] << 34) | (<uint64_t> product[2] << 2) | (product[1] >> 30)
    if upper >> 63:
        turns += 1
        unit = -1
        lower = ~lower + 1
        upper = ~upper + (lower == 0)
    while not upper >> 63:
        upper = upper << 1 | lower >> 63
        lower <<= 1
        unit *= 0.5
    if bits >> 63:
        turns, unit = -turns, -unit
    high[0] = <double> (upper >> 11) * (unit * 1.1102230246251565e-16)                                        # 2^-53
    low[0] = <double> ((upper & 0x7FF) << 42 | lower >> 22) * (unit * 1.232595164407831e-32)                  # 2^-106
    return turns & 3
