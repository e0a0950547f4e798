# The two passes over a range of rows. Rows share nothing but parameters that nobody writes.

from fastnn._engine.operations.kinds cimport backward_operation, forward_operation
from fastnn._engine.program cimport Program, Tape


cdef inline void forward_rows(const Program* program, const Tape* tape, ssize_t first, ssize_t end, ssize_t r0,
                              ssize_t r1) noexcept nogil:
    """Compute the outputs of operations first..end for rows r0..r1 of the tape."""
    cdef ssize_t k
    for k in range(first, end):
        forward_operation(program, tape, &program.operations[k], r0, r1)


cdef inline void backward_rows(const Program* program, const Tape* tape, ssize_t first, ssize_t end, ssize_t r0,
                               ssize_t r1) noexcept nogil:
    """Compute the deltas that operations first..end hand on, from the last to the first, for rows r0..r1."""
    cdef ssize_t k = end - 1
    while k >= first:
        if tape.slots[k + 1].delta != NULL:
            backward_operation(program, tape, &program.operations[k], r0, r1)
        k -= 1
