cdef class Pace:                 # what one thread and several took lately
    cdef double alone, together  # seconds a row; 0: not tried
    cdef double until            # when to choose again
    cdef double next_trial
    cdef ssize_t batch
    cdef int n_together
    cdef bint trying, cold

    cdef int choose(self, double now, int threads, ssize_t batch) noexcept
    cdef void record(self, int threads, double seconds, ssize_t rows) noexcept
