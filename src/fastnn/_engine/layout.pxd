# Where a training run's buffers lie, and how its parameters are cut into tasks.

from fastnn._engine.memory cimport Arena
from fastnn._engine.model cimport Model
from fastnn._engine.program cimport Program
from fastnn._engine.steps cimport Run

cdef Arena new_transposed(Run* run)
cdef Arena new_tasks(Run* run, Model model)
cdef Arena new_scratch(Run* run, int n_threads)
cdef Arena new_tape(Run* run, ssize_t rows)
cdef ssize_t chunk_limit(const Program* program) noexcept
