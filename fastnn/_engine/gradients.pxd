# The gradient of a task's parameters: over a chunk of rows, and joined over the chunks of a batch.

from libc.string cimport memcpy, memset

from fastnn._engine.entries cimport input_panel, sparse_gradient
from fastnn._engine.program cimport Operation, Slot, Tape, inputs_of
from fastnn._engine.steps cimport BIAS, BLOCK, NARROW_BLOCK, SHARD, Run, Task
from fastnn._kernels.table cimport real
from fastnn._kernels.tree cimport join_level


cdef inline void task_gradient(const Run* run, const Task* task, const Tape* tape, ssize_t n_rows,
                               char* gradient) noexcept nogil:
    """The gradient of the task's parameters over the rows of the tape."""
    cdef ssize_t k = task.operation, panel = run.program.panel
    cdef const Operation* op = &run.program.operations[k]
    cdef const Slot* slot = &tape.slots[k]
    cdef const real* x = <const real*> inputs_of(tape, k)
    cdef const real* delta = <const real*> slot.delta
    cdef real* scratch = <real*> (gradient + panel * panel * run.program.item)
    if task.part == BLOCK:
        run.program.dense.weight_gradient(x, delta, <real*> gradient, scratch, tape.rows, n_rows, SHARD, op.n_in,
                                          op.n_out, task.row_panel, task.column_panel)
    elif task.part == NARROW_BLOCK:
        run.program.dense.narrow_gradient(x, delta, <real*> gradient, scratch, tape.rows, n_rows, SHARD, op.n_in,
                                          op.n_out, task.column_panel)
    elif task.part == BIAS:
        run.program.dense.bias_gradient(delta, <real*> gradient, scratch, tape.rows, n_rows, SHARD, task.column_panel)
    else:
        run.program.normalization.gain_gradient(x, slot.statistics, delta, <real*> gradient, scratch, tape.rows,
                                                n_rows, SHARD, op.n_in, task.column_panel)


cdef inline bint add_chunk(const Run* run, const Task* task, const Tape* tape, ssize_t n_rows, ssize_t chunk,
                           ssize_t n_chunks, int thread, char* levels, char* gradient) noexcept nogil:
    """Takes in the gradient over chunk of n_chunks; whether `gradient` holds the sum of all of them."""
    cdef ssize_t level = 0
    if run.sparse.is_direct and input_panel(task) >= 0:
        memset(gradient, 0, task.count * run.program.item)
        sparse_gradient(run, task, tape, n_rows, &run.sortings[thread], gradient)
    else:
        task_gradient(run, task, tape, n_rows, gradient)
    while join_level(chunk, n_chunks, &level):
        run.program.optimizers.add(<real*> gradient, <const real*> (levels + level * run.arena_size + task.offset),
                                   task.count)
        level += 1
    if chunk == n_chunks - 1:
        return True
    memcpy(levels + level * run.arena_size + task.offset, gradient, task.count * run.program.item)
    return False


cdef inline void join_parts(const Run* run, const Task* task, ssize_t n_parts) noexcept nogil:
    """The tree over the parts' sums, each addition in place of its left operand."""
    cdef ssize_t part, apart = 1
    cdef char* sums = run.parts + task.offset
    while apart < n_parts:
        part = 0
        while part + apart < n_parts:
            run.program.optimizers.add(<real*> (sums + part * run.arena_size),
                                       <const real*> (sums + (part + apart) * run.arena_size), task.count)
            part += 2 * apart
        apart *= 2
