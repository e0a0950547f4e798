# y = x / root mean square · gain, over the units of each row.

from fastnn._engine.operations.deltas cimport is_wanted, settle, target
from fastnn._engine.operations.given cimport required
from fastnn._engine.program cimport Operation, Program, Slot, Tape, operand_of, slot_of
from fastnn._engine.sums cimport SHARD
from fastnn._engine.tensors cimport WEIGHT, Tensor, vector
from fastnn._kernels.table cimport real


cdef inline int describe_rms_norm(Operation* op, dict given) except -1:
    op.epsilon = required(given, "epsilon", "rms_norm")
    return 0


cdef inline ssize_t rms_norm_tensors(const Operation* op, Tensor* tensors) noexcept:
    tensors[0] = vector(WEIGHT, op.n_out)
    return 1


cdef inline void forward_rms_norm(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                  ssize_t r1) noexcept nogil:
    cdef const Slot* slot = slot_of(program, tape, op)
    program.normalization.rms_norm_forward(
        <const real*> operand_of(tape, op).y, <const real*> op.weight, <real*> slot.y, slot.statistics, tape.rows,
        op.n_in, r0, r1, op.epsilon)


cdef inline void backward_rms_norm(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                   ssize_t r1) noexcept nogil:
    cdef const Slot* slot = slot_of(program, tape, op)
    if is_wanted(&op.operands[0]):
        program.normalization.rms_norm_backward(
            <const real*> operand_of(tape, op).y, <const real*> op.weight, slot.statistics, <const real*> slot.delta,
            <real*> target(tape, &op.operands[0]), tape.rows, op.n_in, r0, r1)
        settle(program, tape, &op.operands[0], op.n_in, r0, r1)


cdef inline void rms_norm_gradient(const Program* program, const Tape* tape, const Operation* op,
                                   ssize_t column_panel, ssize_t n_rows, real* gradient,
                                   real* scratch) noexcept nogil:
    """Compute the gradient of a panel of the gain over rows 0..n_rows."""
    cdef const Slot* slot = slot_of(program, tape, op)
    program.normalization.gain_gradient(
        <const real*> operand_of(tape, op).y, slot.statistics, <const real*> slot.delta, gradient, scratch, tape.rows,
        n_rows, SHARD, op.n_in, column_panel)
