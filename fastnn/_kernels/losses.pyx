"""Losses of rows of raw outputs o against targets t, and their gradients.

Everything is computed in float64; a gradient is rounded to `real` once, as it is stored. Of one output (d = o - t;
q: its quantile; p: the parameter):

    loss                    value                                derivative
    mean squared            d²                                   2 d
    mean absolute           |d|                                  sign(d), 0 at 0
    Huber                   d²/2 if |d| < p, else p (|d| - p/2)  d within ±p
    log-cosh                |d| + log1p(expm1(-2|d|) / 2)        tanh(d)
    pinball                 max(-q d, (1 - q) d)                 -q below the target, 1 - q above it, 0 at it
    Poisson                 e^o - t o                            e^o - t
    binary cross-entropy    max(o, 0) - o t + log(1 + e^-|o|)    (1 - t) sigmoid(o) - t sigmoid(-o)

A row's loss is the mean over its n outputs, their sum in 16 lanes divided by n; its gradient is
(weight * scale / n) times the derivatives. Pinball's outputs are n_targets * n_quantiles columns, those of one target
side by side.

    cross-entropy           sum over j of T_j (log(sum over k of e^o_k) - o_j)          softmax(o)_j (sum of T) - T_j

with T = (1 - p) t + p / n, where t is the targets or the one-hot vector of the label; the largest output, the first if
several are, shifts the others. A row of weight 0 has loss and gradient 0, whatever its outputs.

To add one that treats outputs apart: write its term below, a function that gives the loop the term, and a line in the
list at the end.

Sources: Huber 1964; Saleh & Saleh 2022 (log-cosh); Koenker & Bassett 1978 (pinball); Szegedy et al. 2016 (label
smoothing).
"""

from cpython.pycapsule cimport PyCapsule_New

from fastnn._kernels.cross_entropy cimport cross_entropy
from fastnn._kernels.elementary cimport (
    vd_exp, vd_exp_nonpositive, vd_expm1_nonpositive, vd_log1p, vd_log1p_unit, vd_tanh
)
from fastnn._kernels.lanes cimport LANE_VECTORS
from fastnn._kernels.loss_rows cimport clear_deltas, load_targets, skip_row, weight_of
from fastnn._kernels.rows cimport clear_lanes, join_lanes, load_units, mask_units, store_units
from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport LossBatch, LossKernel, LossKernels


# ------------------------------------------- losses that treat outputs apart

cdef struct Term:            # of one output: its loss, the loss's derivative, whether a classifier is right (1 or 0)
    vd loss, gradient, hit

ctypedef void (*LossFunction)(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil
ctypedef Term (*TermFunction)(vd o, vd t, vd q, double parameter) noexcept nogil


cdef inline Term mean_squared(vd o, vd t, vd q, double parameter) noexcept nogil:
    cdef vd d = vd_sub(o, t)
    return Term(vd_mul(d, d), vd_add(d, d), vd_set(0))


cdef inline Term mean_absolute(vd o, vd t, vd q, double parameter) noexcept nogil:
    cdef vd d = vd_sub(o, t), zero = vd_set(0)
    cdef vd sign = vd_select_gt(d, zero, vd_set(1), vd_select_gt(zero, d, vd_set(-1), zero))
    return Term(vd_abs(d), sign, zero)


cdef inline Term huber(vd o, vd t, vd q, double parameter) noexcept nogil:
    cdef vd d = vd_sub(o, t), bound = vd_set(parameter)
    cdef vd size = vd_abs(d)
    cdef vd linear = vd_mul(bound, vd_sub(size, vd_set(0.5 * parameter)))
    cdef vd square = vd_mul(vd_mul(vd_set(0.5), d), d)
    return Term(vd_select_gt(bound, size, square, linear), vd_min(bound, vd_max(vd_set(-parameter), d)), vd_set(0))


cdef inline Term log_cosh(vd o, vd t, vd q, double parameter) noexcept nogil:
    cdef vd d = vd_sub(o, t)
    cdef vd size = vd_abs(d)
    cdef vd fall = vd_expm1_nonpositive(vd_mul(vd_set(-2), size))
    return Term(vd_add(size, vd_log1p(vd_mul(vd_set(0.5), fall))), vd_tanh(d), vd_set(0))


cdef inline Term pinball(vd o, vd t, vd q, double parameter) noexcept nogil:
    cdef vd d = vd_sub(t, o), zero = vd_set(0), below = vd_sub(q, vd_set(1))
    cdef vd slope = vd_select_gt(d, zero, q, vd_select_gt(zero, d, below, zero))
    return Term(vd_max(vd_mul(q, d), vd_mul(below, d)), vd_sub(zero, slope), zero)


cdef inline Term poisson(vd o, vd t, vd q, double parameter) noexcept nogil:
    cdef vd rate = vd_exp(o)
    return Term(vd_fma(vd_sub(vd_set(0), t), o, rate), vd_sub(rate, t), vd_set(0))


cdef inline Term binary_cross_entropy(vd o, vd t, vd q, double parameter) noexcept nogil:
    cdef vd zero = vd_set(0), one = vd_set(1)
    cdef vd minus_size = vd_copysign(o, vd_set(-1))
    cdef vd e = vd_exp_nonpositive(minus_size)
    cdef vd likely = vd_div(one, vd_add(one, e))             # sigmoid(|o|)
    cdef vd unlikely = vd_mul(e, likely)                     # sigmoid(-|o|)
    cdef vd up = vd_select_gt(o, zero, likely, unlikely), down = vd_select_gt(o, zero, unlikely, likely)
    cdef vd loss = vd_add(vd_fma(vd_sub(zero, o), t, vd_max(o, zero)), vd_log1p_unit(e))
    cdef vd gradient = vd_fma(vd_sub(one, t), up, vd_mul(vd_sub(zero, t), down))
    cdef vd hit = vd_select_eq(vd_select_gt(o, zero, one, zero), vd_select_gt(t, vd_set(0.5), one, zero), one, zero)
    return Term(loss, gradient, hit)


cdef inline void single_output(TermFunction term, bint has_quantiles, const LossBatch* batch, ssize_t r0,
                               ssize_t r1) noexcept nogil:
    """Take batches of one output: rows, not units, fill the vectors."""
    cdef double o[16]
    cdef double t[16]
    cdef double w[16]
    cdef double loss[16]
    cdef double hit[16]
    cdef real delta[16]
    cdef ssize_t start, count, k, g
    cdef vd weight, zero = vd_set(0), q = vd_set(batch.quantiles[0] if has_quantiles else 0)
    cdef Term x
    for start in range(r0, r1, 16):
        count = min(r1 - start, <ssize_t> 16)
        for k in range(16):
            o[k] = t[k] = w[k] = 0
        for k in range(count):
            o[k] = batch.outputs[(start + k) * PANEL]
            t[k] = batch.targets[(start + k) * batch.n_targets] if batch.labels == NULL else batch.labels[start + k]
            w[k] = weight_of(batch, start + k)
        for g in range(LANE_VECTORS):
            if g * DLANES < count:
                x = term(vd_load(o + g * DLANES), vd_load(t + g * DLANES), q, batch.parameter)
                weight = vd_load(w + g * DLANES)
                vd_store(loss + g * DLANES, vd_select_eq(weight, zero, zero, vd_mul(weight, x.loss)))
                vd_store(hit + g * DLANES, vd_mul(weight, x.hit))
                x.gradient = vd_mul(vd_mul(weight, vd_set(batch.scale)), x.gradient)
                vd_to_real(delta + g * DLANES, vd_select_eq(weight, zero, zero, x.gradient))
        for k in range(count):
            batch.losses[start + k] = loss[k]
            batch.hits[start + k] = hit[k]
        if batch.deltas != NULL:
            for k in range(count):
                clear_deltas(batch, start + k, 0)
                batch.deltas[(start + k) * PANEL] = delta[k]


cdef inline void many_outputs(TermFunction term, bint has_quantiles, bint has_hits, const LossBatch* batch, ssize_t r0,
                              ssize_t r1) noexcept nogil:
    cdef ssize_t n = batch.n_outputs, r, block, g, j, k, column
    cdef double weight
    cdef vd losses[LANE_VECTORS]
    cdef vd hits[LANE_VECTORS]
    cdef vd factor, o, t, q = vd_set(0)
    cdef double t_lane[DLANES]
    cdef double q_lane[DLANES]
    cdef Term x
    for r in range(r0, r1):
        weight = weight_of(batch, r)
        if weight == 0:
            skip_row(batch, r)
            continue
        factor = vd_set(weight * batch.scale / n)
        clear_lanes(losses)
        clear_lanes(hits)
        for block in range(0, n, 16):
            for g in range(LANE_VECTORS):
                j = block + g * DLANES
                if j < n:
                    o = load_units(batch.outputs + r * PANEL, batch.rows, j, n, 0)
                    if has_quantiles:
                        for k in range(DLANES):
                            column = min(j + k, n - 1)
                            t_lane[k] = batch.targets[r * batch.n_targets + column // batch.n_quantiles]
                            q_lane[k] = batch.quantiles[column % batch.n_quantiles]
                        t, q = vd_load(t_lane), vd_load(q_lane)
                    else:
                        t = load_targets(batch, r, r1, j)
                    x = term(o, t, q, batch.parameter)
                    losses[g] = vd_add(losses[g], mask_units(x.loss, j, n, 0))
                    hits[g] = vd_add(hits[g], mask_units(x.hit, j, n, 0))
                    if batch.deltas != NULL:
                        store_units(batch.deltas + r * PANEL, batch.rows, j, n, vd_mul(factor, x.gradient))
        batch.losses[r] = weight * (join_lanes(losses) / n)
        batch.hits[r] = weight * (join_lanes(hits) / n) if has_hits else 0
        if batch.deltas != NULL:
            clear_deltas(batch, r, (n + DLANES - 1) // DLANES)


cdef inline void separate(TermFunction term, bint has_quantiles, bint has_hits, const LossBatch* given, ssize_t r0,
                          ssize_t r1) noexcept nogil:
    """Apply term, inlined as the first three arguments are constants at every call: no branch on them is left."""
    cdef LossBatch batch = given[0]                          # a copy that no store to an array can be thought to change
    if batch.n_outputs == 1:
        single_output(term, has_quantiles, &batch, r0, r1)
    else:
        many_outputs(term, has_quantiles, has_hits, &batch, r0, r1)


cdef void mean_squared_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    separate(mean_squared, False, False, batch, r0, r1)


cdef void mean_absolute_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    separate(mean_absolute, False, False, batch, r0, r1)


cdef void huber_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    separate(huber, False, False, batch, r0, r1)


cdef void log_cosh_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    separate(log_cosh, False, False, batch, r0, r1)


cdef void pinball_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    separate(pinball, True, False, batch, r0, r1)


cdef void poisson_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    separate(poisson, False, False, batch, r0, r1)


cdef void binary_cross_entropy_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    separate(binary_cross_entropy, False, True, batch, r0, r1)


cdef void cross_entropy_loss(const LossBatch* given, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef LossBatch batch = given[0]
    cross_entropy(&batch, r0, r1)


# -------------------------------------------------------------------- the list

cdef LossKernels kernels


cdef void register(const char* name, LossFunction loss, const char* undoes) noexcept nogil:
    kernels.list[kernels.count] = LossKernel(name, loss, undoes)
    kernels.count += 1


register("mean_squared", mean_squared_loss, undoes=NULL)
register("mean_absolute", mean_absolute_loss, undoes=NULL)
register("huber", huber_loss, undoes=NULL)
register("log_cosh", log_cosh_loss, undoes=NULL)
register("pinball", pinball_loss, undoes=NULL)
register("poisson", poisson_loss, undoes=NULL)
register("cross_entropy", cross_entropy_loss, undoes="softmax")
register("binary_cross_entropy", binary_cross_entropy_loss, undoes="sigmoid")
table = PyCapsule_New(&kernels, "fastnn.losses", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
