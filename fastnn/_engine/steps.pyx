"""The training step, run by every thread of the team together.

A step has two phases, with a barrier after each.

rows      Each thread takes its share of the batch's rows through the forward pass, the loss and the backward pass down
          to the deltas. Nothing is shared, but where an operation spans the batch: a segment ends there.
weights   Each thread takes its share of the tasks: the gradient of a span of parameters over all rows, summed by shards
          and the fixed tree, and, while the span is in the first-level cache, the optimizer's step on it.

A batch larger than a chunk repeats both for every chunk, adding the chunks' gradients up by the same tree, and steps
after the last. Where parameters are few, each thread takes chunks of its own through both phases, apart from the
others, and their sums meet at the end: two barriers instead of two a chunk, and nobody reads what another has computed
but those sums. Where the gradient is clipped by its norm it is stored first, and the update is a phase of its own.
"""

from libc.math cimport isfinite, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastnn._engine.atomics cimport atomic_load, atomic_store
from fastnn._engine.batches cimport coming_batch, gather_targets, loss_of
from fastnn._engine.gradients cimport add_chunk, join_parts
from fastnn._engine.inputs cimport take_rows
from fastnn._engine.passes cimport backward_rows
from fastnn._engine.program cimport Program, Slot, Tape
from fastnn._engine.run cimport Batch, Network, Run, Schedule, Task
from fastnn._engine.segments cimport end_of_segment, forward_segments
from fastnn._engine.sparse_gradients cimport sort_entries
from fastnn._engine.square_sums cimport clip_scale, sum_squares
from fastnn._engine.sums cimport lane_sum
from fastnn._engine.team cimport barrier
from fastnn._engine.updates cimport (
    finish_task, set_rules, steps_from_factors, update, update_entries, update_from_factors
)
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

cdef struct Share:                         # a thread's share of every step
    int thread, n_threads
    ssize_t first_task, end_task
    ssize_t first_input, end_input         # of the network, whose weights its tasks hold

cdef double SIGNAL_INTERVAL = 0.05         # seconds between looks at pending signals within a long step
cdef double CLOCK_INTERVAL = 500_000       # multiply-adds between looks at the clock, which take as long as 100
cdef double CHUNK_OVERHEAD = 5000          # multiply-adds in the time that a chunk takes whatever its size


cdef double clock() noexcept nogil:
    cdef timespec now
    timespec_get(&now, TIME_UTC)
    return now.tv_sec + 1e-9 * now.tv_nsec


cdef void run_steps(void* context, int thread, int n_threads) noexcept nogil:
    """Take steps until the data, the learning rates or the time are used up, or something is wrong."""
    cdef Run* run = <Run*> context
    cdef Share share
    share.thread, share.n_threads = thread, n_threads
    share.first_task = first_task(&run.network, thread, n_threads)
    share.end_task = first_task(&run.network, thread + 1, n_threads)
    find_inputs(&run.network, &share)
    while take_step(run, &share):
        pass


cdef ssize_t first_task(const Network* network, int thread, int n_threads) noexcept nogil:
    """Return where a thread's tasks begin: each has consecutive ones of about the same work."""
    cdef ssize_t t = 0, middle
    while t < network.n_tasks:
        middle = 2 * network.tasks[t].end - network.tasks[t].work
        if middle * n_threads > 2 * network.tasks[network.n_tasks - 1].end * thread:
            break
        t += 1
    return t


cdef void find_inputs(const Network* network, Share* share) noexcept nogil:
    cdef ssize_t t, panel, width = network.program.panel, n_inputs = network.program.n_inputs
    share.first_input, share.end_input = n_inputs, 0
    for t in range(share.first_task, share.end_task):
        panel = network.tasks[t].input_panel
        if panel >= 0:
            share.first_input = min(share.first_input, panel * width)
            share.end_input = max(share.end_input, min((panel + 1) * width, n_inputs))


cdef bint take_step(Run* run, const Share* share) noexcept nogil:
    """Take one step; return whether to go on, which all threads agree on."""
    cdef Batch batch = coming_batch(run)
    cdef bint found
    if share.n_threads > 1 and run.buffers.part > 0 and batch.n_chunks > 1:
        found = descend_apart(run, &batch, share)
    else:
        found = descend_together(run, &batch, share)
    if not found:
        return False
    if run.optimizer.updates and run.buffers.gradient != NULL:
        clipped_update(run, share)
    if share.thread == 0:
        finish_step(run, &batch)
    barrier(run.team, share.thread, share.n_threads)
    return not run.signals.paused and not atomic_load(&run.signals.parameter_diverged)


cdef bint descend_together(Run* run, Batch* batch, const Share* share) noexcept nogil:
    """Take gradient and update, chunk by chunk; return false if the step was abandoned or its loss is not finite."""
    cdef ssize_t c, n_rows, t
    cdef Task* task
    cdef Tape* tape = &run.buffers.tapes[0]
    cdef char* gradient = run.buffers.scratch + share.thread * run.buffers.scratch_size
    cdef bint is_whole = batch.n_chunks == 1 and run.buffers.gradient == NULL
    cdef bint skips = is_whole and run.data.inputs.is_direct and run.optimizer.hyperparameters.keeps_without_gradient
    for c in range(batch.n_chunks):
        n_rows = rows_phase(run, batch, c, tape, share.thread, share.n_threads)
        if share.thread == 0:
            check_signals(run, n_rows)
            if c == batch.n_chunks - 1 and run.optimizer.updates:
                set_rules(run, batch)
        barrier(run.team, share.thread, share.n_threads)
        if is_over(run, batch, c == batch.n_chunks - 1, share.thread):
            return False
        if run.data.inputs.is_direct:
            sort_entries(run, batch.start + c * run.buffers.chunk, n_rows, share.thread, share.first_input,
                         share.end_input)
        for t in range(share.first_task, share.end_task):
            task = &run.network.tasks[t]
            if skips and task.input_panel >= 0:
                update_entries(run, task, n_rows, share.thread, gradient)
            elif n_rows == 1 and batch.n_chunks == 1 and steps_from_factors(run, task):
                update_from_factors(run, task)
            elif add_chunk(run, task, tape, n_rows, c, batch.n_chunks, share.thread, run.buffers.levels, gradient):
                finish_task(run, task, gradient)
        if c < batch.n_chunks - 1:
            barrier(run.team, share.thread, share.n_threads)
    return True


cdef bint descend_apart(Run* run, Batch* batch, const Share* share) noexcept nogil:
    """Do the same, each thread with parts of the batch of its own, then with its tasks over the sums of all parts."""
    cdef ssize_t per_part = run.buffers.part, n_parts = (batch.n_chunks + per_part - 1) // per_part
    cdef ssize_t part, first, c, n, n_rows, t
    cdef Task* task
    cdef Tape* tape = &run.buffers.tapes[share.thread]
    cdef char* gradient = run.buffers.scratch + share.thread * run.buffers.scratch_size
    cdef char* levels = run.buffers.levels + share.thread * run.buffers.levels_size
    for part in range(n_parts * share.thread // share.n_threads, n_parts * (share.thread + 1) // share.n_threads):
        first = part * per_part
        n = min(per_part, batch.n_chunks - first)
        for c in range(n):
            if atomic_load(&run.signals.abandoned):
                break
            n_rows = rows_phase(run, batch, first + c, tape, 0, 1)
            if share.thread == 0:
                check_signals(run, n_rows)
            if run.data.inputs.is_direct:
                sort_entries(run, batch.start + (first + c) * run.buffers.chunk, n_rows, share.thread, 0,
                             run.network.program.n_inputs)
            for t in range(run.network.n_tasks):
                task = &run.network.tasks[t]
                if add_chunk(run, task, tape, n_rows, c, n, share.thread, levels, gradient):
                    memcpy(run.buffers.parts + part * run.network.arena_size + task.offset, gradient,
                           task.count * run.network.program.item)
    if share.thread == 0 and run.optimizer.updates:
        set_rules(run, batch)
    barrier(run.team, share.thread, share.n_threads)
    if is_over(run, batch, True, share.thread):
        return False
    for t in range(share.first_task, share.end_task):
        task = &run.network.tasks[t]
        join_parts(run, task, n_parts)
        finish_task(run, task, run.buffers.parts + task.offset)
    return True


cdef bint is_over(Run* run, Batch* batch, bint has_losses, int thread) noexcept nogil:
    """Return whether the step must end without an update: abandoned, or all losses are there and not finite."""
    if atomic_load(&run.signals.abandoned):
        return True
    if not has_losses:
        return False
    batch.loss_sum = lane_sum(run.data.losses, batch.n)
    if isfinite(batch.loss_sum):
        return False
    if thread == 0:
        run.signals.loss_diverged = True
    return True


cdef ssize_t rows_phase(Run* run, const Batch* batch, ssize_t chunk, const Tape* given, int thread,
                        int n_threads) noexcept nogil:
    """Take this thread's share of a chunk's rows from data to outputs, losses and deltas; return the chunk's rows."""
    cdef const Program* program = &run.network.program
    cdef ssize_t first_row = chunk * run.buffers.chunk
    cdef ssize_t n_rows = min(run.buffers.chunk, batch.n - first_row)
    cdef ssize_t aligned = (n_rows + ROW_ALIGNMENT - 1) // ROW_ALIGNMENT
    cdef ssize_t r0 = min(aligned * thread // n_threads * ROW_ALIGNMENT, n_rows)
    cdef ssize_t r1 = min(aligned * (thread + 1) // n_threads * ROW_ALIGNMENT, n_rows)
    cdef ssize_t first = batch.start + first_row
    cdef const int64_t* order = run.data.order + first if run.data.order != NULL else NULL
    cdef Slot* top = &given.slots[program.output]
    cdef Tape tape = given[0]
    cdef LossBatch loss
    if r0 == r1 and end_of_segment(run, 0, n_rows, n_threads) == program.n_operations:
        return n_rows
    tape.seed = run.network.seed
    tape.step = run.schedule.steps
    tape.first_row = first_row
    loss = loss_of(run, first_row)
    take_rows(program, &tape, &run.data.inputs, order, first, r0, r1)
    gather_targets(run, order, first, first_row, r0, r1)
    forward_segments(run, &tape, n_rows, r0, r1, thread, n_threads)
    loss.outputs = <const real*> top.y
    loss.deltas = <real*> top.delta
    loss.rows = tape.rows
    loss.scale = batch.scale
    run.data.loss_kernel.loss(&loss, r0, r1)
    backward_rows(program, &tape, 0, program.n_operations, r0, r1)
    return n_rows


cdef void clipped_update(Run* run, const Share* share) noexcept nogil:
    """Update in a phase of its own, once the norm of the whole gradient is known."""
    cdef int thread = share.thread, n_threads = share.n_threads, g
    cdef ssize_t i, t, n = run.network.n_square_sums
    cdef double norm
    barrier(run.team, thread, n_threads)
    for i in range(n * thread // n_threads, n * (thread + 1) // n_threads):
        run.network.squares[i] = sum_squares(run, run.buffers.gradient, &run.network.square_sums[i])
    barrier(run.team, thread, n_threads)
    if thread == 0:
        # A norm that overflows scales the gradient to nothing; one that is NaN reaches the parameters' own guard.
        norm = sqrt(lane_sum(run.network.squares, n))
        for g in range(run.optimizer.n_groups):
            run.optimizer.rules[g].gradient_scale = clip_scale(run.optimizer.hyperparameters.clip_norm, norm)
    barrier(run.team, thread, n_threads)
    for t in range(share.first_task, share.end_task):
        update(run, &run.network.tasks[t], run.buffers.gradient + run.network.tasks[t].offset, NULL)


# ---------------------------------- book-keeping, by thread 0 while the others wait or compute

cdef void finish_step(Run* run, const Batch* batch) noexcept nogil:
    cdef Schedule* schedule = &run.schedule
    schedule.batch_loss = batch.loss_sum / batch.weight if batch.weight > 0 else 0
    if not run.optimizer.updates:
        run.signals.paused = True
        return
    schedule.progress.loss_sum += batch.loss_sum
    schedule.progress.hit_sum += lane_sum(run.data.hits, batch.n)
    schedule.progress.weight_sum += batch.weight
    schedule.progress.position += batch.n
    schedule.steps += 1
    schedule.rates_used += 1
    run.optimizer.powers = run.optimizer.coming_powers
    run.signals.paused = (schedule.progress.position >= run.data.n or schedule.rates_used >= schedule.n_rates
                          or atomic_load(&run.signals.stop) or run.signals.now >= schedule.deadline)


cdef void check_signals(Run* run, ssize_t n_rows) noexcept nogil:
    """Let Python's signal handlers run within a long step; if one asks to stop, the step is as if never begun."""
    run.signals.work_to_clock -= n_rows * run.signals.row_work + CHUNK_OVERHEAD
    if run.signals.work_to_clock > 0:
        return
    run.signals.work_to_clock = CLOCK_INTERVAL
    run.signals.now = clock()
    if run.signals.now < run.signals.next_check:
        return
    run.signals.next_check = run.signals.now + SIGNAL_INTERVAL
    handle_signals(run)
    if atomic_load(&run.signals.stop):
        atomic_store(&run.signals.abandoned, 1)


cdef void handle_signals(Run* run) noexcept with gil:
    # A function of its own: one that takes the GIL only sometimes takes it always, as it returns.
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<list> run.signals.raised).append(error)
        atomic_store(&run.signals.abandoned, 1)
