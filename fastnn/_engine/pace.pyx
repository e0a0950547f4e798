"""More threads must never be slower than one.

How much a second thread gains depends on the network, and on what else the machine is doing right now: with a busy
core, threads that wait for each other at every barrier can lose tenfold. So both ways are timed. At first, and whenever
there is a doubt, in a contest: they take turns for some moments, and the least time of each counts, for whatever
disturbs a moment makes it longer. Between contests the other way is tried for a moment now and then, the more rarely
the slower it was; if it looks faster, that is a doubt. Results do not depend on any of this.
"""

from libc.math cimport INFINITY

cdef double MOMENT = 1e-3            # seconds; at least one step
cdef double INTERVAL = 0.05          # seconds between trials, at least
cdef double PRICE = 0.01             # of the time, at most, that trials may cost

cdef enum:
    CONTEST = 6                      # moments, in which the two take turns


cdef class Pace:
    """The choice between one thread and several by their recent times."""

    cdef int choose(self, double now, int threads, ssize_t batch) noexcept:
        """Return the number of threads to use until ``self.until``: 1 or ``threads``."""
        if batch != self.batch or threads != self.threads:
            self.batch, self.threads = batch, threads
            self.begin_contest()
            self.is_cold = True
        self.is_trial = self.left > 0 or now >= self.next_trial
        if self.left > 0:
            self.together = self.left % 2 == 0
        else:
            self.together = self.winner_together != self.is_trial
        self.until = now + MOMENT if self.is_trial else self.next_trial
        return threads if self.together else 1

    cdef void record(self, double seconds, ssize_t rows) noexcept:
        """Take in that so many rows took so many seconds in the way chosen."""
        cdef double a_row = seconds / rows
        if self.is_cold:                         # it touched new memory and started threads: its time tells nothing
            self.is_cold = False
        elif self.left > 0:
            self.least[self.together] = min(self.least[self.together], a_row)
            self.left -= 1
            if self.left == 0:
                self.winner_together = self.least[1] < self.least[0]
                self.usual = min(self.least[0], self.least[1])
                self.wait(seconds, 1 - self.usual / max(self.least[0], self.least[1]))
        elif not self.is_trial:
            self.usual = 0.5 * (self.usual + a_row)
        elif a_row < self.usual:
            self.begin_contest()
        else:
            self.wait(seconds, 1 - self.usual / a_row)

    cdef void begin_contest(self) noexcept:
        self.left = CONTEST
        self.least[0] = self.least[1] = INFINITY

    cdef void wait(self, double seconds, double loss) noexcept:
        """Set the time of the next trial; the last one took so long, of which that share was lost."""
        self.next_trial = self.until + max(INTERVAL, seconds * loss / PRICE)
