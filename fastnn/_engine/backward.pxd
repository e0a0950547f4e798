# The backward pass of a program over a range of rows, down to the deltas that the parameters' gradients need.

from fastnn._engine.forward cimport apply_mask
from fastnn._engine.program cimport ACTIVATION, DENSE, DROPOUT, LAYER_NORM, Operation, Program, Slot, Tape
from fastnn._kernels.table cimport real


cdef inline void backward_activation(const Program* program, const Operation* op, const Slot* slot, ssize_t rows,
                                     ssize_t r0, ssize_t r1) noexcept nogil:
    """slot.delta: from dL/dy to dL/dz, in place."""
    cdef ssize_t width = program.panel * program.item
    cdef ssize_t p, offset
    if op.is_softmax:
        program.activations.softmax_backward(<const real*> slot.y, <real*> slot.delta, rows, op.n_out, r0, r1)
    elif not op.is_identity:
        for p in range((op.n_out + program.panel - 1) // program.panel):
            offset = (p * rows + r0) * width
            op.activation.backward(op.alpha, <const real*> (slot.z + offset), <const real*> (slot.y + offset),
                                   <real*> (slot.delta + offset), (r1 - r0) * program.panel)


cdef inline void backward_rows(const Program* program, char** transposed, const Tape* tape, ssize_t last, ssize_t r0,
                               ssize_t r1) noexcept nogil:
    """The deltas of rows r0..r1 for the operations above `last`, the lowest one with parameters.

    The loss has left dL/dy in the top slot; each operation leaves it in the slot below. transposed holds the
    transposed weight of each dense operation.
    """
    cdef ssize_t k = program.n_operations - 1
    cdef const Operation* op
    cdef const Slot* slot
    cdef const Slot* below
    cdef bint has_relu_derivative = False           # the dense layer above has multiplied by it already
    while k >= last:
        op = &program.operations[k]
        slot = &tape.slots[k]
        if (op.kind == DENSE or op.kind == ACTIVATION) and not has_relu_derivative:
            backward_activation(program, op, slot, tape.rows, r0, r1)
        if k == last:
            return
        below = &tape.slots[k - 1]
        has_relu_derivative = False
        if op.kind == DENSE:
            has_relu_derivative = program.operations[k - 1].is_relu
            program.dense.backward(<const real*> slot.delta, <const real*> transposed[k],
                                   <const real*> below.y if has_relu_derivative else NULL, <real*> below.delta,
                                   tape.rows, op.n_out, op.n_in, r0, r1)
        elif op.kind == LAYER_NORM:
            program.normalization.layer_norm_backward(
                <const real*> below.y, <const real*> op.weight, slot.statistics, <const real*> slot.delta,
                <real*> below.delta, tape.rows, op.n_in, r0, r1)
        elif op.kind == DROPOUT:
            apply_mask(program, slot.delta, slot.mask, below.delta, tape.rows, op.n_in, r0, r1)
        k -= 1
