# The forward pass over a batch, segment by segment.
#
# Rows go through a stretch of row-wise operations without a barrier. An operation that spans the batch ends a segment:
# all threads meet before it and after it, and each does its share of it. So far that is the first layer where threads
# share its outputs.

from fastnn._engine.operations.dense cimport forward_panels
from fastnn._engine.operations.kinds cimport DENSE
from fastnn._engine.passes cimport forward_rows
from fastnn._engine.program cimport Operation, Program, Tape, panels_of
from fastnn._engine.run cimport Run
from fastnn._engine.team cimport barrier


cdef inline bint shares_outputs(const Run* run, const Operation* op, ssize_t n_rows) noexcept nogil:
    """Return whether threads share an operation's outputs instead of its rows.

    They do where its weights are most of what is updated and more than the rows: each thread then reads those weights
    that it has updated itself, and they stay in its cache.
    """
    return (op.kind == DENSE and op.operands[0].value == 0 and not run.data.inputs.is_direct and not op.is_narrow
            and not op.is_softmax and op.n_in > 2 * n_rows
            and 4 * op.n_in * op.n_out * run.network.program.item > 3 * run.network.arena_size)


cdef inline ssize_t end_of_segment(const Run* run, ssize_t first, ssize_t n_rows, int n_threads) noexcept nogil:
    """Return the first operation from `first` on that spans the batch, or how many operations there are."""
    cdef const Program* program = &run.network.program
    cdef ssize_t k = first
    if n_threads == 1:
        return program.n_operations
    while k < program.n_operations and not shares_outputs(run, &program.operations[k], n_rows):
        k += 1
    return k


cdef inline void forward_segments(const Run* run, const Tape* tape, ssize_t n_rows, ssize_t r0, ssize_t r1, int thread,
                                  int n_threads) noexcept nogil:
    """Take rows 0..n_rows forward, of which r0..r1 are this thread's."""
    cdef const Program* program = &run.network.program
    cdef ssize_t first = 0, end = end_of_segment(run, 0, n_rows, n_threads)
    while end < program.n_operations:
        forward_rows(program, tape, first, end, r0, r1)
        barrier(run.team, thread, n_threads)
        forward_share(program, tape, &program.operations[end], n_rows, thread, n_threads)
        barrier(run.team, thread, n_threads)
        first = end + 1
        end = end_of_segment(run, first, n_rows, n_threads)
    forward_rows(program, tape, first, end, r0, r1)


cdef inline void forward_share(const Program* program, const Tape* tape, const Operation* op, ssize_t n_rows,
                               int thread, int n_threads) noexcept nogil:
    """Compute this thread's panels of the outputs, for all rows."""
    cdef ssize_t n = panels_of(program, op.n_out)
    cdef ssize_t p0 = n * thread // n_threads, p1 = n * (thread + 1) // n_threads
    if p0 < p1:
        forward_panels(program, tape, op, p0, p1, 0, n_rows)
