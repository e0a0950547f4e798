"""Deliberate breaches of the numerics contract, each a small change of the sources."""

from dataclasses import dataclass

Change = tuple[str, str, str]  # a file, a text in it that occurs once, and what takes its place

K = "fastnn/_kernels"
N = "fastnn/_engine"
P = "fastnn"


@dataclass(frozen=True)
class Mutant:
    """A breach.

    Attributes
    ----------
    rule : int
        Of the contract.
    name : str
    changes : list of Change
    kernels, engine : tuple of str
        The modules to build again.
    isas : tuple of str
        The instruction sets that they are built for, and that are verified.
    dtypes : tuple of str
    only : str
        Goldens to verify: fewer are quicker.
    environment : int
        Bits that are set in the processor's control word while verifying.
    """

    rule: int
    name: str
    changes: list[Change]
    kernels: tuple[str, ...] = ()
    engine: tuple[str, ...] = ()
    isas: tuple[str, ...] = ("avx2",)
    dtypes: tuple[str, ...] = ("float32",)
    only: str = "*"
    environment: int = 0


FLUSH, UPWARD = 0x8040, 0x4000  # of MXCSR
EVERY_KERNEL = ("dense", "activations", "normalization", "losses", "optimizers", "random", "batch", "sparse")

ACCUMULATE = "                acc[m][v] = vr_fma(a_mk, b_k[v], acc[m][v])"
LAST_PANEL = "    multiply_add(M, V, acc, a + k * rows, PANEL, 1, b + k * PANEL, K - k)\n"
SECOND_ACCUMULATOR = f"""    cdef Row other[MAX_ROWS]
    cdef int m, v
    clear(M, V, other)
{LAST_PANEL.replace("acc", "other")}    for m in range(M):
        for v in range(V):
            acc[m][v] = vr_add(acc[m][v], other[m][v])
"""
TREE = """    if s == n - 1:
        while (s >> level[0]) != 0 and not (s >> level[0]) & 1:
            level[0] += 1
    return (s >> level[0]) & 1
"""
LEFT_TO_RIGHT = """    if level[0] < s:
        level[0] = s - 1
    return level[0] == s - 1
"""
LIBM_EXP = """cdef inline vd vd_exp(vd x) noexcept nogil:
    cdef double lane[DLANES]
    cdef int i
    vd_store(lane, x)
    for i in range(DLANES):
        lane[i] = libm_exp(lane[i])
    return vd_load(lane)


cdef inline vd own_exp(vd x) noexcept nogil:
"""
NORMAL = """    out = np.empty(shape)
    cdef double[::1] flat = out.reshape(-1)
    if len(flat):
        with standard_environment():
            kernels.normal(seed, stream, &flat[0], len(flat))
    return out
"""
NUMPY_NORMAL = """    count = (int(np.prod(shape)) + 1) // 2
    u = uniform(seed, stream, (count, 2))
    radius, angle = np.sqrt(-2 * np.log(u[:, 0] + 2.0**-24)), 6.283185307179586 * u[:, 1]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.ascontiguousarray(pairs.reshape(-1)[: int(np.prod(shape))]).reshape(shape)
"""
LANES = """    cdef int half = 8, i
    while half > 0:
        for i in range(half):
            lane[i] = lane[i] + lane[i + half]
        half >>= 1
    return lane[0]
"""
LANES_IN_TURN = """    cdef int i
    for i in range(1, 16):
        lane[0] = lane[0] + lane[i]
    return lane[0]
"""
BODY = "    team.body(team.context, thread, team.n_threads)\n"
GUARDED = (
    f"    cdef unsigned long long environment = fp_environment_enter()\n{BODY}    fp_environment_leave(environment)\n"
)
ALONE = "        body(context, 0, 1)\n"
GUARDED_ALONE = (
    f"        environment = fp_environment_enter()\n{ALONE}        fp_environment_leave(environment)\n    return 1\n"
)

MUTANTS = [
    # ------------------------------------------------------------ matrix products
    Mutant(
        1,
        "the padding of activations in the gradient of a narrow layer",
        [(f"{K}/dense.pyx", "            gradient[o * PANEL + i] = 0\n", "            pass\n")],
        ("dense",),
        only="networks",
    ),
    Mutant(1, "a second accumulator in k", [(f"{K}/dense.pyx", LAST_PANEL, SECOND_ACCUMULATOR)], ("dense",)),
    Mutant(
        1,
        "k descending",
        [(f"{K}/dense.pyx", "    for k in range(K):\n", "    for k in range(K - 1, -1, -1):\n")],
        ("dense",),
    ),
    Mutant(
        1,
        "the chain begins at the bias",
        [
            (
                f"{K}/dense.pyx",
                "    clear(M, V, acc)\n    multiply_panels(M, V, acc, x, weight, rows, n_in)\n    for m in range(M):\n"
                "        for v in range(V):\n            acc[m][v] = vr_add(acc[m][v], vr_load(bias + v * LANES))\n",
                "    for m in range(M):\n        for v in range(V):\n            acc[m][v] = vr_load(bias + v * LANES)\n"
                "    multiply_panels(M, V, acc, x, weight, rows, n_in)\n    for m in range(M):\n"
                "        for v in range(V):\n",
            )
        ],
        ("dense",),
    ),
    Mutant(
        1,
        "entries of a sparse row from the last to the first",
        [
            (
                f"{K}/sparse.pyx",
                "    for e in range(count):\n        if e + AHEAD",
                "    for e in range(count - 1, -1, -1):\n        if e + AHEAD",
            )
        ],
        ("sparse",),
        only="sparse",
    ),
    # --------------------------------------------------------------------- shards
    Mutant(
        2,
        "one chain over the entries of a column",
        [
            (
                f"{K}/sparse.pyx",
                "    if entries.rows[e0] // shard == entries.rows[e1 - 1] // shard:\n",
                "    if True:\n",
            )
        ],
        ("sparse",),
        only="sparse",
    ),
    Mutant(2, "shards joined left to right", [(f"{K}/tree.pxd", TREE, LEFT_TO_RIGHT)], ("dense", "normalization")),
    Mutant(
        2,
        "chunks joined left to right",
        [
            (f"{K}/tree.pxd", TREE, LEFT_TO_RIGHT),
            (f"{N}/buffers.pyx", "while n > 1 and (n - 1) >> levels:", "while n > 1 and levels < n:"),
        ],
        engine=("steps", "buffers"),
        only="networks",
    ),
    Mutant(2, "shards of another size", [(f"{N}/sums.pxd", "SHARD = 64 ", "SHARD = 32 ")], engine=("steps", "buffers")),
    Mutant(
        2,
        "parts of threads working apart joined left to right",
        [
            (
                f"{N}/gradients.pxd",
                "            part += 2 * apart\n        apart *= 2\n",
                "            break\n        apart += 1\n",
            )
        ],
        engine=("steps",),
        only="networks",
    ),
    Mutant(
        2,
        "shards by the number of threads",
        [
            (
                f"{N}/steps.pyx",
                "    share.thread, share.n_threads = thread, n_threads\n",
                "    share.thread, share.n_threads = thread, n_threads\n"
                "    run.buffers.tapes[thread if run.buffers.part else 0].first = 64 // n_threads\n",
            ),
            (
                f"{N}/operations/dense.pxd",
                "weight_gradient(x, delta, gradient, scratch, tape.rows, n_rows, SHARD, op.n_in,",
                "weight_gradient(x, delta, gradient, scratch, tape.rows, n_rows, tape.first, op.n_in,",
            ),
        ],
        engine=("steps",),
        only="networks",
    ),
    # ---------------------------------------------------------------------- lanes
    Mutant(
        3,
        "lanes of the width of a vector",
        [
            (
                f"{K}/normalization.pyx",
                "sums[k] = vd_add(sums[k], load_units(x, rows, j, n, 0))",
                "sums[0] = vd_add(sums[0], load_units(x, rows, j, n, 0))",
            )
        ],
        ("normalization",),
    ),
    Mutant(
        3,
        "lanes of kernels joined in turn",
        [
            (
                f"{K}/lanes.pxd",
                "return (lane[0] + lane[2]) + (lane[1] + lane[3])",
                "return ((lane[0] + lane[1]) + lane[2]) + lane[3]",
            )
        ],
        ("activations", "normalization", "losses", "optimizers"),
    ),
    Mutant(
        3, "lanes of the engine joined in turn", [(f"{N}/sums.pxd", LANES, LANES_IN_TURN)], engine=("steps", "random")
    ),
    Mutant(
        3,
        "a metric summed by NumPy",
        [
            (
                f"{P}/metrics.py",
                "return lane_sum(values) / len(values)\n    return",
                "return float(np.sum(values)) / len(values)\n    return",
            )
        ],
    ),
    Mutant(
        3,
        "a mean summed by NumPy",
        [(f"{P}/data.py", "random.lane_sum(column) / n", "float(np.sum(column)) / n")],
    ),
    Mutant(
        3,
        "orthogonal columns summed by NumPy",
        [
            (
                f"{P}/initializers.py",
                "    n = terms.shape[0]\n",
                "    return terms.sum(axis=0)\n    n = terms.shape[0]\n",
            )
        ],
    ),
    # ------------------------------------------------------------------ functions
    Mutant(
        4,
        "the C library's exponential",
        [
            (f"{K}/elementary.pxd", "cdef inline vd vd_exp(vd x) noexcept nogil:\n", LIBM_EXP),
            (
                f"{K}/elementary.pxd",
                "from libc.math cimport INFINITY, NAN\n",
                "from libc.math cimport INFINITY, NAN\nfrom libc.math cimport exp as libm_exp\n"
                "from fastnn._kernels.simd cimport DLANES, vd_load, vd_store\n",
            ),
        ],
        ("functions", "losses"),
        dtypes=("float64",),
    ),
    Mutant(
        4,
        "NumPy's exponential",
        [
            (
                f"{N}/elementary.pyx",
                "    return applied(x, kernels32.exp, kernels64.exp)\n",
                "    return np.exp(np.asarray(x))\n",
            )
        ],
        engine=("elementary",),
    ),
    Mutant(
        4,
        "NumPy's logarithm",
        [
            (
                f"{N}/elementary.pyx",
                "    return applied(x, kernels32.log, kernels64.log)\n",
                "    return np.log(np.asarray(x))\n",
            )
        ],
        engine=("elementary",),
    ),
    # ------------------------------------------------------------------ arithmetic
    Mutant(5, "contraction", [("setup.py", "-ffp-contract=off", "-ffp-contract=fast")], EVERY_KERNEL),
    Mutant(
        5,
        "contraction of portable code",
        [
            ("setup.py", "-ffp-contract=off", "-ffp-contract=fast"),
            ("setup.py", '{"portable": []}', '{"portable": ["-mfma"]}'),
        ],
        EVERY_KERNEL,
        isas=("portable",),
    ),
    Mutant(
        5,
        "a product and a sum for fma",
        [
            (f"{K}/dense.pyx", ACCUMULATE, "                acc[m][v] = vr_add(vr_mul(a_mk, b_k[v]), acc[m][v])"),
            (f"{K}/dense.pyx", "vr_load, vr_select_gt", "vr_load, vr_mul, vr_select_gt"),
        ],
        ("dense",),
    ),
    Mutant(
        5,
        "a reciprocal for a quotient",
        [
            (
                f"{K}/simd.h",
                "{ return _mm256_div_ps(a, b); }",
                "{ return _mm256_mul_ps(a, _mm256_div_ps(_mm256_set1_ps(1), b)); }",
            )
        ],
        ("optimizers",),
    ),
    Mutant(
        5,
        "a reciprocal of float64",
        [
            (
                f"{K}/simd.h",
                "{ return _mm256_div_pd(a, b); }",
                "{ return _mm256_mul_pd(a, _mm256_div_pd(_mm256_set1_pd(1), b)); }",
            )
        ],
        ("activations", "optimizers"),
        dtypes=("float64",),
    ),
    Mutant(
        5,
        "an approximate reciprocal",
        [(f"{K}/simd.h", "{ return _mm256_div_ps(a, b); }", "{ return _mm256_mul_ps(a, _mm256_rcp_ps(b)); }")],
        ("optimizers",),
    ),
    Mutant(
        5,
        "an approximate square root",
        [(f"{K}/simd.h", "{ return _mm256_sqrt_ps(a); }", "{ return _mm256_mul_ps(a, _mm256_rsqrt_ps(a)); }")],
        ("optimizers",),
    ),
    Mutant(
        5,
        "max of the other operand",
        [(f"{K}/simd.h", "{ return _mm256_max_ps(a, b); }", "{ return _mm256_max_ps(b, a); }")],
        ("optimizers",),
    ),
    Mutant(
        5,
        "min of the other operand",
        [(f"{K}/simd.h", "{ return _mm256_min_ps(a, b); }", "{ return _mm256_min_ps(b, a); }")],
        ("optimizers",),
    ),
    Mutant(
        5,
        "max of the other operand, float64",
        [(f"{K}/simd.h", "{ return _mm256_max_pd(a, b); }", "{ return _mm256_max_pd(b, a); }")],
        ("activations", "losses", "random"),
        dtypes=("float64",),
    ),
    Mutant(
        5,
        "min of the other operand, float64",
        [(f"{K}/simd.h", "{ return _mm256_min_pd(a, b); }", "{ return _mm256_min_pd(b, a); }")],
        ("activations", "losses", "random"),
        dtypes=("float64",),
    ),
    # -------------------------------------------------------------- random numbers
    Mutant(
        6,
        "another layout of the counter",
        [(f"{K}/philox.pxd", "= c0[k], c1[k], <uint32_t> step,", "= c1[k], c0[k], <uint32_t> step,")],
        ("random",),
        dtypes=("float32", "float64"),
    ),
    Mutant(6, "seven rounds", [(f"{K}/philox.pxd", "in range(10):", "in range(7):")], ("random",), dtypes=("float64",)),
    Mutant(
        6,
        "uniform numbers of 32 bits",
        [
            (
                f"{K}/random.pyx",
                "out[start + i] = (words[i] >> 8) * 5.9604644775390625e-08",
                "out[start + i] = words[i] * 2.3283064365386963e-10",
            )
        ],
        ("random",),
        dtypes=("float64",),
    ),
    Mutant(6, "Box-Muller by NumPy", [(f"{N}/random.pyx", NORMAL, NUMPY_NORMAL)], engine=("random",)),
    Mutant(
        6,
        "masks by the place in the chunk",
        [(f"{N}/operations/dropout.pxd", "tape.first_row,\n", "0,\n")],
        engine=("steps",),
        only="networks",
    ),
    Mutant(
        6,
        "masks by the thread's rows",
        [(f"{N}/operations/dropout.pxd", "tape.first_row,\n", "tape.first_row - r0,\n")],
        engine=("steps",),
        only="networks",
    ),
    Mutant(
        6,
        "a shuffle by some of the key",
        [(f"{N}/random.pyx", "range(32, 32 + 3 * DIGIT, DIGIT)", "range(32, 32 + DIGIT, DIGIT)")],
        engine=("random",),
    ),
    # ----------------------------------------------------- optimizers and schedules
    Mutant(
        7,
        "powers of beta by pow",
        [
            (f"{N}/update_rules.pxd", "learning_rate / (1 - powers.beta1)", "learning_rate / (1 - pow(h.beta1, t))"),
            (f"{N}/update_rules.pxd", "from libc.math cimport sqrt", "from libc.math cimport pow, sqrt"),
        ],
        engine=("steps",),
        only="networks",
    ),
    Mutant(
        7,
        "moments in another order",
        [
            (
                f"{K}/optimizers.pyx",
                "    m = vr_fma(s.one_minus_beta1, vr_sub(g, m), m)\n    vr_store(span.state0 + at, m)\n    vr_store(span.state1 + at, v)\n    if amsgrad",
                "    m = vr_fma(s.one_minus_beta1, g, vr_sub(m, vr_mul(s.one_minus_beta1, m)))\n    vr_store(span.state0 + at, m)\n    vr_store(span.state1 + at, v)\n    if amsgrad",
            )
        ],
        ("optimizers",),
    ),
    Mutant(
        7,
        "NumPy's cosine",
        [(f"{P}/_engine/elementary.pyx", "applied(x, kernels32.cos, kernels64.cos)", "np.cos(x)")],
        (),
        ("elementary",),
    ),
    Mutant(
        7,
        "NumPy's powers",
        [
            (
                f"{P}/elementary.py",
                "    result = np.ones(exponents.shape)\n",
                "    return base**exponents\n    result = np.ones(exponents.shape)\n",
            )
        ],
    ),
    # -------------------------------------------------- floating-point environment
    Mutant(
        8,
        "threads that keep flush-to-zero",
        [(f"{N}/team.pyx", GUARDED, BODY)],
        engine=("team",),
        only="networks",
        environment=FLUSH,
    ),
    Mutant(
        8,
        "threads that keep the rounding mode",
        [(f"{N}/team.pyx", GUARDED, BODY)],
        engine=("team",),
        only="networks",
        environment=UPWARD,
    ),
    Mutant(
        8,
        "a lone thread that keeps flush-to-zero",
        [(f"{N}/team.pyx", GUARDED_ALONE, f"{ALONE}    return 1\n")],
        engine=("team",),
        environment=FLUSH,
    ),
    Mutant(
        8,
        "functions that keep flush-to-zero",
        [(f"{N}/environment.pyx", "self.old = fp_environment_enter()", "self.old = 0x1F80")],
        engine=("environment",),
        environment=FLUSH,
    ),
    # ---------------------------------------------------------------------- digest
    Mutant(
        9,
        "the digest of bytes as they are",
        [(f"{P}/_storage/files.py", 'array.dtype.newbyteorder("<"))', "array.dtype)")],
    ),
    Mutant(9, "the digest of any NaN", [(f"{P}/_storage/files.py", 'if little.dtype.kind == "f" and', "if False and")]),
    Mutant(
        9,
        "the digest in any order",
        [
            (
                f"{P}/_storage/files.py",
                "for name in sorted(tensors):\n        array",
                "for name in tensors:\n        array",
            )
        ],
    ),
    # ------------------------------------------------- sums of values and of deltas
    Mutant(
        11,
        "operands added from the last",
        [(f"{N}/operations/add.pxd", "range(1, op.n_operands)", "range(op.n_operands - 1, 0, -1)")],
        engine=("model", "steps"),
        only="functions",
    ),
]
