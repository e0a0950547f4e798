# The gradient of a task's parameters: over a chunk of rows, and joined over the chunks of a batch.

from libc.string cimport memcpy, memset

from fastnn._engine.operations.kinds cimport parameter_gradient
from fastnn._engine.program cimport Tape
from fastnn._engine.run cimport Run, Task
from fastnn._engine.sparse_gradients cimport sparse_gradient
from fastnn._kernels.table cimport real
from fastnn._kernels.tree cimport join_level


cdef inline bint is_from_entries(const Run* run, const Task* task) noexcept nogil:
    """Return whether the task's gradient comes from the entries of sparse rows."""
    return run.data.inputs.is_direct and task.input_panel >= 0


cdef inline void chunk_gradient(const Run* run, const Task* task, const Tape* tape, ssize_t n_rows, int thread,
                                char* gradient) noexcept nogil:
    """Compute the gradient over the rows of the tape."""
    cdef ssize_t panel = run.network.program.panel
    if is_from_entries(run, task):
        memset(gradient, 0, task.count * run.network.program.item)
        sparse_gradient(run, task, tape, n_rows, &run.buffers.sortings[thread], gradient)
        return
    parameter_gradient(&run.network.program, tape, &run.network.program.operations[task.operation], task.role,
                       task.row_panel, task.column_panel, n_rows, <real*> gradient,
                       <real*> (gradient + panel * panel * run.network.program.item))


cdef inline bint add_chunk(const Run* run, const Task* task, const Tape* tape, ssize_t n_rows, ssize_t chunk,
                           ssize_t n_chunks, int thread, char* levels, char* gradient) noexcept nogil:
    """Take in the gradient over chunk of n_chunks; return whether `gradient` holds the sum of all of them."""
    cdef ssize_t level = 0
    chunk_gradient(run, task, tape, n_rows, thread, gradient)
    while join_level(chunk, n_chunks, &level):
        run.network.program.optimizers.add(
            <real*> gradient, <const real*> (levels + level * run.network.arena_size + task.offset), task.count)
        level += 1
    if chunk == n_chunks - 1:
        return True
    memcpy(levels + level * run.network.arena_size + task.offset, gradient, task.count * run.network.program.item)
    return False


cdef inline void join_parts(const Run* run, const Task* task, ssize_t n_parts) noexcept nogil:
    """Join the parts' sums by the tree, each addition in place of its left operand."""
    cdef ssize_t part, apart = 1
    cdef char* sums = run.buffers.parts + task.offset
    while apart < n_parts:
        part = 0
        while part + apart < n_parts:
            run.network.program.optimizers.add(
                <real*> (sums + part * run.network.arena_size),
                <const real*> (sums + (part + apart) * run.network.arena_size), task.count)
            part += 2 * apart
        apart *= 2
