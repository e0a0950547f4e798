cdef class Pace:                 # how long one thread and several took lately
    cdef double least[2]         # seconds a row in the contest: of one thread, of several
    cdef int left                # moments of the contest that are still to come
    cdef bint winner_together
    cdef double usual            # seconds a row of the winner, lately
    cdef double until            # when to choose again
    cdef double next_trial
    cdef ssize_t batch
    cdef int threads
    cdef bint together, is_trial, is_cold       # of what was chosen last

    cdef int choose(self, double now, int threads, ssize_t batch) noexcept
    cdef void record(self, double seconds, ssize_t rows) noexcept
    cdef void begin_contest(self) noexcept
    cdef void wait(self, double seconds, double loss) noexcept
