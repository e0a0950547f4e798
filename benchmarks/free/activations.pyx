"""The activations that `benchmarks.price` measures, in float32 throughout."""

from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memcpy

from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport ActivationKernel, ActivationKernels

cdef extern from "approximate.h" nogil:
    vr fast_sigmoid(vr x) noexcept
    vr fast_tanh(vr x) noexcept
    vr fast_normal_cdf(vr x, vr* e) noexcept

ctypedef vr (*Function)(vr) noexcept nogil
ctypedef void (*Forward)(double, const real*, real*, ssize_t) noexcept nogil
ctypedef void (*Backward)(double, const real*, const real*, real*, ssize_t) noexcept nogil


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


cdef void identity_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    if y != z:
        memcpy(y, z, count * sizeof(real))


cdef void identity_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    pass


cdef void relu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(relu, z, y, count)


cdef void relu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(relu_derivative, y, delta, count)


cdef void gelu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(gelu, z, y, count)


cdef void gelu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(gelu_derivative, z, delta, count)


cdef void silu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(silu, z, y, count)


cdef void silu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(silu_derivative, z, delta, count)


cdef void tanh_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(tanh, z, y, count)


cdef void tanh_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(tanh_derivative, y, delta, count)


cdef void sigmoid_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(sigmoid, z, y, count)


cdef void sigmoid_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(sigmoid_derivative, y, delta, count)


cdef ActivationKernels kernels


cdef void register(const char* name, Forward forward, Backward backward, bint reads_z) noexcept nogil:
    kernels.list[kernels.count] = ActivationKernel(name, forward, backward, reads_z)
    kernels.count += 1


register("identity", identity_forward, identity_backward, reads_z=False)
register("relu", relu_forward, relu_backward, reads_z=False)
register("gelu", gelu_forward, gelu_backward, reads_z=True)
register("silu", silu_forward, silu_backward, reads_z=True)
register("tanh", tanh_forward, tanh_backward, reads_z=False)
register("sigmoid", sigmoid_forward, sigmoid_backward, reads_z=False)
table = PyCapsule_New(&kernels, "fastnn.activations", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
