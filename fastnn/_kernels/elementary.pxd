# Elementary functions of vectors of doubles, made of + - * / sqrt fma and selections in a fixed order, so that every
# instruction set gives the same bits. NaN gives NaN; infinities, denormals and signed zeros are treated as in IEEE 754.
# Constants: tools/coefficients.py. Errors: docs/numerics.md.
#
# A float32 result is rounded once more at the end, which hides a unit or two in the last place (ulp) of the double.
# Where the double is the result, what the last few operations lose is kept and added at the end: those lines stand
# under `if EXACTING`, a constant of the build.

from libc.math cimport INFINITY, NAN

from fastnn._kernels.simd cimport (
    EXACTING, vd, vd_abs, vd_add, vd_and_or, vd_copysign, vd_div, vd_exponent, vd_fma, vd_mantissa, vd_max, vd_min,
    vd_mul, vd_pow2, vd_round, vd_select_eq, vd_select_gt, vd_set, vd_sub
)


# Polynomials, coefficients ascending, by Estrin's scheme: its short chains let several vectors be under way at once.

cdef inline vd linear(vd x, double c0, double c1) noexcept nogil:
    return vd_fma(x, vd_set(c1), vd_set(c0))


cdef inline vd quadratic(vd x, double c0, double c1, double c2) noexcept nogil:
    return vd_fma(vd_mul(x, x), vd_set(c2), linear(x, c0, c1))


cdef inline vd cubic(vd x, double c0, double c1, double c2, double c3) noexcept nogil:
    return vd_fma(vd_mul(x, x), linear(x, c2, c3), linear(x, c0, c1))


cdef inline vd extend(vd p, vd x, double c0, double c1, double c2, double c3) noexcept nogil:
    """Return x^4 p + cubic."""
    cdef vd x2 = vd_mul(x, x)
    return vd_fma(vd_mul(x2, x2), p, cubic(x, c0, c1, c2, c3))


cdef inline vd odd(vd y, vd lost) noexcept nogil:
    """Round y + lost to odd: rounded once more, it becomes what it would have been if not rounded before.

    Of the two doubles around the sum the one whose last bit is set; the sum itself if it is a double. Boldo & Melquiond
    "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd" (2008).
    """
    cdef vd below = vd_fma(y, vd_set(-1.1102230246251565e-16), y)    # the next double towards 0
    below = vd_select_gt(vd_set(0), vd_mul(y, lost), below, y)
    return vd_select_eq(lost, vd_set(0), y, vd_and_or(below, 0xFFFFFFFFFFFFFFFFULL, 1))


cdef inline vd rounded_sum(vd a, vd b) noexcept nogil:
    """Return a + b for |a| >= |b|, to odd where it is rounded once more."""
    cdef vd y = vd_add(a, b)
    return y if EXACTING else odd(y, vd_sub(b, vd_sub(y, a)))


# ---------------------------------------------------------------- exponential

cdef inline vd exp_quotient(vd x) noexcept nogil:
    """Return the integer nearest to x / ln 2."""
    return vd_round(vd_mul(x, vd_set(1.4426950408889634)))


cdef inline vd exp_series(vd r) noexcept nogil:
    """Return P(r) of e^r = 1 + r + r^2 P(r) for |r| <= ln(2) / 2."""
    cdef vd p = quadratic(r, 2.7557254909425545e-07, 2.5113775097072232e-08, 2.0920798409252526e-09)
    p = extend(p, r, 0.0013888888888874912, 0.00019841269903059285, 2.4801587345713375e-05, 2.755722916671932e-06)
    return extend(p, r, 0.5, 0.16666666666666688, 0.041666666666666685, 0.00833333333331376)


cdef inline vd exp_fraction(vd x, vd n, vd* low) noexcept nogil:
    """Return e^(x - n ln 2) as the sum of the result and low. The first fma is exact."""
    cdef vd high = vd_fma(n, vd_set(-0.6931471805599453), x)
    cdef vd r = vd_fma(n, vd_set(-2.3190468138462996e-17), high)
    cdef vd square = vd_mul(r, r)
    cdef vd lost, rest, y, e
    if not EXACTING:
        low[0] = vd_set(0)
        return vd_add(vd_set(1), vd_fma(square, exp_series(r), r))
    lost = vd_fma(n, vd_set(-2.3190468138462996e-17), vd_sub(high, r))
    rest = vd_fma(square, exp_series(r), lost)
    y = vd_add(r, rest)
    e = vd_add(vd_set(1), y)
    low[0] = vd_add(vd_sub(y, vd_sub(e, vd_set(1))), vd_sub(rest, vd_sub(y, r)))
    return e


cdef inline vd vd_exp(vd x) noexcept nogil:
    """Return e^x."""
    cdef vd low
    x = vd_max(vd_set(-746), vd_min(vd_set(710), x))    # beyond, the result is 0 or infinity
    cdef vd n = exp_quotient(x)
    cdef vd half = vd_round(vd_mul(n, vd_set(0.5)))    # 2^n itself may not be representable
    cdef vd e = exp_fraction(x, n, &low)
    if EXACTING:
        e = vd_add(e, low)
    return vd_mul(vd_mul(e, vd_pow2(half)), vd_pow2(vd_sub(n, half)))


cdef inline vd exp_nonpositive(vd x, vd* low) noexcept nogil:
    """Return e^x for x <= 0 as the sum of the result and low."""
    x = vd_max(vd_set(-746), x)
    cdef vd n = exp_quotient(x)
    cdef vd scale = vd_pow2(vd_add(n, vd_set(100)))
    cdef vd e = vd_mul(exp_fraction(x, n, low), scale)
    cdef vd back = vd_set(7.888609052210118e-31)    # 2^-100: the only rounding to a denormal
    low[0] = vd_mul(vd_mul(low[0], scale), back)
    return vd_mul(e, back)


cdef inline vd vd_exp_nonpositive(vd x) noexcept nogil:
    """Return e^x for x <= 0, cheaper than vd_exp."""
    cdef vd low
    cdef vd e = exp_nonpositive(x, &low)
    return vd_add(e, low) if EXACTING else e


cdef inline vd expm1_scaled(vd x, vd n, vd scale, vd one) noexcept nogil:
    """Return (e^x - 1) * one for scale = 2^n * one, one a power of two."""
    cdef vd high = vd_fma(n, vd_set(-0.6931471805599453), x)    # exact
    cdef vd low = vd_mul(n, vd_set(-2.3190468138462996e-17))
    cdef vd r = vd_add(high, low)
    cdef vd lost = vd_add(vd_sub(high, r), low)
    low = vd_fma(vd_mul(r, r), exp_series(r), low)
    if EXACTING:
        low = vd_fma(r, lost, low)
    # 2^n (1 + high + low) - 1, where the sum of 2^n - 1 and 2^n high is rounded but its error kept.
    cdef vd base = vd_sub(scale, one)
    cdef vd total = vd_fma(scale, high, base)
    cdef vd error = vd_fma(scale, high, vd_sub(base, total))
    if EXACTING:
        error = vd_add(error, vd_sub(vd_sub(scale, base), one))    # of the base; 0 below 2^54
    return vd_add(total, vd_fma(scale, low, error))


cdef inline vd vd_expm1_nonpositive(vd x) noexcept nogil:
    """Return e^x - 1 for x <= 0."""
    cdef vd y = vd_max(vd_set(-50), x)    # beyond, the result is -1
    cdef vd n = exp_quotient(y)
    return vd_copysign(expm1_scaled(y, n, vd_pow2(n), vd_set(1)), x)


cdef inline vd vd_expm1(vd x) noexcept nogil:
    """Return e^x - 1. Half of it is computed: 2^1024 is not representable; what cannot be halved is its own result."""
    cdef vd y = vd_max(vd_set(-50), vd_min(vd_set(710), x))
    cdef vd n = exp_quotient(y)
    cdef vd half = expm1_scaled(y, n, vd_pow2(vd_sub(n, vd_set(1))), vd_set(0.5))
    return vd_select_gt(vd_set(1.1102230246251565e-16), vd_abs(x), x, vd_mul(vd_set(2), half))    # 2^-53


# ------------------------------------------------------------------ logarithm

cdef inline vd log_sum(vd n, vd f, vd tail, vd* lost) noexcept nogil:
    """Return n ln 2 + log(1 + f) + tail, of which `lost` is missing in the result.

    1 + f is from sqrt(1/2) to sqrt(2), and (1 + s) / (1 - s) with s = f / (2 + f); the tail is tiny beside f or n.
    """
    cdef vd s = vd_div(f, vd_add(vd_set(2), f))
    cdef vd z = vd_mul(s, s)
    cdef vd p = quadratic(z, 0.18183611511451078, 0.15312947958684828, 0.14806166077783192)
    p = extend(p, z, 0.6666666666666746, 0.39999999999353647, 0.28571428753714795, 0.2222219756001256)
    # log(1 + f) = f - f²/2 + s (f²/2 + z p): of these f alone is large, and it is exact.
    cdef vd square = vd_mul(vd_mul(vd_set(0.5), f), f)
    cdef vd low = vd_fma(s, vd_fma(z, p, square), vd_fma(n, vd_set(2.3190468138462996e-17), tail))
    cdef vd rest = vd_sub(square, low)
    cdef vd log_m = vd_sub(f, rest)
    cdef vd y = vd_fma(n, vd_set(0.6931471805599453), log_m)
    cdef vd part = vd_fma(n, vd_set(0.6931471805599453), vd_sub(vd_set(0), y))
    lost[0] = vd_add(vd_sub(vd_sub(f, log_m), rest), vd_add(log_m, part))
    return y


cdef inline vd log_of_normal(vd x, vd shift, vd tail) noexcept nogil:
    """Return log(x 2^shift) + tail for positive normal x."""
    cdef vd y, lost
    cdef vd n = vd_add(vd_exponent(x), shift)
    cdef vd m = vd_mantissa(x)
    cdef vd root = vd_set(1.4142135623730951)
    n = vd_select_gt(m, root, vd_add(n, vd_set(1)), n)
    m = vd_select_gt(m, root, vd_mul(m, vd_set(0.5)), m)
    y = log_sum(n, vd_sub(m, vd_set(1)), tail, &lost)
    return y if EXACTING else odd(y, lost)


cdef inline vd vd_log(vd x) noexcept nogil:
    """Return the natural logarithm, -infinity at 0, NaN below."""
    cdef vd smallest = vd_set(2.2250738585072014e-308)    # the smallest normal number
    cdef vd normal = vd_select_gt(smallest, x, vd_mul(x, vd_set(18014398509481984)), x)    # times 2^54
    cdef vd shift = vd_select_gt(smallest, x, vd_set(-54), vd_set(0))
    cdef vd y = vd_select_eq(x, vd_set(INFINITY), x, log_of_normal(normal, shift, vd_set(0)))
    return vd_select_gt(x, vd_set(0), y, vd_select_eq(x, vd_set(0), vd_set(-INFINITY), vd_set(NAN)))


cdef inline vd vd_log1p(vd x) noexcept nogil:
    """Return log(1 + x), -infinity at -1, NaN below."""
    cdef vd u = vd_add(vd_set(1), x)
    cdef vd share = vd_sub(u, vd_set(1))
    cdef vd lost = vd_add(vd_sub(vd_set(1), vd_sub(u, share)), vd_sub(x, share))    # 1 + x is u + lost
    cdef vd y = log_of_normal(u, vd_set(0), vd_div(lost, u))
    y = vd_select_gt(vd_set(INFINITY), x, y, x)
    y = vd_select_gt(vd_abs(x), vd_set(1.1102230246251565e-16), y, x)    # 2^-53
    return vd_select_gt(x, vd_set(-1), y, vd_select_eq(x, vd_set(-1), vd_set(-INFINITY), vd_set(NAN)))


cdef inline vd vd_log1p_unit(vd x) noexcept nogil:
    """Return log(1 + x) for 0 <= x <= 1, cheaper than vd_log1p."""
    cdef vd lost
    cdef vd large = vd_set(0.41421356237309503)    # sqrt(2) - 1
    cdef vd n = vd_select_gt(x, large, vd_set(1), vd_set(0))
    cdef vd f = vd_select_gt(x, large, vd_mul(vd_set(0.5), vd_sub(x, vd_set(1))), x)   # (1 + x) / 2^n - 1
    return log_sum(n, f, vd_set(0), &lost)


cdef inline vd vd_softplus(vd x) noexcept nogil:
    """Return log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    cdef vd e = vd_exp_nonpositive(vd_copysign(x, vd_set(-1)))
    return vd_add(vd_max(x, vd_set(0)), vd_log1p_unit(e))


# ------------------------------------------------------------------- sigmoids

cdef inline vd vd_sigmoid(vd x) noexcept nogil:
    """Return 1 / (1 + e^-x), for x < 0 as e^x / (1 + e^x)."""
    cdef vd e_low, d_low, inverse, error
    cdef vd e = exp_nonpositive(vd_copysign(x, vd_set(-1)), &e_low)
    cdef vd top = vd_select_gt(x, vd_set(0), vd_set(1), e)
    cdef vd d = vd_add(vd_set(1), e)
    cdef vd y = vd_div(top, d)
    if not EXACTING:
        # Of 1/2 + x/4 - x³/48 + ... the third term is lost near 0, where it decides on which side of the middle of two
        # float32 the sum lies: a term of its sign that is not lost does as well.
        return vd_select_gt(vd_set(1.52587890625e-05), vd_abs(x), vd_fma(vd_set(-4.656612873077393e-10), x, y), y)
    d_low = vd_add(vd_sub(e, vd_sub(d, vd_set(1))), e_low)
    inverse = vd_select_gt(x, vd_set(0), y, vd_sub(vd_set(1), y))    # 1 / d
    error = vd_fma(vd_sub(vd_set(0), y), d_low, vd_select_gt(x, vd_set(0), vd_set(0), e_low))
    error = vd_add(vd_fma(vd_sub(vd_set(0), y), d, top), error)    # of top - y d
    return vd_fma(error, inverse, y)


cdef inline vd tanh_large(vd a) noexcept nogil:
    """Return 1 - 2 / (e^(2 a) + 1) for a >= 0.55, where it passes 1/2."""
    cdef vd b = vd_min(vd_set(40), vd_add(a, a))    # beyond, the result is 1
    cdef vd n = exp_quotient(b)
    cdef vd e_low, d_low, t_low
    cdef vd e = vd_mul(exp_fraction(b, n, &e_low), vd_pow2(n))
    cdef vd d = vd_add(e, vd_set(1))
    cdef vd t = vd_div(vd_set(2), d)
    cdef vd y = vd_sub(vd_set(1), t)
    if not EXACTING:
        return y
    d_low = vd_fma(e_low, vd_pow2(n), vd_sub(vd_set(1), vd_sub(d, e)))
    t_low = vd_fma(vd_sub(vd_set(0), t), d, vd_set(2))    # 2 - t d, exact
    t_low = vd_mul(vd_fma(vd_sub(vd_set(0), t), d_low, t_low), vd_mul(vd_set(0.5), t))
    return vd_add(y, vd_sub(vd_sub(vd_sub(vd_set(1), y), t), t_low))


cdef inline vd vd_tanh(vd x) noexcept nogil:
    """Return tanh x, below 0.55 by a polynomial."""
    cdef vd a = vd_abs(x)
    cdef vd w = vd_mul(a, a)
    cdef vd p = linear(w, -0.00021005645587573096, 5.086386368932264e-05)
    p = extend(p, w, -0.008863192559937375, 0.003591705939109014, -0.0014531559029386874, 0.0005789731020870725)
    p = extend(p, w, -0.33333333333332094, 0.13333333333146238, -0.053968253867479755, 0.021869485805467995)
    cdef vd small = vd_fma(vd_mul(a, w), p, a)
    return vd_copysign(vd_select_gt(a, vd_set(0.55), tanh_large(a), small), x)


# -------------------------------------------------------- normal distribution

cdef inline vd normal_ratio(vd a) noexcept nogil:
    """Return P(X > a) / e^(-a²/2) for standard normal X, 0 <= a <= 39. No coefficient is negative: nothing cancels."""
    cdef vd p = quadratic(a, 0.00010474310614534726, 6.8301227250702235e-06, 2.1841939157224647e-07)
    p = extend(p, a, 0.1311071375110668, 0.03534107463999677, 0.007041273528835195, 0.001025071569350438)
    p = extend(p, a, 0.5, 0.8264390116762824, 0.677233305206694, 0.3554710849740133)
    cdef vd q = cubic(a, 0.00258659395820462, 0.0002630995276560322, 1.7120578741890866e-05, 5.474962226425645e-07)
    q = extend(q, a, 0.97465321348953, 0.3457670766572471, 0.09112216947098654, 0.017911312346517043)
    q = extend(q, a, 1, 2.4507625841554304, 2.8098922385043354, 1.9934920327604)
    return vd_div(p, q)


cdef inline vd exp_minus_product(vd a, vd b) noexcept nogil:
    """Return e^(-a b) for a b >= 0, what rounding the product loses kept."""
    cdef vd exponent = vd_sub(vd_set(0), vd_mul(a, b))
    cdef vd lost = vd_fma(a, b, exponent)
    cdef vd e = vd_exp_nonpositive(exponent)
    return vd_fma(e, vd_sub(vd_set(0), lost), e)


cdef inline vd vd_normal_cdf(vd x, vd* density) noexcept nogil:
    """Compute the standard normal distribution's cumulative probability, and density, at x.

    The tail has its full relative precision, as 1 + erf(x / sqrt 2) has not.
    """
    cdef vd a = vd_min(vd_set(39), vd_abs(x))    # beyond, the tail is 0
    cdef vd e = exp_minus_product(vd_mul(vd_set(0.5), a), a)
    cdef vd tail = vd_mul(e, normal_ratio(a))
    density[0] = vd_mul(e, vd_set(0.3989422804014327))    # 1 / sqrt(2 pi)
    return vd_select_gt(x, vd_set(0), vd_sub(vd_set(1), tail), tail)


cdef inline vd erf_small(vd a) noexcept nogil:
    """Return the error function for 0 <= a <= 0.85: a + a P(a²)."""
    cdef vd w = vd_mul(a, a)
    cdef vd p = quadratic(w, 1.6399105944835115e-06, -1.5696996607828585e-07, 1.0675347334241697e-08)
    p = extend(p, w, 0.005223977571233472, -0.0008548323504668201, 0.00012055190269674663, -1.4921920261830659e-05)
    p = extend(p, w, 0.12837916709551256, -0.37612638903183343, 0.11283791670932575, -0.026866170640251888)
    return vd_fma(a, p, a)


cdef inline vd erf_around_1(vd a) noexcept nogil:
    """Return the error function for 0.85 <= a <= 1.25: erf 1 + d P(d), d = a - 1, where the others lose a place."""
    cdef vd d = vd_sub(a, vd_set(1))
    cdef vd p = cubic(d, -0.0018850202230313296, 0.0012253744307381188, 8.345263941762485e-05, -0.00018215167395740963)
    p = extend(p, d, -0.06918458286700048, 0.004612305405400667, 0.015154714241759801, -0.004777014241583294)
    p = extend(p, d, 0.4151074974205948, -0.4151074974205951, 0.13836916580674605, 0.06918458290378592)
    return vd_add(vd_set(0.8427007929497149), vd_fma(d, p, vd_set(-2.4801011789118602e-17)))


cdef inline vd vd_erf(vd x) noexcept nogil:
    """Return the error function: a polynomial near 0, then 1 - 2 P(X > |x| sqrt 2) for a standard normal X."""
    cdef vd a = vd_min(vd_set(6), vd_abs(x))    # beyond, the result is 1
    cdef vd ratio = normal_ratio(vd_mul(a, vd_set(1.4142135623730951)))
    cdef vd y = vd_fma(vd_mul(vd_set(-2), exp_minus_product(a, a)), ratio, vd_set(1))
    if EXACTING:
        y = vd_select_gt(a, vd_set(1.25), y, erf_around_1(a))
    return vd_copysign(vd_select_gt(a, vd_set(0.85), y, erf_small(a)), x)


# --------------------------------------------------------------- sine, cosine

cdef enum:
    TURN_LIMIT = 1 << 30    # where the simple reduction of the argument ends


cdef inline vd quarter_turns(vd x) noexcept nogil:
    """Return the integer nearest to x / (pi / 2), NaN for |x| > TURN_LIMIT."""
    cdef vd n = vd_round(vd_mul(x, vd_set(0.6366197723675814)))
    return vd_select_gt(vd_abs(x), vd_set(TURN_LIMIT), vd_set(NAN), n)


cdef inline vd turn_back(vd x, vd n, vd* low) noexcept nogil:
    """Return x - n pi / 2 as a sum of two doubles, with pi / 2 in three parts; the first fma is exact."""
    cdef vd part = vd_fma(n, vd_set(-1.5707963267948966), x)
    cdef vd product = vd_mul(n, vd_set(-6.123233995736766e-17))
    cdef vd product_error = vd_fma(n, vd_set(-6.123233995736766e-17), vd_sub(vd_set(0), product))
    cdef vd high = vd_add(part, product)
    cdef vd share = vd_sub(high, part)
    cdef vd error = vd_add(vd_sub(part, vd_sub(high, share)), vd_sub(product, share))
    low[0] = vd_fma(n, vd_set(1.4973849048591698e-33), vd_add(error, product_error))
    return high


cdef inline vd sin_sum(vd r, vd low) noexcept nogil:
    """Return sin(r + low) for |r| <= pi / 4."""
    cdef vd w = vd_mul(r, r)
    cdef vd p = linear(w, -2.505072931988261e-08, 1.589530702725276e-10)
    p = extend(p, w, -0.16666666666666627, 0.008333333333321298, -0.00019841269829089033, 2.7557313481135206e-06)
    cdef vd cosine = vd_fma(vd_set(-0.5), w, vd_set(1))
    return rounded_sum(r, vd_fma(vd_mul(r, w), p, vd_mul(low, cosine)))


cdef inline vd cos_sum(vd r, vd low) noexcept nogil:
    """Return cos(r + low) for |r| <= pi / 4."""
    cdef vd w = vd_mul(r, r)
    cdef vd p = linear(w, 2.0875894460940453e-09, -1.1368355451466385e-11)
    p = extend(p, w, 0.041666666666666644, -0.001388888888888136, 2.4801587293967908e-05, -2.7557315631858925e-07)
    cdef vd head = vd_fma(vd_set(-0.5), w, vd_set(1))
    cdef vd rest = vd_fma(vd_set(-0.5), w, vd_sub(vd_set(1), head))
    return rounded_sum(head, vd_fma(vd_mul(w, w), p, vd_sub(rest, vd_mul(r, low))))


cdef inline vd rotated(vd n, vd at_0, vd at_1) noexcept nogil:
    """Return at_0, at_1, -at_0, -at_1 as n mod 4 is 0, 1, 2, 3."""
    cdef vd quarter = vd_fma(vd_round(vd_mul(n, vd_set(0.25))), vd_set(-4), n)    # n mod 4 in -2 .. 2
    cdef vd y = vd_select_eq(vd_abs(quarter), vd_set(1), at_1, at_0)
    return vd_select_gt(vd_abs(vd_sub(quarter, vd_set(0.5))), vd_set(1), vd_sub(vd_set(0), y), y)


cdef inline vd vd_sin(vd x) noexcept nogil:
    """Return the sine for |x| <= TURN_LIMIT, NaN beyond."""
    cdef vd low
    cdef vd n = quarter_turns(x)
    cdef vd r = turn_back(x, n, &low)
    return vd_select_eq(x, vd_set(0), x, rotated(n, sin_sum(r, low), cos_sum(r, low)))


cdef inline vd vd_cos(vd x) noexcept nogil:
    """Return the cosine for |x| <= TURN_LIMIT, NaN beyond."""
    cdef vd low
    cdef vd n = quarter_turns(x)
    cdef vd r = turn_back(x, n, &low)
    return rotated(vd_add(n, vd_set(1)), sin_sum(r, low), cos_sum(r, low))


cdef inline vd sin_of_turns(vd n, vd high, vd low) noexcept nogil:
    """Return sin((n + high + low) pi / 2) for an integer n and |high| <= 1/2."""
    cdef vd r = vd_mul(high, vd_set(1.5707963267948966))
    cdef vd rest = vd_fma(high, vd_set(1.5707963267948966), vd_sub(vd_set(0), r))
    rest = vd_fma(high, vd_set(6.123233995736766e-17), vd_fma(low, vd_set(1.5707963267948966), rest))
    cdef vd angle = vd_add(r, rest)
    rest = vd_sub(rest, vd_sub(angle, r))
    return rotated(n, sin_sum(angle, rest), cos_sum(angle, rest))
