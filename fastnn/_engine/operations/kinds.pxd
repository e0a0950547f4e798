# Every kind of operation: the one place that tells them apart. A kind that none of these knows is refused.
#
# A new operation has a file beside this one, and an entry in each of the functions that concern it.

from fastnn._engine.operations.activation cimport backward_activation, describe_activation, forward_activation
from fastnn._engine.operations.add cimport backward_add, forward_add
from fastnn._engine.operations.dense cimport (
    backward_dense, dense_gradient, dense_tensors, describe_dense, forward_dense
)
from fastnn._engine.operations.dropout cimport backward_dropout, describe_dropout, forward_dropout
from fastnn._engine.operations.layer_norm cimport (
    backward_layer_norm, describe_layer_norm, forward_layer_norm, layer_norm_gradient, layer_norm_tensors
)
from fastnn._engine.operations.rms_norm cimport (
    backward_rms_norm, describe_rms_norm, forward_rms_norm, rms_norm_gradient, rms_norm_tensors
)
from fastnn._engine.program cimport Operation, Program, Tape
from fastnn._engine.tensors cimport Tensor
from fastnn._kernels.table cimport real

cdef extern from "Python.h":
    void Py_FatalError(const char* message) noexcept nogil


cdef enum OperationKind:
    DENSE, ACTIVATION, DROPOUT, LAYER_NORM, RMS_NORM, ADD


cdef struct Traits:              # what the planner has to know of an operation
    bint replaces                # prediction: its output may lie where its first operand does
    bint passes_through          # prediction: its output is its operand
    bint hands_its_delta         # training: dL/dx may lie where dL/dy does, which nothing needs once dL/dx is there
    bint keeps_z                 # training: its backward pass reads what the activation was applied to
    bint keeps_mask              # training: its backward pass reads the mask of the forward pass
    bint keeps_statistics        # its passes need two numbers for each row


cdef inline int describe(const Program* program, Operation* op, kind, dict given) except -1:
    """Set the kind of an operation, and what is particular to it; what it does not know is an error."""
    if kind == "dense":
        op.kind = DENSE
        describe_dense(program, op, given)
    elif kind == "activation":
        op.kind = ACTIVATION
        describe_activation(program, op, given)
    elif kind == "dropout":
        op.kind = DROPOUT
        describe_dropout(op, given)
    elif kind == "layer_norm":
        op.kind = LAYER_NORM
        describe_layer_norm(op, given)
    elif kind == "rms_norm":
        op.kind = RMS_NORM
        describe_rms_norm(op, given)
    elif kind == "add":
        op.kind = ADD
    else:
        raise ValueError(
            f"unknown kind of operation {kind!r}; there are dense, activation, dropout, layer_norm, rms_norm, add")
    if given:
        raise ValueError(f"an operation of kind {kind!r} has no {', '.join(map(repr, given))}")
    return 0


cdef inline int traits_of(const Operation* op, Traits* traits) except -1:
    traits[0] = Traits(replaces=False, passes_through=False, hands_its_delta=False, keeps_z=False,
                       keeps_mask=False, keeps_statistics=False)
    if op.kind == DENSE:
        traits.keeps_z = op.activation.reads_z
    elif op.kind == ACTIVATION:
        traits.replaces = traits.hands_its_delta = True
    elif op.kind == DROPOUT:
        traits.passes_through = traits.hands_its_delta = traits.keeps_mask = True
    elif op.kind in (LAYER_NORM, RMS_NORM):
        traits.keeps_statistics = True
    elif op.kind == ADD:
        traits.replaces = traits.hands_its_delta = True
    else:
        raise ValueError(f"unknown kind of operation {op.kind}")
    return 0


cdef inline ssize_t tensors_of(const Operation* op, Tensor* tensors) except -1:
    """Write down the operation's parameter tensors, in their order; return how many they are."""
    if op.kind == DENSE:
        return dense_tensors(op, tensors)
    if op.kind == LAYER_NORM:
        return layer_norm_tensors(op, tensors)
    if op.kind == RMS_NORM:
        return rms_norm_tensors(op, tensors)
    if op.kind in (ACTIVATION, DROPOUT, ADD):
        return 0
    raise ValueError(f"unknown kind of operation {op.kind}")


cdef inline void forward_operation(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                   ssize_t r1) noexcept nogil:
    """Compute the operation's output for rows r0..r1 of the tape."""
    if op.kind == DENSE:
        forward_dense(program, tape, op, r0, r1)
    elif op.kind == ACTIVATION:
        forward_activation(program, tape, op, r0, r1)
    elif op.kind == LAYER_NORM:
        forward_layer_norm(program, tape, op, r0, r1)
    elif op.kind == RMS_NORM:
        forward_rms_norm(program, tape, op, r0, r1)
    elif op.kind == DROPOUT:
        forward_dropout(program, tape, op, r0, r1)
    elif op.kind == ADD:
        forward_add(program, tape, op, r0, r1)
    else:
        Py_FatalError("fastnn: unknown kind of operation")


cdef inline void backward_operation(const Program* program, const Tape* tape, const Operation* op, ssize_t r0,
                                    ssize_t r1) noexcept nogil:
    """Compute dL/dx of the operands that want it, from dL/dy, for rows r0..r1."""
    if op.kind == DENSE:
        backward_dense(program, tape, op, r0, r1)
    elif op.kind == ACTIVATION:
        backward_activation(program, tape, op, r0, r1)
    elif op.kind == LAYER_NORM:
        backward_layer_norm(program, tape, op, r0, r1)
    elif op.kind == RMS_NORM:
        backward_rms_norm(program, tape, op, r0, r1)
    elif op.kind == DROPOUT:
        backward_dropout(program, tape, op, r0, r1)
    elif op.kind == ADD:
        backward_add(program, tape, op, r0, r1)
    else:
        Py_FatalError("fastnn: unknown kind of operation")


cdef inline void parameter_gradient(const Program* program, const Tape* tape, const Operation* op, int role,
                                    ssize_t row_panel, ssize_t column_panel, ssize_t n_rows, real* gradient,
                                    real* scratch) noexcept nogil:
    """Compute the gradient of a panel by a panel of one of the operation's tensors over rows 0..n_rows."""
    if op.kind == DENSE:
        dense_gradient(program, tape, op, role, row_panel, column_panel, n_rows, gradient, scratch)
    elif op.kind == LAYER_NORM:
        layer_norm_gradient(program, tape, op, role, column_panel, n_rows, gradient, scratch)
    elif op.kind == RMS_NORM:
        rms_norm_gradient(program, tape, op, column_panel, n_rows, gradient, scratch)
    else:
        Py_FatalError("fastnn: an operation without parameters has no gradient")
