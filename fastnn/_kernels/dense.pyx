"""The dense layer: y = x Wᵀ + b, and its gradients.

Every output element is one chain acc = fma(a_k, b_k, acc) with k ascending from +0; vectors and threads run over rows
and columns only. All three products share one register tile of up to TILE_ROWS rows by one panel (two vectors), so
that 16 chains hide the latency of fma:

    forward           y [r, o] = sum_i  x[r, i]  W [o, i]      tile: rows by outputs, k = inputs
    backward          dx[r, i] = sum_o dy[r, o]  W [o, i]      tile: rows by inputs,  k = outputs
    weight gradient   dW[o, i] = sum_r dy[r, o]  x [r, i]      tile: inputs by outputs, k = rows, shard by shard

A layer of few outputs would leave most of a panel empty. It is narrow: its weight is kept transposed, inputs in the
vectors, so that its backward pass needs no other copy and its weight gradient is that of the transposed problem, x and
dy exchanged. In its forward pass rows fill the vectors.
"""

from cpython.pycapsule cimport PyCapsule_New

from fastnn._kernels.shards cimport Row, join_shard
from fastnn._kernels.simd cimport (
    FASTNN_REAL_BITS, ISA_NAME, LANES, PANEL, TILE_ROWS, real, real_fma, vr, vr_add, vr_fma, vr_load, vr_select_gt,
    vr_set, vr_store
)
from fastnn._kernels.table cimport DenseKernels
from fastnn._kernels.transpose cimport transpose_square

cdef enum:
    MAX_ROWS = 8                # no instruction set has a larger TILE_ROWS
    ROW_PANELS = 2              # panels that a lone row computes side by side: as fast as weights can be read
    SQUARE_OUTPUTS = 4          # fewer are transposed one real at a time
    NARROW = 4                  # outputs of a narrow layer at most


# ------------------------------------------------------------------- the tile
# M (rows) and V (vectors) are compile-time constants at every call, so the tile stays in registers.

cdef inline void clear(int M, int V, Row* acc) noexcept nogil:
    cdef int m, v
    for m in range(M):
        for v in range(V):
            acc[m][v] = vr_set(0)


cdef inline void multiply_add(int M, int V, Row* acc, const real* a, ssize_t a_row, ssize_t a_k, const real* b,
                              ssize_t K) noexcept nogil:
    """Compute acc[m] += sum_k a[m * a_row + k * a_k] * b[k * PANEL + ...], k ascending."""
    cdef ssize_t k
    cdef int m, v
    cdef vr b_k[2]
    cdef vr a_mk
    for k in range(K):
        for v in range(V):
            b_k[v] = vr_load(b + k * PANEL + v * LANES)
        for m in range(M):
            a_mk = vr_set(a[m * a_row + k * a_k])
            for v in range(V):
                acc[m][v] = vr_fma(a_mk, b_k[v], acc[m][v])


cdef inline void multiply_panels(int M, int V, Row* acc, const real* a, const real* b, ssize_t rows,
                                 ssize_t K) noexcept nogil:
    """Do what multiply_add does where a is M rows of panels."""
    cdef ssize_t k = 0
    while k + PANEL <= K:
        multiply_add(M, V, acc, a + k * rows, PANEL, 1, b + k * PANEL, PANEL)
        k += PANEL
    multiply_add(M, V, acc, a + k * rows, PANEL, 1, b + k * PANEL, K - k)


cdef inline vr relu(vr z) noexcept nogil:
    return vr_select_gt(vr_set(0), z, vr_set(0), z)             # lets NaN through


# ------------------------------------------------------------------ transposing

cdef void transpose(const real* weight, real* transposed, ssize_t n_in, ssize_t n_out, ssize_t in_panel,
                    ssize_t out_panel) noexcept nogil:
    cdef ssize_t n_inputs = min(n_in - in_panel * PANEL, <ssize_t> PANEL)
    cdef ssize_t n_outputs = min(n_out - out_panel * PANEL, <ssize_t> PANEL)
    cdef ssize_t i, o, i0, o0 = 0
    weight += (out_panel * n_in + in_panel * PANEL) * PANEL
    transposed += (in_panel * n_out + out_panel * PANEL) * PANEL
    while n_outputs - o0 >= SQUARE_OUTPUTS:
        i0 = 0
        while i0 < n_inputs:
            transpose_square(weight + i0 * PANEL + o0, transposed + o0 * PANEL + i0,
                             min(n_inputs - i0, <ssize_t> LANES), min(n_outputs - o0, <ssize_t> LANES))
            i0 += LANES
        o0 += LANES
    for o in range(o0, n_outputs):
        for i in range(n_inputs):
            transposed[o * PANEL + i] = weight[i * PANEL + o]


# -------------------------------------------------------------------- forward

cdef inline void forward_tile(int M, int V, const real* x, const real* weight, const real* bias, real* y, ssize_t rows,
                              ssize_t n_in, bint with_relu) noexcept nogil:
    cdef Row acc[MAX_ROWS]
    cdef int m, v
    clear(M, V, acc)
    multiply_panels(M, V, acc, x, weight, rows, n_in)
    for m in range(M):
        for v in range(V):
            acc[m][v] = vr_add(acc[m][v], vr_load(bias + v * LANES))
            if with_relu:
                acc[m][v] = relu(acc[m][v])
            vr_store(y + m * PANEL + v * LANES, acc[m][v])
        for v in range(V, 2):
            vr_store(y + m * PANEL + v * LANES, vr_set(0))


cdef inline void forward_panel(int V, const real* x, const real* weight, const real* bias, real* y, ssize_t rows,
                               ssize_t n_in, ssize_t r0, ssize_t r1, bint with_relu) noexcept nogil:
    cdef ssize_t r = r0
    while r1 - r >= TILE_ROWS:
        forward_tile(TILE_ROWS, V, x + r * PANEL, weight, bias, y + r * PANEL, rows, n_in, with_relu)
        r += TILE_ROWS
    x += r * PANEL
    y += r * PANEL
    if r1 - r == 1:
        forward_tile(1, V, x, weight, bias, y, rows, n_in, with_relu)
    elif r1 - r == 2:
        forward_tile(2, V, x, weight, bias, y, rows, n_in, with_relu)
    elif r1 - r == 3:
        forward_tile(3, V, x, weight, bias, y, rows, n_in, with_relu)
    elif r1 - r == 4:
        forward_tile(4, V, x, weight, bias, y, rows, n_in, with_relu)
    elif r1 - r == 5:
        forward_tile(5, V, x, weight, bias, y, rows, n_in, with_relu)
    elif r1 - r == 6:
        forward_tile(6, V, x, weight, bias, y, rows, n_in, with_relu)
    elif r1 - r == 7:
        forward_tile(7, V, x, weight, bias, y, rows, n_in, with_relu)


cdef inline void forward_row(const real* x, const real* weight, const real* bias, real* y, ssize_t rows, ssize_t n_in,
                             bint with_relu) noexcept nogil:
    """Compute ROW_PANELS panels of a lone row at once: one panel's two chains would wait for each other."""
    cdef Row acc[ROW_PANELS]
    cdef vr x_i
    cdef ssize_t i, q = 0
    cdef int p, v
    clear(ROW_PANELS, 2, acc)
    while q < n_in:
        for i in range(q, min(q + PANEL, n_in)):
            x_i = vr_set(x[q * rows + i - q])
            for p in range(ROW_PANELS):
                for v in range(2):
                    acc[p][v] = vr_fma(x_i, vr_load(weight + (p * n_in + i) * PANEL + v * LANES), acc[p][v])
        q += PANEL
    for p in range(ROW_PANELS):
        for v in range(2):
            acc[p][v] = vr_add(acc[p][v], vr_load(bias + p * PANEL + v * LANES))
            if with_relu:
                acc[p][v] = relu(acc[p][v])
            vr_store(y + p * rows * PANEL + v * LANES, acc[p][v])


cdef void forward(const real* x, const real* weight, const real* bias, real* y, ssize_t rows, ssize_t n_in,
                  ssize_t n_out, ssize_t r0, ssize_t r1, bint with_relu) noexcept nogil:
    cdef ssize_t o = 0
    if r1 - r0 == 1:
        while n_out - o > (ROW_PANELS - 1) * PANEL:
            forward_row(x + r0 * PANEL, weight + o * n_in, bias + o, y + o * rows + r0 * PANEL, rows, n_in, with_relu)
            o += ROW_PANELS * PANEL
    while n_out - o > LANES:
        forward_panel(2, x, weight + o * n_in, bias + o, y + o * rows, rows, n_in, r0, r1, with_relu)
        o += PANEL
    if o < n_out:
        forward_panel(1, x, weight + o * n_in, bias + o, y + o * rows, rows, n_in, r0, r1, with_relu)


# ------------------------------------------------ forward to a few outputs

cdef void transpose_rows(int V, const real* x, real* columns, ssize_t n_rows) noexcept nogil:
    """Transpose LANES inputs of up to V vectors of rows: columns[input * PANEL + row]."""
    cdef int v
    for v in range(V):
        if n_rows - v * LANES >= LANES:
            transpose_square(x + v * LANES * PANEL, columns + v * LANES, LANES, LANES)
        else:
            transpose_square(x + v * LANES * PANEL, columns + v * LANES, n_rows - v * LANES, LANES)


cdef inline void narrow_block(int N, int V, const real* x, const real* weight, const real* bias, real* y, ssize_t rows,
                              ssize_t n_in, ssize_t n_rows, bint with_relu) noexcept nogil:
    """Compute N outputs of up to V vectors of rows."""
    cdef real columns[LANES * PANEL]
    cdef real outputs[NARROW * PANEL]
    cdef Row acc[NARROW]
    cdef const real* w
    cdef ssize_t k, r, i = 0
    cdef int o, v
    clear(N, V, acc)
    while i < n_in:
        transpose_rows(V, x + i // PANEL * rows * PANEL + i % PANEL, columns, n_rows)
        w = weight + i // PANEL * N * PANEL + i % PANEL
        for k in range(min(n_in - i, <ssize_t> LANES)):
            for o in range(N):
                for v in range(V):
                    acc[o][v] = vr_fma(vr_load(columns + k * PANEL + v * LANES), vr_set(w[o * PANEL + k]), acc[o][v])
        i += LANES
    for o in range(N):
        for v in range(V):
            acc[o][v] = vr_add(acc[o][v], vr_set(bias[o]))
            if with_relu:
                acc[o][v] = relu(acc[o][v])
            vr_store(outputs + o * PANEL + v * LANES, acc[o][v])
    for r in range(n_rows):
        for o in range(N):
            y[r * PANEL + o] = outputs[o * PANEL + r]


cdef inline void narrow_row(int N, const real* x, const real* weight, const real* bias, real* y, ssize_t rows,
                            ssize_t n_in, bint with_relu) noexcept nogil:
    """Compute N outputs of a lone row, for which transposing would take longer than the chains."""
    cdef real acc[NARROW]
    cdef ssize_t k, i = 0
    cdef int o
    for o in range(N):
        acc[o] = 0
    while i < n_in:
        for k in range(min(n_in - i, <ssize_t> PANEL)):
            for o in range(N):
                acc[o] = real_fma(x[k], weight[o * PANEL + k], acc[o])
        x += rows * PANEL
        weight += N * PANEL
        i += PANEL
    for o in range(N):
        acc[o] += bias[o]
        y[o] = 0 if with_relu and acc[o] < 0 else acc[o]


cdef inline void narrow_rows(int N, const real* x, const real* weight, const real* bias, real* y, ssize_t rows,
                             ssize_t n_in, ssize_t r0, ssize_t r1, bint with_relu) noexcept nogil:
    cdef ssize_t r = r0
    while r1 - r > LANES:
        narrow_block(N, 2, x + r * PANEL, weight, bias, y + r * PANEL, rows, n_in, min(r1 - r, <ssize_t> PANEL),
                     with_relu)
        r += PANEL
    if r1 - r > 1:
        narrow_block(N, 1, x + r * PANEL, weight, bias, y + r * PANEL, rows, n_in, r1 - r, with_relu)
    elif r1 - r == 1:
        narrow_row(N, x + r * PANEL, weight, bias, y + r * PANEL, rows, n_in, with_relu)


cdef void narrow_forward(const real* x, const real* transposed, const real* bias, real* y, ssize_t rows, ssize_t n_in,
                         ssize_t n_out, ssize_t r0, ssize_t r1, bint with_relu) noexcept nogil:
    if n_out == 1:
        narrow_rows(1, x, transposed, bias, y, rows, n_in, r0, r1, with_relu)
    elif n_out == 2:
        narrow_rows(2, x, transposed, bias, y, rows, n_in, r0, r1, with_relu)
    elif n_out == 3:
        narrow_rows(3, x, transposed, bias, y, rows, n_in, r0, r1, with_relu)
    elif n_out == 4:
        narrow_rows(4, x, transposed, bias, y, rows, n_in, r0, r1, with_relu)


# ------------------------------------------------------------------- backward

cdef inline void backward_tile(int M, int V, const real* dy, const real* transposed, const real* relu_x, real* dx,
                               ssize_t rows, ssize_t n_out) noexcept nogil:
    cdef Row acc[MAX_ROWS]
    cdef int m, v
    clear(M, V, acc)
    multiply_panels(M, V, acc, dy, transposed, rows, n_out)
    for m in range(M):
        for v in range(V):
            if relu_x != NULL:
                acc[m][v] = vr_select_gt(vr_load(relu_x + m * PANEL + v * LANES), vr_set(0), acc[m][v], vr_set(0))
            vr_store(dx + m * PANEL + v * LANES, acc[m][v])
        for v in range(V, 2):
            vr_store(dx + m * PANEL + v * LANES, vr_set(0))


cdef inline void backward_panel(int V, const real* dy, const real* transposed, const real* relu_x, real* dx,
                                ssize_t rows, ssize_t n_out, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t r = r0
    while r1 - r >= TILE_ROWS:
        backward_tile(TILE_ROWS, V, dy + r * PANEL, transposed, relu_x + r * PANEL if relu_x != NULL else NULL,
                      dx + r * PANEL, rows, n_out)
        r += TILE_ROWS
    dy += r * PANEL
    dx += r * PANEL
    if relu_x != NULL:
        relu_x += r * PANEL
    if r1 - r == 1:
        backward_tile(1, V, dy, transposed, relu_x, dx, rows, n_out)
    elif r1 - r == 2:
        backward_tile(2, V, dy, transposed, relu_x, dx, rows, n_out)
    elif r1 - r == 3:
        backward_tile(3, V, dy, transposed, relu_x, dx, rows, n_out)
    elif r1 - r == 4:
        backward_tile(4, V, dy, transposed, relu_x, dx, rows, n_out)
    elif r1 - r == 5:
        backward_tile(5, V, dy, transposed, relu_x, dx, rows, n_out)
    elif r1 - r == 6:
        backward_tile(6, V, dy, transposed, relu_x, dx, rows, n_out)
    elif r1 - r == 7:
        backward_tile(7, V, dy, transposed, relu_x, dx, rows, n_out)


cdef void backward(const real* dy, const real* transposed, const real* relu_x, real* dx, ssize_t rows, ssize_t n_out,
                   ssize_t n_in, ssize_t r0, ssize_t r1) noexcept nogil:
    cdef ssize_t i = 0
    while n_in - i > LANES:
        backward_panel(2, dy, transposed + i * n_out, relu_x + i * rows if relu_x != NULL else NULL, dx + i * rows,
                       rows, n_out, r0, r1)
        i += PANEL
    if i < n_in:
        backward_panel(1, dy, transposed + i * n_out, relu_x + i * rows if relu_x != NULL else NULL, dx + i * rows,
                       rows, n_out, r0, r1)


# ------------------------------------------------------------------ gradients

cdef inline void gradient_tile(int M, int V, const real* x, const real* dy, real* gradient, real* scratch,
                               ssize_t n_rows, ssize_t shard) noexcept nogil:
    """Do M inputs by a panel of outputs: a chain for each shard of rows, joined with those in scratch in registers."""
    cdef Row acc[MAX_ROWS]
    cdef ssize_t r, s, n_shards = (n_rows + shard - 1) // shard
    cdef int m, v
    for s in range(n_shards):
        r = s * shard
        clear(M, V, acc)
        multiply_add(M, V, acc, x + r * PANEL, 1, PANEL, dy + r * PANEL, min(shard, n_rows - r))
        join_shard(M, V, acc, s, n_shards, scratch, gradient)
    for m in range(M):
        for v in range(V, 2):
            vr_store(gradient + m * PANEL + v * LANES, vr_set(0))


cdef inline void gradient_block(int V, const real* x, const real* dy, real* gradient, real* scratch, ssize_t n_rows,
                                ssize_t shard, ssize_t n_inputs) noexcept nogil:
    cdef ssize_t i = 0
    while n_inputs - i >= TILE_ROWS:
        gradient_tile(TILE_ROWS, V, x + i, dy, gradient + i * PANEL, scratch, n_rows, shard)
        i += TILE_ROWS
    x += i
    gradient += i * PANEL
    if n_inputs - i == 1:
        gradient_tile(1, V, x, dy, gradient, scratch, n_rows, shard)
    elif n_inputs - i == 2:
        gradient_tile(2, V, x, dy, gradient, scratch, n_rows, shard)
    elif n_inputs - i == 3:
        gradient_tile(3, V, x, dy, gradient, scratch, n_rows, shard)
    elif n_inputs - i == 4:
        gradient_tile(4, V, x, dy, gradient, scratch, n_rows, shard)
    elif n_inputs - i == 5:
        gradient_tile(5, V, x, dy, gradient, scratch, n_rows, shard)
    elif n_inputs - i == 6:
        gradient_tile(6, V, x, dy, gradient, scratch, n_rows, shard)
    elif n_inputs - i == 7:
        gradient_tile(7, V, x, dy, gradient, scratch, n_rows, shard)


cdef void weight_gradient(const real* x, const real* dy, real* gradient, real* scratch, ssize_t rows, ssize_t n_rows,
                          ssize_t shard, ssize_t n_in, ssize_t n_out, ssize_t in_panel,
                          ssize_t out_panel) noexcept nogil:
    cdef ssize_t n_inputs = min(n_in - in_panel * PANEL, <ssize_t> PANEL)
    cdef ssize_t n_outputs = min(n_out - out_panel * PANEL, <ssize_t> PANEL)
    x += in_panel * rows * PANEL
    dy += out_panel * rows * PANEL
    if n_outputs > LANES:
        gradient_block(2, x, dy, gradient, scratch, n_rows, shard, n_inputs)
    else:
        gradient_block(1, x, dy, gradient, scratch, n_rows, shard, n_inputs)


cdef void narrow_gradient(const real* x, const real* dy, real* gradient, real* scratch, ssize_t rows, ssize_t n_rows,
                          ssize_t shard, ssize_t n_in, ssize_t n_out, ssize_t in_panel) noexcept nogil:
    """Solve the transposed problem, whose columns are inputs: what their padding has made of it is cleared."""
    cdef ssize_t i, o
    weight_gradient(dy, x, gradient, scratch, rows, n_rows, shard, n_out, n_in, 0, in_panel)
    for o in range(n_out):
        for i in range(n_in - in_panel * PANEL, PANEL):
            gradient[o * PANEL + i] = 0


cdef void bias_gradient(const real* dy, real* gradient, real* scratch, ssize_t rows, ssize_t n_rows, ssize_t shard,
                        ssize_t panel) noexcept nogil:
    cdef Row acc
    cdef ssize_t r, s, n_shards = (n_rows + shard - 1) // shard
    cdef int v
    dy += panel * rows * PANEL
    for s in range(n_shards):
        clear(1, 2, &acc)
        for r in range(s * shard, min((s + 1) * shard, n_rows)):
            for v in range(2):
                acc[v] = vr_add(acc[v], vr_load(dy + r * PANEL + v * LANES))
        join_shard(1, 2, &acc, s, n_shards, scratch, gradient)


cdef DenseKernels kernels
kernels.panel = PANEL
kernels.narrow = NARROW
kernels.forward = forward
kernels.narrow_forward = narrow_forward
kernels.backward = backward
kernels.weight_gradient = weight_gradient
kernels.narrow_gradient = narrow_gradient
kernels.bias_gradient = bias_gradient
kernels.transpose = transpose

table = PyCapsule_New(&kernels, "fastnn.dense", NULL)
isa, real_bits = ISA_NAME.decode(), FASTNN_REAL_BITS
