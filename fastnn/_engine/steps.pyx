"""The training step, run by every thread of the team together.

A step has two phases, with a barrier after each.

rows      Each thread takes a block of the batch's rows through the forward pass, the loss and the backward pass down
          to the deltas. Nothing is shared.
weights   Each thread takes its run of tasks: the gradient of a span of parameters over all rows, summed by shards and
          the fixed tree, and, while the span is in the first-level cache, the optimizer's step on it.

A batch larger than a chunk repeats both for every chunk, adding the chunks' gradients up by the same tree, and steps
after the last. Where parameters are few, each thread takes chunks of its own through both phases, apart from the
others, and their sums meet at the end: two barriers instead of two a chunk, and nobody reads what another has computed
but those sums. Where the gradient is clipped by its norm it is stored first, and the update is a phase of its own.
"""

from libc.math cimport isfinite, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from fastnn._engine.atomics cimport atomic_load, atomic_store
from fastnn._engine.backward cimport backward_rows
from fastnn._engine.entries cimport input_panel, sort_entries, sparse_gradient
from fastnn._engine.forward cimport forward_dense, forward_rows, forward_sparse
from fastnn._engine.gradients cimport add_chunk, join_parts
from fastnn._engine.program cimport Operation, Slot, Tape, inputs_of, panels_of
from fastnn._engine.rows cimport batch_weight, first_by_panels, gather_targets, loss_of
from fastnn._engine.rules cimport next_powers, update_rule
from fastnn._engine.sums cimport lane_sum
from fastnn._engine.threads cimport barrier
from fastnn._kernels.table cimport LossBatch, real

cdef extern from "<time.h>" nogil:
    ctypedef long time_t
    struct timespec:
        time_t tv_sec
        long tv_nsec
    int TIME_UTC
    int timespec_get(timespec* ts, int base) noexcept

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1

cdef enum:
    ROW_ALIGNMENT = 8                      # threads take rows in multiples of a tile

cdef struct Share:                         # a thread's part of every step
    int thread, n_threads
    ssize_t first_task, end_task
    ssize_t first_input, end_input         # of the first operation, that its tasks are about

cdef double SIGNAL_INTERVAL = 0.05         # seconds between looks at pending signals within a long step
cdef double CLOCK_INTERVAL = 500_000       # multiply-adds between looks at the clock, which take as long as 100
cdef double CHUNK_OVERHEAD = 5000          # multiply-adds in the time that a chunk takes whatever its size


cdef double clock() noexcept nogil:
    cdef timespec now
    timespec_get(&now, TIME_UTC)
    return now.tv_sec + 1e-9 * now.tv_nsec


cdef void run_steps(void* context, int thread, int n_threads) noexcept nogil:
    """Steps until the data, the learning rates or the time are used up, or something is wrong."""
    cdef Run* run = <Run*> context
    cdef Share share
    share.thread, share.n_threads = thread, n_threads
    share.first_task = first_task(run, thread, n_threads)
    share.end_task = first_task(run, thread + 1, n_threads)
    find_inputs(run, &share)
    while take_step(run, &share):
        pass


cdef ssize_t first_task(const Run* run, int thread, int n_threads) noexcept nogil:
    """Where a thread's tasks begin: each has a contiguous run of about the same work."""
    cdef ssize_t t = 0, middle
    while t < run.n_tasks:
        middle = 2 * run.tasks[t].end - run.tasks[t].work
        if middle * n_threads > 2 * run.tasks[run.n_tasks - 1].end * thread:
            break
        t += 1
    return t


cdef void find_inputs(const Run* run, Share* share) noexcept nogil:
    cdef ssize_t t, panel, n_in = run.program.operations[0].n_in
    share.first_input, share.end_input = n_in, 0
    for t in range(share.first_task, share.end_task):
        panel = input_panel(&run.tasks[t])
        if panel >= 0:
            share.first_input = min(share.first_input, panel * run.program.panel)
            share.end_input = max(share.end_input, min((panel + 1) * run.program.panel, n_in))


cdef Batch coming_batch(const Run* run) noexcept nogil:
    cdef Batch batch
    batch.start = run.progress.position
    batch.n = min(run.batch_size, run.n - batch.start)
    batch.n_chunks = (batch.n + run.chunk - 1) // run.chunk
    batch.weight = batch_weight(run, batch.start, batch.n)
    batch.scale = 1 / batch.weight if batch.weight > 0 else 0
    batch.loss_sum = 0
    return batch


cdef bint take_step(Run* run, const Share* share) noexcept nogil:
    """One step; whether to go on, which all threads agree on."""
    cdef Batch batch = coming_batch(run)
    cdef bint found
    if share.n_threads > 1 and run.part > 0 and batch.n_chunks > 1:
        found = descend_apart(run, &batch, share)
    else:
        found = descend_together(run, &batch, share)
    if not found:
        return False
    if run.updates and run.gradient != NULL:
        clipped_update(run, share)
    if share.thread == 0:
        finish_step(run, &batch)
    barrier(share.thread, share.n_threads)
    return not run.paused and not atomic_load(&run.parameter_diverged)


cdef bint descend_together(Run* run, Batch* batch, const Share* share) noexcept nogil:
    """Gradient and update, chunk by chunk; false if the step was abandoned or its loss is not finite."""
    cdef ssize_t c, n_rows, t
    cdef char* gradient = run.scratch + share.thread * run.scratch_size
    cdef bint skips = (run.sparse.is_direct and run.hyperparameters.keeps_without_gradient and batch.n_chunks == 1
                       and run.gradient == NULL)
    for c in range(batch.n_chunks):
        n_rows = rows_phase(run, batch, c, &run.tapes[0], share.thread, share.n_threads)
        if share.thread == 0:
            check_signals(run, n_rows)
            if c == batch.n_chunks - 1 and run.updates:
                set_rules(run, batch)
        barrier(share.thread, share.n_threads)
        if is_over(run, batch, c == batch.n_chunks - 1, share.thread):
            return False
        if run.sparse.is_direct:
            sort_entries(run, batch.start + c * run.chunk, n_rows, share.thread, share.first_input, share.end_input)
        for t in range(share.first_task, share.end_task):
            if skips and input_panel(&run.tasks[t]) >= 0:
                update_entries(run, &run.tasks[t], n_rows, share.thread, gradient)
            elif n_rows == 1 and batch.n_chunks == 1 and has_factors(run, &run.tasks[t]):
                update_from_factors(run, &run.tasks[t])
            elif add_chunk(run, &run.tasks[t], &run.tapes[0], n_rows, c, batch.n_chunks, share.thread, run.levels,
                           gradient):
                finish_task(run, &run.tasks[t], gradient)
        if c < batch.n_chunks - 1:
            barrier(share.thread, share.n_threads)
    return True


cdef bint descend_apart(Run* run, Batch* batch, const Share* share) noexcept nogil:
    """The same; each thread takes parts of the batch through both phases, then its tasks over the sums of all parts."""
    cdef ssize_t n_parts = (batch.n_chunks + run.part - 1) // run.part
    cdef ssize_t part, first, c, n, n_rows, t
    cdef Tape* tape = &run.tapes[share.thread]
    cdef char* gradient = run.scratch + share.thread * run.scratch_size
    cdef char* levels = run.levels + share.thread * run.levels_size
    for part in range(n_parts * share.thread // share.n_threads, n_parts * (share.thread + 1) // share.n_threads):
        first = part * run.part
        n = min(run.part, batch.n_chunks - first)
        for c in range(n):
            if atomic_load(&run.abandoned):
                break
            n_rows = rows_phase(run, batch, first + c, tape, 0, 1)
            if share.thread == 0:
                check_signals(run, n_rows)
            if run.sparse.is_direct:
                sort_entries(run, batch.start + (first + c) * run.chunk, n_rows, share.thread, 0,
                             run.program.operations[0].n_in)
            for t in range(run.n_tasks):
                if add_chunk(run, &run.tasks[t], tape, n_rows, c, n, share.thread, levels, gradient):
                    memcpy(run.parts + part * run.arena_size + run.tasks[t].offset, gradient,
                           run.tasks[t].count * run.program.item)
    if share.thread == 0 and run.updates:
        set_rules(run, batch)
    barrier(share.thread, share.n_threads)
    if is_over(run, batch, True, share.thread):
        return False
    for t in range(share.first_task, share.end_task):
        join_parts(run, &run.tasks[t], n_parts)
        finish_task(run, &run.tasks[t], run.parts + run.tasks[t].offset)
    return True


cdef bint is_over(Run* run, Batch* batch, bint has_losses, int thread) noexcept nogil:
    """Whether the step must end without an update: it was abandoned, or all losses are there and not finite."""
    if atomic_load(&run.abandoned):
        return True
    if not has_losses:
        return False
    batch.loss_sum = lane_sum(run.losses, batch.n)
    if isfinite(batch.loss_sum):
        return False
    if thread == 0:
        run.loss_diverged = True
    return True


# ----------------------------------------------------------------------- rows

cdef ssize_t rows_phase(Run* run, const Batch* batch, ssize_t chunk, const Tape* given, int thread,
                        int n_threads) noexcept nogil:
    """Data, outputs, losses and deltas of this thread's part of a chunk of the batch. Returns the chunk's rows."""
    cdef ssize_t first_row = chunk * run.chunk
    cdef ssize_t n_rows = min(run.chunk, batch.n - first_row)
    cdef ssize_t blocks = (n_rows + ROW_ALIGNMENT - 1) // ROW_ALIGNMENT
    cdef ssize_t r0 = min(blocks * thread // n_threads * ROW_ALIGNMENT, n_rows)
    cdef ssize_t r1 = min(blocks * (thread + 1) // n_threads * ROW_ALIGNMENT, n_rows)
    cdef ssize_t first = batch.start + first_row
    cdef const int64_t* order = run.order + first if run.order != NULL else NULL
    cdef Slot* top = &given.slots[run.program.n_operations - 1]
    cdef Tape tape = given[0]
    cdef LossBatch loss
    cdef bint by_panels = n_threads > 1 and not run.sparse.is_direct and first_by_panels(run, n_rows)
    cdef ssize_t done = 0                  # operations
    if r0 == r1 and not by_panels:
        return n_rows
    tape.seed = run.seed
    tape.step = run.steps
    tape.first_row = first_row
    loss = loss_of(run, first_row)
    if run.sparse.is_given:
        done = forward_sparse(&run.program, &tape, &run.sparse, order, first, r0, r1)
    else:
        run.program.batch.gather(run.x, run.x_row, run.x_column, order, first, run.program.operations[0].n_in,
                                 <real*> tape.x, tape.rows, r0, r1)
    gather_targets(run, order, first, first_row, r0, r1)
    if by_panels:
        forward_first(run, &tape, n_rows, thread, n_threads)
        done = 1
    forward_rows(&run.program, &tape, done, r0, r1)
    loss.outputs = <const real*> top.y
    loss.deltas = <real*> top.delta
    loss.rows = tape.rows
    loss.scale = batch.scale
    run.loss_kernel.loss(&loss, r0, r1)
    backward_rows(&run.program, run.transposed, &tape, run.last, r0, r1)
    return n_rows


cdef void forward_first(const Run* run, const Tape* tape, ssize_t n_rows, int thread, int n_threads) noexcept nogil:
    """The first operation for all rows, which all threads have gathered: this thread's panels of the outputs."""
    cdef const Operation* op = &run.program.operations[0]
    cdef ssize_t n = panels_of(&run.program, op.n_out)
    cdef ssize_t p0 = n * thread // n_threads, p1 = n * (thread + 1) // n_threads
    barrier(thread, n_threads)
    if p0 < p1:
        forward_dense(&run.program, tape, op, &tape.slots[0], tape.x, p0, p1, 0, n_rows)
    barrier(thread, n_threads)


# -------------------------------------------------------------------- weights

cdef void update_entries(Run* run, Task* task, ssize_t n_rows, int thread, char* gradient) noexcept nogil:
    """The update of those inputs' weights alone that have an entry in the batch; the others have no gradient."""
    cdef Sorting* sorting = &run.sortings[thread]
    cdef const int32_t* columns = sorting.entries.columns
    cdef ssize_t e, i, low, end, first = input_panel(task) * run.program.panel
    if task.part == NARROW_BLOCK:
        memset(gradient, 0, task.count * run.program.item)
    if not sparse_gradient(run, task, &run.tapes[0], n_rows, sorting, gradient):
        return
    if task.part == NARROW_BLOCK:
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


cdef inline void update_inputs(Run* run, Task* task, ssize_t i0, ssize_t i1, const char* gradient) noexcept nogil:
    """The update of inputs i0..i1 of the task's panel."""
    cdef ssize_t offset = i0 * run.program.panel * run.program.item
    cdef Task part = task[0]
    part.offset, part.count = task.offset + offset, (i1 - i0) * run.program.panel
    update(run, &part, gradient + offset, NULL)
    task.diverged |= part.diverged


cdef inline void finish_task(Run* run, Task* task, const char* gradient) noexcept nogil:
    """The update, or where the gradient is wanted whole, what it needs."""
    if run.gradient != NULL:
        memcpy(run.gradient + task.offset, gradient, task.count * run.program.item)
    else:
        update(run, task, gradient, NULL)


cdef inline bint has_factors(const Run* run, const Task* task) noexcept nogil:
    """Whether the gradient of a lone row, an outer product, need not be written down.

    A narrow layer's has inputs for columns, whose padding may hold anything.
    """
    if run.gradient != NULL or run.sparse.is_direct and input_panel(task) >= 0:
        return False
    return task.part == BLOCK or task.part == NARROW_BLOCK and task.width == run.program.panel


cdef void update_from_factors(Run* run, Task* task) noexcept nogil:
    cdef ssize_t k = task.operation, panel_size = run.program.panel * run.program.item
    cdef const Tape* tape = &run.tapes[0]
    cdef const char* x = inputs_of(tape, k)
    cdef const char* delta = tape.slots[k].delta
    if task.part == NARROW_BLOCK:
        x, delta = delta, x
    update(run, task, delta + task.column_panel * tape.rows * panel_size, x + task.row_panel * tape.rows * panel_size)


cdef void update(Run* run, Task* task, const char* gradient, const char* factors) noexcept nogil:
    """The optimizer's step on the task's parameters, and their copy in the transposed weight."""
    cdef const Operation* op = &run.program.operations[task.operation]
    cdef char* states[3]
    cdef int j
    for j in range(3):
        states[j] = run.states[j] + task.offset if run.states[j] != NULL else NULL
    if run.optimizer.update(&run.rule if task.decays else &run.rule_without_decay,
                            <real*> (run.parameters + task.offset), <const real*> gradient, <real*> states[0],
                            <real*> states[1], <real*> states[2], task.count, task.width, <const real*> factors):
        task.diverged = True
        atomic_store(&run.parameter_diverged, 1)
    if task.part == BLOCK and run.transposed[task.operation] != NULL:
        run.program.dense.transpose(<const real*> op.weight, <real*> run.transposed[task.operation], op.n_in, op.n_out,
                                    task.row_panel, task.column_panel)


cdef void clipped_update(Run* run, const Share* share) noexcept nogil:
    """The update as a phase of its own, once the norm of the whole gradient is known."""
    cdef int thread = share.thread, n_threads = share.n_threads
    cdef ssize_t i, t
    cdef double norm
    barrier(thread, n_threads)
    for i in range(run.n_norm_blocks * thread // n_threads, run.n_norm_blocks * (thread + 1) // n_threads):
        run.square_sums[i] = sum_squares(run, run.gradient, &run.norm_blocks[i])
    barrier(thread, n_threads)
    if thread == 0:
        # A norm that overflows scales the gradient to nothing; one that is NaN reaches the parameters' own guard.
        norm = sqrt(lane_sum(run.square_sums, run.n_norm_blocks))
        run.rule.gradient_scale = clip_scale(run.hyperparameters.clip_norm, norm)
        run.rule_without_decay.gradient_scale = run.rule.gradient_scale
    barrier(thread, n_threads)
    for t in range(share.first_task, share.end_task):
        update(run, &run.tasks[t], run.gradient + run.tasks[t].offset, NULL)


cdef double squared_weights(Run* run) noexcept nogil:
    """The sum of the squares of what penalties apply to."""
    cdef ssize_t i
    for i in range(run.n_norm_blocks):
        run.square_sums[i] = sum_squares(run, run.parameters, &run.norm_blocks[i]) if run.norm_blocks[i].decays else 0
    return lane_sum(run.square_sums, run.n_norm_blocks)


cdef double sum_squares(const Run* run, const char* arena, const NormBlock* block) noexcept nogil:
    cdef const real* values = <const real*> (arena + block.offset)
    if block.is_transposed:
        return run.program.optimizers.narrow_sum_squares(values, block.columns, block.rows)
    return run.program.optimizers.sum_squares(values, block.rows, block.columns, block.first_output)


cdef inline double clip_scale(double limit, double norm) noexcept nogil:
    """min(1, limit / norm), with PyTorch's guard against a norm of zero."""
    cdef double scale = limit / (norm + 1e-6)
    return scale if scale < 1 else 1


# ---------------------------------- book-keeping, by thread 0 while the others wait or compute

cdef void set_rules(Run* run, const Batch* batch) noexcept nogil:
    cdef double learning_rate = run.learning_rates[run.rates_used]
    run.coming_powers = next_powers(&run.hyperparameters, &run.powers)
    run.rule = update_rule(&run.hyperparameters, &run.coming_powers, learning_rate, batch.scale, run.steps + 1, True)
    run.rule_without_decay = update_rule(&run.hyperparameters, &run.coming_powers, learning_rate, batch.scale,
                                         run.steps + 1, run.hyperparameters.decay_all)


cdef void finish_step(Run* run, const Batch* batch) noexcept nogil:
    run.batch_loss = batch.loss_sum / batch.weight if batch.weight > 0 else 0
    if not run.updates:
        run.paused = True
        return
    run.progress.loss_sum += batch.loss_sum
    run.progress.hit_sum += lane_sum(run.hits, batch.n)
    run.progress.weight_sum += batch.weight
    run.powers = run.coming_powers
    run.steps += 1
    run.progress.position += batch.n
    run.rates_used += 1
    run.paused = (run.progress.position >= run.n or run.rates_used >= run.n_rates or atomic_load(&run.stop)
                  or run.now >= run.deadline)


cdef void check_signals(Run* run, ssize_t n_rows) noexcept nogil:
    """Within a long step, lets Python's signal handlers run; if one asks to stop, the step is as if never begun."""
    run.work_to_clock -= n_rows * run.row_work + CHUNK_OVERHEAD
    if run.work_to_clock > 0:
        return
    run.work_to_clock = CLOCK_INTERVAL
    run.now = clock()
    if run.now < run.next_check:
        return
    run.next_check = run.now + SIGNAL_INTERVAL
    handle_signals(run)
    if atomic_load(&run.stop):
        atomic_store(&run.abandoned, 1)


cdef void handle_signals(Run* run) noexcept with gil:
    # A function of its own: one that takes the GIL only sometimes takes it always, as it returns.
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        _raised.append(error)
        atomic_store(&run.abandoned, 1)


_raised = []          # by a signal's handler during a run; only the main thread's run can get one


def raise_pending():
    """Raises what a signal's handler raised during the run that has just ended."""
    if _raised:
        raise _raised.pop()
