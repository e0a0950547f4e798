# Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2,
# 3" (SC 2011): a keyed bijection of 128-bit counters, so that any number of any stream is had without those before it.
#
#     key       low, high 32 bits of the seed
#     counter   c0, c1: low, high 32 bits of the index (a dropout mask: of the unit's block, of the row)
#               c2:     low 32 bits of the step
#               c3:     stream ^ (bits 32 to 47 of the step << 16)

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    BUNDLE = 16          # counters taken at once: a loop over them is, to a compiler, a loop of vector operations
    BUNDLE_WORDS = 64    # words they give
    BUNDLE_PAIRS = 32    # of words


cdef struct Words:       # the four words of a counter, and in the end those of its random block: the low halves count
    uint64_t w0, w1, w2, w3


cdef inline Words philox_round(Words x, uint64_t key0, uint64_t key1) noexcept nogil:
    cdef uint64_t product0 = (x.w0 & 0xFFFFFFFFU) * 0xD2511F53U
    cdef uint64_t product1 = (x.w2 & 0xFFFFFFFFU) * 0xCD9E8D57U
    x.w0 = (product1 >> 32) ^ x.w1 ^ key0
    x.w2 = (product0 >> 32) ^ x.w3 ^ key1
    x.w1 = product1
    x.w3 = product0
    return x


cdef inline uint32_t step_word(uint64_t step, uint32_t stream) noexcept nogil:
    """Return c3 of the counter."""
    return stream ^ <uint32_t> (step >> 32 << 16)


cdef inline void philox_bundle(uint64_t seed, const uint32_t* c0, const uint32_t* c1, uint64_t step, uint32_t stream,
                               uint32_t* words) noexcept nogil:
    """Compute words[4 * k + w] = word w of counter k's block."""
    cdef uint64_t key0, key1
    cdef Words x
    cdef int k, _round
    for k in range(BUNDLE):
        x.w0, x.w1, x.w2, x.w3 = c0[k], c1[k], <uint32_t> step, step_word(step, stream)
        key0, key1 = <uint32_t> seed, seed >> 32
        for _round in range(10):
            x = philox_round(x, key0, key1)
            key0 += 0x9E3779B9U                              # the sums' low halves count
            key1 += 0xBB67AE85U
        words[4 * k] = <uint32_t> x.w0
        words[4 * k + 1] = <uint32_t> x.w1
        words[4 * k + 2] = <uint32_t> x.w2
        words[4 * k + 3] = <uint32_t> x.w3
