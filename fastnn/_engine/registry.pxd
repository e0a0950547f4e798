# Finding activations, losses and optimizers by their names in the kernels' lists.

from libc.string cimport strcmp

from fastnn._engine.program cimport Operation
from fastnn._kernels.table cimport ActivationKernels, LossKernel, LossKernels, OptimizerKernel, OptimizerKernels


cdef inline ssize_t position(str what, name, list known) except -1:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}; the kernels have {', '.join(known)}")
    return known.index(name)


cdef inline int set_activation(Operation* op, const ActivationKernels* kernels, name) except -1:
    """Give a dense operation, or an activation on its own, the activation of that name."""
    known = [kernels.list[i].name.decode() for i in range(kernels.count)]
    op.activation = &kernels.list[position("activation", name, known)]
    op.is_identity, op.is_relu, op.is_softmax = name == "identity", name == "relu", name == "softmax"
    return 0


cdef inline const LossKernel* find_loss(const LossKernels* kernels, name) except NULL:
    return &kernels.list[position("loss", name, [kernels.list[i].name.decode() for i in range(kernels.count)])]


cdef inline bint is_undone(const LossKernel* loss, const Operation* op) noexcept:
    """Return whether the loss takes the values before this activation."""
    return op.activation != NULL and loss.undoes != NULL and strcmp(op.activation.name, loss.undoes) == 0


cdef inline const OptimizerKernel* find_optimizer(const OptimizerKernels* kernels, name) except NULL:
    return &kernels.list[position("optimizer", name, [kernels.list[i].name.decode() for i in range(kernels.count)])]
