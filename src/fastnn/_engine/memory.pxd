# Memory that the engine computes in: zeroed, aligned to cache lines, freed with its owner.

cdef class Arena:
    cdef void* raw
    cdef char* base
    cdef readonly size_t size


cdef inline char* take(char** next, size_t size) noexcept nogil:
    """Cuts `size` bytes off the front. Walking from NULL measures what a layout needs."""
    cdef char* start = next[0]
    next[0] = start + ((size + 63) & ~<size_t> 63)
    return start
