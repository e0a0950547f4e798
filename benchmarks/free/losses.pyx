"""The two losses that `benchmarks.price` measures, in float32 throughout: rows fill vectors, sums go class by class.

Every row has the weight 1, and there are at most MAX_CLASSES classes.
"""

from cpython.pycapsule cimport PyCapsule_New

from fastnn._kernels.simd cimport *
from fastnn._kernels.table cimport LossBatch, LossKernel, LossKernels

cdef extern from "approximate.h" nogil:
    vr fast_exp(vr x) noexcept
    vr fast_log(vr x) noexcept

ctypedef void (*Rows)(const LossBatch* batch, ssize_t start, ssize_t count) noexcept nogil
ctypedef void (*LossFunction)(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil

cdef enum:
    MAX_CLASSES = 64


cdef inline void clear_deltas(const LossBatch* batch, ssize_t r) noexcept nogil:
    cdef ssize_t p
    for p in range((batch.n_outputs + PANEL - 1) // PANEL):
        vr_store(batch.deltas + (p * batch.rows + r) * PANEL, vr_set(0))
        vr_store(batch.deltas + (p * batch.rows + r) * PANEL + LANES, vr_set(0))


cdef inline ssize_t offset(const LossBatch* batch, ssize_t r, ssize_t j) noexcept nogil:
    return (j // PANEL * batch.rows + r) * PANEL + j % PANEL


cdef void cross_entropy(const LossBatch* batch, ssize_t start, ssize_t count) noexcept nogil:
    cdef real o[MAX_CLASSES * LANES]
    cdef real label[LANES]
    cdef real loss[LANES]
    cdef real hit[LANES]
    cdef ssize_t n = batch.n_outputs, k, j
    cdef vr x, e, t, top, best, total, wanted, share
    for j in range(n):
        for k in range(LANES):
            o[j * LANES + k] = batch.outputs[offset(batch, start + min(k, count - 1), j)]
    for k in range(LANES):
        label[k] = batch.labels[start + min(k, count - 1)]
    top, best = vr_load(o), vr_set(0)
    for j in range(1, n):
        x = vr_load(o + j * LANES)
        best = vr_select_gt(x, top, vr_set(j), best)
        top = vr_max(x, top)
    total = wanted = vr_set(0)
    for j in range(n):
        x = vr_load(o + j * LANES)
        wanted = vr_select_eq(vr_set(j), vr_load(label), x, wanted)
        e = fast_exp(vr_sub(x, top))
        total = vr_add(total, e)
        vr_store(o + j * LANES, e)
    vr_store(loss, vr_add(fast_log(total), vr_sub(top, wanted)))
    vr_store(hit, vr_select_eq(best, vr_load(label), vr_set(1), vr_set(0)))
    for k in range(count):
        batch.losses[start + k] = loss[k]
        batch.hits[start + k] = hit[k]
    if batch.deltas != NULL:
        share = vr_div(vr_set(batch.scale), total)
        for j in range(n):
            t = vr_select_eq(vr_set(j), vr_load(label), vr_set(batch.scale), vr_set(0))
            vr_store(o + j * LANES, vr_sub(vr_mul(vr_load(o + j * LANES), share), t))
        for k in range(count):
            clear_deltas(batch, start + k)
            for j in range(n):
                batch.deltas[offset(batch, start + k, j)] = o[j * LANES + k]


cdef void binary_cross_entropy(const LossBatch* batch, ssize_t start, ssize_t count) noexcept nogil:
    cdef real o[LANES]
    cdef real label[LANES]
    cdef real loss[LANES]
    cdef real hit[LANES]
    cdef real delta[LANES]
    cdef ssize_t k, r
    cdef vr x, t, e, s, size, right
    cdef vr one = vr_set(1), zero = vr_set(0)
    for k in range(LANES):
        r = start + min(k, count - 1)
        o[k] = batch.outputs[r * PANEL]
        label[k] = batch.labels[r] if batch.labels != NULL else batch.targets[r * batch.n_targets]
    x, t = vr_load(o), vr_load(label)
    size = vr_max(x, vr_sub(zero, x))
    e = fast_exp(vr_sub(zero, size))
    s = vr_div(vr_select_gt(x, zero, one, e), vr_add(one, e))
    vr_store(loss, vr_add(vr_sub(vr_max(x, zero), vr_mul(x, t)), fast_log(vr_add(one, e))))
    right = vr_select_eq(vr_select_gt(x, zero, one, zero), t, one, zero)
    vr_store(hit, right)
    vr_store(delta, vr_mul(vr_set(batch.scale), vr_sub(s, t)))
    for k in range(count):
        batch.losses[start + k] = loss[k]
        batch.hits[start + k] = hit[k]
    if batch.deltas != NULL:
        for k in range(count):
            clear_deltas(batch, start + k)
            batch.deltas[(start + k) * PANEL] = delta[k]


cdef inline void each(Rows rows, const LossBatch* given, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef LossBatch batch = given[0]
    while r0 < r1:
        rows(&batch, r0, min(r1 - r0, <ssize_t> LANES))
        r0 += LANES


cdef void cross_entropy_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    each(cross_entropy, batch, r0, r1)


cdef void binary_cross_entropy_loss(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    each(binary_cross_entropy, batch, r0, r1)


cdef LossKernels kernels


cdef void register(const char* name, LossFunction loss, const char* undoes) noexcept nogil:
    kernels.list[kernels.count] = LossKernel(name, loss, undoes)
    kernels.count += 1


register("cross_entropy", cross_entropy_loss, undoes="softmax")
register("binary_cross_entropy", binary_cross_entropy_loss, undoes="sigmoid")
table = PyCapsule_New(&kernels, "fastnn.losses", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
