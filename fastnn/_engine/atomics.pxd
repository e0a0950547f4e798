# C11 atomics, sequentially consistent.

cdef extern from "<stdatomic.h>" nogil:
    ctypedef int atomic_int
    ctypedef long long atomic_llong      # read and set like any other number, which C makes atomic
    int atomic_load(atomic_int* value) noexcept
    void atomic_store(atomic_int* value, int desired) noexcept
    int atomic_fetch_add(atomic_int* value, int operand) noexcept
    int atomic_exchange(atomic_int* value, int desired) noexcept
