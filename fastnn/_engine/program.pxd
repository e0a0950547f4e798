# A network as a flat program: operations in order, the parameters they use, and the buffers of a pass.

from libc.stdint cimport uint32_t, uint64_t

from fastnn._kernels.table cimport (
    ActivationKernel, ActivationKernels, BatchKernels, DenseKernels, LossKernels, NormalizationKernels,
    OptimizerKernels, RandomKernels, SparseKernels, SparseRows
)

cdef enum OperationKind:
    DENSE, ACTIVATION, DROPOUT, LAYER_NORM


cdef struct Operation:
    int kind
    int index                    # in the list of operations that the network was made from
    ssize_t n_in, n_out
    const ActivationKernel* activation              # DENSE, ACTIVATION; else NULL
    bint is_identity, is_relu, is_softmax           # which it is, where that matters
    double alpha                 # its parameter
    double epsilon               # LAYER_NORM
    double rate                  # DROPOUT
    uint32_t stream
    bint is_narrow               # DENSE: few outputs, the weight is kept transposed
    char* weight                 # DENSE: panels; LAYER_NORM: the gain
    char* bias


cdef struct Program:
    Operation* operations
    ssize_t n_operations
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


cdef struct Slot:                # what an operation leaves in a pass
    char* y                      # its output, panels
    char* z                      # DENSE, ACTIVATION: what the activation was applied to; y where that is not kept
    char* mask                   # DROPOUT while training, panels; NULL: no dropout
    double* statistics           # LAYER_NORM: [rows][2]
    char* delta                  # dL/dy, panels


cdef struct Tape:                # the buffers of a pass over up to `rows` rows
    ssize_t rows
    char* x                      # the network's inputs, panels
    Slot* slots                  # one an operation
    uint64_t seed, step          # of the dropout masks
    ssize_t first_row            # of the batch, that row 0 stands for


cdef struct SparseInput:         # rows in CSR, where those are what there is
    SparseRows rows
    bint is_given
    bint is_direct               # the first operation, a dense one, takes the entries; else they become dense rows


cdef inline const char* inputs_of(const Tape* tape, ssize_t k) noexcept nogil:
    """What operation k is applied to, panels."""
    return tape.slots[k - 1].y if k > 0 else tape.x


cdef inline ssize_t panels_of(const Program* program, ssize_t n) noexcept nogil:
    """Panels of n columns."""
    return (n + program.panel - 1) // program.panel


cdef inline ssize_t panels_size(const Program* program, ssize_t rows, ssize_t n) noexcept nogil:
    """Bytes of panels of rows by n."""
    return panels_of(program, n) * rows * program.panel * program.item
