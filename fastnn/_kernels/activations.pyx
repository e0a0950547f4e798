"""Activation functions and their derivatives.

To add one: write the function and its derivative as a pair below, what applies them to an array, and a line in the list
at the end. A derivative is a function of y, so that z need not be kept, where y tells it well; otherwise of z.
Everything is computed in float64 and rounded once; ReLU and leaky ReLU only select or scale, and stay in the dtype.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY
from libc.string cimport memcpy

from fastnn._kernels.elementary cimport (
    vd_exp, vd_exp_nonpositive, vd_expm1_nonpositive, vd_normal_cdf, vd_sigmoid, vd_softplus, vd_tanh
)
from fastnn._kernels.lanes cimport LANE_VECTORS, lane_max
from fastnn._kernels.rows cimport clear_lanes, join_lanes, load_units, panel_vectors, store_units
from fastnn._kernels.simd cimport (
    DLANES, FASTNN_REAL_BITS, ISA_NAME, LANES, PANEL, real, vd, vd_abs, vd_add, vd_div, vd_fma, vd_from_real, vd_max,
    vd_min, vd_mul, vd_select_gt, vd_set, vd_store, vd_sub, vd_to_real, vr, vr_load, vr_mul, vr_select_gt, vr_set,
    vr_store
)
from fastnn._kernels.table cimport ActivationKernel, ActivationKernels


# ------------------------------------------------------------ over whole arrays

ctypedef vd (*Function)(vd, vd) noexcept nogil
ctypedef void (*Forward)(double, const real*, real*, ssize_t) noexcept nogil
ctypedef void (*Backward)(double, const real*, const real*, real*, ssize_t) noexcept nogil


cdef inline void transform(Function f, double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    """y = f(z). f is constant at every call, hence inlined."""
    cdef ssize_t i
    cdef vd a = vd_set(alpha)
    for i in range(count // DLANES):
        vd_to_real(y + i * DLANES, f(vd_from_real(z + i * DLANES), a))


cdef inline void chain(Function derivative, double alpha, const real* value, real* delta, ssize_t count) noexcept nogil:
    """delta *= derivative(value)."""
    cdef vd slope
    cdef ssize_t i
    cdef vd a = vd_set(alpha)
    for i in range(count // DLANES):
        slope = derivative(vd_from_real(value + i * DLANES), a)
        vd_to_real(delta + i * DLANES, vd_mul(vd_from_real(delta + i * DLANES), slope))


# -------------------------------------------------------------------- identity

cdef void identity_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    if y != z:
        memcpy(y, z, count * sizeof(real))


cdef void identity_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    pass


# ------------------------------------------------------------------------ ReLU
# A NaN is let through; the derivative at 0 is 0, or the slope.

cdef inline vr relu(vr z) noexcept nogil:
    return vr_select_gt(vr_set(0), z, vr_set(0), z)


cdef inline vr relu_chain(vr y, vr dy) noexcept nogil:
    return vr_select_gt(y, vr_set(0), dy, vr_set(0))


cdef void relu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(y + i * LANES, relu(vr_load(z + i * LANES)))


cdef void relu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(delta + i * LANES, relu_chain(vr_load(y + i * LANES), vr_load(delta + i * LANES)))


cdef inline vr leaky_relu(vr z, vr slope) noexcept nogil:
    return vr_select_gt(z, vr_set(0), z, vr_mul(slope, z))


cdef inline vr leaky_relu_chain(vr y, vr slope, vr dy) noexcept nogil:
    return vr_select_gt(y, vr_set(0), dy, vr_mul(slope, dy))


cdef void leaky_relu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(y + i * LANES, leaky_relu(vr_load(z + i * LANES), vr_set(<real> alpha)))


cdef void leaky_relu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(delta + i * LANES,
                 leaky_relu_chain(vr_load(y + i * LANES), vr_set(<real> alpha), vr_load(delta + i * LANES)))


# ------------------------------------------- ELU: z above 0, alpha (e^z - 1) below
# Clevert, Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential linear units" (2016)

cdef inline vd elu(vd z, vd alpha) noexcept nogil:
    return vd_select_gt(z, vd_set(0), z, vd_mul(alpha, vd_expm1_nonpositive(z)))


cdef inline vd elu_derivative(vd y, vd alpha) noexcept nogil:
    return vd_select_gt(y, vd_set(0), vd_set(1), vd_add(y, alpha))


cdef void elu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(elu, alpha, z, y, count)


cdef void elu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(elu_derivative, alpha, y, delta, count)


# ------------------------- SELU: lambda ELU(z, alpha) that keep mean 0, variance 1
# Klambauer, Unterthiner, Mayr & Hochreiter, "Self-normalizing neural networks" (2017)

cdef inline vd selu(vd z, vd alpha) noexcept nogil:
    cdef vd scale = vd_set(1.0507009873554805)
    cdef vd scaled_alpha = vd_set(1.7580993408473768)
    return vd_select_gt(z, vd_set(0), vd_mul(scale, z), vd_mul(scaled_alpha, vd_expm1_nonpositive(z)))


cdef inline vd selu_derivative(vd y, vd alpha) noexcept nogil:
    return vd_select_gt(y, vd_set(0), vd_set(1.0507009873554805), vd_add(y, vd_set(1.7580993408473768)))


cdef void selu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(selu, alpha, z, y, count)


cdef void selu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(selu_derivative, alpha, y, delta, count)


# -------------------------------------- GELU: z P(X <= z) for a standard normal X
# Hendrycks & Gimpel, "Gaussian error linear units" (2016), the exact form

cdef inline vd gelu(vd z, vd alpha) noexcept nogil:
    cdef vd density
    return vd_mul(z, vd_normal_cdf(z, &density))


cdef inline vd gelu_derivative(vd z, vd alpha) noexcept nogil:
    cdef vd density
    cdef vd cdf = vd_normal_cdf(z, &density)
    return vd_fma(z, density, cdf)


cdef void gelu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(gelu, alpha, z, y, count)


cdef void gelu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(gelu_derivative, alpha, z, delta, count)


# --------------------------------------------------------------- SiLU: z sigmoid(z)
# Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units" (2018)

cdef inline vd silu(vd z, vd alpha) noexcept nogil:
    return vd_mul(z, vd_sigmoid(z))


cdef inline vd silu_derivative(vd z, vd alpha) noexcept nogil:
    cdef vd s = vd_sigmoid(z)
    return vd_mul(s, vd_fma(z, vd_sub(vd_set(1), s), vd_set(1)))


cdef void silu_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(silu, alpha, z, y, count)


cdef void silu_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(silu_derivative, alpha, z, delta, count)


# ---------------------------------------------------------- Mish: z tanh(softplus(z))
# Misra, "Mish: a self regularized non-monotonic activation function" (2020). With e = e^z and m = e (e + 2),
#     tanh(softplus(z)) = m / (m + 2)        d/dz tanh(softplus(z)) = 4 e (1 + e) / (m + 2)²

cdef inline vd mish_exp(vd z) noexcept nogil:
    return vd_exp(vd_min(vd_set(20), z))    # beyond, tanh(softplus(z)) is 1


cdef inline vd mish(vd z, vd alpha) noexcept nogil:
    cdef vd e = mish_exp(z)
    cdef vd m = vd_mul(e, vd_add(e, vd_set(2)))
    return vd_mul(z, vd_div(m, vd_add(m, vd_set(2))))


cdef inline vd mish_derivative(vd z, vd alpha) noexcept nogil:
    cdef vd e = mish_exp(z)
    cdef vd m = vd_mul(e, vd_add(e, vd_set(2)))
    cdef vd reciprocal = vd_div(vd_set(1), vd_add(m, vd_set(2)))
    cdef vd slope = vd_mul(vd_mul(vd_mul(vd_set(4), e), vd_add(e, vd_set(1))), reciprocal)
    return vd_mul(reciprocal, vd_fma(z, slope, m))


cdef void mish_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(mish, alpha, z, y, count)


cdef void mish_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(mish_derivative, alpha, z, delta, count)


# -------------------------------------------- hard swish: z min(max(z / 6 + 1/2, 0), 1)
# Howard et al., "Searching for MobileNetV3" (2019). Next to -3, z + 3 is exact, and z / 6 + 1/2 would cancel.

cdef inline vd hard_swish(vd z, vd alpha) noexcept nogil:
    cdef vd clipped = vd_min(vd_set(6), vd_max(vd_set(0), vd_add(z, vd_set(3))))
    return vd_mul(z, vd_div(clipped, vd_set(6)))


cdef inline vd hard_swish_derivative(vd z, vd alpha) noexcept nogil:
    cdef vd between = vd_div(vd_fma(vd_set(2), z, vd_set(3)), vd_set(6))
    return vd_select_gt(z, vd_set(-3), vd_select_gt(vd_set(3), z, between, vd_set(1)), vd_set(0))


cdef void hard_swish_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(hard_swish, alpha, z, y, count)


cdef void hard_swish_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(hard_swish_derivative, alpha, z, delta, count)


# ------------------------------------------------------- softsign: z / (1 + |z|)
# Turian, Bergstra & Bengio, "Quadratic features and deep architectures for chunking" (2009)

cdef inline vd softsign(vd z, vd alpha) noexcept nogil:
    return vd_div(z, vd_add(vd_set(1), vd_abs(z)))


cdef inline vd softsign_derivative(vd y, vd alpha) noexcept nogil:
    cdef vd rest = vd_sub(vd_set(1), vd_abs(y))
    return vd_mul(rest, rest)


cdef void softsign_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(softsign, alpha, z, y, count)


cdef void softsign_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(softsign_derivative, alpha, y, delta, count)


# ----------------------------------------------------- tanh, sigmoid, softplus

cdef inline vd tanh(vd z, vd alpha) noexcept nogil:
    return vd_tanh(z)


cdef inline vd tanh_derivative(vd y, vd alpha) noexcept nogil:
    return vd_fma(vd_sub(vd_set(0), y), y, vd_set(1))


cdef void tanh_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(tanh, alpha, z, y, count)


cdef void tanh_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(tanh_derivative, alpha, y, delta, count)


cdef inline vd sigmoid(vd z, vd alpha) noexcept nogil:
    return vd_sigmoid(z)


cdef inline vd sigmoid_derivative(vd y, vd alpha) noexcept nogil:
    return vd_mul(y, vd_sub(vd_set(1), y))


cdef void sigmoid_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(sigmoid, alpha, z, y, count)


cdef void sigmoid_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(sigmoid_derivative, alpha, y, delta, count)


cdef inline vd softplus(vd z, vd alpha) noexcept nogil:
    return vd_softplus(z)


cdef inline vd softplus_derivative(vd y, vd alpha) noexcept nogil:
    return vd_sub(vd_set(0), vd_expm1_nonpositive(vd_sub(vd_set(0), y)))


cdef void softplus_forward(double alpha, const real* z, real* y, ssize_t count) noexcept nogil:
    transform(softplus, alpha, z, y, count)


cdef void softplus_backward(double alpha, const real* z, const real* y, real* delta, ssize_t count) noexcept nogil:
    chain(softplus_derivative, alpha, y, delta, count)


# --------------------------------------------------------------------- softmax

cdef inline double row_max(const real* z, ssize_t rows, ssize_t n) noexcept nogil:
    cdef vd largest[LANE_VECTORS]
    cdef double lane[16]
    cdef ssize_t block
    cdef int k
    for k in range(LANE_VECTORS):
        largest[k] = vd_set(-INFINITY)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            if block + k * DLANES < n:
                largest[k] = vd_max(load_units(z, rows, block + k * DLANES, n, -INFINITY), largest[k])
    for k in range(LANE_VECTORS):
        vd_store(lane + k * DLANES, largest[k])
    return lane_max(lane)


cdef inline void softmax_row(const real* z, real* y, ssize_t rows, ssize_t n) noexcept nogil:
    """y_j = e^(z_j - max) / sum of them; computed twice, as y cannot hold them unrounded."""
    cdef vd sums[LANE_VECTORS]
    cdef vd e
    cdef ssize_t block, i, j
    cdef int k
    cdef vd largest = vd_set(row_max(z, rows, n))
    clear_lanes(sums)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            j = block + k * DLANES
            if j < n:
                sums[k] = vd_add(sums[k], vd_exp_nonpositive(vd_sub(load_units(z, rows, j, n, -INFINITY), largest)))
    cdef vd sum = vd_set(join_lanes(sums))
    for i in range(panel_vectors(n)):
        j = i * DLANES
        e = vd_set(0)
        if j < n:
            e = vd_exp_nonpositive(vd_sub(load_units(z, rows, j, n, -INFINITY), largest))
        store_units(y, rows, j, n, vd_div(e, sum))


cdef void softmax_forward(const real* z, real* y, ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t r
    for r in range(r0, r1):
        softmax_row(z + r * PANEL, y + r * PANEL, rows, n)


cdef inline void softmax_chain_row(const real* y, real* delta, ssize_t rows, ssize_t n) noexcept nogil:
    """dL/dz_j = y_j (dL/dy_j - sum_k y_k dL/dy_k)."""
    cdef vd sums[LANE_VECTORS]
    cdef vd y_j
    cdef ssize_t block, i, j
    cdef int k
    clear_lanes(sums)
    for block in range(0, n, 16):
        for k in range(LANE_VECTORS):
            j = block + k * DLANES
            if j < n:
                sums[k] = vd_fma(load_units(y, rows, j, n, 0), load_units(delta, rows, j, n, 0), sums[k])
    cdef vd mean = vd_set(join_lanes(sums))
    for i in range(panel_vectors(n)):
        j = i * DLANES
        y_j = load_units(y, rows, j, n, 0)
        store_units(delta, rows, j, n, vd_mul(y_j, vd_sub(load_units(delta, rows, j, n, 0), mean)))


cdef void softmax_backward(const real* y, real* delta, ssize_t rows, ssize_t n, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t r
    for r in range(r0, r1):
        softmax_chain_row(y + r * PANEL, delta + r * PANEL, rows, n)


# -------------------------------------------------------------------- the list

cdef ActivationKernels kernels


cdef void register(const char* name, Forward forward, Backward backward, bint reads_z) noexcept nogil:
    kernels.list[kernels.count] = ActivationKernel(name, forward, backward, reads_z)
    kernels.count += 1


register("identity", identity_forward, identity_backward, reads_z=False)
register("relu", relu_forward, relu_backward, reads_z=False)
register("leaky_relu", leaky_relu_forward, leaky_relu_backward, reads_z=False)
register("elu", elu_forward, elu_backward, reads_z=False)
register("selu", selu_forward, selu_backward, reads_z=False)
register("gelu", gelu_forward, gelu_backward, reads_z=True)
register("silu", silu_forward, silu_backward, reads_z=True)
register("mish", mish_forward, mish_backward, reads_z=True)
register("hard_swish", hard_swish_forward, hard_swish_backward, reads_z=True)
register("softsign", softsign_forward, softsign_backward, reads_z=False)
register("tanh", tanh_forward, tanh_backward, reads_z=False)
register("sigmoid", sigmoid_forward, sigmoid_backward, reads_z=False)
register("softplus", softplus_forward, softplus_backward, reads_z=False)
register("softmax", NULL, NULL, reads_z=False)
kernels.softmax_forward = softmax_forward
kernels.softmax_backward = softmax_backward
table = PyCapsule_New(&kernels, "fastnn.activations", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
