# What the kernels of one instruction set and dtype offer the engine: a struct of function pointers for each module.
#
# `real` is float or double in the kernels and void in the engine, which only hands pointers on.
#
# Shapes.  P = PANEL, the columns of a panel, differs between instruction sets; no result depends on it.
#   activations, deltas   panels [ceil(n / P)][rows][P]     row r, unit j at  (j // P) * rows * P + r * P + j % P
#   weight                panels [ceil(n_out / P)][n_in][P]    output o, input i at  (o // P) * n_in * P + i * P + o % P
#   transposed weight     panels [ceil(n_in / P)][n_out][P]
#   bias, gain            [ceil(n / P) * P]
# Lanes beyond n in the last panel are padding: those of parameters, gradients and deltas are zero, and no kernel
# lets the padding of an activation reach a result.
#
# A kernel that takes r0 and r1 computes rows r0 <= r < r1 and touches no other row: threads split the rows.
#
# Activations, losses and optimizers are lists of `count` entries, found by their names.

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "simd.h":
    ctypedef float real


# dense.pyx
ctypedef struct DenseKernels:
    ssize_t panel                                           # P
    ssize_t narrow                                          # a layer of at most so many outputs is narrow
    # y = x Wᵀ + bias for rows r0..r1, then ReLU if asked.
    void (*forward)(const real* x, const real* weight, const real* bias, real* y, ssize_t rows, ssize_t n_in,
                    ssize_t n_out, ssize_t r0, ssize_t r1, bint relu) noexcept nogil
    # The same for a narrow layer, from its transposed weight.
    void (*narrow_forward)(const real* x, const real* transposed, const real* bias, real* y, ssize_t rows, ssize_t n_in,
                           ssize_t n_out, ssize_t r0, ssize_t r1, bint relu) noexcept nogil
    # dx = dy W for rows r0..r1; multiplied by ReLU'(x) where relu_x is not NULL.
    void (*backward)(const real* dy, const real* transposed, const real* relu_x, real* dx, ssize_t rows, ssize_t n_out,
                     ssize_t n_in, ssize_t r0, ssize_t r1) noexcept nogil
    # A panel by a panel of dW = dyᵀ x over rows 0..n_rows: outputs of panel `out_panel`, inputs of panel `in_panel`, as
    # gradient[i - in_panel * P][P].  Shards of `shard` rows, joined by the fixed binary tree.
    # scratch: 64 * TILE_ROWS * P reals.
    void (*weight_gradient)(const real* x, const real* dy, real* gradient, real* scratch, ssize_t rows, ssize_t n_rows,
                            ssize_t shard, ssize_t n_in, ssize_t n_out, ssize_t in_panel,
                            ssize_t out_panel) noexcept nogil
    # The same for a narrow layer, of its transposed weight: the inputs of panel `in_panel`, as gradient[n_out][P].
    void (*narrow_gradient)(const real* x, const real* dy, real* gradient, real* scratch, ssize_t rows, ssize_t n_rows,
                            ssize_t shard, ssize_t n_in, ssize_t n_out, ssize_t in_panel) noexcept nogil
    # One panel of the column sums of dy over rows 0..n_rows, as gradient[P], by the same shards and tree.
    void (*bias_gradient)(const real* dy, real* gradient, real* scratch, ssize_t rows, ssize_t n_rows, ssize_t shard,
                          ssize_t panel) noexcept nogil
    # Copies the weight's outputs of panel `out_panel`, inputs of panel `in_panel`, to the transposed weight.
    void (*transpose)(const real* weight, real* transposed, ssize_t n_in, ssize_t n_out, ssize_t in_panel,
                      ssize_t out_panel) noexcept nogil


# activations.pyx
ctypedef struct ActivationKernel:
    const char* name
    # y = f(z) over `count` contiguous reals, a multiple of P; y may be z. NULL for softmax, which is one of rows.
    void (*forward)(double alpha, const real* z, real* y, ssize_t count) noexcept nogil
    # delta *= f'(z) over `count` contiguous reals.
    void (*backward)(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil
    bint reads_z                                            # whether backward does; else it reads y alone

ctypedef struct ActivationKernels:
    ActivationKernel[64] list
    ssize_t count
    # Over the n units of each row; y may be z.
    void (*softmax_forward)(const real* z, real* y, ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil
    # delta = dL/dy in, dL/dz out.
    void (*softmax_backward)(const real* y, real* delta, ssize_t rows, ssize_t n, ssize_t r0,
                             ssize_t r1) noexcept nogil


# normalization.pyx
ctypedef struct NormalizationKernels:
    # y = (x - mean) * rstd * gain + bias over the n units of each row; statistics[r] = (mean, rstd).
    void (*layer_norm_forward)(const real* x, const real* gain, const real* bias, real* y, double* statistics,
                               ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1, double epsilon) noexcept nogil
    # dx may be dy.
    void (*layer_norm_backward)(const real* x, const real* gain, const double* statistics, const real* dy, real* dx,
                                ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil
    # y = x * rstd * gain; statistics[r] = (0, rstd).
    void (*rms_norm_forward)(const real* x, const real* gain, real* y, double* statistics, ssize_t rows, ssize_t n,
                             ssize_t r0, ssize_t r1, double epsilon) noexcept nogil
    # dx may be dy.
    void (*rms_norm_backward)(const real* x, const real* gain, const double* statistics, const real* dy, real* dx,
                              ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil
    # One panel of the gradient of the gain, gradient[P], over rows 0..n_rows by shards and tree; the bias's is
    # bias_gradient.
    void (*gain_gradient)(const real* x, const double* statistics, const real* dy, real* gradient, real* scratch,
                          ssize_t rows, ssize_t n_rows, ssize_t shard, ssize_t n, ssize_t panel) noexcept nogil


# losses.pyx
ctypedef struct LossBatch:
    const real* outputs          # the network's raw outputs, panels
    real* deltas                 # dL/d outputs, panels with zeroed padding; NULL where only the loss is wanted
    ssize_t rows                 # of the panels
    ssize_t n_outputs
    const int64_t* labels        # [rows] class numbers, or NULL
    const real* targets          # [rows][n_targets] row by row, or NULL
    ssize_t n_targets
    const double* weights        # [rows] sample weights, or NULL for 1
    double scale                 # 1 / (sum of the sample weights of the whole batch)
    double* losses               # [rows] out: sample weight times the row's loss (a mean over its outputs)
    double* hits                 # [rows] out: sample weight times the row's accuracy (classifiers; 0 elsewhere)
    double parameter             # Huber's delta; the label smoothing of cross-entropy
    const double* quantiles      # [n_quantiles], pinball
    ssize_t n_quantiles

ctypedef struct LossKernel:
    const char* name
    void (*loss)(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil
    const char* undoes           # the activation that is part of the loss: it takes the values before. Or NULL

ctypedef struct LossKernels:
    LossKernel[64] list
    ssize_t count


# optimizers.pyx
ctypedef struct UpdateRule:      # one step's numbers in float64; the kernel rounds each to real once
    double gradient_scale        # clipping by global norm; 1: none
    double clip_value            # clipping by value; infinity: none
    double l1, l2                # added to the gradient: l1 * sign(w) + l2 * w
    double decay                 # multiplies the parameter before the step: 1 - learning rate * decoupled weight decay
    double step_size             # what multiplies the step, bias corrections included
    double momentum
    double beta1, beta2          # decays of the running means
    double epsilon
    double root_scale            # what multiplies sqrt(second moment): 1 / sqrt(1 - beta2^t)
    double gradient_step         # NAdam: what multiplies the gradient's share of the step
    bint nesterov, centered, amsgrad

ctypedef struct OptimizerKernel:
    const char* name
    # One step over `count` contiguous parameters (a multiple of P): rows of a panel whose columns from `width` on are
    # padding, which need not be looked at. state: up to three arrays, unused ones NULL.
    # factors: NULL; or the gradient is the outer product of factors[count / P] and gradient[P], each rounded once.
    # A parameter that would leave the finite range keeps its value; the result tells whether one did, or a state by
    # which no step would ever move the parameter again, such as a mean of squares with its infinite root.
    bint (*update)(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                   real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil

ctypedef struct OptimizerKernels:
    OptimizerKernel[64] list
    ssize_t count
    # The sum of squares, in float64, of a gradient's 16 outputs starting at o0 (a multiple of 16): gradient in
    # panels like a weight (n_in = 1 for a bias); lane o mod 16, inputs ascending, lanes joined 8-4-2-1.
    double (*sum_squares)(const real* gradient, ssize_t n_in, ssize_t n_out, ssize_t o0) noexcept nogil
    # The same sum for the transposed weight of a narrow layer.
    double (*narrow_sum_squares)(const real* gradient, ssize_t n_in, ssize_t n_out) noexcept nogil
    void (*add)(real* a, const real* b, ssize_t count) noexcept nogil              # a += b


# random.pyx
ctypedef struct RandomKernels:
    # Philox4x32-10: words[4 * k + w] is word w of counter (first + k, step, stream).
    void (*philox)(uint64_t seed, uint64_t first, uint64_t step, uint32_t stream, uint32_t* words,
                   ssize_t n_blocks) noexcept nogil
    void (*uniform)(uint64_t seed, uint32_t stream, double* out, ssize_t count) noexcept nogil     # [0, 1)
    void (*normal)(uint64_t seed, uint32_t stream, double* out, ssize_t count) noexcept nogil      # standard normal
    # mask = 0 or 1 / (1 - rate), a function of (seed, stream, step, first_row + r, unit); panels.
    void (*dropout_mask)(real* mask, uint64_t seed, uint64_t step, uint32_t stream, double rate, ssize_t first_row,
                         ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil
    void (*multiply)(const real* x, const real* mask, real* y, ssize_t count) noexcept nogil       # y may be x


# functions.pyx
ctypedef struct FunctionKernels:                            # y = f(x); y may be x
    void (*exp)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*expm1)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*log)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*log1p)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*tanh)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*sigmoid)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*erf)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*sin)(const real* x, real* y, ssize_t count) noexcept nogil
    void (*cos)(const real* x, real* y, ssize_t count) noexcept nogil


# batch.pyx
ctypedef struct BatchKernels:
    # panels[r] = x[index[r]] for r0 <= r < r1 (x[first + r] where index is NULL); strides in bytes.
    void (*gather)(const char* x, ssize_t row_stride, ssize_t column_stride, const int64_t* index, ssize_t first,
                   ssize_t n, real* panels, ssize_t rows, ssize_t r0, ssize_t r1) noexcept nogil
    # out[r] = panels[r], n columns; strides in bytes.
    void (*scatter)(const real* panels, ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1, char* out, ssize_t row_stride,
                    ssize_t column_stride) noexcept nogil
    # The flat index (row * n + column) of the first NaN or infinity, or -1.
    ssize_t (*first_nonfinite)(const char* x, ssize_t row_stride, ssize_t column_stride, ssize_t n_rows,
                               ssize_t n) noexcept nogil


# sparse.pyx
ctypedef struct SparseRows:      # CSR: row r is the entries starts[r] to starts[r + 1], columns ascending, none twice
    const real* values
    const int32_t* columns
    const int64_t* starts

ctypedef struct SparseEntries:   # entries of a chunk of a batch: by column, those of a column by row
    int32_t* columns
    int32_t* rows                # of the chunk
    real* values
    ssize_t count

# Rows are index[r] of x, or first + r where index is NULL.
ctypedef struct SparseKernels:
    # panels[r] = the row, with zeros where it has no entry, for r0 <= r < r1.
    void (*gather)(const SparseRows* x, const int64_t* index, ssize_t first, ssize_t n, real* panels, ssize_t rows,
                   ssize_t r0, ssize_t r1) noexcept nogil
    # The dense kernels' forward and narrow_forward.
    void (*forward)(const SparseRows* x, const int64_t* index, ssize_t first, const real* weight, const real* bias,
                    real* y, ssize_t rows, ssize_t n_in, ssize_t n_out, ssize_t r0, ssize_t r1,
                    bint relu) noexcept nogil
    void (*narrow_forward)(const SparseRows* x, const int64_t* index, ssize_t first, const real* transposed,
                           const real* bias, real* y, ssize_t rows, ssize_t n_in, ssize_t n_out, ssize_t r0, ssize_t r1,
                           bint relu) noexcept nogil
    # The entries of rows 0..n_rows in columns c0..c1; spare has as much room.
    void (*sort_entries)(const SparseRows* x, const int64_t* index, ssize_t first, ssize_t n_rows, ssize_t c0,
                         ssize_t c1, SparseEntries* entries, SparseEntries* spare) noexcept nogil
    # The dense kernels' weight_gradient and narrow_gradient, from sorted entries. Only the weights of inputs that have
    # an entry are written: the others have no gradient. e: the first entry of the panel's columns or after them; the
    # result is the first one beyond.
    ssize_t (*weight_gradient)(const SparseEntries* entries, ssize_t e, const real* dy, real* gradient, real* scratch,
                               ssize_t rows, ssize_t n_rows, ssize_t shard, ssize_t n_in, ssize_t n_out,
                               ssize_t in_panel, ssize_t out_panel) noexcept nogil
    ssize_t (*narrow_gradient)(const SparseEntries* entries, ssize_t e, const real* dy, real* gradient, real* scratch,
                               ssize_t rows, ssize_t n_rows, ssize_t shard, ssize_t n_in, ssize_t n_out,
                               ssize_t in_panel) noexcept nogil
