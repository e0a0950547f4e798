"""One step of each optimizer, in PyTorch's formulas and this written order of operations.

w: parameter, g: gradient, e: epsilon. A product and a sum in one term of fma(a, b, c) = a * b + c are rounded once. The
rule's numbers are rounded to `real` once, 1 - beta after its subtraction in float64.

First, for each:
    g = gradient_scale * g;  g = min(clip_value, max(-clip_value, g));  g = fma(l1, sign(w), fma(l2, w, g)), sign(0) = 0
    w = decay * w
(A rule without clipping and penalties takes the first and the last step only, one without scale and decay, which are 1
then, none: the bits are the same. NaN passes through the clipping.)
Then:
    SGD       b = fma(momentum, b, g);  d = b, with Nesterov fma(momentum, b, g), without momentum g
              w = fma(-step_size, d, w)
    Adam      m = fma(1 - beta1, g - m, m);  v = fma((1 - beta2) * g, g, beta2 * v)
              u = v, with AMSGrad max(u, v)
              w = fma(-step_size, m / fma(sqrt(u), root_scale, e), w)
    NAdam     m and v as Adam's
              w = w - fma(gradient_step, g, step_size * m) / fma(sqrt(v), root_scale, e)
    RMSprop   v = fma((1 - beta2) * g, g, beta2 * v);  u = v, or centered:
              a = fma(1 - beta2, g - a, a), u = max(0, fma(-a, a, v))
              d = g / (sqrt(u) + e);  with momentum b = fma(momentum, b, d), d = b
              w = fma(-step_size, d, w)
    Adagrad   s = fma(g, g, s)
              w = fma(-step_size, g / (sqrt(s) + e), w)
State: SGD (b), Adam (m, v, u), NAdam (m, v), RMSprop (v, b, a), Adagrad (s). Padding stays zero as long as e is
positive.

Sources: Polyak 1964 and Nesterov 1983 as in Sutskever et al. 2013 (SGD), Kingma & Ba 2015 (Adam), Loshchilov & Hutter
2019 (decoupled decay), Reddi et al. 2018 (AMSGrad), Dozat 2016 (NAdam), Tieleman & Hinton 2012 (RMSprop), Graves 2013
(centered), Duchi et al. 2011 (Adagrad).
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY

from fastnn._kernels.lanes cimport LANE_VECTORS, lane_sum
from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport ADAGRAD, ADAM, NADAM, RMSPROP, SGD, OptimizerKernels, UpdateRule


cdef enum Extras:                                            # what comes before the optimizer's own formulas
    NONE, SCALED, PENALISED


cdef struct Scalars:                                         # the rule, each number rounded to real and in all lanes
    vr gradient_scale, clip_value, l1, l2, decay, minus_step_size, step_size, gradient_step
    vr momentum, one_minus_beta1, beta2, one_minus_beta2, epsilon, root_scale


cdef inline Scalars rounded(const UpdateRule* rule) noexcept nogil:
    cdef Scalars s
    s.gradient_scale = vr_set(<real> rule.gradient_scale)
    s.clip_value = vr_set(<real> rule.clip_value)
    s.l1 = vr_set(<real> rule.l1)
    s.l2 = vr_set(<real> rule.l2)
    s.decay = vr_set(<real> rule.decay)
    s.step_size = vr_set(<real> rule.step_size)
    s.minus_step_size = vr_set(<real> -rule.step_size)
    s.gradient_step = vr_set(<real> rule.gradient_step)
    s.momentum = vr_set(<real> rule.momentum)
    s.one_minus_beta1 = vr_set(<real> (1 - rule.beta1))
    s.beta2 = vr_set(<real> rule.beta2)
    s.one_minus_beta2 = vr_set(<real> (1 - rule.beta2))
    s.epsilon = vr_set(<real> rule.epsilon)
    s.root_scale = vr_set(<real> rule.root_scale)
    return s


cdef inline vr sign(vr w) noexcept nogil:
    return vr_select_gt(w, vr_set(0), vr_set(1), vr_select_gt(vr_set(0), w, vr_set(-1), vr_set(0)))


cdef inline vr clipped(vr g, vr bound) noexcept nogil:
    """g within ±bound; NaN stays NaN, for the second operand is what vr_max and vr_min give then."""
    return vr_min(bound, vr_max(vr_sub(vr_set(0), bound), g))


cdef inline vr smoothed_square(const Scalars* s, vr g, vr v) noexcept nogil:
    return vr_fma(vr_mul(s.one_minus_beta2, g), g, vr_mul(s.beta2, v))


cdef inline vr sgd(const Scalars* s, vr w, vr g, real* buffer, ssize_t at, bint momentum, bint nesterov) noexcept nogil:
    cdef vr b
    if momentum:
        b = vr_fma(s.momentum, vr_load(buffer + at), g)
        vr_store(buffer + at, b)
        g = vr_fma(s.momentum, b, g) if nesterov else b
    return vr_fma(s.minus_step_size, g, w)


cdef inline vr adam(const Scalars* s, vr w, vr g, real* first, real* second, real* largest, ssize_t at,
                    bint amsgrad) noexcept nogil:
    cdef vr m = vr_load(first + at)
    cdef vr v = smoothed_square(s, g, vr_load(second + at))
    m = vr_fma(s.one_minus_beta1, vr_sub(g, m), m)
    vr_store(first + at, m)
    vr_store(second + at, v)
    if amsgrad:
        v = vr_max(vr_load(largest + at), v)
        vr_store(largest + at, v)
    return vr_fma(s.minus_step_size, vr_div(m, vr_fma(vr_sqrt(v), s.root_scale, s.epsilon)), w)


cdef inline vr nadam(const Scalars* s, vr w, vr g, real* first, real* second, ssize_t at) noexcept nogil:
    cdef vr m = vr_load(first + at)
    cdef vr v = smoothed_square(s, g, vr_load(second + at))
    m = vr_fma(s.one_minus_beta1, vr_sub(g, m), m)
    vr_store(first + at, m)
    vr_store(second + at, v)
    cdef vr step = vr_fma(s.gradient_step, g, vr_mul(s.step_size, m))
    return vr_sub(w, vr_div(step, vr_fma(vr_sqrt(v), s.root_scale, s.epsilon)))


cdef inline vr rmsprop(const Scalars* s, vr w, vr g, real* square, real* buffer, real* mean, ssize_t at, bint momentum,
                       bint centered) noexcept nogil:
    cdef vr v = smoothed_square(s, g, vr_load(square + at)), a, d
    vr_store(square + at, v)
    if centered:
        a = vr_load(mean + at)
        a = vr_fma(s.one_minus_beta2, vr_sub(g, a), a)
        vr_store(mean + at, a)
        v = vr_max(vr_set(0), vr_fma(vr_sub(vr_set(0), a), a, v))      # rounding may leave the variance below zero
    d = vr_div(g, vr_add(vr_sqrt(v), s.epsilon))
    if momentum:
        d = vr_fma(s.momentum, vr_load(buffer + at), d)
        vr_store(buffer + at, d)
    return vr_fma(s.minus_step_size, d, w)


cdef inline vr adagrad(const Scalars* s, vr w, vr g, real* sum, ssize_t at) noexcept nogil:
    cdef vr v = vr_fma(g, g, vr_load(sum + at))
    vr_store(sum + at, v)
    return vr_fma(s.minus_step_size, vr_div(g, vr_add(vr_sqrt(v), s.epsilon)), w)


cdef inline vr finite_or(vr w, vr old) noexcept nogil:
    return vr_select_eq(vr_sub(w, w), vr_set(0), w, old)


cdef inline bint steps(int kind, bint option, bint momentum, int extras, const UpdateRule* rule, real* parameter,
                       const real* gradient, real* state0, real* state1, real* state2, ssize_t count,
                       ssize_t width, const real* factors) noexcept nogil:
    """The loop. Its first four arguments are constants wherever it is inlined, so they leave no branch inside."""
    cdef Scalars s = rounded(rule)
    cdef vr before[2]
    cdef vr w, g, check
    cdef const real* squares = state1 if kind == ADAM or kind == NADAM else state0
    cdef bint diverged = False
    cdef ssize_t i, k, at
    for i in range(count // PANEL):
        check = vr_set(0)
        for k in range(2):
            if k * LANES < width:
                at = i * PANEL + k * LANES
                w = before[k] = vr_load(parameter + at)
                if factors == NULL:
                    g = vr_load(gradient + at)
                else:
                    g = vr_fma(vr_set(factors[i]), vr_load(gradient + k * LANES), vr_set(0))
                if extras >= SCALED:
                    g = vr_mul(s.gradient_scale, g)
                    w = vr_mul(s.decay, w)
                if extras == PENALISED:
                    g = vr_fma(s.l1, sign(before[k]), vr_fma(s.l2, before[k], clipped(g, s.clip_value)))
                if kind == SGD:
                    w = sgd(&s, w, g, state0, at, momentum, option)
                elif kind == ADAM:
                    w = adam(&s, w, g, state0, state1, state2, at, option)
                elif kind == NADAM:
                    w = nadam(&s, w, g, state0, state1, at)
                elif kind == RMSPROP:
                    w = rmsprop(&s, w, g, state0, state1, state2, at, momentum, option)
                else:
                    w = adagrad(&s, w, g, state0, at)
                check = vr_fma(w, vr_set(0), check)              # 0, or NaN where w is not finite
                if kind != SGD:
                    check = vr_fma(vr_load(squares + at), vr_set(0), check)
                vr_store(parameter + at, w)
        if vr_has_nan(check):
            diverged = True
            for k in range(2):
                if k * LANES < width:
                    at = i * PANEL + k * LANES
                    vr_store(parameter + at, finite_or(vr_load(parameter + at), before[k]))
    return diverged


cdef inline bint steps_of_kind(int extras, const UpdateRule* rule, real* w, const real* g, real* state0,
                               real* state1, real* state2, ssize_t count, ssize_t width,
                               const real* factors) noexcept nogil:
    cdef bint momentum = rule.momentum != 0
    if rule.kind == SGD:
        if not momentum:
            return steps(SGD, 0, 0, extras, rule, w, g, NULL, NULL, NULL, count, width, factors)
        if not rule.nesterov:
            return steps(SGD, 0, 1, extras, rule, w, g, state0, NULL, NULL, count, width, factors)
        return steps(SGD, 1, 1, extras, rule, w, g, state0, NULL, NULL, count, width, factors)
    if rule.kind == ADAM:
        if not rule.amsgrad:
            return steps(ADAM, 0, 0, extras, rule, w, g, state0, state1, NULL, count, width, factors)
        return steps(ADAM, 1, 0, extras, rule, w, g, state0, state1, state2, count, width, factors)
    if rule.kind == NADAM:
        return steps(NADAM, 0, 0, extras, rule, w, g, state0, state1, NULL, count, width, factors)
    if rule.kind == ADAGRAD:
        return steps(ADAGRAD, 0, 0, extras, rule, w, g, state0, NULL, NULL, count, width, factors)
    if rule.centered:
        if momentum:
            return steps(RMSPROP, 1, 1, extras, rule, w, g, state0, state1, state2, count, width, factors)
        return steps(RMSPROP, 1, 0, extras, rule, w, g, state0, NULL, state2, count, width, factors)
    if momentum:
        return steps(RMSPROP, 0, 1, extras, rule, w, g, state0, state1, NULL, count, width, factors)
    return steps(RMSPROP, 0, 0, extras, rule, w, g, state0, NULL, NULL, count, width, factors)


cdef bint update(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                 real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil:
    if rule.clip_value < INFINITY or rule.l1 != 0 or rule.l2 != 0:
        return steps_of_kind(PENALISED, rule, parameter, gradient, state0, state1, state2, count, width, factors)
    if rule.gradient_scale != 1 or rule.decay != 1:
        return steps_of_kind(SCALED, rule, parameter, gradient, state0, state1, state2, count, width, factors)
    return steps_of_kind(NONE, rule, parameter, gradient, state0, state1, state2, count, width, factors)


cdef double sum_squares(const real* gradient, ssize_t n_in, ssize_t n_out, ssize_t o0) noexcept nogil:
    """A block is 16 columns of one panel where P >= 16, else 16 // P panels. Squares of float32 are exact."""
    cdef vd sums[LANE_VECTORS]
    cdef vd g
    cdef const real* columns
    cdef ssize_t i, k, o
    for k in range(LANE_VECTORS):
        sums[k] = vd_set(0)
    if PANEL >= 16:
        columns = gradient + o0 // PANEL * n_in * PANEL + o0 % PANEL
        for i in range(n_in):
            for k in range(LANE_VECTORS):
                g = vd_from_real(columns + i * PANEL + k * DLANES)
                sums[k] = vd_fma(g, g, sums[k])
    else:
        for k in range(LANE_VECTORS):
            o = o0 + k * DLANES
            if o >= n_out:                                   # there may be no such panel
                break
            columns = gradient + o // PANEL * n_in * PANEL + o % PANEL
            for i in range(n_in):
                g = vd_from_real(columns + i * PANEL)
                sums[k] = vd_fma(g, g, sums[k])
    return lane_sum(<double*> sums)


cdef double narrow_sum_squares(const real* gradient, ssize_t n_in, ssize_t n_out) noexcept nogil:
    cdef double lane[16]
    cdef double term[DLANES]
    cdef vd g, sum
    cdef ssize_t i, o
    for o in range(16):
        lane[o] = 0
    for o in range(n_out):
        sum = vd_set(0)
        for i in range(n_in):
            g = vd_set(<double> gradient[(i // PANEL * n_out + o) * PANEL + i % PANEL])
            sum = vd_fma(g, g, sum)
        vd_store(term, sum)
        lane[o] = term[0]
    return lane_sum(lane)


cdef void add(real* a, const real* b, ssize_t count) noexcept nogil:
    cdef ssize_t i
    for i in range(count // LANES):
        vr_store(a + i * LANES, vr_add(vr_load(a + i * LANES), vr_load(b + i * LANES)))


cdef OptimizerKernels kernels
kernels.update = update
kernels.sum_squares = sum_squares
kernels.narrow_sum_squares = narrow_sum_squares
kernels.add = add
table = PyCapsule_New(&kernels, "fastnn.optimizers", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
