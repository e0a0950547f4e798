# Which operation left the finite range first, once a run has.

from fastnn._engine.run cimport Run

cdef ssize_t operation_of_outputs(Run* run) noexcept nogil
cdef ssize_t operation_of_parameters(Run* run) noexcept nogil
