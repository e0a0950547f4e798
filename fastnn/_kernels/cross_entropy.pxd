# Cross-entropy, row by row or, where that is quicker, a group of rows at once: the same bits either way.
#
# Row by row, a vector holds classes, and what is summed over them lies across it. With labels, no smoothing and few
# classes, a vector holds a class's outputs in DLANES rows instead, and every sum is one of whole vectors.

from libc.math cimport INFINITY

from fastnn._kernels.elementary cimport vd_exp_nonpositive, vd_log
from fastnn._kernels.lanes cimport LANE_VECTORS, lane_max
from fastnn._kernels.loss_rows cimport clear_deltas, load_targets, skip_row, weight_of
from fastnn._kernels.rows cimport clear_lanes, join_lanes, load_units, mask_units, store_units, unit_offset
from fastnn._kernels.simd cimport (
    DLANES, PANEL, real, vd, vd_add, vd_div, vd_fma, vd_from_real, vd_load, vd_max, vd_mul, vd_select_eq, vd_select_gt,
    vd_set, vd_store, vd_sub, vd_to_real
)
from fastnn._kernels.table cimport LossBatch

cdef enum:
    GROUP_CLASSES = 16           # at most: one for each lane of a sum


# ------------------------------------------------------------------ row by row


cdef inline vd positions(ssize_t j) noexcept nogil:
    """Return j, j + 1, …"""
    cdef double lane[DLANES]
    cdef int k
    for k in range(DLANES):
        lane[k] = k
    return vd_add(vd_set(<double> j), vd_load(lane))


cdef inline vd load_logits(const LossBatch* batch, ssize_t r, ssize_t j, double fill) noexcept nogil:
    """Load row r's outputs from class j on; `fill` beyond the last."""
    return load_units(batch.outputs + r * PANEL, batch.rows, j, batch.n_outputs, fill)


cdef inline vd exponentials(const LossBatch* batch, ssize_t r, ssize_t j, double top) noexcept nogil:
    """Return e^(o - top); 0 beyond the last class, by way of e^0: the denormals on the way of e^-infinity are slow."""
    cdef vd e = vd_exp_nonpositive(vd_sub(load_logits(batch, r, j, top), vd_set(top)))
    return mask_units(e, j, batch.n_outputs, 0)


cdef inline vd smoothed_targets(const LossBatch* batch, ssize_t r, ssize_t r1, ssize_t j, double on,
                                double off) noexcept nogil:
    """Return T = on * t + off of row r's classes from j on; 0 beyond the last."""
    cdef vd t
    if batch.labels != NULL:
        t = vd_select_eq(positions(j), vd_set(<double> batch.labels[r]), vd_set(on + off), vd_set(off))
    else:
        t = vd_fma(vd_set(on), load_targets(batch, r, r1, j), vd_set(off))
    return mask_units(t, j, batch.n_outputs, 0)


cdef inline double largest(const vd* lanes) noexcept nogil:
    cdef double lane[16]
    cdef ssize_t g
    for g in range(LANE_VECTORS):
        vd_store(lane + g * DLANES, lanes[g])
    return lane_max(lane)


cdef inline double first_largest(bint of_targets, const LossBatch* batch, ssize_t r, ssize_t r1,
                                 double* where) noexcept nogil:
    """Find the largest output (or target) of row r, and in `where` the first class that has it."""
    cdef ssize_t n = batch.n_outputs, block, g, j
    cdef vd best[LANE_VECTORS]
    cdef vd earliest[LANE_VECTORS]                           # the class, negated, so that the first is the largest
    cdef vd x
    cdef double top
    for g in range(LANE_VECTORS):
        best[g] = earliest[g] = vd_set(-INFINITY)
    for block in range(0, n, 16):
        for g in range(LANE_VECTORS):
            j = block + g * DLANES
            if j < n:
                if of_targets:
                    x = mask_units(load_targets(batch, r, r1, j), j, n, -INFINITY)
                else:
                    x = load_logits(batch, r, j, -INFINITY)
                earliest[g] = vd_select_gt(x, best[g], vd_sub(vd_set(0), positions(j)), earliest[g])
                best[g] = vd_max(x, best[g])
    top = largest(best)
    for g in range(LANE_VECTORS):
        earliest[g] = vd_select_eq(best[g], vd_set(top), earliest[g], vd_set(-INFINITY))
    where[0] = -largest(earliest)
    return top


cdef inline void cross_entropy_row(bint hard, const LossBatch* batch, ssize_t r, ssize_t r1, double weight,
                                   double* total, double* mass, double* rest) noexcept nogil:
    """Compute row r's hit and deltas, and its loss as mass * log(total) + rest. `hard`: labels without smoothing."""
    cdef ssize_t n = batch.n_outputs, block, g, j, k
    cdef double predicted, wanted, top = first_largest(False, batch, r, r1, &predicted)
    cdef double on = 1 if hard else 1 - batch.parameter, off = 0 if hard else batch.parameter / n
    cdef vd sums[LANE_VECTORS]
    cdef vd gaps[LANE_VECTORS]
    cdef vd kept[LANE_VECTORS]                               # the first 16 exponentials: often all there are
    cdef vd e, t, gap, factor, share
    clear_lanes(sums)
    for block in range(0, n, 16):
        for g in range(LANE_VECTORS):
            j = block + g * DLANES
            if j < n:
                e = exponentials(batch, r, j, top)
                sums[g] = vd_add(sums[g], e)
                if block == 0:
                    kept[g] = e
    total[0] = join_lanes(sums)

    if hard:
        mass[0] = 1
        rest[0] = top - batch.outputs[r * PANEL + unit_offset(batch.rows, batch.labels[r])]
    else:
        clear_lanes(sums)
        clear_lanes(gaps)
        for block in range(0, n, 16):
            for g in range(LANE_VECTORS):
                j = block + g * DLANES
                if j < n:
                    t = smoothed_targets(batch, r, r1, j, on, off)
                    gap = vd_mul(t, vd_sub(vd_set(top), load_logits(batch, r, j, top)))
                    sums[g] = vd_add(sums[g], t)
                    gaps[g] = vd_add(gaps[g], vd_select_eq(t, vd_set(0), vd_set(0), gap))     # 0 times infinity as well
        mass[0] = join_lanes(sums) if batch.labels == NULL else 1
        rest[0] = join_lanes(gaps)
    if batch.labels != NULL:
        wanted = <double> batch.labels[r]
    else:
        first_largest(True, batch, r, r1, &wanted)
    batch.hits[r] = weight if predicted == wanted else 0

    if batch.deltas != NULL:
        factor, share = vd_set(weight * batch.scale), vd_set(mass[0] / total[0])
        for k in range((n + DLANES - 1) // DLANES):
            t = smoothed_targets(batch, r, r1, k * DLANES, on, off)
            e = kept[k] if k < LANE_VECTORS else exponentials(batch, r, k * DLANES, top)
            t = vd_fma(e, share, vd_sub(vd_set(0), t))
            store_units(batch.deltas + r * PANEL, batch.rows, k * DLANES, n, vd_mul(factor, t))
        clear_deltas(batch, r, (n + DLANES - 1) // DLANES)


cdef inline void cross_entropy_rows(bint hard, const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef double total[16]
    cdef double mass[16]
    cdef double rest[16]
    cdef double weight
    cdef ssize_t start, count, k, g
    for start in range(r0, r1, 16):
        count = min(r1 - start, <ssize_t> 16)
        for k in range(16):
            total[k], mass[k], rest[k] = 1, 0, 0
        for k in range(count):
            weight = weight_of(batch, start + k)
            if weight == 0:
                skip_row(batch, start + k)
            else:
                cross_entropy_row(hard, batch, start + k, r1, weight, &total[k], &mass[k], &rest[k])
        for g in range(LANE_VECTORS):
            vd_store(rest + g * DLANES, vd_fma(vd_load(mass + g * DLANES), vd_log(vd_load(total + g * DLANES)),
                                               vd_load(rest + g * DLANES)))
        for k in range(count):
            batch.losses[start + k] = weight_of(batch, start + k) * rest[k]


# ------------------------------------------------------------ a group of rows

cdef inline void load_group(const LossBatch* batch, ssize_t r, vd* outputs) noexcept nogil:
    """Load of each class the outputs in DLANES rows from r on."""
    cdef real buffer[GROUP_CLASSES * DLANES]
    cdef const real* row
    cdef ssize_t j, k
    for k in range(DLANES):
        row = batch.outputs + (r + k) * PANEL
        for j in range(batch.n_outputs):
            buffer[j * DLANES + k] = row[unit_offset(batch.rows, j)]
    for j in range(batch.n_outputs):
        outputs[j] = vd_from_real(buffer + j * DLANES)


cdef inline void store_group(const LossBatch* batch, ssize_t r, const vd* deltas) noexcept nogil:
    cdef real buffer[GROUP_CLASSES * DLANES]
    cdef real* row
    cdef ssize_t j, k
    for j in range(batch.n_outputs):
        vd_to_real(buffer + j * DLANES, deltas[j])
    for k in range(DLANES):
        clear_deltas(batch, r + k, 0)
        row = batch.deltas + (r + k) * PANEL
        for j in range(batch.n_outputs):
            row[unit_offset(batch.rows, j)] = buffer[j * DLANES + k]


cdef inline vd group_sum(const vd* terms) noexcept nogil:
    """Return the sum of a term of each class, joined as lanes are."""
    cdef vd lane[8]
    cdef int i
    for i in range(8):
        lane[i] = vd_add(terms[i], terms[i + 8])
    for i in range(4):
        lane[i] = vd_add(lane[i], lane[i + 4])
    return vd_add(vd_add(lane[0], lane[2]), vd_add(lane[1], lane[3]))


cdef inline void cross_entropy_group(const LossBatch* batch, ssize_t r) noexcept nogil:
    """Compute rows r to r + DLANES, with labels and without smoothing."""
    cdef vd outputs[GROUP_CLASSES]
    cdef vd e[GROUP_CLASSES]
    cdef double lane[DLANES]
    cdef ssize_t j, k
    cdef vd zero = vd_set(0), one = vd_set(1)
    cdef vd top = vd_set(-INFINITY), predicted = vd_set(INFINITY), wanted = zero
    cdef vd label, weight, total, share, factor, loss, t
    for k in range(DLANES):
        lane[k] = <double> batch.labels[r + k]
    label = vd_load(lane)
    for k in range(DLANES):
        lane[k] = weight_of(batch, r + k)
    weight = vd_load(lane)
    load_group(batch, r, outputs)
    for j in range(batch.n_outputs):
        predicted = vd_select_gt(outputs[j], top, vd_set(<double> j), predicted)
        wanted = vd_select_eq(label, vd_set(<double> j), outputs[j], wanted)
        top = vd_max(outputs[j], top)
    for j in range(GROUP_CLASSES):
        e[j] = zero
    for j in range(batch.n_outputs):
        e[j] = vd_exp_nonpositive(vd_sub(outputs[j], top))
    total = group_sum(e)
    loss = vd_mul(weight, vd_add(vd_log(total), vd_sub(top, wanted)))
    vd_store(batch.losses + r, vd_select_eq(weight, zero, zero, loss))
    vd_store(batch.hits + r, vd_select_eq(predicted, label, weight, zero))
    if batch.deltas != NULL:
        factor, share = vd_mul(weight, vd_set(batch.scale)), vd_div(one, total)
        for j in range(batch.n_outputs):
            t = vd_select_eq(label, vd_set(<double> j), one, zero)
            t = vd_mul(factor, vd_fma(e[j], share, vd_sub(zero, t)))
            e[j] = vd_select_eq(weight, zero, zero, t)
        store_group(batch, r, e)


cdef inline void cross_entropy(const LossBatch* batch, ssize_t r0, ssize_t r1) noexcept nogil:
    if batch.labels != NULL and batch.parameter == 0:
        if batch.n_outputs <= GROUP_CLASSES:
            while r1 - r0 >= DLANES:
                cross_entropy_group(batch, r0)
                r0 += DLANES
        cross_entropy_rows(True, batch, r0, r1)
    else:
        cross_entropy_rows(False, batch, r0, r1)
