"""Which operation left the finite range first, once a run has: for the message, so it takes its time."""

from libc.math cimport isfinite

from fastnn._engine.program cimport Operation, Slot, panels_of
from fastnn._engine.steps cimport Batch, Run, coming_batch, rows_phase


cdef ssize_t operation_of_outputs(Run* run) noexcept nogil:
    """The first one whose output, in the batch whose loss is not finite, is not; -1 if only the loss is not."""
    cdef Batch batch = coming_batch(run)
    cdef ssize_t row = 0, n_rows, k
    cdef const Operation* op
    cdef const Slot* slot
    while row < batch.n - 1 and isfinite(run.losses[row]):
        row += 1
    n_rows = rows_phase(run, &batch, row // run.chunk, &run.tapes[0], 0, 1)
    for k in range(run.program.n_operations):
        op = &run.program.operations[k]
        slot = &run.tapes[0].slots[k]
        if is_nonfinite(run, slot.z, n_rows, op.n_out) or is_nonfinite(run, slot.y, n_rows, op.n_out):
            return op.index
    return -1


cdef bint is_nonfinite(const Run* run, const char* panels, ssize_t n_rows, ssize_t n) noexcept nogil:
    cdef ssize_t width = run.program.panel * run.program.item, p
    for p in range(panels_of(&run.program, n)):
        if run.program.batch.first_nonfinite(panels + p * run.tapes[0].rows * width, width, run.program.item, n_rows,
                                             run.program.panel) >= 0:
            return True
    return False


cdef ssize_t operation_of_parameters(Run* run) noexcept nogil:
    """The last one whose update left the finite range, which gradients reach first; forgets that any did."""
    cdef ssize_t t, found = -1
    for t in range(run.n_tasks):
        if run.tasks[t].diverged:
            run.tasks[t].diverged = False
            found = max(found, <ssize_t> run.program.operations[run.tasks[t].operation].index)
    return found
