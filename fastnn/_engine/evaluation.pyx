"""The loss of a network on data, without training on them."""

import numpy as np

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastnn._engine.data cimport Data
from fastnn._engine.inputs cimport Inputs, take_rows
from fastnn._engine.memory cimport PADDING, Arena, cut
from fastnn._engine.model cimport BLOCK_ROWS, WORTH_A_WAKE, Model, Tapes, choose_threads
from fastnn._engine.operations.activation cimport apply_activation
from fastnn._engine.passes cimport forward_rows
from fastnn._engine.program cimport Operation, Program, Tape
from fastnn._engine.sums cimport lane_sum
from fastnn._engine.team cimport shared_team
from fastnn._kernels.table cimport LossBatch, LossKernel, real

from fastnn._engine.environment import standard_environment

cdef struct Evaluation:
    Program program              # up to what the loss is computed from
    const Operation* top         # the last operation, with the activation that outputs are to have
    Tape* tapes
    LossBatch loss
    const LossKernel* loss_kernel
    char* scratch                # for each thread: labels, weights and targets of a block
    ssize_t scratch_size
    Inputs inputs
    const char* y
    ssize_t n, y_row, y_column
    bint has_labels
    const double* weights
    double* losses
    double* hits
    char* out                    # or NULL
    ssize_t out_row, out_column


cdef tuple evaluate(Model model, Program program, const LossKernel* kernel, LossBatch loss, Data data, out,
                    int threads):
    """Return (mean loss, mean accuracy) over data's rows, by their weights; the outputs go to out unless it is None."""
    cdef Evaluation job
    cdef Py_buffer out_view
    cdef Tapes tapes
    cdef double weight, multiply_adds
    cdef double[::1] losses = np.empty(data.n), hits = np.empty(data.n)
    multiply_adds = model.multiply_adds() * data.n if data.sparse is None else model.sparse_multiply_adds(data.sparse)
    threads = choose_threads(threads, multiply_adds, WORTH_A_WAKE)
    job.inputs = data.inputs(&program)
    tapes = model.tapes(BLOCK_ROWS, threads, not job.inputs.is_direct)
    job.scratch_size = BLOCK_ROWS * (sizeof(int64_t) + sizeof(double) + data.n_targets * program.item) + 3 * PADDING
    scratch = Arena(job.scratch_size * threads)
    job.program, job.top, job.tapes = program, &model.program.operations[program.output - 1], tapes.first
    job.loss, job.loss_kernel, job.scratch = loss, kernel, (<Arena> scratch).base
    job.n, job.y, job.y_row, job.y_column = data.n, data.y, data.y_row, data.y_column
    job.has_labels, job.loss.n_targets, job.weights = data.has_labels, data.n_targets, data.weights
    job.losses, job.hits, job.out = &losses[0], &hits[0], NULL
    if out is None:
        shared_team().run(evaluate_rows, &job, threads)
    else:
        PyObject_GetBuffer(out, &out_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        try:
            job.out, job.out_row, job.out_column = <char*> out_view.buf, out_view.strides[0], out_view.strides[1]
            shared_team().run(evaluate_rows, &job, threads)
        finally:
            PyBuffer_Release(&out_view)
    model.spare.append(tapes)
    with standard_environment():
        weight = data.n if data.weights == NULL else lane_sum(data.weights, data.n)
        if weight == 0:
            return 0.0, 0.0
        return lane_sum(&losses[0], data.n) / weight, lane_sum(&hits[0], data.n) / weight


cdef void evaluate_rows(void* context, int thread, int n_threads) noexcept nogil:
    """Take one thread's share of the rows, block by block."""
    cdef Evaluation* job = <Evaluation*> context
    cdef Program* program = &job.program
    cdef Tape* tape = &job.tapes[thread]
    cdef ssize_t r = job.n * thread // n_threads, end = job.n * (thread + 1) // n_threads
    cdef ssize_t n, i, j, n_targets = job.loss.n_targets
    cdef char* y = tape.slots[program.output].y
    cdef char* next = job.scratch + thread * job.scratch_size
    cdef int64_t* labels = <int64_t*> cut(&next, BLOCK_ROWS * sizeof(int64_t))
    cdef double* weights = <double*> cut(&next, BLOCK_ROWS * sizeof(double))
    cdef char* targets = cut(&next, BLOCK_ROWS * n_targets * program.item)
    cdef LossBatch loss = job.loss
    loss.outputs, loss.deltas, loss.rows, loss.scale = <const real*> y, NULL, tape.rows, 1
    loss.labels = labels if job.has_labels else NULL
    loss.targets = NULL if job.has_labels else <const real*> targets
    while r < end:
        n = min(end - r, <ssize_t> BLOCK_ROWS)
        take_rows(program, tape, &job.inputs, NULL, r, 0, n)
        for i in range(n):
            if job.has_labels:
                labels[i] = (<const int64_t*> (job.y + (r + i) * job.y_row))[0]
            else:
                for j in range(n_targets):
                    memcpy(targets + (i * n_targets + j) * program.item, job.y + (r + i) * job.y_row + j * job.y_column,
                           program.item)
            weights[i] = job.weights[r + i] if job.weights != NULL else 1
        forward_rows(program, tape, 0, program.n_operations, 0, n)
        loss.weights, loss.losses, loss.hits = weights, job.losses + r, job.hits + r
        job.loss_kernel.loss(&loss, 0, n)
        if job.out != NULL:
            if job.top.activation != program.operations[program.output - 1].activation:
                apply_activation(program, job.top, y, y, tape.rows, job.top.n_out, 0, n)
            program.batch.scatter(<const real*> y, tape.rows, job.top.n_out, 0, n, job.out + r * job.out_row,
                                  job.out_row, job.out_column)
        r += n
