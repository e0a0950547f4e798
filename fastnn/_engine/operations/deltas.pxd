# How an operation's backward pass hands dL/dx on to the values that it reads: the plan says, operand by operand.
#
# A value with several readers has the sum of what they hand on, the last operation first: each addition rounds once.

from libc.string cimport memcpy

from fastnn._engine.program cimport ADDED, NOT_HANDED, WRITTEN, Operand, Operation, Program, Tape, panels_of, slot_of
from fastnn._kernels.table cimport real


cdef inline bint is_wanted(const Operand* operand) noexcept nogil:
    return operand.handing != NOT_HANDED


cdef inline char* target(const Tape* tape, const Operand* operand) noexcept nogil:
    """Return where an operation writes dL/dx, panels; `settle` follows."""
    return tape.spare if operand.handing == ADDED else tape.slots[operand.value].delta


cdef inline void settle(const Program* program, const Tape* tape, const Operand* operand, ssize_t n, ssize_t r0,
                        ssize_t r1) noexcept nogil:
    """Add what was written to the target to the operand's delta, where others were there before."""
    if operand.handing == ADDED:
        add_rows(program, tape, tape.slots[operand.value].delta, tape.spare, n, r0, r1)


cdef inline void pass_on(const Program* program, const Tape* tape, const Operation* op, const Operand* operand,
                         ssize_t r0, ssize_t r1) noexcept nogil:
    """Hand the operation's own delta on as dL/dx."""
    cdef const char* delta = slot_of(program, tape, op).delta
    cdef char* below = tape.slots[operand.value].delta
    if operand.handing == ADDED:
        add_rows(program, tape, below, delta, op.n_out, r0, r1)
    elif operand.handing == WRITTEN:
        copy_rows(program, tape, below, delta, op.n_out, r0, r1)


cdef inline void copy_rows(const Program* program, const Tape* tape, char* a, const char* b, ssize_t n, ssize_t r0,
                           ssize_t r1) noexcept nogil:
    """Copy b to a, panel by panel."""
    cdef ssize_t p, offset, width = program.panel * program.item
    for p in range(panels_of(program, n)):
        offset = (p * tape.rows + r0) * width
        memcpy(a + offset, b + offset, (r1 - r0) * width)


cdef inline void add_rows(const Program* program, const Tape* tape, char* a, const char* b, ssize_t n, ssize_t r0,
                          ssize_t r1) noexcept nogil:
    """Add b to a, panel by panel."""
    cdef ssize_t p, offset
    for p in range(panels_of(program, n)):
        offset = (p * tape.rows + r0) * program.panel * program.item
        program.optimizers.add(<real*> (a + offset), <const real*> (b + offset), (r1 - r0) * program.panel)
