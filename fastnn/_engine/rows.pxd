# What the rows phase of a step takes from the data, row by row.

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastnn._engine.program cimport DENSE, Operation
from fastnn._engine.steps cimport Run
from fastnn._engine.sums cimport join_lanes
from fastnn._kernels.table cimport LossBatch, real


cdef inline double batch_weight(const Run* run, ssize_t start, ssize_t n) noexcept nogil:
    """The sum of the batch's sample weights, in the order of its rows."""
    cdef double[16] lane
    cdef ssize_t r
    if run.weights == NULL:
        return n
    for r in range(16):
        lane[r] = 0
    for r in range(n):
        lane[r & 15] = lane[r & 15] + run.weights[run.order[start + r] if run.order != NULL else start + r]
    return join_lanes(lane)


cdef inline bint first_by_panels(const Run* run, ssize_t n_rows) noexcept nogil:
    """Whether threads share the first operation's outputs instead of its rows.

    They do where its weights are most of what is updated and more than the rows: each thread then reads those weights
    that it has updated itself, and they stay in its cache.
    """
    cdef const Operation* op = &run.program.operations[0]
    return (op.kind == DENSE and not op.is_narrow and not op.is_softmax and op.n_in > 2 * n_rows
            and 4 * op.n_in * op.n_out * run.program.item > 3 * run.arena_size)


cdef inline LossBatch loss_of(const Run* run, ssize_t first_row) noexcept nogil:
    """The loss from a row of the batch on."""
    cdef LossBatch loss = run.loss
    if loss.labels != NULL:
        loss.labels = run.labels + first_row
    else:
        loss.targets = <const real*> (run.targets + first_row * loss.n_targets * run.program.item)
    if loss.weights != NULL:
        loss.weights = run.row_weights + first_row
    loss.losses = run.losses + first_row
    loss.hits = run.hits + first_row
    return loss


cdef inline void gather_targets(Run* run, const int64_t* order, ssize_t first, ssize_t first_row, ssize_t r0,
                                ssize_t r1) noexcept nogil:
    """labels, targets and row_weights of rows r0..r1 of the chunk that starts at first_row of the batch."""
    cdef ssize_t r, j, row, item = run.program.item
    cdef const char* y
    for r in range(r0, r1):
        row = order[r] if order != NULL else first + r
        y = run.y + row * run.y_row
        if run.loss.labels != NULL:
            run.labels[first_row + r] = (<const int64_t*> y)[0]
        else:
            for j in range(run.loss.n_targets):
                memcpy(run.targets + ((first_row + r) * run.loss.n_targets + j) * item, y + j * run.y_column, item)
        if run.weights != NULL:
            run.row_weights[first_row + r] = run.weights[row]
