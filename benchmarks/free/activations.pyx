"""The activations that `benchmarks.price` measures, in float32 throughout."""

from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memcpy

from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport GELU, IDENTITY, RELU, SIGMOID, SILU, TANH, ActivationKernels

cdef extern from "approximate.h" nogil:
    vr fast_sigmoid(vr x) noexcept
    vr fast_tanh(vr x) noexcept
    vr fast_normal_cdf(vr x, vr* e) noexcept

ctypedef vr (*Function)(vr) noexcept nogil


cdef inline vr relu(vr z) noexcept nogil:
    return vr_select_gt(vr_set(0), z, vr_set(0), z)


cdef inline vr relu_derivative(vr y) noexcept nogil:
    return vr_select_gt(y, vr_set(0), vr_set(1), vr_set(0))


cdef inline vr gelu(vr z) noexcept nogil:
    cdef vr e
    return vr_mul(z, fast_normal_cdf(z, &e))


cdef inline vr gelu_derivative(vr z) noexcept nogil:
    cdef vr e
    cdef vr cdf = fast_normal_cdf(z, &e)
    return vr_fma(vr_mul(z, vr_set(0.3989422804014327)), e, cdf)


cdef inline vr silu(vr z) noexcept nogil:
    return vr_mul(z, fast_sigmoid(z))


cdef inline vr silu_derivative(vr z) noexcept nogil:
    cdef vr s = fast_sigmoid(z)
    return vr_mul(s, vr_fma(z, vr_sub(vr_set(1), s), vr_set(1)))


cdef inline vr tanh(vr z) noexcept nogil:
    return fast_tanh(z)


cdef inline vr tanh_derivative(vr y) noexcept nogil:
    return vr_fma(vr_sub(vr_set(0), y), y, vr_set(1))


cdef inline vr sigmoid(vr z) noexcept nogil:
    return fast_sigmoid(z)


cdef inline vr sigmoid_derivative(vr y) noexcept nogil:
    return vr_mul(y, vr_sub(vr_set(1), y))


cdef inline void transform(Function f, const real* z, real* y, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(y + i * LANES, f(vr_load(z + i * LANES)))


cdef inline void chain(Function derivative, const real* value, real* delta, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(delta + i * LANES, vr_mul(vr_load(delta + i * LANES), derivative(vr_load(value + i * LANES))))


cdef void forward(int kind, double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    if kind == IDENTITY:
        if y != z:
            memcpy(y, z, count * sizeof(real))
    elif kind == RELU:
        transform(relu, z, y, count)
    elif kind == GELU:
        transform(gelu, z, y, count)
    elif kind == SILU:
        transform(silu, z, y, count)
    elif kind == TANH:
        transform(tanh, z, y, count)
    elif kind == SIGMOID:
        transform(sigmoid, z, y, count)


cdef void backward(int kind, double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    if kind == RELU:
        chain(relu_derivative, y, delta, count)
    elif kind == GELU:
        chain(gelu_derivative, z, delta, count)
    elif kind == SILU:
        chain(silu_derivative, z, delta, count)
    elif kind == TANH:
        chain(tanh_derivative, y, delta, count)
    elif kind == SIGMOID:
        chain(sigmoid_derivative, y, delta, count)


cdef ActivationKernels kernels
kernels.forward = forward
kernels.backward = backward
kernels.softmax_forward = NULL
kernels.softmax_backward = NULL
table = PyCapsule_New(&kernels, "fastnn.activations", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
