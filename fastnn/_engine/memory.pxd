# Memory that the engine computes in: zeroed, aligned to cache lines, freed with its owner.

cdef extern from "simd.h" nogil:
    enum:
        GAP
    void forbid(const void* start, size_t size) noexcept

cdef enum:
    PADDING = 64 + GAP           # most bytes that a cut takes beyond its size


cdef class Arena:
    cdef void* raw
    cdef char* base
    cdef readonly size_t size


cdef inline char* cut(char** next, size_t size) noexcept nogil:
    """Cut `size` bytes off the front. Walking from NULL measures what a layout needs."""
    cdef char* start = next[0]
    cdef size_t taken = ((size + 63) & ~<size_t> 63) + GAP
    next[0] = <char*> (<size_t> start + taken)       # C lets no pointer be moved on from NULL
    forbid(<char*> (<size_t> start + size), taken - size)
    return start
