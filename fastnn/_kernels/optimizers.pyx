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
    RAdam     as Adam, root_scale 1, step_size with the factor of rectification; while rho <= 5, root_scale 0 and e 1
    NAdam     m and v as Adam's
              w = w - fma(gradient_step, g, step_size * m) / fma(sqrt(v), root_scale, e)
    RMSprop   v = fma((1 - beta2) * g, g, beta2 * v);  u = v, or centered:
              a = fma(1 - beta2, g - a, a), u = max(0, fma(-a, a, v))
              d = g / (sqrt(u) + e);  with momentum b = fma(momentum, b, d), d = b
              w = fma(-step_size, d, w)
    Adagrad   s = fma(g, g, s)
              w = fma(-step_size, g / (sqrt(s) + e), w)
    Lion      w = fma(-step_size, sign(fma(1 - beta1, g - m, m)), w);  m = fma(1 - beta2, g - m, m)
State: SGD (b), Adam (m, v, u), NAdam (m, v), RMSprop (v, b, a), Adagrad (s), Lion (m). Padding stays zero as long as e
is positive.

To add one: write its step below, the function that gives the loop the step, and a line in the list at the end.

Sources: Polyak 1964 and Nesterov 1983 as in Sutskever et al. 2013 (SGD), Kingma & Ba 2015 (Adam), Loshchilov & Hutter
2019 (decoupled decay), Reddi et al. 2018 (AMSGrad), Liu et al. 2020 (RAdam), Dozat 2016 (NAdam), Tieleman & Hinton
2012 (RMSprop), Graves 2013 (centered), Duchi et al. 2011 (Adagrad), Chen et al. 2023 (Lion).
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY

from fastnn._kernels.lanes cimport LANE_VECTORS, lane_sum
from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport OptimizerKernel, OptimizerKernels, UpdateRule


cdef enum Extras:                                            # what comes before the optimizer's own formulas
    NONE, SCALED, PENALISED


cdef struct Scalars:                                         # the rule, each number rounded to real and in all lanes
    vr gradient_scale, clip_value, l1, l2, decay, minus_step_size, step_size, gradient_step
    vr momentum, one_minus_beta1, beta2, one_minus_beta2, epsilon, root_scale


cdef struct Span:                                            # the arguments of an update beside its rule
    real* parameter
    const real* gradient
    real* state0
    real* state1
    real* state2
    ssize_t count, width
    const real* factors

ctypedef bint (*Update)(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                        real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil


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
    """Return g within ±bound; NaN stays NaN: the second operand is what vr_max and vr_min give then."""
    return vr_min(bound, vr_max(vr_sub(vr_set(0), bound), g))


cdef inline vr smoothed_square(const Scalars* s, vr g, vr v) noexcept nogil:
    return vr_fma(vr_mul(s.one_minus_beta2, g), g, vr_mul(s.beta2, v))


# -------------------------------------------------------------- a vector's step
# w and g are the vector's parameters and gradients, to which what comes first is done; the states' vectors stand at
# `at`. `momentum` and `option` are constants wherever a step is inlined.

ctypedef vr (*Step)(const Scalars* s, vr w, vr g, const Span* span, ssize_t at, bint momentum,
                    bint option) noexcept nogil


cdef inline vr sgd(const Scalars* s, vr w, vr g, const Span* span, ssize_t at, bint momentum,
                   bint nesterov) noexcept nogil:
    cdef vr b
    if momentum:
        b = vr_fma(s.momentum, vr_load(span.state0 + at), g)
        vr_store(span.state0 + at, b)
        g = vr_fma(s.momentum, b, g) if nesterov else b
    return vr_fma(s.minus_step_size, g, w)


cdef inline vr adam(const Scalars* s, vr w, vr g, const Span* span, ssize_t at, bint momentum,
                    bint amsgrad) noexcept nogil:
    cdef vr m = vr_load(span.state0 + at)
    cdef vr v = smoothed_square(s, g, vr_load(span.state1 + at))
    m = vr_fma(s.one_minus_beta1, vr_sub(g, m), m)
    vr_store(span.state0 + at, m)
    vr_store(span.state1 + at, v)
    if amsgrad:
        v = vr_max(vr_load(span.state2 + at), v)
        vr_store(span.state2 + at, v)
    return vr_fma(s.minus_step_size, vr_div(m, vr_fma(vr_sqrt(v), s.root_scale, s.epsilon)), w)


cdef inline vr nadam(const Scalars* s, vr w, vr g, const Span* span, ssize_t at, bint momentum,
                     bint option) noexcept nogil:
    cdef vr m = vr_load(span.state0 + at)
    cdef vr v = smoothed_square(s, g, vr_load(span.state1 + at))
    m = vr_fma(s.one_minus_beta1, vr_sub(g, m), m)
    vr_store(span.state0 + at, m)
    vr_store(span.state1 + at, v)
    cdef vr step = vr_fma(s.gradient_step, g, vr_mul(s.step_size, m))
    return vr_sub(w, vr_div(step, vr_fma(vr_sqrt(v), s.root_scale, s.epsilon)))


cdef inline vr rmsprop(const Scalars* s, vr w, vr g, const Span* span, ssize_t at, bint momentum,
                       bint centered) noexcept nogil:
    cdef vr v = smoothed_square(s, g, vr_load(span.state0 + at)), a, d
    vr_store(span.state0 + at, v)
    if centered:
        a = vr_load(span.state2 + at)
        a = vr_fma(s.one_minus_beta2, vr_sub(g, a), a)
        vr_store(span.state2 + at, a)
        v = vr_max(vr_set(0), vr_fma(vr_sub(vr_set(0), a), a, v))      # rounding may leave the variance below zero
    d = vr_div(g, vr_add(vr_sqrt(v), s.epsilon))
    if momentum:
        d = vr_fma(s.momentum, vr_load(span.state1 + at), d)
        vr_store(span.state1 + at, d)
    return vr_fma(s.minus_step_size, d, w)


cdef inline vr adagrad(const Scalars* s, vr w, vr g, const Span* span, ssize_t at, bint momentum,
                       bint option) noexcept nogil:
    cdef vr v = vr_fma(g, g, vr_load(span.state0 + at))
    vr_store(span.state0 + at, v)
    return vr_fma(s.minus_step_size, vr_div(g, vr_add(vr_sqrt(v), s.epsilon)), w)


cdef inline vr lion(const Scalars* s, vr w, vr g, const Span* span, ssize_t at, bint momentum,
                    bint option) noexcept nogil:
    cdef vr m = vr_load(span.state0 + at)
    cdef vr change = vr_sub(g, m)
    vr_store(span.state0 + at, vr_fma(s.one_minus_beta2, change, m))
    return vr_fma(s.minus_step_size, sign(vr_fma(s.one_minus_beta1, change, m)), w)


# -------------------------------------------------------------------- the loop

cdef inline vr finite_or(vr w, vr old) noexcept nogil:
    return vr_select_eq(vr_sub(w, w), vr_set(0), w, old)


cdef inline bint steps(Step step, int watched, bint momentum, bint option, int extras, const UpdateRule* rule,
                       const Span* span) noexcept nogil:
    """Loop. The first five arguments are constants wherever this is inlined, so they leave no branch inside.

    watched: the number of the state that could leave the finite range unseen, the parameter still finite; -1: none.
    """
    cdef Scalars s = rounded(rule)
    cdef vr before[2]
    cdef vr w, g, check
    cdef const real* state = span.state1 if watched == 1 else span.state0
    cdef bint diverged = False
    cdef ssize_t i, k, at
    for i in range(span.count // PANEL):
        check = vr_set(0)
        for k in range(2):
            if k * LANES < span.width:
                at = i * PANEL + k * LANES
                w = before[k] = vr_load(span.parameter + at)
                if span.factors == NULL:
                    g = vr_load(span.gradient + at)
                else:
                    g = vr_fma(vr_set(span.factors[i]), vr_load(span.gradient + k * LANES), vr_set(0))
                if extras >= SCALED:
                    g = vr_mul(s.gradient_scale, g)
                    w = vr_mul(s.decay, w)
                if extras == PENALISED:
                    g = vr_fma(s.l1, sign(before[k]), vr_fma(s.l2, before[k], clipped(g, s.clip_value)))
                w = step(&s, w, g, span, at, momentum, option)
                check = vr_fma(w, vr_set(0), check)              # 0, or NaN where w is not finite
                if watched >= 0:
                    check = vr_fma(vr_load(state + at), vr_set(0), check)
                vr_store(span.parameter + at, w)
        if vr_has_nan(check):
            diverged = True
            for k in range(2):
                if k * LANES < span.width:
                    at = i * PANEL + k * LANES
                    vr_store(span.parameter + at, finite_or(vr_load(span.parameter + at), before[k]))
    return diverged


cdef inline bint updated(Step step, int watched, bint momentum, bint option, const UpdateRule* rule,
                         const Span* span) noexcept nogil:
    """Loop with no more than the rule needs."""
    if rule.clip_value < INFINITY or rule.l1 != 0 or rule.l2 != 0:
        return steps(step, watched, momentum, option, PENALISED, rule, span)
    if rule.gradient_scale != 1 or rule.decay != 1:
        return steps(step, watched, momentum, option, SCALED, rule, span)
    return steps(step, watched, momentum, option, NONE, rule, span)


# -------------------------------------------------------------- the optimizers

cdef bint sgd_update(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                     real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil:
    cdef Span span = Span(parameter, gradient, state0, state1, state2, count, width, factors)
    if rule.momentum == 0:
        return updated(sgd, -1, False, False, rule, &span)
    if rule.nesterov:
        return updated(sgd, -1, True, True, rule, &span)
    return updated(sgd, -1, True, False, rule, &span)


cdef bint adam_update(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                      real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil:
    cdef Span span = Span(parameter, gradient, state0, state1, state2, count, width, factors)
    if rule.amsgrad:
        return updated(adam, 1, False, True, rule, &span)
    return updated(adam, 1, False, False, rule, &span)


cdef bint nadam_update(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                       real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil:
    cdef Span span = Span(parameter, gradient, state0, state1, state2, count, width, factors)
    return updated(nadam, 1, False, False, rule, &span)


cdef bint rmsprop_update(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                         real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil:
    cdef Span span = Span(parameter, gradient, state0, state1, state2, count, width, factors)
    if rule.centered:
        if rule.momentum != 0:
            return updated(rmsprop, 0, True, True, rule, &span)
        return updated(rmsprop, 0, False, True, rule, &span)
    if rule.momentum != 0:
        return updated(rmsprop, 0, True, False, rule, &span)
    return updated(rmsprop, 0, False, False, rule, &span)


cdef bint adagrad_update(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                         real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil:
    cdef Span span = Span(parameter, gradient, state0, state1, state2, count, width, factors)
    return updated(adagrad, 0, False, False, rule, &span)


cdef bint lion_update(const UpdateRule* rule, real* parameter, const real* gradient, real* state0, real* state1,
                      real* state2, ssize_t count, ssize_t width, const real* factors) noexcept nogil:
    cdef Span span = Span(parameter, gradient, state0, state1, state2, count, width, factors)
    return updated(lion, 0, False, False, rule, &span)       # the sign of NaN is 0: only the mean shows it


# ------------------------------------------------------------------------ sums

cdef double sum_squares(const real* gradient, ssize_t n_in, ssize_t n_out, ssize_t o0) noexcept nogil:
    """Sum squares of 16 columns: of one panel where P >= 16, else of 16 // P. Squares of float32 are exact."""
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


# -------------------------------------------------------------------- the list

cdef OptimizerKernels kernels


cdef void register(const char* name, Update update) noexcept nogil:
    kernels.list[kernels.count] = OptimizerKernel(name, update)
    kernels.count += 1


register("sgd", sgd_update)
register("adam", adam_update)
register("nadam", nadam_update)
register("rmsprop", rmsprop_update)
register("adagrad", adagrad_update)
register("lion", lion_update)
kernels.sum_squares = sum_squares
kernels.narrow_sum_squares = narrow_sum_squares
kernels.add = add
table = PyCapsule_New(&kernels, "fastnn.optimizers", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
