# Where the values of a program lie while it runs: which buffers a pass needs, and what lies in each.

from fastnn._engine.operations.kinds cimport Traits
from fastnn._engine.program cimport Operation, Program, Tape

cdef struct Places:              # the buffers of a value, by number; -1: none
    ssize_t y, z, mask, statistics, delta

cdef struct Buffer:
    bint is_statistics           # [rows][2] float64; else panels
    ssize_t units                # of the widest value in it, the network's inputs left out
    ssize_t users                # values in it that are still needed, while the plan is made


cdef class Plan:
    cdef int mode
    cdef object memory           # an arena of what follows
    cdef Places* places          # one a value
    cdef Buffer* buffers
    cdef ssize_t n_buffers
    cdef ssize_t spare           # the buffer that dL/dx is written to before it is added; -1: none

    cdef ssize_t new_buffer(self, ssize_t units, bint is_statistics=*) noexcept
    cdef int reserve(self, const Program* program) except -1
    cdef int plan_prediction(self, const Program* program) except -1
    cdef ssize_t place_of_output(self, const Operation* op, const Traits* traits, list left, list unused) except -1
    cdef int release(self, ssize_t buffer, list unused) except -1
    cdef int plan_training(self, const Program* program) except -1
    cdef char* lay_out(self, const Program* program, Tape* tape, char* next, ssize_t rows, bint has_inputs) noexcept

cdef Plan new_plan(const Program* program, int mode)

cdef int fold_relus(Program* program) except -1
cdef int plan_deltas(Program* program) except -1
cdef bint takes_entries(const Program* program) noexcept
