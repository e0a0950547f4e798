# y = f(x Wᵀ + b): a product, its bias and the activation that follows.
#
# A narrow layer, of few outputs, keeps its weight transposed only. Dense rows and sparse ones give the same bits.

from fastnn._engine.operations.activation cimport apply_activation, describe_activation, differentiate_activation
from fastnn._engine.operations.deltas cimport is_wanted, settle, target
from fastnn._engine.operations.given cimport required
from fastnn._engine.program cimport Operation, Program, Slot, Tape, operand_of, panels_of, slot_of
from fastnn._engine.sums cimport SHARD
from fastnn._engine.tensors cimport BIAS, WEIGHT, Tensor, matrix, vector
from fastnn._kernels.table cimport real


cdef inline int describe_dense(const Program* program, Operation* op, dict given) except -1:
    op.n_out = required(given, "units", "dense")
    op.is_narrow = op.n_out <= program.dense.narrow
    return describe_activation(program, op, given)


cdef inline ssize_t dense_tensors(const Operation* op, Tensor* tensors) noexcept:
    tensors[0] = matrix(WEIGHT, op.n_in, op.n_out, op.is_narrow)
    tensors[1] = vector(BIAS, op.n_out)
    return 2


cdef inline void forward_dense(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                               ssize_t r1) noexcept nogil:
    if tape.entries != NULL and op.operands[0].value == 0:
        forward_entries(program, tape, op, r0, r1)
    else:
        forward_panels(program, tape, op, 0, panels_of(program, op.n_out), r0, r1)


cdef inline void forward_panels(const Program* program, const Tape* tape, const Operation* op, ssize_t p0, ssize_t p1,
                                ssize_t r0, ssize_t r1) noexcept nogil:
    """Compute panels p0..p1 of the outputs."""
    cdef const Slot* slot = slot_of(program, tape, op)
    cdef ssize_t start = p0 * program.panel, n_out = min(op.n_out, p1 * program.panel) - start
    cdef ssize_t offset = start * tape.rows * program.item
    product = program.dense.narrow_forward if op.is_narrow else program.dense.forward
    product(<const real*> operand_of(tape, op).y, <const real*> (op.weight + start * op.n_in * program.item),
            <const real*> (op.bias + start * program.item), <real*> (slot.z + offset), tape.rows, op.n_in, n_out, r0,
            r1, op.is_relu)
    if not op.is_relu:
        apply_activation(program, op, slot.z + offset, slot.y + offset, tape.rows, n_out, r0, r1)


cdef inline void forward_entries(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                 ssize_t r1) noexcept nogil:
    """Compute the outputs from the entries of sparse rows."""
    cdef const Slot* slot = slot_of(program, tape, op)
    product = program.sparse.narrow_forward if op.is_narrow else program.sparse.forward
    product(tape.entries, tape.index, tape.first, <const real*> op.weight, <const real*> op.bias, <real*> slot.z,
            tape.rows, op.n_in, op.n_out, r0, r1, op.is_relu)
    if not op.is_relu:
        apply_activation(program, op, slot.z, slot.y, tape.rows, op.n_out, r0, r1)


cdef inline void backward_dense(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                ssize_t r1) noexcept nogil:
    cdef const Slot* slot = slot_of(program, tape, op)
    if not op.is_folded:
        differentiate_activation(program, op, slot, tape.rows, r0, r1)
    if is_wanted(&op.operands[0]):
        program.dense.backward(<const real*> slot.delta, <const real*> op.transposed,
                               <const real*> operand_of(tape, op).y if op.folds_relu else NULL,
                               <real*> target(tape, &op.operands[0]), tape.rows, op.n_out, op.n_in, r0, r1)
        settle(program, tape, &op.operands[0], op.n_in, r0, r1)


cdef inline void dense_gradient(const Program* program, const Tape* tape, const Operation* op, int role,
                                ssize_t row_panel, ssize_t column_panel, ssize_t n_rows, real* gradient,
                                real* scratch) noexcept nogil:
    """Compute the gradient of a panel by a panel of the weight, or of a panel of the bias, over rows 0..n_rows."""
    cdef const real* x = <const real*> operand_of(tape, op).y
    cdef const real* delta = <const real*> slot_of(program, tape, op).delta
    if role == BIAS:
        program.dense.bias_gradient(delta, gradient, scratch, tape.rows, n_rows, SHARD, column_panel)
    elif op.is_narrow:
        program.dense.narrow_gradient(x, delta, gradient, scratch, tape.rows, n_rows, SHARD, op.n_in, op.n_out,
                                      column_panel)
    else:
        program.dense.weight_gradient(x, delta, gradient, scratch, tape.rows, n_rows, SHARD, op.n_in, op.n_out,
                                      row_panel, column_panel)


cdef inline bint needs_transposed(const Operation* op) noexcept nogil:
    """Return whether the backward pass needs a transposed copy of the weight."""
    return not op.is_narrow and is_wanted(&op.operands[0])


cdef inline void transpose_block(const Program* program, const Operation* op, ssize_t row_panel,
                                 ssize_t column_panel) noexcept nogil:
    """Copy a panel by a panel of the weight to the transposed one."""
    program.dense.transpose(<const real*> op.weight, <real*> op.transposed, op.n_in, op.n_out, row_panel, column_panel)
