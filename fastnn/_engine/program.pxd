# A network as a program: operations in order, each of which reads values and writes one, and the buffers of a pass.
#
# Value 0 is the network's inputs; operation k writes value k + 1.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastnn._kernels.table cimport (
    ActivationKernel, ActivationKernels, BatchKernels, DenseKernels, LossKernels, NormalizationKernels,
    OptimizerKernels, RandomKernels, SparseKernels, SparseRows
)

cdef enum Mode:
    PREDICTION, TRAINING

cdef enum Handing:               # how the backward pass of an operation hands dL/dx on to a value that it reads
    NOT_HANDED                   # nothing that is trained lies below
    WRITTEN                      # as the first to reach the value: it writes the value's delta
    IN_PLACE                     # the same, but the operation's own delta becomes that of the value
    ADDED                        # it adds to what operations after it have handed on


cdef struct Operand:             # a value that an operation reads
    ssize_t value
    int handing


cdef struct Operation:
    int kind
    ssize_t index                # in the descriptions that the network was made from
    Operand* operands
    ssize_t n_operands
    ssize_t n_in, n_out          # units of a row of its operands, and of what it writes
    const ActivationKernel* activation   # DENSE, ACTIVATION; else NULL
    double alpha                 # its parameter
    bint is_identity, is_relu, is_softmax
    double epsilon               # LAYER_NORM
    double rate                  # DROPOUT
    uint32_t stream
    bint is_narrow               # DENSE: few outputs, the weight is kept transposed
    bint folds_relu              # DENSE: its backward product multiplies by the derivative of the ReLU that it reads
    bint is_folded               # the one operation that reads it multiplies by its ReLU's derivative, in its place
    char* weight                 # DENSE: panels; LAYER_NORM: the gain
    char* bias
    char* state                  # running statistics and the like
    char* transposed             # DENSE: the weight for the backward pass; NULL where that needs none


cdef struct Program:
    Operation* operations
    ssize_t n_operations
    ssize_t n_inputs, n_outputs  # units of a row of the network
    ssize_t output               # the value that the loss reads
    bint takes_entries           # whether all that reads the inputs can take the entries of sparse rows
    ssize_t item                 # bytes of a real
    ssize_t panel                # P of the kernels
    DenseKernels* dense
    ActivationKernels* activations
    NormalizationKernels* normalization
    LossKernels* losses
    OptimizerKernels* optimizers
    RandomKernels* random
    BatchKernels* batch
    SparseKernels* sparse


cdef struct Slot:                # a value in a pass, and what the operation that writes it keeps for its backward pass
    char* y                      # panels
    char* z                      # DENSE, ACTIVATION: what the activation was applied to; y where that is not kept
    char* mask                   # DROPOUT: panels
    double* statistics           # LAYER_NORM: [rows][2]
    char* delta                  # dL/dy, panels; NULL where nothing needs it


cdef struct Tape:                # the buffers of a pass over up to `rows` rows
    int mode
    ssize_t rows
    Slot* slots                  # one a value
    char* spare                  # panels for what is added to a delta
    uint64_t seed, step          # of the dropout masks
    ssize_t first_row            # of the batch, that row 0 stands for
    const SparseRows* entries    # where dense operations take the network's inputs from sparse rows; else NULL
    const int64_t* index         # row r of the pass is row index[r] of entries, or first + r where index is NULL
    ssize_t first


cdef inline ssize_t value_of(const Program* program, const Operation* op) noexcept nogil:
    """Return the value that the operation writes."""
    return op - program.operations + 1


cdef inline Slot* slot_of(const Program* program, const Tape* tape, const Operation* op) noexcept nogil:
    """Return the slot of the value that the operation writes."""
    return &tape.slots[value_of(program, op)]


cdef inline Slot* operand_of(const Tape* tape, const Operation* op) noexcept nogil:
    """Return the slot of the operation's first operand."""
    return &tape.slots[op.operands[0].value]


cdef inline ssize_t panels_of(const Program* program, ssize_t n) noexcept nogil:
    """Return how many panels n columns take."""
    return (n + program.panel - 1) // program.panel


cdef inline ssize_t panels_size(const Program* program, ssize_t rows, ssize_t n) noexcept nogil:
    """Return the bytes of panels of rows by n."""
    return panels_of(program, n) * rows * program.panel * program.item
