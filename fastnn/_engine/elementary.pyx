"""The elementary functions of the numerics contract over NumPy arrays: the same bits on every machine."""

import numpy as np

from cpython.pycapsule cimport PyCapsule_GetPointer

from fastnn._kernels.table cimport FunctionKernels, real

from fastnn._engine.environment import standard_environment

cdef FunctionKernels* kernels32 = NULL
cdef FunctionKernels* kernels64 = NULL

ctypedef void (*Function)(const real*, real*, ssize_t) noexcept nogil


def use(functions_float32, functions_float64):
    """Set the kernels that compute, by their capsules."""
    global kernels32, kernels64
    kernels32 = <FunctionKernels*> PyCapsule_GetPointer(functions_float32, "fastnn.functions")
    kernels64 = <FunctionKernels*> PyCapsule_GetPointer(functions_float64, "fastnn.functions")


cdef object applied(x, Function function32, Function function64):
    given = np.asarray(x)
    if given.dtype.kind not in "fiub":
        raise TypeError(f"x must hold real numbers; got dtype {given.dtype}")
    single = given.dtype.kind == "f" and given.dtype.itemsize == 4
    values = np.array(given, dtype=np.float32 if single else np.float64, order="C", ndmin=1)
    cdef unsigned char[::1] memory
    cdef real* flat
    if values.size:
        memory = memoryview(values).cast("B")
        flat = <real*> &memory[0]
        with standard_environment():
            if single:
                function32(flat, flat, values.size)
            else:
                function64(flat, flat, values.size)
    return values.reshape(given.shape)[()]


def exp(x):
    """Compute e to the power of x."""
    return applied(x, kernels32.exp, kernels64.exp)


def expm1(x):
    """Compute exp(x) - 1, with full precision near 0."""
    return applied(x, kernels32.expm1, kernels64.expm1)


def log(x):
    """Compute the natural logarithm: -infinity at 0, NaN below."""
    return applied(x, kernels32.log, kernels64.log)


def log1p(x):
    """Compute log(1 + x), with full precision near 0: -infinity at -1, NaN below."""
    return applied(x, kernels32.log1p, kernels64.log1p)


def tanh(x):
    """Compute the hyperbolic tangent."""
    return applied(x, kernels32.tanh, kernels64.tanh)


def sigmoid(x):
    """Compute 1 / (1 + exp(-x))."""
    return applied(x, kernels32.sigmoid, kernels64.sigmoid)


def erf(x):
    """Compute the error function."""
    return applied(x, kernels32.erf, kernels64.erf)


def sin(x):
    """Compute the sine of x in radians, however large; NaN for infinities."""
    return applied(x, kernels32.sin, kernels64.sin)


def cos(x):
    """Compute the cosine of x in radians, however large; NaN for infinities."""
    return applied(x, kernels32.cos, kernels64.cos)
