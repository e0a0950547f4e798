# y = the sum of the operands, in their order: each addition rounds once.

from fastnn._engine.operations.deltas cimport add_rows, copy_rows, pass_on
from fastnn._engine.program cimport Operation, Program, Tape, operand_of, slot_of


cdef inline void forward_add(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                             ssize_t r1) noexcept nogil:
    cdef char* y = slot_of(program, tape, op).y
    cdef const char* x = operand_of(tape, op).y
    cdef ssize_t i
    if y != x:
        copy_rows(program, tape, y, x, op.n_out, r0, r1)
    for i in range(1, op.n_operands):
        add_rows(program, tape, y, tape.slots[op.operands[i].value].y, op.n_out, r0, r1)


cdef inline void backward_add(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                              ssize_t r1) noexcept nogil:
    cdef ssize_t i
    for i in range(op.n_operands):
        pass_on(program, tape, op, &op.operands[i], r0, r1)
