"""Where a training run's buffers lie, and how its parameters are cut into tasks.

Each ``new_*`` function allocates one arena and points the run into it; the caller keeps the arena.
"""

from libc.stdint cimport int32_t

from fastnn._engine.memory cimport PADDING, Arena, take
from fastnn._engine.model cimport Model, Tensor
from fastnn._engine.program cimport (
    ACTIVATION, DENSE, DROPOUT, LAYER_NORM, Operation, Program, Slot, Tape, panels_of, panels_size
)
from fastnn._engine.steps cimport (
    BIAS, BLOCK, GAIN, NARROW_BLOCK, SHARD, TILE_LEVELS, TILE_ROWS_MAX, NormBlock, Run, Sorting, Task
)
from fastnn._kernels.table cimport SparseEntries, real

cdef enum:
    CHUNK_BYTES = 1 << 20        # of activations and deltas that a chunk of a large batch may take: they stay in cache
    MIN_CHUNK_ROWS = 512         # fewer would spend too much on adding gradients up
    PARTS = 8                    # that a thread working apart takes at most, if the sums of all are ...
    PARTS_BYTES = 1 << 24        # ... not larger than this


# ---------------------------------------------------------- transposed weights

cdef Arena new_transposed(Run* run):
    """Transposed weights for the dense operations that pass a delta on to one below with parameters.

    A narrow one has no other.
    """
    cdef Arena arena = Arena(<size_t> lay_out_transposed(run, NULL))
    lay_out_transposed(run, arena.base)
    return arena


cdef char* lay_out_transposed(Run* run, char* next) noexcept:
    cdef Operation* op
    cdef ssize_t k
    cdef char* panels
    cdef char* start = next
    cdef char** pointers = <char**> take(&next, run.program.n_operations * sizeof(char*))
    for k in range(run.last + 1, run.program.n_operations):
        op = &run.program.operations[k]
        if op.is_narrow:
            if start != NULL:
                pointers[k] = op.weight
        elif op.kind == DENSE:
            panels = take(&next, panels_size(&run.program, op.n_out, op.n_in))
            if start != NULL:
                pointers[k] = panels
    run.transposed = pointers
    return next


# ----------------------------------------------------------------------- tasks

cdef Arena new_tasks(Run* run, Model model):
    """Cuts every tensor into blocks of a panel by a panel, and for the norm into blocks of sixteen outputs."""
    cdef ssize_t t, row_panel, column_panel
    cdef ssize_t end = 0
    cdef char* next
    cdef Tensor* tensor
    cdef Arena arena
    run.n_tasks = run.n_norm_blocks = 0
    for t in range(model.n_tensors):
        tensor = &model.layout[t]
        run.n_tasks += panels_of(&run.program, tensor.rows) * panels_of(&run.program, tensor.columns)
        run.n_norm_blocks += norm_blocks_of(tensor)
    arena = Arena(run.n_tasks * sizeof(Task) + run.n_norm_blocks * (sizeof(NormBlock) + sizeof(double)) + 3 * PADDING)
    next = arena.base
    run.tasks = <Task*> take(&next, run.n_tasks * sizeof(Task))
    run.norm_blocks = <NormBlock*> take(&next, run.n_norm_blocks * sizeof(NormBlock))
    run.square_sums = <double*> take(&next, run.n_norm_blocks * sizeof(double))
    run.n_tasks = run.n_norm_blocks = 0
    for t in range(model.n_tensors):
        tensor = &model.layout[t]
        for column_panel in range(panels_of(&run.program, tensor.columns)):
            for row_panel in range(panels_of(&run.program, tensor.rows)):
                set_task(run, &run.tasks[run.n_tasks], tensor, row_panel, column_panel)
                end += run.tasks[run.n_tasks].work
                run.tasks[run.n_tasks].end = end
                run.n_tasks += 1
        for block in range(norm_blocks_of(tensor)):
            set_norm_block(&run.norm_blocks[run.n_norm_blocks], tensor, 16 * block)
            run.n_norm_blocks += 1
    return arena


cdef ssize_t norm_blocks_of(const Tensor* tensor) noexcept:
    return 1 if tensor.is_transposed else (tensor.columns + 15) // 16


cdef void set_task(const Run* run, Task* task, const Tensor* tensor, ssize_t row_panel, ssize_t column_panel) noexcept:
    cdef ssize_t width = run.program.panel
    task.operation = tensor.operation
    if tensor.is_vector:
        task.part = BIAS if tensor.is_bias else GAIN
    else:
        task.part = NARROW_BLOCK if tensor.is_transposed else BLOCK
    task.row_panel, task.column_panel = row_panel, column_panel
    task.offset = tensor.offset + (column_panel * tensor.rows + row_panel * width) * width * run.program.item
    task.count = min(width, tensor.rows - row_panel * width) * width
    task.width = min(width, tensor.columns - column_panel * width)
    task.work = task.count // width * (2 if 2 * task.width > width else 1)
    task.decays = not tensor.is_vector


cdef void set_norm_block(NormBlock* block, const Tensor* tensor, ssize_t first_output) noexcept:
    block.offset, block.rows, block.columns = tensor.offset, tensor.rows, tensor.columns
    block.first_output, block.is_transposed = first_output, tensor.is_transposed
    block.decays = not tensor.is_vector


cdef Arena new_scratch(Run* run, int n_threads):
    """For each thread: a task's gradient, and the partial sums of the kernel that computes it."""
    cdef ssize_t width = run.program.panel
    run.scratch_size = (width + TILE_LEVELS * TILE_ROWS_MAX) * width * run.program.item
    cdef Arena arena = Arena(n_threads * run.scratch_size)
    run.scratch = arena.base
    return arena


# ------------------------------------------------------------------------ tape

cdef Arena new_sortings(Run* run, ssize_t entries, int n_threads):
    """For each thread: the entries of a chunk of sparse rows, as they are sorted back and forth."""
    cdef Arena arena = Arena(n_threads * (sizeof(Sorting) + 2 * entries_size(run, entries)) + PADDING)
    cdef char* next = arena.base
    cdef int t
    run.sortings = <Sorting*> take(&next, n_threads * sizeof(Sorting))
    for t in range(n_threads):
        lay_out_entries(&run.sortings[t].entries, &next, run, entries)
        lay_out_entries(&run.sortings[t].spare, &next, run, entries)
    return arena


cdef ssize_t entries_size(const Run* run, ssize_t n) noexcept:
    return n * (2 * <ssize_t> sizeof(int32_t) + run.program.item) + 3 * PADDING


cdef void lay_out_entries(SparseEntries* entries, char** next, const Run* run, ssize_t n) noexcept:
    entries.columns = <int32_t*> take(next, n * sizeof(int32_t))
    entries.rows = <int32_t*> take(next, n * sizeof(int32_t))
    entries.values = <real*> take(next, n * run.program.item)


cdef Arena new_tapes(Run* run, ssize_t rows, ssize_t n):
    """The buffers of n forward and backward passes over so many rows."""
    cdef ssize_t t, size = <ssize_t> lay_out_tape(&run.program, NULL, NULL, rows, not run.sparse.is_direct)
    cdef Arena arena = Arena(n * (size + sizeof(Tape)) + PADDING)
    cdef char* next = arena.base
    run.tapes = <Tape*> take(&next, n * sizeof(Tape))
    for t in range(n):
        next = lay_out_tape(&run.program, &run.tapes[t], next, rows, not run.sparse.is_direct)
    return arena


cdef char* lay_out_tape(const Program* program, Tape* tape, char* next, ssize_t rows, bint has_inputs) noexcept:
    """Walks the buffers from next on; from NULL only measures."""
    cdef char* start = next
    cdef Slot* slots = <Slot*> take(&next, program.n_operations * sizeof(Slot))
    cdef char* x = take(&next, panels_size(program, rows, program.operations[0].n_in) if has_inputs else 0)
    cdef char* y = x
    cdef Slot slot
    cdef Operation* op
    cdef ssize_t k, size
    for k in range(program.n_operations):
        op = &program.operations[k]
        size = panels_size(program, rows, op.n_out)
        slot.z = y                                  # what an activation on its own applies to
        slot.y = y = take(&next, size)
        if op.kind == DENSE:
            slot.z = take(&next, size) if op.activation.reads_z else y
        slot.mask = take(&next, size) if op.kind == DROPOUT else NULL
        slot.delta = take(&next, size)
        slot.statistics = <double*> take(&next, rows * 2 * sizeof(double)) if op.kind == LAYER_NORM else NULL
        if start != NULL:
            slots[k] = slot
    if start != NULL:
        tape.rows, tape.x, tape.slots = rows, x, slots
        share_deltas(program, slots)
    return next


cdef void share_deltas(const Program* program, Slot* slots) noexcept:
    """The delta of an activation on its own becomes that of the operation below in place."""
    cdef ssize_t k
    for k in range(program.n_operations - 1, 0, -1):
        if program.operations[k].kind == ACTIVATION:
            slots[k - 1].delta = slots[k].delta


cdef void cut_batch(Run* run, ssize_t batch, int threads) noexcept:
    """Sets the rows of a chunk and, where threads are to work apart, the chunks of a part.

    A chunk's rows are a power of two times the shard, so that chunks are whole subtrees; so are parts.
    """
    cdef ssize_t row_bytes = <ssize_t> lay_out_tape(&run.program, NULL, NULL, 1, not run.sparse.is_direct)
    cdef ssize_t limit = SHARD, shared, n_chunks, n_parts, part = 1
    while limit < MIN_CHUNK_ROWS or 2 * limit * row_bytes <= CHUNK_BYTES:
        limit *= 2
    shared = limit
    while limit > SHARD and batch < PARTS * threads * limit:
        limit //= 2
    n_chunks = (batch + limit - 1) // limit
    while n_chunks > PARTS * threads * part:
        part *= 2
    n_parts = (n_chunks + part - 1) // part
    # The rows of the busiest thread, beside an even share.
    if (threads > 1 and 5 * ((n_parts + threads - 1) // threads) * part * limit * threads <= 6 * batch
            and PARTS * threads * run.arena_size <= PARTS_BYTES):
        run.chunk, run.part = limit, part
    else:
        run.chunk, run.part = min(batch, shared), 0
