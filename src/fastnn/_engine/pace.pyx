"""More threads must never be slower than one.

How much a second thread gains depends on the network, and on what else the machine is doing right now: with a busy
core, threads that wait for each other at every barrier can lose tenfold. So both ways are timed: the faster one runs,
and the other is tried again from time to time, for a moment, and the more rarely the slower it was. Results do not
depend on it.
"""

cdef double TRIAL = 1e-3             # seconds; at least one step
cdef double INTERVAL = 0.05          # seconds between trials, at least
cdef double PRICE = 0.01             # of the time, at most, that trials may cost


cdef class Pace:
    """Chooses between one thread and several by their recent times."""

    cdef int choose(self, double now, int threads, ssize_t batch) noexcept:
        """The number of threads to use until ``self.until``: 1 or ``threads``."""
        cdef bint alone
        if batch != self.batch or threads != self.n_together:
            self.batch, self.n_together = batch, threads
            self.alone = self.together = 0
            self.cold = True
        self.trying = self.alone == 0 or self.together == 0 or now >= self.next_trial
        if self.together == 0:
            alone = False
        elif self.alone == 0:
            alone = True
        else:
            alone = (self.alone < self.together) != self.trying
        self.until = now + TRIAL if self.trying else self.next_trial
        return 1 if alone else threads

    cdef void record(self, int threads, double seconds, ssize_t rows) noexcept:
        """Takes in that so many rows took so many seconds."""
        cdef double a_row = seconds / rows, slower, faster
        if self.cold:                            # memory touched for the first time, threads started: no measure
            self.cold = False
            return
        if threads == 1:
            self.alone = a_row if self.alone == 0 or self.trying else 0.5 * (self.alone + a_row)
        else:
            self.together = a_row if self.together == 0 or self.trying else 0.5 * (self.together + a_row)
        if self.trying:
            slower, faster = max(self.alone, self.together), min(self.alone, self.together)
            self.next_trial = self.until + max(INTERVAL, seconds * (1 - faster / slower) / PRICE)
