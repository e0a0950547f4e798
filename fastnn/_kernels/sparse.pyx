"""The first dense layer on sparse rows: the chains of dense.pyx without the terms in which x is zero.

Such a term, acc = fma(0, b, acc) with a finite b, leaves acc as it is, so the results are those of dense rows. What it
may change is the sign of a zero that a product too small for the smallest denormal number has left (docs/numerics.md).

    forward           y [r, o] = sum_i  x[r, i]  W [o, i]      over the entries of row r, columns ascending
    weight gradient   dW[o, i] = sum_r dy[r, o]  x [r, i]      over the entries of column i, rows ascending, by shards

The first reads rows as they lie. For the second the entries of a chunk of the batch are sorted by columns.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from fastnn._kernels.shards cimport Row, join_shard
from fastnn._kernels.simd cimport (
    FASTNN_PREFETCH, FASTNN_REAL_BITS, ISA_NAME, LANES, PANEL, real, real_fma, vr, vr_add, vr_fma, vr_load,
    vr_select_gt, vr_set, vr_store
)
from fastnn._kernels.table cimport SparseEntries, SparseKernels, SparseRows

cdef enum:
    GROUP = 4                    # panels of a row computed side by side: their chains do not wait for each other
    AHEAD = 8                    # entries whose weights are on their way
    DIGIT = 11                   # bits that a pass of the radix sort looks at
    DIGITS = 1 << DIGIT
    NARROW = 4                   # outputs of a narrow layer at most


cdef inline ssize_t row_of(const int64_t* index, ssize_t first, ssize_t r) noexcept nogil:
    return index[r] if index != NULL else first + r


# --------------------------------------------------------------------- gather

cdef void gather(const SparseRows* x, const int64_t* index, ssize_t first, ssize_t n, real* panels, ssize_t rows,
                 ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t r, p, e, row, j
    for p in range((n + PANEL - 1) // PANEL):
        memset(panels + (p * rows + r0) * PANEL, 0, (r1 - r0) * PANEL * sizeof(real))
    for r in range(r0, r1):
        row = row_of(index, first, r)
        for e in range(x.starts[row], x.starts[row + 1]):
            j = x.columns[e]
            panels[(j // PANEL * rows + r) * PANEL + j % PANEL] = x.values[e]


# -------------------------------------------------------------------- forward

cdef inline void prefetch_weights(int G, int V, const real* weight, ssize_t n_in) noexcept nogil:
    cdef ssize_t line
    cdef int g
    for g in range(G):
        for line in range((V * LANES * sizeof(real) + 63) // 64):
            FASTNN_PREFETCH(<const char*> (weight + g * n_in * PANEL) + 64 * line)


cdef inline void forward_row(int G, int V, const real* values, const int32_t* columns, ssize_t count,
                             const real* weight, const real* bias, real* y, ssize_t rows, ssize_t n_in,
                             bint with_relu) noexcept nogil:
    """Compute G panels of V vectors of a row's outputs; both are compile-time constants at every call."""
    cdef Row acc[GROUP]
    cdef const real* w
    cdef vr x_e
    cdef ssize_t e
    cdef int g, v
    for g in range(G):
        for v in range(V):
            acc[g][v] = vr_set(0)
    for e in range(count):
        if e + AHEAD < count:
            prefetch_weights(G, V, weight + columns[e + AHEAD] * <ssize_t> PANEL, n_in)
        x_e = vr_set(values[e])
        w = weight + columns[e] * <ssize_t> PANEL
        for g in range(G):
            for v in range(V):
                acc[g][v] = vr_fma(x_e, vr_load(w + g * n_in * PANEL + v * LANES), acc[g][v])
    for g in range(G):
        for v in range(V):
            acc[g][v] = vr_add(acc[g][v], vr_load(bias + g * PANEL + v * LANES))
            if with_relu:
                acc[g][v] = vr_select_gt(vr_set(0), acc[g][v], vr_set(0), acc[g][v])
            vr_store(y + g * rows * PANEL + v * LANES, acc[g][v])
        for v in range(V, 2):
            vr_store(y + g * rows * PANEL + v * LANES, vr_set(0))


cdef inline void forward_group(int G, int V, const SparseRows* x, const int64_t* index, ssize_t first,
                               const real* weight, const real* bias, real* y, ssize_t rows, ssize_t n_in, ssize_t r0,
                               ssize_t r1, bint with_relu) noexcept nogil:
    cdef ssize_t r, start, row
    for r in range(r0, r1):
        row = row_of(index, first, r)
        start = x.starts[row]
        forward_row(G, V, x.values + start, x.columns + start, x.starts[row + 1] - start, weight, bias,
                    y + r * PANEL, rows, n_in, with_relu)


cdef void forward(const SparseRows* x, const int64_t* index, ssize_t first, const real* weight, const real* bias,
                  real* y, ssize_t rows, ssize_t n_in, ssize_t n_out, ssize_t r0, ssize_t r1,
                  bint with_relu) noexcept nogil:
    cdef ssize_t o = 0
    while n_out - o > (GROUP - 1) * PANEL:
        forward_group(GROUP, 2, x, index, first, weight + o * n_in, bias + o, y + o * rows, rows, n_in, r0, r1,
                      with_relu)
        o += GROUP * PANEL
    while n_out - o > PANEL:
        forward_group(2, 2, x, index, first, weight + o * n_in, bias + o, y + o * rows, rows, n_in, r0, r1, with_relu)
        o += 2 * PANEL
    if n_out - o > LANES:
        forward_group(1, 2, x, index, first, weight + o * n_in, bias + o, y + o * rows, rows, n_in, r0, r1, with_relu)
    elif n_out - o > 0:
        forward_group(1, 1, x, index, first, weight + o * n_in, bias + o, y + o * rows, rows, n_in, r0, r1, with_relu)


cdef inline void narrow_rows(int N, const SparseRows* x, const int64_t* index, ssize_t first, const real* weight,
                             const real* bias, real* y, ssize_t rows, ssize_t r0, ssize_t r1,
                             bint with_relu) noexcept nogil:
    cdef real acc[NARROW]
    cdef const real* w
    cdef ssize_t r, e, row, j
    cdef int o
    for r in range(r0, r1):
        row = row_of(index, first, r)
        for o in range(N):
            acc[o] = 0
        for e in range(x.starts[row], x.starts[row + 1]):
            j = x.columns[e]
            w = weight + j // PANEL * N * PANEL + j % PANEL
            for o in range(N):
                acc[o] = real_fma(x.values[e], w[o * PANEL], acc[o])
        for o in range(N):
            acc[o] += bias[o]
            y[r * PANEL + o] = 0 if with_relu and acc[o] < 0 else acc[o]


cdef void narrow_forward(const SparseRows* x, const int64_t* index, ssize_t first, const real* transposed,
                         const real* bias, real* y, ssize_t rows, ssize_t n_in, ssize_t n_out, ssize_t r0, ssize_t r1,
                         bint with_relu) noexcept nogil:
    if n_out == 1:
        narrow_rows(1, x, index, first, transposed, bias, y, rows, r0, r1, with_relu)
    elif n_out == 2:
        narrow_rows(2, x, index, first, transposed, bias, y, rows, r0, r1, with_relu)
    elif n_out == 3:
        narrow_rows(3, x, index, first, transposed, bias, y, rows, r0, r1, with_relu)
    elif n_out == 4:
        narrow_rows(4, x, index, first, transposed, bias, y, rows, r0, r1, with_relu)


# -------------------------------------------------------------------- sorting

cdef inline void collect(const SparseRows* x, const int64_t* index, ssize_t first, ssize_t n_rows, ssize_t c0,
                         ssize_t c1, SparseEntries* to) noexcept nogil:
    """Collect the entries of columns c0..c1 in the order of the rows."""
    cdef ssize_t r, e, row, n = 0
    for r in range(n_rows):
        row = row_of(index, first, r)
        for e in range(x.starts[row], x.starts[row + 1]):
            if c0 <= x.columns[e] < c1:
                to.columns[n], to.rows[n], to.values[n] = x.columns[e], <int32_t> r, x.values[e]
                n += 1
    to.count = n


cdef inline void sort_by_digit(const SparseEntries* source, SparseEntries* target, ssize_t c0,
                               int shift) noexcept nogil:
    cdef ssize_t[DIGITS] start
    cdef ssize_t i, at, digit, count, total = 0
    memset(start, 0, sizeof(start))
    for i in range(source.count):
        start[((source.columns[i] - c0) >> shift) & (DIGITS - 1)] += 1
    for digit in range(DIGITS):
        count = start[digit]
        start[digit] = total
        total += count
    for i in range(source.count):
        digit = ((source.columns[i] - c0) >> shift) & (DIGITS - 1)
        at = start[digit]
        target.columns[at], target.rows[at], target.values[at] = source.columns[i], source.rows[i], source.values[i]
        start[digit] = at + 1
    target.count = source.count


cdef void sort_entries(const SparseRows* x, const int64_t* index, ssize_t first, ssize_t n_rows, ssize_t c0,
                       ssize_t c1, SparseEntries* entries, SparseEntries* spare) noexcept nogil:
    cdef SparseEntries* source = entries
    cdef SparseEntries* target = spare
    cdef ssize_t largest = c1 - c0 - 1 if n_rows > 1 else 0  # a lone row is in order
    cdef int done, passes = 0
    while largest > 0:
        largest >>= DIGIT
        passes += 1
    if passes & 1:
        source, target = spare, entries
    collect(x, index, first, n_rows, c0, c1, source)
    for done in range(passes):
        sort_by_digit(source, target, c0, DIGIT * done)
        source, target = target, source


# ------------------------------------------------------------------ gradients

cdef inline void add_entries(int V, Row* acc, const SparseEntries* entries, ssize_t e0, ssize_t e1,
                             const real* dy) noexcept nogil:
    cdef const real* dy_e
    cdef vr x_e
    cdef ssize_t e
    cdef int v
    for e in range(e0, e1):
        x_e = vr_set(entries.values[e])
        dy_e = dy + entries.rows[e] * <ssize_t> PANEL
        for v in range(V):
            acc[0][v] = vr_fma(x_e, vr_load(dy_e + v * LANES), acc[0][v])


cdef inline void column_gradient(int V, const SparseEntries* entries, ssize_t e0, ssize_t e1, const real* dy,
                                 real* gradient, real* scratch, ssize_t n_shards, ssize_t shard) noexcept nogil:
    """Compute the gradient of one input's weights, V vectors, from its entries e0..e1."""
    cdef Row acc
    cdef ssize_t s, e
    cdef int v
    for v in range(V):
        acc[v] = vr_set(0)
    if entries.rows[e0] // shard == entries.rows[e1 - 1] // shard:
        add_entries(V, &acc, entries, e0, e1, dy)
        for v in range(V):
            if n_shards > 1:
                acc[v] = vr_add(acc[v], vr_set(0))           # the sum of another shard
            vr_store(gradient + v * LANES, acc[v])
        return
    for s in range(n_shards):
        e = e0
        while e < e1 and entries.rows[e] < (s + 1) * shard:
            e += 1
        for v in range(V):
            acc[v] = vr_set(0)
        add_entries(V, &acc, entries, e0, e, dy)
        join_shard(1, V, &acc, s, n_shards, scratch, gradient)
        e0 = e


cdef inline ssize_t end_of_column(const SparseEntries* entries, ssize_t e) noexcept nogil:
    cdef int32_t column = entries.columns[e]
    while e < entries.count and entries.columns[e] == column:
        e += 1
    return e


cdef inline ssize_t gradient_block(int V, const SparseEntries* entries, ssize_t e, const real* dy, real* gradient,
                                   real* scratch, ssize_t n_shards, ssize_t shard, ssize_t i0,
                                   ssize_t i1) noexcept nogil:
    cdef ssize_t end
    cdef int v
    while e < entries.count and entries.columns[e] < i1:
        end = end_of_column(entries, e)
        column_gradient(V, entries, e, end, dy, gradient + (entries.columns[e] - i0) * PANEL, scratch, n_shards, shard)
        for v in range(V, 2):
            vr_store(gradient + (entries.columns[e] - i0) * PANEL + v * LANES, vr_set(0))
        e = end
    return e


cdef ssize_t weight_gradient(const SparseEntries* entries, ssize_t e, const real* dy, real* gradient, real* scratch,
                             ssize_t rows, ssize_t n_rows, ssize_t shard, ssize_t n_in, ssize_t n_out,
                             ssize_t in_panel, ssize_t out_panel) noexcept nogil:
    cdef ssize_t i0 = in_panel * PANEL, i1 = min(n_in, i0 + PANEL), n_shards = (n_rows + shard - 1) // shard
    dy += out_panel * rows * PANEL
    if n_out - out_panel * PANEL > LANES:
        return gradient_block(2, entries, e, dy, gradient, scratch, n_shards, shard, i0, i1)
    return gradient_block(1, entries, e, dy, gradient, scratch, n_shards, shard, i0, i1)


cdef ssize_t narrow_gradient(const SparseEntries* entries, ssize_t e, const real* dy, real* gradient, real* scratch,
                             ssize_t rows, ssize_t n_rows, ssize_t shard, ssize_t n_in, ssize_t n_out,
                             ssize_t in_panel) noexcept nogil:
    cdef real outputs[PANEL]
    cdef ssize_t i0 = in_panel * PANEL, i1 = min(n_in, i0 + PANEL), n_shards = (n_rows + shard - 1) // shard
    cdef ssize_t o, end
    while e < entries.count and entries.columns[e] < i1:
        end = end_of_column(entries, e)
        column_gradient(2, entries, e, end, dy, outputs, scratch, n_shards, shard)
        for o in range(n_out):
            gradient[o * PANEL + entries.columns[e] - i0] = outputs[o]
        e = end
    return e


cdef SparseKernels kernels
kernels.gather = gather
kernels.forward = forward
kernels.narrow_forward = narrow_forward
kernels.sort_entries = sort_entries
kernels.weight_gradient = weight_gradient
kernels.narrow_gradient = narrow_gradient
table = PyCapsule_New(&kernels, "fastnn.sparse", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
