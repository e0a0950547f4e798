# Where a training run's buffers lie.

from fastnn._engine.data cimport Data
from fastnn._engine.memory cimport Arena
from fastnn._engine.plan cimport Plan
from fastnn._engine.run cimport Run

cdef Arena new_transposed(Run* run)


cdef class Reserves:
    cdef Arena tapes, losses, levels, parts, sortings, scratch
    cdef ssize_t tape_rows, n_tapes, batch_capacity, entries_capacity, n_sortings
    cdef int n_scratches
    cdef bint has_inputs         # whether the tapes have room for them

    cdef int reserve(self, Run* run, Plan plan, Data data, ssize_t batch, int threads) except -1
    cdef int reserve_tapes(self, Run* run, Plan plan, int threads) except -1
    cdef int reserve_targets(self, Run* run, Data data, ssize_t batch) except -1
    cdef int reserve_sums(self, Run* run, ssize_t n_chunks, int threads) except -1
    cdef int reserve_sortings(self, Run* run, ssize_t entries, int threads) except -1
    cdef int reserve_scratch(self, Run* run, int n_threads) except -1
