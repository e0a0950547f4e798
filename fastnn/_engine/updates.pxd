# The optimizer's step on the parameters of a task.

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from fastnn._engine.atomics cimport atomic_store
from fastnn._engine.gradients cimport is_from_entries
from fastnn._engine.operations.dense cimport transpose_block
from fastnn._engine.program cimport Operation, Tape, operand_of, slot_of
from fastnn._engine.run cimport Batch, Run, Sorting, Task
from fastnn._engine.sparse_gradients cimport sparse_gradient
from fastnn._engine.update_rules cimport next_powers, update_rule
from fastnn._kernels.table cimport real


cdef inline void set_rules(Run* run, const Batch* batch) noexcept nogil:
    """Set the numbers of the coming step, for each group of parameters."""
    cdef double learning_rate = run.schedule.learning_rates[run.schedule.rates_used]
    cdef int g
    run.optimizer.coming_powers = next_powers(&run.optimizer.hyperparameters, &run.optimizer.powers)
    for g in range(run.optimizer.n_groups):
        run.optimizer.rules[g] = update_rule(
            &run.optimizer.hyperparameters, &run.optimizer.groups[g], &run.optimizer.coming_powers, learning_rate,
            batch.scale, run.schedule.steps + 1)


cdef inline void update(Run* run, Task* task, const char* gradient, const char* factors) noexcept nogil:
    """Step on the task's parameters, and copy them to the transposed weight."""
    cdef char* states[3]
    cdef int j
    for j in range(3):
        states[j] = run.optimizer.states[j] + task.offset if run.optimizer.states[j] != NULL else NULL
    if run.optimizer.kernel.update(
            &run.optimizer.rules[task.group], <real*> (run.network.parameters + task.offset), <const real*> gradient,
            <real*> states[0], <real*> states[1], <real*> states[2], task.count, task.width, <const real*> factors):
        task.diverged = True
        atomic_store(&run.signals.parameter_diverged, 1)
    if task.is_transposed:
        transpose_block(&run.network.program, &run.network.program.operations[task.operation], task.row_panel,
                        task.column_panel)


cdef inline void finish_task(Run* run, Task* task, const char* gradient) noexcept nogil:
    """Update, or where the gradient is wanted whole, store what the update needs."""
    if run.buffers.gradient != NULL:
        memcpy(run.buffers.gradient + task.offset, gradient, task.count * run.network.program.item)
    else:
        update(run, task, gradient, NULL)


# ------------------------------------------------------------- of a lone row

cdef inline bint steps_from_factors(const Run* run, const Task* task) noexcept nogil:
    """Return whether the gradient of a lone row, an outer product, need not be written down."""
    return task.has_factors and run.buffers.gradient == NULL and not is_from_entries(run, task)


cdef inline void update_from_factors(Run* run, Task* task) noexcept nogil:
    cdef const Operation* op = &run.network.program.operations[task.operation]
    cdef ssize_t panel_size = run.network.program.panel * run.network.program.item
    cdef const Tape* tape = &run.buffers.tapes[0]
    cdef const char* x = operand_of(tape, op).y
    cdef const char* delta = slot_of(&run.network.program, tape, op).delta
    if task.is_narrow:
        x, delta = delta, x
    update(run, task, delta + task.column_panel * tape.rows * panel_size, x + task.row_panel * tape.rows * panel_size)


# ------------------------------------------------- of the entries of sparse rows

cdef inline void update_inputs(Run* run, Task* task, ssize_t i0, ssize_t i1, const char* gradient) noexcept nogil:
    """Update inputs i0..i1 of the task's panel."""
    cdef ssize_t offset = i0 * run.network.program.panel * run.network.program.item
    cdef Task span = task[0]
    span.offset, span.count = task.offset + offset, (i1 - i0) * run.network.program.panel
    update(run, &span, gradient + offset, NULL)
    task.diverged |= span.diverged


cdef inline void update_entries(Run* run, Task* task, ssize_t n_rows, int thread, char* gradient) noexcept nogil:
    """Update those inputs' weights alone that have an entry in the batch; the others have no gradient."""
    cdef Sorting* sorting = &run.buffers.sortings[thread]
    cdef const int32_t* columns = sorting.entries.columns
    cdef ssize_t e, i, low, end, first = task.input_panel * run.network.program.panel
    if task.is_narrow:
        memset(gradient, 0, task.count * run.network.program.item)
    if not sparse_gradient(run, task, &run.buffers.tapes[0], n_rows, sorting, gradient):
        return
    if task.is_narrow:
        update(run, task, gradient, NULL)
        return
    e = sorting.next
    low = columns[e - 1] - first
    end = low + 1
    while e > 0 and columns[e - 1] >= first:
        e -= 1
        i = columns[e] - first
        if i < low - 1:
            update_inputs(run, task, low, end, gradient)
            end = i + 1
        low = i
    update_inputs(run, task, low, end, gradient)
