# The gradient of the first operation's weight from the entries of sparse rows, as the tasks of a step need it.

from fastnn._engine.program cimport Operation, Tape
from fastnn._engine.steps cimport BLOCK, NARROW_BLOCK, SHARD, Run, Sorting, Task
from fastnn._kernels.table cimport SparseEntries, real


cdef inline ssize_t input_panel(const Task* task) noexcept nogil:
    """The panel of inputs that a task is about, -1 if it is not part of a weight of the first operation."""
    if task.operation > 0 or task.part not in (BLOCK, NARROW_BLOCK):
        return -1
    return task.column_panel if task.part == NARROW_BLOCK else task.row_panel


cdef inline void sort_entries(const Run* run, ssize_t first, ssize_t n_rows, int thread, ssize_t c0,
                              ssize_t c1) noexcept nogil:
    """The entries of a chunk, the rows from `first` of the epoch on, in columns c0..c1: those of a thread's tasks."""
    cdef Sorting* sorting = &run.sortings[thread]
    run.program.sparse.sort_entries(&run.sparse.rows, run.order + first if run.order != NULL else NULL, first, n_rows,
                                    c0, c1, &sorting.entries, &sorting.spare)
    sorting.next = 0


cdef inline bint sparse_gradient(const Run* run, const Task* task, const Tape* tape, ssize_t n_rows, Sorting* sorting,
                                 char* gradient) noexcept nogil:
    """The gradient of a task of the first operation, from sparse rows: of the inputs that have an entry; if any has.

    Tasks come in the order of their inputs.
    """
    cdef ssize_t panel = run.program.panel, in_panel = input_panel(task)
    cdef const Operation* op = &run.program.operations[0]
    cdef const SparseEntries* entries = &sorting.entries
    cdef const real* delta = <const real*> tape.slots[0].delta
    cdef real* scratch = <real*> (gradient + panel * panel * run.program.item)
    cdef ssize_t e = sorting.next
    if e > 0 and entries.columns[e - 1] >= in_panel * panel:
        e = 0                                          # another panel of outputs has begun
    while e < entries.count and entries.columns[e] < in_panel * panel:
        e += 1
    sorting.next = e
    if e == entries.count or entries.columns[e] >= (in_panel + 1) * panel:
        return False
    if task.part == NARROW_BLOCK:
        sorting.next = run.program.sparse.narrow_gradient(entries, e, delta, <real*> gradient, scratch, tape.rows,
                                                          n_rows, SHARD, op.n_in, op.n_out, in_panel)
    else:
        sorting.next = run.program.sparse.weight_gradient(entries, e, delta, <real*> gradient, scratch, tape.rows,
                                                          n_rows, SHARD, op.n_in, op.n_out, in_panel,
                                                          task.column_panel)
    return True
