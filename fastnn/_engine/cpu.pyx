"""What the processor can run, and what compiled the extensions."""

cdef extern from "simd.h":
    bint cpu_has_avx2()
    bint cpu_has_avx512()
    bint cpu_has_neon()
    const char* COMPILER

compiler = COMPILER.decode()


def supported(isa):
    """Return whether this processor, under this operating system, can run the instruction set ``isa``."""
    return {"portable": True, "avx2": cpu_has_avx2(), "avx512": cpu_has_avx512(), "neon": cpu_has_neon()}[isa]
