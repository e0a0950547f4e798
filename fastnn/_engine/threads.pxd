# The team of threads that runs a phase program together.

ctypedef void (*Body)(void* context, int thread, int n_threads) noexcept nogil

cdef int run_team(Body body, void* context, int n_threads) except -1
cdef void barrier(int thread, int n_threads) noexcept nogil
cpdef int get_num_threads() noexcept
cdef bint insists() noexcept
