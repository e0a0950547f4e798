"""Where a training run's buffers lie.

Each ``new_*`` function allocates one arena and points the run into it; the caller keeps the arena.
"""

from libc.stdint cimport int32_t, int64_t

from fastnn._engine.data cimport Data
from fastnn._engine.memory cimport PADDING, Arena, cut
from fastnn._engine.operations.dense cimport needs_transposed
from fastnn._engine.operations.kinds cimport DENSE
from fastnn._engine.plan cimport Plan
from fastnn._engine.program cimport Operation, Tape, panels_size
from fastnn._engine.run cimport Run, Sorting
from fastnn._engine.sums cimport SHARD
from fastnn._kernels.table cimport SparseEntries, real

cdef enum:
    TILE_LEVELS = 64             # most levels of partial sums that a gradient kernel keeps
    TILE_ROWS_MAX = 8
    CHUNK_BYTES = 1 << 20        # most bytes of a chunk's outputs and deltas, so that they stay in cache
    MIN_CHUNK_ROWS = 512         # of fewer rows, adding gradients up would take too much of the time
    PARTS = 8                    # most parts of a batch that a thread working apart takes
    PARTS_BYTES = 1 << 24        # most bytes of the sums of all parts for which threads work apart

cdef ssize_t MAX_BATCH = <ssize_t> 1 << 32      # rows: dropout's random numbers count them in 32 bits


# ---------------------------------------------------------- transposed weights

cdef Arena new_transposed(Run* run):
    """Allocate transposed weights for the dense operations that hand a delta on. A narrow one has no other."""
    cdef Arena arena = Arena(<size_t> lay_out_transposed(run, NULL))
    lay_out_transposed(run, arena.base)
    return arena


cdef char* lay_out_transposed(Run* run, char* next) noexcept:
    """Walk the weights from next on; from NULL only measure."""
    cdef Operation* op
    cdef ssize_t k
    cdef char* panels
    cdef char* start = next
    for k in range(run.network.program.n_operations):
        op = &run.network.program.operations[k]
        if op.kind != DENSE:
            continue
        panels = op.weight if op.is_narrow else NULL
        if needs_transposed(op):
            panels = cut(&next, panels_size(&run.network.program, op.n_out, op.n_in))
        if start != NULL:
            op.transposed = panels
    return next


# --------------------------------------------------------------------- threads

cdef Arena new_scratch(Run* run, int n_threads):
    """Allocate for each thread a task's gradient, and the partial sums of the kernel that computes it."""
    cdef ssize_t width = run.network.program.panel
    run.buffers.scratch_size = (width + TILE_LEVELS * TILE_ROWS_MAX) * width * run.network.program.item
    cdef Arena arena = Arena(n_threads * run.buffers.scratch_size)
    run.buffers.scratch = arena.base
    return arena


cdef Arena new_sortings(Run* run, ssize_t entries, int n_threads):
    """Allocate for each thread the entries of a chunk of sparse rows, as they are sorted back and forth."""
    cdef Arena arena = Arena(n_threads * (sizeof(Sorting) + 2 * entries_size(run, entries)) + PADDING)
    cdef char* next = arena.base
    cdef int t
    run.buffers.sortings = <Sorting*> cut(&next, n_threads * sizeof(Sorting))
    for t in range(n_threads):
        lay_out_entries(&run.buffers.sortings[t].entries, &next, run, entries)
        lay_out_entries(&run.buffers.sortings[t].spare, &next, run, entries)
    return arena


cdef ssize_t entries_size(const Run* run, ssize_t n) noexcept:
    return n * (2 * <ssize_t> sizeof(int32_t) + run.network.program.item) + 3 * PADDING


cdef void lay_out_entries(SparseEntries* entries, char** next, const Run* run, ssize_t n) noexcept:
    entries.columns = <int32_t*> cut(next, n * sizeof(int32_t))
    entries.rows = <int32_t*> cut(next, n * sizeof(int32_t))
    entries.values = <real*> cut(next, n * run.network.program.item)


# ----------------------------------------------------------------------- tapes

cdef Arena new_tapes(Run* run, Plan plan, ssize_t rows, ssize_t n):
    """Allocate the buffers of n forward and backward passes over so many rows."""
    cdef bint has_inputs = not run.data.inputs.is_direct
    cdef ssize_t t, size = <ssize_t> plan.lay_out(&run.network.program, NULL, NULL, rows, has_inputs)
    cdef Arena arena = Arena(n * (size + sizeof(Tape)) + PADDING)
    cdef char* next = arena.base
    run.buffers.tapes = <Tape*> cut(&next, n * sizeof(Tape))
    for t in range(n):
        next = plan.lay_out(&run.network.program, &run.buffers.tapes[t], next, rows, has_inputs)
    return arena


cdef void cut_batch(Run* run, Plan plan, ssize_t batch, int threads) noexcept:
    """Set the rows of a chunk and, where threads are to work apart, the chunks of a part.

    A chunk's rows are a power of two times the shard, so that chunks are whole subtrees; so are parts.
    """
    cdef ssize_t row_bytes = <ssize_t> plan.lay_out(&run.network.program, NULL, NULL, 1, not run.data.inputs.is_direct)
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
    # Apart only where the busiest thread has at most a fifth more rows than an even share.
    if (threads > 1 and 5 * ((n_parts + threads - 1) // threads) * part * limit * threads <= 6 * batch
            and PARTS * threads * run.network.arena_size <= PARTS_BYTES):
        run.buffers.chunk, run.buffers.part = limit, part
    else:
        run.buffers.chunk, run.buffers.part = min(batch, shared), 0


cdef ssize_t levels_of(ssize_t n) noexcept:
    """Return how many levels of partial sums the tree over n chunks needs."""
    cdef ssize_t levels = 0
    while n > 1 and (n - 1) >> levels:
        levels += 1
    return levels


# -------------------------------------------------- from one run to the next

cdef class Reserves:
    """What a run computes in, kept for the next one, and exchanged for more where that is too little."""

    cdef int reserve(self, Run* run, Plan plan, Data data, ssize_t batch, int threads) except -1:
        """Make room for batches of so many rows, and set the chunks in which they are taken."""
        if batch > MAX_BATCH:
            raise MemoryError(f"a batch must have at most {MAX_BATCH:,} rows; got {batch:,}")
        cut_batch(run, plan, batch, threads)
        self.reserve_tapes(run, plan, threads)
        self.reserve_targets(run, data, batch)
        self.reserve_sums(run, (batch + run.buffers.chunk - 1) // run.buffers.chunk, threads)
        if run.data.inputs.is_direct:
            self.reserve_sortings(run, data.sparse.most_entries(run.buffers.chunk), threads)
        return 0

    cdef int reserve_tapes(self, Run* run, Plan plan, int threads) except -1:
        cdef bint has_inputs = not run.data.inputs.is_direct
        cdef ssize_t rows = run.buffers.chunk | 1          # odd: no stride between panels is a multiple of 4 KB
        cdef ssize_t n_tapes = threads if run.buffers.part else 1
        if rows > self.tape_rows or n_tapes > self.n_tapes or has_inputs != self.has_inputs:
            rows, n_tapes = max(rows, self.tape_rows), max(n_tapes, self.n_tapes)
            self.tapes = new_tapes(run, plan, rows, n_tapes)
            # Set only now: a run that there was no memory for may be followed by a smaller one.
            self.tape_rows, self.n_tapes, self.has_inputs = rows, n_tapes, has_inputs
        return 0

    cdef int reserve_targets(self, Run* run, Data data, ssize_t batch) except -1:
        """Make room for the targets, weights and losses of a batch."""
        cdef ssize_t rows, target_bytes = data.n_targets * run.network.program.item
        cdef char* end
        if batch > self.batch_capacity or data.n_targets != run.data.loss.n_targets:
            rows = max(batch, self.batch_capacity)
            self.losses = Arena(rows * (3 * sizeof(double) + sizeof(int64_t) + target_bytes) + 5 * PADDING)
            end = self.losses.base
            run.data.losses = <double*> cut(&end, rows * sizeof(double))
            run.data.hits = <double*> cut(&end, rows * sizeof(double))
            run.data.row_weights = <double*> cut(&end, rows * sizeof(double))
            run.data.labels = <int64_t*> cut(&end, rows * sizeof(int64_t))
            run.data.targets = cut(&end, rows * target_bytes)
            self.batch_capacity = rows
        run.data.loss.labels = run.data.labels if data.has_labels else NULL
        run.data.loss.targets = NULL if data.has_labels else <const real*> run.data.targets
        run.data.loss.n_targets = data.n_targets
        return 0

    cdef int reserve_sums(self, Run* run, ssize_t n_chunks, int threads) except -1:
        """Make room for the sums of gradients over chunks, and over parts where threads work apart."""
        cdef ssize_t part = run.buffers.part, size = run.network.arena_size, n_levels = levels_of(n_chunks)
        run.buffers.levels_size = levels_of(part) * size
        if part:
            n_levels = max(n_levels, threads * levels_of(part))
            self.parts = enough(self.parts, (n_chunks + part - 1) // part * size)
            run.buffers.parts = self.parts.base
        self.levels = enough(self.levels, n_levels * size)
        run.buffers.levels = self.levels.base
        return 0

    cdef int reserve_sortings(self, Run* run, ssize_t entries, int threads) except -1:
        """Make room for the entries of a chunk of sparse rows, whichever rows those are."""
        cdef ssize_t n_sortings
        if entries > self.entries_capacity or threads > self.n_sortings:
            entries, n_sortings = max(entries, self.entries_capacity), max(threads, self.n_sortings)
            self.sortings = new_sortings(run, entries, n_sortings)
            self.entries_capacity, self.n_sortings = entries, n_sortings
        return 0

    cdef int reserve_scratch(self, Run* run, int n_threads) except -1:
        if n_threads > self.n_scratches:
            self.scratch = new_scratch(run, n_threads)
            self.n_scratches = n_threads
        return 0


cdef Arena enough(Arena arena, size_t size):
    """Return the arena, or a new one if it is smaller."""
    return arena if arena is not None and arena.size >= size else Arena(size)
