# A training run as the threads see it: plain memory that the Training object owns.

from libc.stdint cimport int64_t, uint64_t

from fastnn._engine.atomics cimport atomic_int, atomic_llong
from fastnn._engine.program cimport Program, SparseInput, Tape
from fastnn._engine.rules cimport Hyperparameters, Powers
from fastnn._kernels.table cimport LossBatch, LossKernel, OptimizerKernel, SparseEntries, UpdateRule

cdef enum:
    SHARD = 64                   # rows of a chain in a gradient; part of the numerics contract
    TILE_LEVELS = 64             # of partial sums that a gradient kernel may need
    TILE_ROWS_MAX = 8

cdef enum Part:                  # what a task's gradient is of
    BLOCK, NARROW_BLOCK, BIAS, GAIN

cdef struct Task:                # a span of parameters: its gradient over the batch, then its step
    ssize_t operation
    int part
    ssize_t row_panel, column_panel
    ssize_t offset               # bytes into the parameters' arena
    ssize_t count                # reals
    ssize_t width                # of the panel: columns that are not padding
    ssize_t work                 # vectors of its gradient ...
    ssize_t end                  # ... and of all before it
    bint decays
    bint diverged                # set by its thread where a parameter would have left the finite range

cdef struct NormBlock:           # sixteen outputs of a tensor, whose squares are summed together
    ssize_t offset, rows, columns, first_output
    bint is_transposed, decays

cdef struct Sorting:             # the entries of a chunk of sparse rows, as a thread needs them
    SparseEntries entries, spare
    ssize_t next                 # the first entry that no task has used

cdef struct Batch:
    ssize_t start, n, n_chunks
    double weight, scale         # the sum of its sample weights, and one over it
    double loss_sum

cdef struct Progress:            # within the epoch
    ssize_t position             # rows done
    double loss_sum, hit_sum, weight_sum

cdef struct Run:
    # the network
    Program program
    ssize_t last                 # the lowest operation with parameters
    char** transposed            # one an operation; NULL where the backward pass does not need it
    uint64_t seed                # of the dropout masks
    Tape* tapes                  # one; one a thread where threads work apart
    ssize_t chunk                # rows that a tape holds: a batch is taken in chunks of whole shards
    ssize_t part                 # chunks that a thread working apart adds up, a power of two; 0: threads work together

    # parameters and optimizer; every arena has the layout of the parameters
    char* parameters
    char* states[3]
    char* gradient               # where the gradient is wanted whole: to be clipped or handed out; else NULL
    char* levels                 # sums of chunks, by level of the tree
    ssize_t levels_size          # of each thread working apart
    char* parts                  # sums of parts
    ssize_t arena_size
    const OptimizerKernel* optimizer
    Hyperparameters hyperparameters
    Powers powers, coming_powers
    UpdateRule rule, rule_without_decay
    bint updates                 # false: leave the gradient, change nothing

    Task* tasks
    ssize_t n_tasks
    NormBlock* norm_blocks
    ssize_t n_norm_blocks
    double* square_sums          # one a norm block
    Sorting* sortings            # for each thread, where the first operation takes sparse rows as they are
    char* scratch                # for each thread
    ssize_t scratch_size

    # data
    SparseInput sparse
    const char* x
    const char* y
    ssize_t x_row, x_column, y_row, y_column           # strides in bytes
    const double* weights
    const int64_t* order
    ssize_t n, batch_size
    const LossKernel* loss_kernel
    LossBatch loss               # what does not change between batches
    int64_t* labels              # of the batch, gathered
    char* targets
    double* row_weights
    double* losses
    double* hits

    # the steps
    const double* learning_rates
    ssize_t n_rates, rates_used
    Progress progress
    atomic_llong steps           # updates done; others may look while they are
    double batch_loss            # of the latest batch
    double now                   # in seconds of the clock, read ...
    double row_work              # ... every so many multiply-adds, of which a row takes so many
    double work_to_clock
    double deadline, next_check
    atomic_int stop              # asked for from outside
    bint paused                  # set before the barrier that ends a step, read after it
    atomic_int abandoned         # set before the barrier that ends a rows phase, read after it
    bint loss_diverged
    atomic_int parameter_diverged   # set in a weights phase, read after the barrier that ends it

cdef Batch coming_batch(const Run* run) noexcept nogil
cdef ssize_t rows_phase(Run* run, const Batch* batch, ssize_t chunk, const Tape* given, int thread,
                        int n_threads) noexcept nogil
cdef void run_steps(void* context, int thread, int n_threads) noexcept nogil
cdef double squared_weights(Run* run) noexcept nogil
cdef double clock() noexcept nogil
