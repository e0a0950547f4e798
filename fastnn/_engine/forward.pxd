# The forward pass of a program over a range of rows.

from libc.stdint cimport int64_t

from fastnn._engine.program cimport (
    ACTIVATION, DENSE, DROPOUT, LAYER_NORM, Operation, Program, Slot, SparseInput, Tape, inputs_of, panels_of
)
from fastnn._kernels.table cimport real


cdef inline void apply_activation(const Program* program, const Operation* op, const char* z, char* y, ssize_t rows,
                                  ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    """y = f(z), f the operation's activation, panel by panel; y may be z."""
    cdef ssize_t width = program.panel * program.item
    cdef ssize_t p, offset
    if op.is_softmax:
        program.activations.softmax_forward(<const real*> z, <real*> y, rows, n, r0, r1)
    elif not op.is_identity or z != y:
        for p in range((n + program.panel - 1) // program.panel):
            offset = (p * rows + r0) * width
            op.activation.forward(op.alpha, <const real*> (z + offset), <real*> (y + offset),
                                  (r1 - r0) * program.panel)


cdef inline void apply_mask(const Program* program, const char* x, const char* mask, char* y, ssize_t rows, ssize_t n,
                            ssize_t r0, ssize_t r1) noexcept nogil:
    """y = x * mask, panel by panel; y may be x."""
    cdef ssize_t width = program.panel * program.item
    cdef ssize_t p, offset
    for p in range((n + program.panel - 1) // program.panel):
        offset = (p * rows + r0) * width
        program.random.multiply(<const real*> (x + offset), <const real*> (mask + offset), <real*> (y + offset),
                                (r1 - r0) * program.panel)


cdef inline void forward_dense(const Program* program, const Tape* tape, const Operation* op, const Slot* slot,
                               const char* x, ssize_t p0, ssize_t p1, ssize_t r0, ssize_t r1) noexcept nogil:
    """Panels p0..p1 of a dense operation's outputs for rows r0..r1."""
    cdef ssize_t start = p0 * program.panel, n_out = min(op.n_out, p1 * program.panel) - start
    cdef ssize_t offset = start * tape.rows * program.item
    forward = program.dense.narrow_forward if op.is_narrow else program.dense.forward
    forward(<const real*> x, <const real*> (op.weight + start * op.n_in * program.item),
            <const real*> (op.bias + start * program.item), <real*> (slot.z + offset), tape.rows, op.n_in, n_out, r0,
            r1, op.is_relu)
    if not op.is_relu:
        apply_activation(program, op, slot.z + offset, slot.y + offset, tape.rows, n_out, r0, r1)


cdef inline ssize_t forward_sparse(const Program* program, const Tape* tape, const SparseInput* x,
                                   const int64_t* index, ssize_t first, ssize_t r0, ssize_t r1) noexcept nogil:
    """Takes sparse rows into the tape, as rows r0..r1 of it; the operation that comes next."""
    cdef const Operation* op = &program.operations[0]
    cdef const Slot* slot = &tape.slots[0]
    if not x.is_direct:
        program.sparse.gather(&x.rows, index, first, op.n_in, <real*> tape.x, tape.rows, r0, r1)
        return 0
    forward = program.sparse.narrow_forward if op.is_narrow else program.sparse.forward
    forward(&x.rows, index, first, <const real*> op.weight, <const real*> op.bias, <real*> slot.z, tape.rows, op.n_in,
            op.n_out, r0, r1, op.is_relu)
    if not op.is_relu:
        apply_activation(program, op, slot.z, slot.y, tape.rows, op.n_out, r0, r1)
    return 1


cdef inline void forward_rows(const Program* program, const Tape* tape, ssize_t first, ssize_t r0,
                              ssize_t r1) noexcept nogil:
    """The outputs of every operation from `first` on for rows r0..r1 of the tape."""
    cdef ssize_t k
    cdef const char* x = inputs_of(tape, first)
    cdef const Operation* op
    cdef const Slot* slot
    for k in range(first, program.n_operations):
        op = &program.operations[k]
        slot = &tape.slots[k]
        if op.kind == DENSE:
            forward_dense(program, tape, op, slot, x, 0, panels_of(program, op.n_out), r0, r1)
        elif op.kind == ACTIVATION:
            apply_activation(program, op, x, slot.y, tape.rows, op.n_out, r0, r1)
        elif op.kind == LAYER_NORM:
            program.normalization.layer_norm_forward(
                <const real*> x, <const real*> op.weight, <const real*> op.bias, <real*> slot.y, slot.statistics,
                tape.rows, op.n_in, r0, r1, op.epsilon)
        elif slot.mask != NULL:                                # DROPOUT
            program.random.dropout_mask(<real*> slot.mask, tape.seed, tape.step, op.stream, op.rate, tape.first_row,
                                        tape.rows, op.n_in, r0, r1)
            apply_mask(program, x, slot.mask, slot.y, tape.rows, op.n_in, r0, r1)
        x = slot.y
