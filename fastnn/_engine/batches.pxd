# What a step takes from the data, row by row.

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastnn._engine.run cimport Batch, Run
from fastnn._engine.sums cimport join_lanes
from fastnn._kernels.table cimport LossBatch, real


cdef inline Batch coming_batch(const Run* run) noexcept nogil:
    cdef Batch batch
    batch.start = run.schedule.progress.position
    batch.n = min(run.data.batch_size, run.data.n - batch.start)
    batch.n_chunks = (batch.n + run.buffers.chunk - 1) // run.buffers.chunk
    batch.weight = batch_weight(run, batch.start, batch.n)
    batch.scale = 1 / batch.weight if batch.weight > 0 else 0
    batch.loss_sum = 0
    return batch


cdef inline double batch_weight(const Run* run, ssize_t start, ssize_t n) noexcept nogil:
    """Return the sum of the batch's sample weights, in the order of its rows."""
    cdef double[16] lane
    cdef ssize_t r
    cdef const int64_t* order = run.data.order
    if run.data.weights == NULL:
        return n
    for r in range(16):
        lane[r] = 0
    for r in range(n):
        lane[r & 15] = lane[r & 15] + run.data.weights[order[start + r] if order != NULL else start + r]
    return join_lanes(lane)


cdef inline LossBatch loss_of(const Run* run, ssize_t first_row) noexcept nogil:
    """Return the loss from a row of the batch on."""
    cdef LossBatch loss = run.data.loss
    if loss.labels != NULL:
        loss.labels = run.data.labels + first_row
    else:
        loss.targets = <const real*> (run.data.targets + first_row * loss.n_targets * run.network.program.item)
    if loss.weights != NULL:
        loss.weights = run.data.row_weights + first_row
    loss.losses = run.data.losses + first_row
    loss.hits = run.data.hits + first_row
    return loss


cdef inline void gather_targets(Run* run, const int64_t* order, ssize_t first, ssize_t first_row, ssize_t r0,
                                ssize_t r1) noexcept nogil:
    """Gather labels, targets and row_weights of rows r0..r1 of the chunk that starts at first_row of the batch."""
    cdef ssize_t r, j, row, item = run.network.program.item, n_targets = run.data.loss.n_targets
    cdef const char* y
    for r in range(r0, r1):
        row = order[r] if order != NULL else first + r
        y = run.data.y + row * run.data.y_row
        if run.data.loss.labels != NULL:
            run.data.labels[first_row + r] = (<const int64_t*> y)[0]
        else:
            for j in range(n_targets):
                memcpy(run.data.targets + ((first_row + r) * n_targets + j) * item, y + j * run.data.y_column, item)
        if run.data.weights != NULL:
            run.data.row_weights[first_row + r] = run.data.weights[row]
