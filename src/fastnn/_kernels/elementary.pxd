# Elementary functions of vectors of doubles, made of + - * / sqrt fma and selections in a fixed order, so that every
# instruction set gives the same bits. NaN gives NaN; infinities, denormals and signed zeros are treated as in IEEE 754.
# Constants: tools/coefficients.py. Each function names the largest error found against 140-bit arithmetic on some
# 3 * 10^5 points over its range, in units in the last place (ulp) of the float64 result.

from libc.math cimport INFINITY, NAN

from fastnn._kernels.simd cimport (
    vd, vd_abs, vd_add, vd_copysign, vd_div, vd_exponent, vd_fma, vd_mantissa, vd_max, vd_min, vd_mul, vd_pow2,
    vd_round, vd_select_eq, vd_select_gt, vd_set, vd_sub
)


# Polynomials, coefficients ascending, by Estrin's scheme: its short chains let several vectors be under way at once.

cdef inline vd linear(vd x, double c0, double c1) noexcept nogil:
    return vd_fma(x, vd_set(c1), vd_set(c0))


cdef inline vd quadratic(vd x, double c0, double c1, double c2) noexcept nogil:
    return vd_fma(vd_mul(x, x), vd_set(c2), linear(x, c0, c1))


cdef inline vd cubic(vd x, double c0, double c1, double c2, double c3) noexcept nogil:
    return vd_fma(vd_mul(x, x), linear(x, c2, c3), linear(x, c0, c1))


cdef inline vd extend(vd p, vd x, double c0, double c1, double c2, double c3) noexcept nogil:
    """x^4 p + cubic."""
    cdef vd x2 = vd_mul(x, x)
    return vd_fma(vd_mul(x2, x2), p, cubic(x, c0, c1, c2, c3))


# ---------------------------------------------------------------- exponential

cdef inline vd exp_quotient(vd x) noexcept nogil:
    """The integer nearest to x / ln 2."""
    return vd_round(vd_mul(x, vd_set(1.4426950408889634)))


cdef inline vd exp_series(vd r) noexcept nogil:
    """P(r) of e^r = 1 + r + r^2 P(r) for |r| <= ln(2) / 2."""
    cdef vd p = quadratic(r, 2.7557254909425545e-07, 2.5113775097072232e-08, 2.0920798409252526e-09)
    p = extend(p, r, 0.0013888888888874912, 0.00019841269903059285, 2.4801587345713375e-05, 2.755722916671932e-06)
    return extend(p, r, 0.5, 0.16666666666666688, 0.041666666666666685, 0.00833333333331376)


cdef inline vd exp_fraction(vd x, vd n) noexcept nogil:
    """e^(x - n ln 2). The first fma is exact."""
    cdef vd r = vd_fma(n, vd_set(-0.6931471805599453), x)
    r = vd_fma(n, vd_set(-2.3190468138462996e-17), r)
    return vd_add(vd_set(1), vd_fma(vd_mul(r, r), exp_series(r), r))


cdef inline vd vd_exp(vd x) noexcept nogil:
    """e^x: 0.98 ulp."""
    x = vd_max(vd_set(-746), vd_min(vd_set(710), x))    # beyond, the result is 0 or infinity
    cdef vd n = exp_quotient(x)
    cdef vd half = vd_round(vd_mul(n, vd_set(0.5)))    # 2^n itself may not be representable
    return vd_mul(vd_mul(exp_fraction(x, n), vd_pow2(half)), vd_pow2(vd_sub(n, half)))


cdef inline vd vd_exp_nonpositive(vd x) noexcept nogil:
    """e^x for x <= 0, cheaper than vd_exp and the same bits."""
    x = vd_max(vd_set(-746), x)
    cdef vd n = exp_quotient(x)
    cdef vd scaled = vd_mul(exp_fraction(x, n), vd_pow2(vd_add(n, vd_set(100))))
    return vd_mul(scaled, vd_set(7.888609052210118e-31))    # 2^-100: the only rounding to a denormal


cdef inline vd vd_expm1_nonpositive(vd x) noexcept nogil:
    """e^x - 1 for x <= 0: 0.81 ulp."""
    cdef vd y = vd_max(vd_set(-50), x)    # beyond, the result is -1
    cdef vd n = exp_quotient(y)
    cdef vd high = vd_fma(n, vd_set(-0.6931471805599453), y)    # exact
    cdef vd low = vd_mul(n, vd_set(-2.3190468138462996e-17))
    cdef vd r = vd_add(high, low)
    low = vd_fma(vd_mul(r, r), exp_series(r), low)
    # 2^n (1 + high + low) - 1, where the sum of 2^n - 1 and 2^n high is rounded but its error kept.
    cdef vd scale = vd_pow2(n)
    cdef vd base = vd_sub(scale, vd_set(1))
    cdef vd total = vd_fma(scale, high, base)
    cdef vd error = vd_fma(scale, high, vd_sub(base, total))
    return vd_copysign(vd_add(total, vd_fma(scale, low, error)), x)


# ------------------------------------------------------------------ logarithm

cdef inline vd log_sum(vd n, vd f) noexcept nogil:
    """n ln 2 + log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2), where 1 + f = (1 + s) / (1 - s) with s = f / (2 + f)."""
    cdef vd s = vd_div(f, vd_add(vd_set(2), f))
    cdef vd z = vd_mul(s, s)
    cdef vd p = quadratic(z, 0.18183611511451078, 0.15312947958684828, 0.14806166077783192)
    p = extend(p, z, 0.6666666666666746, 0.39999999999353647, 0.28571428753714795, 0.2222219756001256)
    # log(1 + f) = f - f²/2 + s (f²/2 + z p): of these f alone is large, and it is exact.
    cdef vd square = vd_mul(vd_mul(vd_set(0.5), f), f)
    cdef vd low = vd_fma(s, vd_fma(z, p, square), vd_mul(n, vd_set(2.3190468138462996e-17)))
    return vd_fma(n, vd_set(0.6931471805599453), vd_sub(f, vd_sub(square, low)))


cdef inline vd vd_log(vd x) noexcept nogil:
    """Natural logarithm, -infinity at 0, NaN below: 0.79 ulp."""
    cdef vd smallest = vd_set(2.2250738585072014e-308)    # the smallest normal number
    cdef vd normal = vd_select_gt(smallest, x, vd_mul(x, vd_set(18014398509481984)), x)    # times 2^54
    cdef vd n = vd_add(vd_exponent(normal), vd_select_gt(smallest, x, vd_set(-54), vd_set(0)))
    cdef vd m = vd_mantissa(normal)
    cdef vd root = vd_set(1.4142135623730951)
    n = vd_select_gt(m, root, vd_add(n, vd_set(1)), n)
    m = vd_select_gt(m, root, vd_mul(m, vd_set(0.5)), m)
    cdef vd y = vd_select_eq(x, vd_set(INFINITY), x, log_sum(n, vd_sub(m, vd_set(1))))
    return vd_select_gt(x, vd_set(0), y, vd_select_eq(x, vd_set(0), vd_set(-INFINITY), vd_set(NAN)))


cdef inline vd vd_softplus(vd x) noexcept nogil:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): 1.56 ulp."""
    cdef vd e = vd_exp_nonpositive(vd_copysign(x, vd_set(-1)))
    cdef vd large = vd_set(0.41421356237309503)    # sqrt(2) - 1
    cdef vd n = vd_select_gt(e, large, vd_set(1), vd_set(0))
    cdef vd f = vd_select_gt(e, large, vd_mul(vd_set(0.5), vd_sub(e, vd_set(1))), e)   # (1 + e) / 2^n - 1
    return vd_add(vd_max(x, vd_set(0)), log_sum(n, f))


# ------------------------------------------------------------------- sigmoids

cdef inline vd vd_sigmoid(vd x) noexcept nogil:
    """1 / (1 + e^-x): 2.1 ulp."""
    cdef vd e = vd_exp_nonpositive(vd_copysign(x, vd_set(-1)))
    return vd_div(vd_select_gt(x, vd_set(0), vd_set(1), e), vd_add(vd_set(1), e))


cdef inline vd vd_tanh(vd x) noexcept nogil:
    """tanh(a) = 1 - 2 / (e^(2 a) + 1) for a = |x| > 0.55, where it passes 1/2; a polynomial below: 1.39 ulp."""
    cdef vd a = vd_abs(x)
    cdef vd b = vd_min(vd_set(40), vd_add(a, a))    # beyond, the result is 1
    cdef vd n = exp_quotient(b)
    cdef vd e = vd_mul(exp_fraction(b, n), vd_pow2(n))
    cdef vd large = vd_sub(vd_set(1), vd_div(vd_set(2), vd_add(e, vd_set(1))))
    cdef vd w = vd_mul(a, a)
    cdef vd p = linear(w, -0.00021005645587573096, 5.086386368932264e-05)
    p = extend(p, w, -0.008863192559937375, 0.003591705939109014, -0.0014531559029386874, 0.0005789731020870725)
    p = extend(p, w, -0.33333333333332094, 0.13333333333146238, -0.053968253867479755, 0.021869485805467995)
    cdef vd small = vd_fma(vd_mul(a, w), p, a)
    return vd_copysign(vd_select_gt(a, vd_set(0.55), large, small), x)


# -------------------------------------------------------- normal distribution

cdef inline vd vd_normal_cdf(vd x, vd* density) noexcept nogil:
    """The standard normal distribution's cumulative probability, and density, at x: 5.1 and 2.8 ulp.

    With a = |x| the tail beyond a is e^(-a²/2) N(a) / D(a), to full relative precision, as 1 + erf(x / sqrt 2) is not.
    Every coefficient is positive: nothing cancels.
    """
    cdef vd a = vd_min(vd_set(39), vd_abs(x))    # beyond, the tail is 0
    cdef vd minus_half = vd_mul(vd_set(-0.5), a)
    cdef vd exponent = vd_mul(minus_half, a)
    cdef vd low = vd_fma(minus_half, a, vd_sub(vd_set(0), exponent))    # what rounding the exponent lost
    cdef vd e = vd_exp_nonpositive(exponent)
    e = vd_fma(e, low, e)
    cdef vd p = quadratic(a, 0.00010474310614534726, 6.8301227250702235e-06, 2.1841939157224647e-07)
    p = extend(p, a, 0.1311071375110668, 0.03534107463999677, 0.007041273528835195, 0.001025071569350438)
    p = extend(p, a, 0.5, 0.8264390116762824, 0.677233305206694, 0.3554710849740133)
    cdef vd q = cubic(a, 0.00258659395820462, 0.0002630995276560322, 1.7120578741890866e-05, 5.474962226425645e-07)
    q = extend(q, a, 0.97465321348953, 0.3457670766572471, 0.09112216947098654, 0.017911312346517043)
    q = extend(q, a, 1, 2.4507625841554304, 2.8098922385043354, 1.9934920327604)
    cdef vd tail = vd_mul(e, vd_div(p, q))
    density[0] = vd_mul(e, vd_set(0.3989422804014327))    # 1 / sqrt(2 pi)
    return vd_select_gt(x, vd_set(0), vd_sub(vd_set(1), tail), tail)


# --------------------------------------------------------------- sine, cosine

cdef inline vd quarter_turns(vd x) noexcept nogil:
    """The integer n nearest to x / (pi / 2); NaN for |x| > 2^30, where so simple a reduction ends."""
    cdef vd n = vd_round(vd_mul(x, vd_set(0.6366197723675814)))
    return vd_select_gt(vd_abs(x), vd_set(1073741824), vd_set(NAN), n)


cdef inline vd turn_back(vd x, vd n, vd* low) noexcept nogil:
    """x - n pi / 2 as a sum of two doubles, with pi / 2 in three parts; the first fma is exact."""
    cdef vd part = vd_fma(n, vd_set(-1.5707963267948966), x)
    cdef vd product = vd_mul(n, vd_set(-6.123233995736766e-17))
    cdef vd product_error = vd_fma(n, vd_set(-6.123233995736766e-17), vd_sub(vd_set(0), product))
    cdef vd high = vd_add(part, product)
    cdef vd share = vd_sub(high, part)
    cdef vd error = vd_add(vd_sub(part, vd_sub(high, share)), vd_sub(product, share))
    low[0] = vd_fma(n, vd_set(1.4973849048591698e-33), vd_add(error, product_error))
    return high


cdef inline vd sin_sum(vd r, vd low) noexcept nogil:
    """sin(r + low) for |r| <= pi / 4."""
    cdef vd w = vd_mul(r, r)
    cdef vd p = linear(w, -2.505072931988261e-08, 1.589530702725276e-10)
    p = extend(p, w, -0.16666666666666627, 0.008333333333321298, -0.00019841269829089033, 2.7557313481135206e-06)
    cdef vd cosine = vd_fma(vd_set(-0.5), w, vd_set(1))
    return vd_add(r, vd_fma(vd_mul(r, w), p, vd_mul(low, cosine)))


cdef inline vd cos_sum(vd r, vd low) noexcept nogil:
    """cos(r + low) for |r| <= pi / 4."""
    cdef vd w = vd_mul(r, r)
    cdef vd p = linear(w, 2.0875894460940453e-09, -1.1368355451466385e-11)
    p = extend(p, w, 0.041666666666666644, -0.001388888888888136, 2.4801587293967908e-05, -2.7557315631858925e-07)
    cdef vd head = vd_fma(vd_set(-0.5), w, vd_set(1))
    cdef vd rest = vd_fma(vd_set(-0.5), w, vd_sub(vd_set(1), head))
    return vd_add(head, vd_fma(vd_mul(w, w), p, vd_sub(rest, vd_mul(r, low))))


cdef inline vd rotated(vd n, vd at_0, vd at_1) noexcept nogil:
    """at_0, at_1, -at_0, -at_1 as n mod 4 is 0, 1, 2, 3."""
    cdef vd quarter = vd_fma(vd_round(vd_mul(n, vd_set(0.25))), vd_set(-4), n)    # n mod 4 in -2 .. 2
    cdef vd y = vd_select_eq(vd_abs(quarter), vd_set(1), at_1, at_0)
    return vd_select_gt(vd_abs(vd_sub(quarter, vd_set(0.5))), vd_set(1), vd_sub(vd_set(0), y), y)


cdef inline vd vd_sin(vd x) noexcept nogil:
    """Sine for |x| <= 2^30, NaN beyond: 0.76 ulp."""
    cdef vd low
    cdef vd n = quarter_turns(x)
    cdef vd r = turn_back(x, n, &low)
    return vd_select_eq(x, vd_set(0), x, rotated(n, sin_sum(r, low), cos_sum(r, low)))


cdef inline vd vd_cos(vd x) noexcept nogil:
    """Cosine for |x| <= 2^30, NaN beyond: 0.76 ulp."""
    cdef vd low
    cdef vd n = quarter_turns(x)
    cdef vd r = turn_back(x, n, &low)
    return rotated(vd_add(n, vd_set(1)), sin_sum(r, low), cos_sum(r, low))
