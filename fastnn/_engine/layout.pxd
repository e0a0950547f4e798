# Where a training run's buffers lie, and how its parameters are cut into tasks.

from fastnn._engine.memory cimport Arena
from fastnn._engine.model cimport Model
from fastnn._engine.steps cimport Run

cdef Arena new_transposed(Run* run)
cdef Arena new_tasks(Run* run, Model model)
cdef Arena new_scratch(Run* run, int n_threads)
cdef Arena new_sortings(Run* run, ssize_t entries, int n_threads)
cdef Arena new_tapes(Run* run, ssize_t rows, ssize_t n)
cdef void cut_batch(Run* run, ssize_t batch, int threads) noexcept
