# y = x · mask, where the mask is 0 or 1 / (1 - rate): in training alone. It is a function of seed, step, row and unit.

from fastnn._engine.operations.deltas cimport is_wanted, settle, target
from fastnn._engine.operations.given cimport required
from fastnn._engine.program cimport TRAINING, Operation, Program, Slot, Tape, operand_of, slot_of
from fastnn._kernels.table cimport real


cdef inline int describe_dropout(Operation* op, dict given) except -1:
    op.rate, op.stream = required(given, "rate", "dropout"), required(given, "stream", "dropout")
    return 0


cdef inline void apply_mask(const Program* program, const Tape* tape, const char* x, const char* mask, char* y,
                            ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    """Compute y = x * mask, panel by panel; y may be x."""
    cdef ssize_t width = program.panel * program.item
    cdef ssize_t p, offset
    for p in range((n + program.panel - 1) // program.panel):
        offset = (p * tape.rows + r0) * width
        program.random.multiply(<const real*> (x + offset), <const real*> (mask + offset), <real*> (y + offset),
                                (r1 - r0) * program.panel)


cdef inline void forward_dropout(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                 ssize_t r1) noexcept nogil:
    cdef const Slot* slot = slot_of(program, tape, op)
    if tape.mode == TRAINING:
        program.random.dropout_mask(<real*> slot.mask, tape.seed, tape.step, op.stream, op.rate, tape.first_row,
                                    tape.rows, op.n_in, r0, r1)
        apply_mask(program, tape, operand_of(tape, op).y, slot.mask, slot.y, op.n_in, r0, r1)


cdef inline void backward_dropout(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                  ssize_t r1) noexcept nogil:
    cdef const Slot* slot = slot_of(program, tape, op)
    if is_wanted(&op.operands[0]):
        apply_mask(program, tape, slot.delta, slot.mask, target(tape, &op.operands[0]), op.n_in, r0, r1)
        settle(program, tape, &op.operands[0], op.n_in, r0, r1)
