# How many threads networks may use.

cpdef int get_num_threads() noexcept
cdef bint insists() noexcept
