"""Which operation left the finite range first, once a run has: for the message, so it takes its time."""

from libc.math cimport isfinite

from fastnn._engine.batches cimport coming_batch
from fastnn._engine.program cimport Operation, Program, Slot, panels_of
from fastnn._engine.run cimport Batch, Run
from fastnn._engine.steps cimport rows_phase


cdef ssize_t operation_of_outputs(Run* run) noexcept nogil:
    """Return the first operation whose output, in the batch whose loss is not finite, is not; -1 if none."""
    cdef const Program* program = &run.network.program
    cdef Batch batch = coming_batch(run)
    cdef ssize_t row = 0, n_rows, k
    cdef const Slot* slot
    while row < batch.n - 1 and isfinite(run.data.losses[row]):
        row += 1
    n_rows = rows_phase(run, &batch, row // run.buffers.chunk, &run.buffers.tapes[0], 0, 1)
    for k in range(program.n_operations):
        slot = &run.buffers.tapes[0].slots[k + 1]
        if (is_nonfinite(run, slot.z, n_rows, program.operations[k].n_out)
                or is_nonfinite(run, slot.y, n_rows, program.operations[k].n_out)):
            return program.operations[k].index
    return -1


cdef bint is_nonfinite(const Run* run, const char* panels, ssize_t n_rows, ssize_t n) noexcept nogil:
    cdef const Program* program = &run.network.program
    cdef ssize_t width = program.panel * program.item, p
    for p in range(panels_of(program, n)):
        if program.batch.first_nonfinite(panels + p * run.buffers.tapes[0].rows * width, width, program.item, n_rows,
                                         program.panel) >= 0:
            return True
    return False


cdef ssize_t operation_of_parameters(Run* run) noexcept nogil:
    """Return the last operation whose update left the finite range, which gradients reach first; forget that it did."""
    cdef ssize_t t, found = -1
    cdef const Operation* op
    for t in range(run.network.n_tasks):
        if run.network.tasks[t].diverged:
            run.network.tasks[t].diverged = False
            op = &run.network.program.operations[run.network.tasks[t].operation]
            found = max(found, <ssize_t> op.index)
    return found
