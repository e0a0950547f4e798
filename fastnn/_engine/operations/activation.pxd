# y = f(x), unit by unit or, softmax, row by row: an operation of its own, and the end of a dense one.

from fastnn._engine.operations.deltas cimport pass_on
from fastnn._engine.program cimport Operation, Program, Slot, Tape, operand_of, slot_of
from fastnn._engine.registry cimport set_activation
from fastnn._kernels.table cimport real


cdef inline int describe_activation(const Program* program, Operation* op, dict given) except -1:
    set_activation(op, program.activations, given.pop("activation", "identity"))
    op.alpha = given.pop("alpha", 0.0)
    return 0


cdef inline void apply_activation(const Program* program, const Operation* op, const char* z, char* y, ssize_t rows,
                                  ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    """Compute y = f(z), f the operation's activation, panel by panel; y may be z."""
    cdef ssize_t width = program.panel * program.item
    cdef ssize_t p, offset
    if op.is_softmax:
        program.activations.softmax_forward(<const real*> z, <real*> y, rows, n, r0, r1)
    elif not op.is_identity or z != y:
        for p in range((n + program.panel - 1) // program.panel):
            offset = (p * rows + r0) * width
            op.activation.forward(op.alpha, <const real*> (z + offset), <real*> (y + offset),
                                  (r1 - r0) * program.panel)


cdef inline void differentiate_activation(const Program* program, const Operation* op, const Slot* slot, ssize_t rows,
                                          ssize_t r0, ssize_t r1) noexcept nogil:
    """Turn slot.delta from dL/dy into dL/dz, in place."""
    cdef ssize_t width = program.panel * program.item
    cdef ssize_t p, offset
    if op.is_softmax:
        program.activations.softmax_backward(<const real*> slot.y, <real*> slot.delta, rows, op.n_out, r0, r1)
    elif not op.is_identity:
        for p in range((op.n_out + program.panel - 1) // program.panel):
            offset = (p * rows + r0) * width
            op.activation.backward(op.alpha, <const real*> (slot.z + offset), <const real*> (slot.y + offset),
                                   <real*> (slot.delta + offset), (r1 - r0) * program.panel)


cdef inline void forward_activation(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                    ssize_t r1) noexcept nogil:
    apply_activation(program, op, operand_of(tape, op).y, slot_of(program, tape, op).y, tape.rows, op.n_out, r0, r1)


cdef inline void backward_activation(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                     ssize_t r1) noexcept nogil:
    if not op.is_folded:
        differentiate_activation(program, op, slot_of(program, tape, op), tape.rows, r0, r1)
    pass_on(program, tape, op, &op.operands[0], r0, r1)
