"""Memory that the engine computes in."""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree


cdef class Arena:
    """``size`` zeroed bytes from a cache line's start on."""

    def __cinit__(self, size_t size):
        self.raw = PyMem_RawCalloc(size + 64, 1)
        if self.raw == NULL:
            raise MemoryError(f"could not allocate {size} bytes")
        self.base = <char*> ((<size_t> self.raw + 63) & ~<size_t> 63)
        self.size = size

    def __dealloc__(self):
        PyMem_RawFree(self.raw)
