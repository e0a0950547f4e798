# A training run as its threads see it: plain memory that a Training object owns.
#
# Nothing here is shared between runs, so that several may be under way at once.

from libc.stdint cimport int64_t, uint64_t

from fastnn._engine.atomics cimport atomic_int, atomic_llong
from fastnn._engine.inputs cimport Inputs
from fastnn._engine.program cimport Program, Tape
from fastnn._engine.team cimport TeamState
from fastnn._engine.update_rules cimport Group, Hyperparameters, Powers
from fastnn._kernels.table cimport LossBatch, LossKernel, OptimizerKernel, SparseEntries, UpdateRule

cdef enum:
    MAX_GROUPS = 64

cdef struct Task:                # a span of a parameter tensor: its gradient over the batch, then its step
    ssize_t operation
    int role                     # of the tensor
    ssize_t row_panel, column_panel
    ssize_t offset               # bytes into the parameters' arena
    ssize_t count                # reals
    ssize_t width                # of the panel: columns that are not padding
    ssize_t work                 # vectors of its gradient
    ssize_t end                  # vectors of its gradient and of those of all tasks before it
    int group                    # of parameters: which rule it steps by
    ssize_t input_panel          # which panel of the network's inputs its weights multiply; -1: none
    bint is_narrow               # its gradient lies transposed
    bint has_factors             # the gradient of a lone row is the outer product of two vectors
    bint is_transposed           # its step has to reach the transposed weight too
    bint diverged                # set by its thread where a parameter would have left the finite range

cdef struct SquareSum:           # sixteen outputs of a tensor, whose squares are summed together
    ssize_t offset, rows, columns, first_output
    bint is_transposed
    bint is_weight               # of a matrix: what penalties apply to

cdef struct Sorting:             # the entries of a chunk of sparse rows, as a thread needs them
    SparseEntries entries, spare
    ssize_t next                 # the first entry that no task has used

cdef struct Batch:
    ssize_t start, n, n_chunks
    double weight, scale         # the sum of its sample weights, and one over it
    double loss_sum

cdef struct Progress:            # within the epoch
    ssize_t position             # rows done
    double loss_sum, hit_sum, weight_sum   # over those rows

cdef struct Network:             # what is trained: arenas of parameters all have one layout
    Program program
    uint64_t seed                # of the dropout masks
    char* parameters
    ssize_t arena_size
    Task* tasks
    ssize_t n_tasks
    SquareSum* square_sums
    double* squares              # one a square sum
    ssize_t n_square_sums

cdef struct Buffers:             # what the passes and the gradients are computed in
    Tape* tapes                  # one; one a thread where threads work apart
    ssize_t chunk                # rows that a tape holds: a batch is taken in chunks of whole shards
    ssize_t part                 # chunks of a part, a power of two; 0: threads work together, not apart
    char* gradient               # where the gradient is wanted whole: to be clipped or handed out; else NULL
    char* levels                 # sums of chunks, one a level of the tree
    ssize_t levels_size          # bytes of the levels of a thread working apart
    char* parts                  # the sum of each part
    char* scratch                # of each thread: a task's gradient, and the partial sums of its kernel
    ssize_t scratch_size
    Sorting* sortings            # for each thread, where dense operations take the entries of sparse rows

cdef struct Optimizer:
    const OptimizerKernel* kernel
    Hyperparameters hyperparameters
    char* states[3]              # arenas like that of the parameters; NULL: not kept
    Powers powers, coming_powers
    Group groups[MAX_GROUPS]
    UpdateRule rules[MAX_GROUPS]   # of the coming step
    int n_groups
    bint updates                 # false: leave the gradient, change nothing

cdef struct RunData:
    Inputs inputs
    const char* y
    ssize_t y_row, y_column      # strides in bytes
    bint has_labels
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

cdef struct Schedule:
    const double* learning_rates
    ssize_t n_rates, rates_used
    Progress progress
    atomic_llong steps           # updates done; others may look while they are
    double batch_loss            # of the latest batch
    double deadline

cdef struct Signals:
    void* raised                 # the owner's list of what signals' handlers raised
    double now                   # seconds of the clock, when it was last read
    double row_work              # multiply-adds that a row takes
    double work_to_clock         # multiply-adds until the clock is read again
    double next_check            # when to look at pending signals again
    atomic_int stop              # asked for from outside
    bint paused                  # set before the barrier that ends a step, read after it
    atomic_int abandoned         # set before the barrier that ends a rows phase, read after it
    bint loss_diverged
    atomic_int parameter_diverged   # set in a weights phase, read after the barrier that ends it

cdef struct Run:
    Network network
    Buffers buffers
    Optimizer optimizer
    RunData data
    Schedule schedule
    Signals signals
    TeamState* team              # whose threads run it
