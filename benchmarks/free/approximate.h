/* Elementary functions as engines usually have them: in float32, with an error of a few units in the last place, and no
 * word on denormals. For AVX2 and AVX-512, by GCC or Clang. exp and log: S. Moshier's Cephes; tanh: Eigen's rational
 * function; the error function: Abramowitz & Stegun 7.1.26. */
#ifndef APPROXIMATE_H
#define APPROXIMATE_H

#include "simd.h"

typedef int32_t vi __attribute__((vector_size(sizeof(vr))));

FASTNN_INLINE vr poly(vr x, const float *c, int n) {
    vr p = vr_set(c[0]);
    for (int i = 1; i < n; i++) p = vr_fma(p, x, vr_set(c[i]));
    return p;
}
FASTNN_INLINE vr bits_to_real(vi a) { return (vr)a; }
FASTNN_INLINE vi real_to_bits(vr a) { return (vi)a; }
FASTNN_INLINE vr fast_abs(vr x) { return bits_to_real(real_to_bits(x) & 0x7FFFFFFF); }

FASTNN_INLINE vr fast_exp(vr x) {
    static const float c[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                              4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    x = vr_min(vr_set(88.0f), vr_max(vr_set(-87.3f), x));
    vr shifted = vr_fma(x, vr_set(1.44269504088896341f), vr_set(12582912.0f + 127.0f)); /* 1.5 * 2^23 */
    vr n = vr_sub(shifted, vr_set(12582912.0f + 127.0f));
    vr r = vr_fma(n, vr_set(-0.693359375f), x);
    r = vr_fma(n, vr_set(2.12194440e-4f), r);
    vr y = vr_add(vr_fma(vr_mul(r, r), poly(r, c, 6), r), vr_set(1.0f));
    return vr_mul(y, bits_to_real(real_to_bits(shifted) << 23));
}

FASTNN_INLINE vr fast_log(vr x) {
    static const float c[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                              -1.6668057665e-1f, 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    vi bits = real_to_bits(x) - 0x3F3504F3; /* sqrt(1/2) */
    vr n = __builtin_convertvector(bits >> 23, vr);
    vr f = vr_sub(bits_to_real((bits & 0x7FFFFF) + 0x3F3504F3), vr_set(1.0f));
    vr z = vr_mul(f, f);
    vr y = vr_mul(vr_mul(f, z), poly(f, c, 9));
    y = vr_fma(n, vr_set(-2.12194440e-4f), y);
    y = vr_fma(vr_set(-0.5f), z, y);
    return vr_fma(n, vr_set(0.693359375f), vr_add(f, y));
}

FASTNN_INLINE vr fast_sigmoid(vr x) {
    return vr_div(vr_set(1.0f), vr_add(vr_set(1.0f), fast_exp(vr_sub(vr_set(0.0f), x))));
}

FASTNN_INLINE vr fast_tanh(vr x) {
    static const float p[] = {-2.76076847742355e-16f, 2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f,
                              1.48572235717979e-05f,  6.37261928875436e-04f, 4.89352455891786e-03f};
    static const float q[] = {1.19825839466702e-06f, 1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f};
    x = vr_min(vr_set(7.9053111076354980f), vr_max(vr_set(-7.9053111076354980f), x));
    vr w = vr_mul(x, x);
    return vr_div(vr_mul(x, poly(w, p, 7)), poly(w, q, 4));
}

/* The normal distribution's cumulative probability at x, and e^(-x²/2). */
FASTNN_INLINE vr fast_normal_cdf(vr x, vr *e) {
    static const float c[] = {0.5f * 1.061405429f, 0.5f * -1.453152027f, 0.5f * 1.421413741f, 0.5f * -0.284496736f,
                              0.5f * 0.254829592f};
    vr t = vr_div(vr_set(1.0f), vr_fma(vr_set(0.3275911f * 0.70710678f), fast_abs(x), vr_set(1.0f)));
    *e = fast_exp(vr_mul(vr_mul(vr_set(-0.5f), x), x));
    vr tail = vr_mul(*e, vr_mul(t, poly(t, c, 5)));
    return vr_select_gt(x, vr_set(0.0f), vr_sub(vr_set(1.0f), tail), tail);
}

/* Division and square root from the processor's estimates and a step of Newton's method. */
#if defined(FASTNN_ISA_AVX512)
FASTNN_INLINE vr estimated_reciprocal(vr x) { return _mm512_rcp14_ps(x); }
FASTNN_INLINE vr estimated_rsqrt(vr x) { return _mm512_rsqrt14_ps(x); }
#else
FASTNN_INLINE vr estimated_reciprocal(vr x) { return _mm256_rcp_ps(x); }
FASTNN_INLINE vr estimated_rsqrt(vr x) { return _mm256_rsqrt_ps(x); }
#endif

FASTNN_INLINE vr fast_div(vr a, vr b) {
    vr r = estimated_reciprocal(b);
    vr error = vr_fma(vr_sub(vr_set(0.0f), b), r, vr_set(2.0f));
    return vr_mul(a, vr_mul(r, error));
}

FASTNN_INLINE vr fast_sqrt(vr a) {
    vr r = estimated_rsqrt(vr_max(vr_set(1e-37f), a));
    vr y = vr_mul(a, r);
    return vr_mul(y, vr_fma(vr_mul(vr_set(-0.5f), y), r, vr_set(1.5f)));
}

#endif
