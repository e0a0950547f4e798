"""The floating-point environment that the numerics assume, for the arithmetic that the Python layer leaves to NumPy."""

cdef extern from "simd.h" nogil:
    unsigned long long fp_environment_enter() noexcept
    void fp_environment_leave(unsigned long long old) noexcept


cdef class standard_environment:
    """``with standard_environment():`` rounds to nearest and keeps denormals, then gives the caller's settings back.

    Other libraries change the settings of a thread; what is computed must not depend on that.
    """

    cdef unsigned long long old

    def __enter__(self):
        self.old = fp_environment_enter()
        return self

    def __exit__(self, *_):
        fp_environment_leave(self.old)
