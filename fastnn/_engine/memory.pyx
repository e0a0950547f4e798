"""Memory that the engine computes in."""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree

cdef extern from "simd.h" nogil:
    enum:
        HUGE_PAGE
    void use_huge_pages(void* start, size_t size) noexcept


cdef class Arena:
    """``size`` zeroed bytes from a cache line's start on; large ones in huge pages where the system has them.

    A wide layer's parameters are more pages than a processor keeps addresses of.
    """

    def __cinit__(self, size_t size):
        cdef size_t alignment = HUGE_PAGE if size >= HUGE_PAGE else 64
        self.raw = PyMem_RawCalloc(size + alignment, 1)
        if self.raw == NULL:
            raise MemoryError(f"could not allocate {size} bytes")
        self.base = <char*> ((<size_t> self.raw + alignment - 1) & ~(alignment - 1))
        if alignment == HUGE_PAGE:
            use_huge_pages(self.base, size)
        self.size = size
        forbid(self.raw, self.base - <char*> self.raw)
        forbid(self.base + size, <char*> self.raw + alignment - self.base)

    def __dealloc__(self):
        PyMem_RawFree(self.raw)
