"""Prints the constants of fastnn/_kernels/elementary.pxd: ``python tools/coefficients.py`` (needs mpmath).

A polynomial interpolates its function, in 60 digits, at the zeros of a Chebyshev polynomial, which comes close to the
least possible largest error. Where the leading terms of a series are fixed (e^r = 1 + r + r²/2 + r³ P(r)) the error
has a zero of that multiplicity at 0, so the Chebyshev zeros nearest to 0 are left out. The coefficients are then
rounded to double. Beside each set comes log2 of the largest relative error of the whole function with them.
"""

import mpmath as mp

mp.mp.dps = 60


def chebyshev_zeros(low, high, n):
    return [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def polynomial(f, low, high, n, fixed):
    """Return the n coefficients, ascending, of the interpolant of ``f`` on [low, high]; ``fixed`` zeros are at 0."""
    zeros = sorted(chebyshev_zeros(mp.mpf(low), mp.mpf(high), n + fixed), key=abs)[fixed:]
    powers = mp.matrix([[x**j for j in range(n)] for x in zeros])
    return [float(c) for c in mp.lu_solve(powers, mp.matrix([f(x) for x in zeros]))]


def rational(f, low, high, n, m, centre):
    """Return coefficients of N (degree n) and D (degree m, D(0) = 1) of an interpolant N / D of ``f``.

    It interpolates at the zeros of a Chebyshev polynomial in t = (x - centre) / (x + centre), which spreads them over a
    range that spans magnitudes.
    """
    t_low, t_high = ((mp.mpf(x) - centre) / (x + centre) for x in (low, high))
    zeros = [centre * (1 + t) / (1 - t) for t in chebyshev_zeros(t_low, t_high, n + m + 1)]
    system = mp.matrix([[x**j / f(x) for j in range(n + 1)] + [-(x**j) for j in range(1, m + 1)] for x in zeros])
    c = [float(v) for v in mp.lu_solve(system, mp.ones(n + m + 1, 1))]
    return c[: n + 1], [1.0, *c[n + 1 :]]


def evaluate(coefficients, x):
    return mp.polyval(coefficients[::-1], x)


def error(approximation, truth, low, high, points=999):
    """Return log2 of the largest relative error on (low, high]."""
    xs = [mp.mpf(low) + (mp.mpf(high) - low) * i / points for i in range(1, points + 1)]
    return float(mp.log(max(abs(approximation(x) / truth(x) - 1) for x in xs if x != 0), 2))


def show(name, coefficients, log2_error=None):
    print(name if log2_error is None else f"{name}   relative error 2^{log2_error:.1f}")
    for c in coefficients:
        print(f"    {c!r}")


def show_bits(name, fraction, words):
    print(name)
    with mp.workprec(32 * words + 64):
        for word in range(words):
            print(f"    0x{int(mp.floor(mp.ldexp(fraction, 32 * (word + 1)))) % 2**32:08X}")


def split(value, parts):
    """Return ``value`` as a sum of doubles, each the nearest to what remains."""
    found = []
    for _ in range(parts):
        found.append(float(value))
        value -= found[-1]
    return found


def main():
    show("1 / ln 2", split(1 / mp.log(2), 1))
    show("ln 2, in two parts", split(mp.log(2), 2))
    show("2 / pi", split(2 / mp.pi, 1))
    show_bits("2 / pi, in words of 32 bits from 2^-1 on", 2 / mp.pi, 39)
    show("pi / 2, in three parts", split(mp.pi / 2, 3))
    show("1 / sqrt(2 pi)", split(1 / mp.sqrt(2 * mp.pi), 1))
    show("sqrt(2)", split(mp.sqrt(2), 1))

    slack = mp.mpf("1.0001")  # an argument may be rounded to just outside its interval

    top = slack * mp.log(2) / 2
    p = polynomial(lambda r: mp.hyp1f1(1, 4, r) / 6, -top, top, 10, fixed=3)
    show(
        "exp: e^r = 1 + r + r^2 / 2 + r^3 P(r)",
        p,
        error(lambda r: 1 + r + r**2 / 2 + r**3 * evaluate(p, r), mp.exp, -top, top),
    )
    print(f"    and of e^r - 1: 2^{error(lambda r: r + r**2 / 2 + r**3 * evaluate(p, r), mp.expm1, -top, top):.1f}")

    s = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
    top = slack * s**2
    p = polynomial(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z, 0, top, 7, fixed=1)
    show(
        "log: log((1 + s) / (1 - s)) = 2 s + s^3 P(s^2)",
        p,
        error(lambda z: 2 + z * evaluate(p, z), lambda z: 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z), 0, top),
    )

    top = slack * mp.mpf("0.55") ** 2
    p = polynomial(lambda w: (mp.tanh(mp.sqrt(w)) / mp.sqrt(w) - 1) / w, 0, top, 10, fixed=1)
    show(
        "tanh: x + x^3 P(x^2), |x| <= 0.55",
        p,
        error(lambda w: 1 + w * evaluate(p, w), lambda w: mp.tanh(mp.sqrt(w)) / mp.sqrt(w), 0, top),
    )

    top = slack * mp.mpf("0.85") ** 2
    p = polynomial(lambda w: mp.erf(mp.sqrt(w)) / mp.sqrt(w) - 1, 0, top, 11, fixed=0)
    show(
        "erf: x + x P(x^2), |x| <= 0.85",
        p,
        error(lambda w: 1 + evaluate(p, w), lambda w: mp.erf(mp.sqrt(w)) / mp.sqrt(w), 0, top),
    )

    p = polynomial(lambda d: (mp.erf(1 + d) - mp.erf(1)) / d, "-0.1501", "0.2501", 12, fixed=0)
    show(
        "erf: erf 1 + d P(d), d = x - 1, 0.85 <= x <= 1.25",
        p,
        error(lambda d: mp.erf(1) + d * evaluate(p, d), lambda d: mp.erf(1 + d), "-0.1501", "0.2501"),
    )
    show("erf 1, in two parts", split(mp.erf(1), 2))

    top = slack * (mp.pi / 4) ** 2
    p = polynomial(lambda w: (mp.sin(mp.sqrt(w)) / mp.sqrt(w) - 1) / w, 0, top, 6, fixed=1)
    show(
        "sin: r + r^3 P(r^2)",
        p,
        error(lambda w: 1 + w * evaluate(p, w), lambda w: mp.sin(mp.sqrt(w)) / mp.sqrt(w), 0, top),
    )
    p = polynomial(lambda w: ((mp.cos(mp.sqrt(w)) - 1) / w + mp.mpf(1) / 2) / w, 0, top, 6, fixed=1)
    show(
        "cos: 1 - r^2 / 2 + r^4 P(r^2)",
        p,
        error(lambda w: 1 - w / 2 + w**2 * evaluate(p, w), lambda w: mp.cos(mp.sqrt(w)), 0, top),
    )

    def tail(a):
        return mp.erfc(a / mp.sqrt(2)) * mp.exp(a * a / 2) / 2

    n, d = rational(tail, 0, 39, 10, 11, centre=4)
    show(
        "normal distribution: P(X > a) = exp(-a^2 / 2) N(a) / D(a); N",
        n,
        error(lambda a: evaluate(n, a) / evaluate(d, a), tail, 0, 39),
    )
    show("and D", d)


if __name__ == "__main__":
    main()
