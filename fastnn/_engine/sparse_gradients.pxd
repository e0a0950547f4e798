# The gradient of weights of the network's inputs from the entries of sparse rows, as the tasks of a step need it.

from fastnn._engine.program cimport Operation, Tape, slot_of
from fastnn._engine.run cimport Run, Sorting, Task
from fastnn._engine.sums cimport SHARD
from fastnn._kernels.table cimport SparseEntries, real


cdef inline void sort_entries(const Run* run, ssize_t first, ssize_t n_rows, int thread, ssize_t c0,
                              ssize_t c1) noexcept nogil:
    """Sort the entries of a chunk, rows `first` of the epoch and on, in columns c0..c1: those of a thread's tasks."""
    cdef Sorting* sorting = &run.buffers.sortings[thread]
    run.network.program.sparse.sort_entries(
        &run.data.inputs.entries, run.data.order + first if run.data.order != NULL else NULL, first, n_rows, c0, c1,
        &sorting.entries, &sorting.spare)
    sorting.next = 0


cdef inline bint sparse_gradient(const Run* run, const Task* task, const Tape* tape, ssize_t n_rows, Sorting* sorting,
                                 char* gradient) noexcept nogil:
    """Compute the gradient of a task about the inputs, of those with an entry; return whether any has one.

    Tasks of an operation come in the order of their inputs.
    """
    cdef ssize_t panel = run.network.program.panel, input_panel = task.input_panel
    cdef const Operation* op = &run.network.program.operations[task.operation]
    cdef const SparseEntries* entries = &sorting.entries
    cdef const real* delta = <const real*> slot_of(&run.network.program, tape, op).delta
    cdef real* scratch = <real*> (gradient + panel * panel * run.network.program.item)
    cdef ssize_t e = sorting.next
    if e > 0 and entries.columns[e - 1] >= input_panel * panel:
        e = 0                                          # another panel of outputs, or another operation, has begun
    while e < entries.count and entries.columns[e] < input_panel * panel:
        e += 1
    sorting.next = e
    if e == entries.count or entries.columns[e] >= (input_panel + 1) * panel:
        return False
    if task.is_narrow:
        sorting.next = run.network.program.sparse.narrow_gradient(
            entries, e, delta, <real*> gradient, scratch, tape.rows, n_rows, SHARD, op.n_in, op.n_out, input_panel)
    else:
        sorting.next = run.network.program.sparse.weight_gradient(
            entries, e, delta, <real*> gradient, scratch, tape.rows, n_rows, SHARD, op.n_in, op.n_out, input_panel,
            task.column_panel)
    return True
