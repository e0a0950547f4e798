/* The vector types and their operations, for each instruction set: the only C in fastnn.
 *
 * A kernel is compiled once per instruction set and once per dtype. Two macros say which:
 *     FASTNN_ISA_<PORTABLE|AVX2|AVX512|NEON>     the instruction set
 *     FASTNN_REAL_BITS                           32 or 64: what `real` is
 *
 *     real   float or double; void where FASTNN_REAL_BITS is not set (the engine, which only passes pointers on)
 *     vr     LANES reals
 *     vd     DLANES doubles, in which elementary functions and reductions are computed for either dtype
 *
 * Every operation is exact or correctly rounded IEEE 754, lane by lane, so all instruction sets give the same bits.
 * Comparisons are ordered: with a NaN they are false. max(a, b) is `a > b ? a : b`.
 */
#ifndef FASTNN_SIMD_H
#define FASTNN_SIMD_H

#include <float.h>
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16 /* 16: what _Float16 does */
#error "float and double must be computed as they are, not in a wider type: on x86, compile for SSE2"
#endif
#if defined(__FAST_MATH__)
#error "the order of every operation is part of the result: compile without fast-math options"
#endif

#ifndef FASTNN_REAL_BITS
/* ------------------------------------------------- what the engine needs */
#include <stddef.h>
typedef void real;

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
/* Rounding to nearest, no flush to zero, no denormals as zero, no traps: MXCSR as a process starts with it. */
static inline unsigned long long fp_environment_enter(void) {
    unsigned int old = _mm_getcsr();
    if ((old & ~0x3Fu) != 0x1F80u) _mm_setcsr(0x1F80u);
    return old;
}
static inline void fp_environment_leave(unsigned long long old) {
    if ((old & ~0x3Full) != 0x1F80ull) _mm_setcsr((unsigned int)old);
}
static inline void cpu_relax(void) { _mm_pause(); }
#elif defined(__aarch64__)
static inline unsigned long long fp_environment_enter(void) {
    unsigned long long old, zero = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    if (old) __asm__ volatile("msr fpcr, %0" : : "r"(zero));
    return old;
}
static inline void fp_environment_leave(unsigned long long old) {
    if (old) __asm__ volatile("msr fpcr, %0" : : "r"(old));
}
static inline void cpu_relax(void) { __asm__ volatile("yield"); }
#else
#include <fenv.h>
static inline unsigned long long fp_environment_enter(void) {
    int old = fegetround();
    fesetround(FE_TONEAREST);
    return (unsigned long long)old;
}
static inline void fp_environment_leave(unsigned long long old) { fesetround((int)old); }
static inline void cpu_relax(void) {}
#endif

/* Whether the processor has an instruction set and the operating system saves its registers. */
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
static inline int cpu_has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static inline int cpu_has_avx512(void) {
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#elif defined(_M_X64)
#include <intrin.h>
static inline int cpu_has(unsigned long long xcr0, int ecx1, int ebx7) {
    int leaf1[4], leaf7[4];
    __cpuidex(leaf1, 1, 0);
    __cpuidex(leaf7, 7, 0);
    return (leaf1[2] & (1 << 27)) && (_xgetbv(0) & xcr0) == xcr0 && (leaf1[2] & ecx1) == ecx1 && (leaf7[1] & ebx7) == ebx7;
}
static inline int cpu_has_avx2(void) { return cpu_has(0x06, (1 << 28) | (1 << 12), 1 << 5); }
static inline int cpu_has_avx512(void) {
    return cpu_has_avx2() && cpu_has(0xE6, 1 << 28, (int)((1u << 16) | (1u << 17) | (1u << 30) | (1u << 31)));
}
#else
static inline int cpu_has_avx2(void) { return 0; }
static inline int cpu_has_avx512(void) { return 0; }
#endif
#if defined(__aarch64__)
static inline int cpu_has_neon(void) { return 1; }
#else
static inline int cpu_has_neon(void) { return 0; }
#endif

/* A hint: memory that is touched all over is addressed faster in large pages. */
enum { HUGE_PAGE = 2 << 20 };
#if defined(__linux__)
#include <sys/mman.h>
static inline void use_huge_pages(void *start, size_t size) { madvise(start, size, MADV_HUGEPAGE); }
#else
static inline void use_huge_pages(void *start, size_t size) { (void)start; (void)size; }
#endif

/* Bytes that nothing may touch lie between the parts of an arena where AddressSanitizer watches, and is told of them.
 * Layouts are measured at addresses from 0 on, where it has no memory: that is below all it allocates. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
enum { GAP = 64 };
static inline void forbid(const void *start, size_t size) {
    if ((size_t)start >> 40) __asan_poison_memory_region(start, size);
}
#else
enum { GAP = 0 };
static inline void forbid(const void *start, size_t size) { (void)start; (void)size; }
#endif

#if defined(__clang__)
#define COMPILER "Clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "GCC " __VERSION__
#elif defined(_MSC_VER)
#define COMPILER "MSVC"
#else
#define COMPILER "unknown"
#endif

#else

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#define FASTNN_INLINE static __forceinline
#define FASTNN_PREFETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#else
#define FASTNN_INLINE static inline __attribute__((always_inline))
#define FASTNN_PREFETCH(p) __builtin_prefetch(p)
#endif

#if FASTNN_REAL_BITS == 32
typedef float real;
FASTNN_INLINE real real_fma(real a, real b, real c) { return fmaf(a, b, c); }
#else
typedef double real;
FASTNN_INLINE real real_fma(real a, real b, real c) { return fma(a, b, c); }
#endif

/* Whether elementary functions, computed in double, are to be good to the last place of a double. */
#define EXACTING (FASTNN_REAL_BITS == 64)

/* ---------------------------------------------------------------- AVX-512 */
#if defined(FASTNN_ISA_AVX512)
#include <immintrin.h>
#define ISA_NAME "avx512"
#define TILE_ROWS 8
#define DLANES 8
typedef __m512d vd;

FASTNN_INLINE vd vd_load(const double *p) { return _mm512_loadu_pd(p); }
FASTNN_INLINE void vd_store(double *p, vd a) { _mm512_storeu_pd(p, a); }
FASTNN_INLINE vd vd_set(double a) { return _mm512_set1_pd(a); }
FASTNN_INLINE vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
FASTNN_INLINE vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
FASTNN_INLINE vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
FASTNN_INLINE vd vd_div(vd a, vd b) { return _mm512_div_pd(a, b); }
FASTNN_INLINE vd vd_sqrt(vd a) { return _mm512_sqrt_pd(a); }
FASTNN_INLINE vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
FASTNN_INLINE int vd_has_nan(vd a) { return _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q) != 0; }
FASTNN_INLINE vd vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }
FASTNN_INLINE vd vd_min(vd a, vd b) { return _mm512_min_pd(a, b); }
FASTNN_INLINE vd vd_abs(vd a) { return _mm512_abs_pd(a); }
FASTNN_INLINE vd vd_copysign(vd a, vd sign) {
    return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_set1_epi64(INT64_MIN), _mm512_castpd_si512(sign),
                                                         _mm512_castpd_si512(a), 0xCA));
}
FASTNN_INLINE vd vd_select_gt(vd a, vd b, vd yes, vd no) {
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_GT_OQ), no, yes);
}
FASTNN_INLINE vd vd_select_eq(vd a, vd b, vd yes, vd no) {
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ), no, yes);
}
FASTNN_INLINE vd vd_zip_low(vd a, vd b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
}
FASTNN_INLINE vd vd_zip_high(vd a, vd b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
}
FASTNN_INLINE vd vd_round(vd a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FASTNN_INLINE vd vd_shift_left_52(vd a) { return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52)); }
FASTNN_INLINE vd vd_shift_right_52(vd a) { return _mm512_castsi512_pd(_mm512_srli_epi64(_mm512_castpd_si512(a), 52)); }
FASTNN_INLINE vd vd_and_or(vd a, uint64_t mask, uint64_t bits) {
    return _mm512_castsi512_pd(_mm512_or_si512(
        _mm512_and_si512(_mm512_castpd_si512(a), _mm512_set1_epi64((int64_t)mask)), _mm512_set1_epi64((int64_t)bits)));
}

#if FASTNN_REAL_BITS == 32
#define LANES 16
typedef __m512 vr;
FASTNN_INLINE vr vr_load(const real *p) { return _mm512_loadu_ps(p); }
FASTNN_INLINE void vr_store(real *p, vr a) { _mm512_storeu_ps(p, a); }
FASTNN_INLINE vr vr_set(real a) { return _mm512_set1_ps(a); }
FASTNN_INLINE vr vr_add(vr a, vr b) { return _mm512_add_ps(a, b); }
FASTNN_INLINE vr vr_sub(vr a, vr b) { return _mm512_sub_ps(a, b); }
FASTNN_INLINE vr vr_mul(vr a, vr b) { return _mm512_mul_ps(a, b); }
FASTNN_INLINE vr vr_div(vr a, vr b) { return _mm512_div_ps(a, b); }
FASTNN_INLINE vr vr_sqrt(vr a) { return _mm512_sqrt_ps(a); }
FASTNN_INLINE vr vr_fma(vr a, vr b, vr c) { return _mm512_fmadd_ps(a, b, c); }
FASTNN_INLINE int vr_has_nan(vr a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q) != 0; }
FASTNN_INLINE vr vr_max(vr a, vr b) { return _mm512_max_ps(a, b); }
FASTNN_INLINE vr vr_min(vr a, vr b) { return _mm512_min_ps(a, b); }
FASTNN_INLINE vr vr_select_gt(vr a, vr b, vr yes, vr no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), no, yes);
}
FASTNN_INLINE vr vr_select_eq(vr a, vr b, vr yes, vr no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), no, yes);
}
FASTNN_INLINE vr vr_zip_low(vr a, vr b) {
    return _mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), b);
}
FASTNN_INLINE vr vr_zip_high(vr a, vr b) {
    return _mm512_permutex2var_ps(a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b);
}
FASTNN_INLINE vd vd_from_real(const real *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
FASTNN_INLINE void vd_to_real(real *p, vd a) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(a)); }
#endif

/* ------------------------------------------------------------------- AVX2 */
#elif defined(FASTNN_ISA_AVX2)
#include <immintrin.h>
#define ISA_NAME "avx2"
#define TILE_ROWS 6
#define DLANES 4
typedef __m256d vd;

FASTNN_INLINE vd vd_load(const double *p) { return _mm256_loadu_pd(p); }
FASTNN_INLINE void vd_store(double *p, vd a) { _mm256_storeu_pd(p, a); }
FASTNN_INLINE vd vd_set(double a) { return _mm256_set1_pd(a); }
FASTNN_INLINE vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
FASTNN_INLINE vd vd_sub(vd a, vd b) { return _mm256_sub_pd(a, b); }
FASTNN_INLINE vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
FASTNN_INLINE vd vd_div(vd a, vd b) { return _mm256_div_pd(a, b); }
FASTNN_INLINE vd vd_sqrt(vd a) { return _mm256_sqrt_pd(a); }
FASTNN_INLINE vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
FASTNN_INLINE int vd_has_nan(vd a) { return _mm256_movemask_pd(_mm256_cmp_pd(a, a, _CMP_UNORD_Q)); }
FASTNN_INLINE vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }
FASTNN_INLINE vd vd_min(vd a, vd b) { return _mm256_min_pd(a, b); }
FASTNN_INLINE vd vd_abs(vd a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
FASTNN_INLINE vd vd_copysign(vd a, vd sign) {
    vd bit = _mm256_set1_pd(-0.0);
    return _mm256_or_pd(_mm256_andnot_pd(bit, a), _mm256_and_pd(bit, sign));
}
FASTNN_INLINE vd vd_select_gt(vd a, vd b, vd yes, vd no) {
    return _mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_GT_OQ));
}
FASTNN_INLINE vd vd_select_eq(vd a, vd b, vd yes, vd no) {
    return _mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_EQ_OQ));
}
FASTNN_INLINE vd vd_zip_low(vd a, vd b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x20);
}
FASTNN_INLINE vd vd_zip_high(vd a, vd b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x31);
}
FASTNN_INLINE vd vd_round(vd a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FASTNN_INLINE vd vd_shift_left_52(vd a) { return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), 52)); }
FASTNN_INLINE vd vd_shift_right_52(vd a) { return _mm256_castsi256_pd(_mm256_srli_epi64(_mm256_castpd_si256(a), 52)); }
FASTNN_INLINE vd vd_and_or(vd a, uint64_t mask, uint64_t bits) {
    return _mm256_castsi256_pd(_mm256_or_si256(
        _mm256_and_si256(_mm256_castpd_si256(a), _mm256_set1_epi64x((int64_t)mask)), _mm256_set1_epi64x((int64_t)bits)));
}

#if FASTNN_REAL_BITS == 32
#define LANES 8
typedef __m256 vr;
FASTNN_INLINE vr vr_load(const real *p) { return _mm256_loadu_ps(p); }
FASTNN_INLINE void vr_store(real *p, vr a) { _mm256_storeu_ps(p, a); }
FASTNN_INLINE vr vr_set(real a) { return _mm256_set1_ps(a); }
FASTNN_INLINE vr vr_add(vr a, vr b) { return _mm256_add_ps(a, b); }
FASTNN_INLINE vr vr_sub(vr a, vr b) { return _mm256_sub_ps(a, b); }
FASTNN_INLINE vr vr_mul(vr a, vr b) { return _mm256_mul_ps(a, b); }
FASTNN_INLINE vr vr_div(vr a, vr b) { return _mm256_div_ps(a, b); }
FASTNN_INLINE vr vr_sqrt(vr a) { return _mm256_sqrt_ps(a); }
FASTNN_INLINE vr vr_fma(vr a, vr b, vr c) { return _mm256_fmadd_ps(a, b, c); }
FASTNN_INLINE int vr_has_nan(vr a) { return _mm256_movemask_ps(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
FASTNN_INLINE vr vr_max(vr a, vr b) { return _mm256_max_ps(a, b); }
FASTNN_INLINE vr vr_min(vr a, vr b) { return _mm256_min_ps(a, b); }
FASTNN_INLINE vr vr_select_gt(vr a, vr b, vr yes, vr no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
FASTNN_INLINE vr vr_select_eq(vr a, vr b, vr yes, vr no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
}
FASTNN_INLINE vr vr_zip_low(vr a, vr b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}
FASTNN_INLINE vr vr_zip_high(vr a, vr b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}
FASTNN_INLINE vd vd_from_real(const real *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
FASTNN_INLINE void vd_to_real(real *p, vd a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a)); }
#endif

/* ------------------------------------------------------------------- NEON */
#elif defined(FASTNN_ISA_NEON)
#include <arm_neon.h>
#define ISA_NAME "neon"
#define TILE_ROWS 8
#define DLANES 2
typedef float64x2_t vd;

FASTNN_INLINE vd vd_load(const double *p) { return vld1q_f64(p); }
FASTNN_INLINE void vd_store(double *p, vd a) { vst1q_f64(p, a); }
FASTNN_INLINE vd vd_set(double a) { return vdupq_n_f64(a); }
FASTNN_INLINE vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
FASTNN_INLINE vd vd_sub(vd a, vd b) { return vsubq_f64(a, b); }
FASTNN_INLINE vd vd_mul(vd a, vd b) { return vmulq_f64(a, b); }
FASTNN_INLINE vd vd_div(vd a, vd b) { return vdivq_f64(a, b); }
FASTNN_INLINE vd vd_sqrt(vd a) { return vsqrtq_f64(a); }
FASTNN_INLINE vd vd_fma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); }
FASTNN_INLINE int vd_has_nan(vd a) { return vaddvq_u64(vshrq_n_u64(vceqq_f64(a, a), 63)) != DLANES; }
FASTNN_INLINE vd vd_select_gt(vd a, vd b, vd yes, vd no) { return vbslq_f64(vcgtq_f64(a, b), yes, no); }
FASTNN_INLINE vd vd_select_eq(vd a, vd b, vd yes, vd no) { return vbslq_f64(vceqq_f64(a, b), yes, no); }
FASTNN_INLINE vd vd_max(vd a, vd b) { return vd_select_gt(a, b, a, b); }
FASTNN_INLINE vd vd_min(vd a, vd b) { return vd_select_gt(b, a, a, b); }
FASTNN_INLINE vd vd_abs(vd a) { return vabsq_f64(a); }
FASTNN_INLINE vd vd_copysign(vd a, vd sign) { return vbslq_f64(vdupq_n_u64(1ull << 63), sign, a); }
FASTNN_INLINE vd vd_zip_low(vd a, vd b) { return vzip1q_f64(a, b); }
FASTNN_INLINE vd vd_zip_high(vd a, vd b) { return vzip2q_f64(a, b); }
FASTNN_INLINE vd vd_round(vd a) { return vrndnq_f64(a); }
FASTNN_INLINE vd vd_shift_left_52(vd a) { return vreinterpretq_f64_u64(vshlq_n_u64(vreinterpretq_u64_f64(a), 52)); }
FASTNN_INLINE vd vd_shift_right_52(vd a) { return vreinterpretq_f64_u64(vshrq_n_u64(vreinterpretq_u64_f64(a), 52)); }
FASTNN_INLINE vd vd_and_or(vd a, uint64_t mask, uint64_t bits) {
    return vreinterpretq_f64_u64(vorrq_u64(vandq_u64(vreinterpretq_u64_f64(a), vdupq_n_u64(mask)), vdupq_n_u64(bits)));
}

#if FASTNN_REAL_BITS == 32
#define LANES 4
typedef float32x4_t vr;
FASTNN_INLINE vr vr_load(const real *p) { return vld1q_f32(p); }
FASTNN_INLINE void vr_store(real *p, vr a) { vst1q_f32(p, a); }
FASTNN_INLINE vr vr_set(real a) { return vdupq_n_f32(a); }
FASTNN_INLINE vr vr_add(vr a, vr b) { return vaddq_f32(a, b); }
FASTNN_INLINE vr vr_sub(vr a, vr b) { return vsubq_f32(a, b); }
FASTNN_INLINE vr vr_mul(vr a, vr b) { return vmulq_f32(a, b); }
FASTNN_INLINE vr vr_div(vr a, vr b) { return vdivq_f32(a, b); }
FASTNN_INLINE vr vr_sqrt(vr a) { return vsqrtq_f32(a); }
FASTNN_INLINE vr vr_fma(vr a, vr b, vr c) { return vfmaq_f32(c, a, b); }
FASTNN_INLINE int vr_has_nan(vr a) { return vminvq_u32(vceqq_f32(a, a)) == 0; }
FASTNN_INLINE vr vr_select_gt(vr a, vr b, vr yes, vr no) { return vbslq_f32(vcgtq_f32(a, b), yes, no); }
FASTNN_INLINE vr vr_select_eq(vr a, vr b, vr yes, vr no) { return vbslq_f32(vceqq_f32(a, b), yes, no); }
FASTNN_INLINE vr vr_max(vr a, vr b) { return vr_select_gt(a, b, a, b); }
FASTNN_INLINE vr vr_min(vr a, vr b) { return vr_select_gt(b, a, a, b); }
FASTNN_INLINE vr vr_zip_low(vr a, vr b) { return vzip1q_f32(a, b); }
FASTNN_INLINE vr vr_zip_high(vr a, vr b) { return vzip2q_f32(a, b); }
FASTNN_INLINE vd vd_from_real(const real *p) { return vcvt_f64_f32(vld1_f32(p)); }
FASTNN_INLINE void vd_to_real(real *p, vd a) { vst1_f32(p, vcvt_f32_f64(a)); }
#endif

/* --------------------------------------------------------------- portable */
#elif defined(FASTNN_ISA_PORTABLE)
#define ISA_NAME "portable"
#define TILE_ROWS 4
#define DLANES 2
typedef struct { double lane[DLANES]; } vd;

#define VD_EACH(expression) vd r; for (int i = 0; i < DLANES; i++) r.lane[i] = (expression); return r;
FASTNN_INLINE uint64_t fastnn_bits(double a) { uint64_t b; memcpy(&b, &a, 8); return b; }
FASTNN_INLINE double fastnn_from_bits(uint64_t b) { double a; memcpy(&a, &b, 8); return a; }
FASTNN_INLINE double fastnn_round(double a) {
    /* to the nearest integral value, ties to even; above 2^52 (and for NaN) a is its own answer */
    double magic = copysign(4503599627370496.0, a);
    double shifted = a + magic;
    return fabs(a) < 4503599627370496.0 ? copysign(shifted - magic, a) : a;
}

FASTNN_INLINE vd vd_load(const double *p) { VD_EACH(p[i]) }
FASTNN_INLINE void vd_store(double *p, vd a) { for (int i = 0; i < DLANES; i++) p[i] = a.lane[i]; }
FASTNN_INLINE vd vd_set(double a) { VD_EACH(a) }
FASTNN_INLINE vd vd_add(vd a, vd b) { VD_EACH(a.lane[i] + b.lane[i]) }
FASTNN_INLINE vd vd_sub(vd a, vd b) { VD_EACH(a.lane[i] - b.lane[i]) }
FASTNN_INLINE vd vd_mul(vd a, vd b) { VD_EACH(a.lane[i] * b.lane[i]) }
FASTNN_INLINE vd vd_div(vd a, vd b) { VD_EACH(a.lane[i] / b.lane[i]) }
FASTNN_INLINE vd vd_sqrt(vd a) { VD_EACH(sqrt(a.lane[i])) }
FASTNN_INLINE vd vd_fma(vd a, vd b, vd c) { VD_EACH(fma(a.lane[i], b.lane[i], c.lane[i])) }
FASTNN_INLINE int vd_has_nan(vd a) {
    int found = 0;
    for (int i = 0; i < DLANES; i++) found |= a.lane[i] != a.lane[i];
    return found;
}
FASTNN_INLINE vd vd_select_gt(vd a, vd b, vd yes, vd no) { VD_EACH(a.lane[i] > b.lane[i] ? yes.lane[i] : no.lane[i]) }
FASTNN_INLINE vd vd_select_eq(vd a, vd b, vd yes, vd no) { VD_EACH(a.lane[i] == b.lane[i] ? yes.lane[i] : no.lane[i]) }
FASTNN_INLINE vd vd_max(vd a, vd b) { return vd_select_gt(a, b, a, b); }
FASTNN_INLINE vd vd_min(vd a, vd b) { return vd_select_gt(b, a, a, b); }
FASTNN_INLINE vd vd_abs(vd a) { VD_EACH(fabs(a.lane[i])) }
FASTNN_INLINE vd vd_copysign(vd a, vd sign) { VD_EACH(copysign(a.lane[i], sign.lane[i])) }
FASTNN_INLINE vd vd_zip_low(vd a, vd b) { VD_EACH((i % 2 ? b : a).lane[i / 2]) }
FASTNN_INLINE vd vd_zip_high(vd a, vd b) { VD_EACH((i % 2 ? b : a).lane[(DLANES + i) / 2]) }
FASTNN_INLINE vd vd_round(vd a) { VD_EACH(fastnn_round(a.lane[i])) }
FASTNN_INLINE vd vd_shift_left_52(vd a) { VD_EACH(fastnn_from_bits(fastnn_bits(a.lane[i]) << 52)) }
FASTNN_INLINE vd vd_shift_right_52(vd a) { VD_EACH(fastnn_from_bits(fastnn_bits(a.lane[i]) >> 52)) }
FASTNN_INLINE vd vd_and_or(vd a, uint64_t mask, uint64_t bits) {
    VD_EACH(fastnn_from_bits((fastnn_bits(a.lane[i]) & mask) | bits))
}

#if FASTNN_REAL_BITS == 32
#define LANES 4
typedef struct { float lane[LANES]; } vr;
#define VR_EACH(expression) vr r; for (int i = 0; i < LANES; i++) r.lane[i] = (expression); return r;
FASTNN_INLINE vr vr_load(const real *p) { VR_EACH(p[i]) }
FASTNN_INLINE void vr_store(real *p, vr a) { for (int i = 0; i < LANES; i++) p[i] = a.lane[i]; }
FASTNN_INLINE vr vr_set(real a) { VR_EACH(a) }
FASTNN_INLINE vr vr_add(vr a, vr b) { VR_EACH(a.lane[i] + b.lane[i]) }
FASTNN_INLINE vr vr_sub(vr a, vr b) { VR_EACH(a.lane[i] - b.lane[i]) }
FASTNN_INLINE vr vr_mul(vr a, vr b) { VR_EACH(a.lane[i] * b.lane[i]) }
FASTNN_INLINE vr vr_div(vr a, vr b) { VR_EACH(a.lane[i] / b.lane[i]) }
FASTNN_INLINE vr vr_sqrt(vr a) { VR_EACH(sqrtf(a.lane[i])) }
FASTNN_INLINE vr vr_fma(vr a, vr b, vr c) { VR_EACH(fmaf(a.lane[i], b.lane[i], c.lane[i])) }
FASTNN_INLINE int vr_has_nan(vr a) {
    int found = 0;
    for (int i = 0; i < LANES; i++) found |= a.lane[i] != a.lane[i];
    return found;
}
FASTNN_INLINE vr vr_select_gt(vr a, vr b, vr yes, vr no) { VR_EACH(a.lane[i] > b.lane[i] ? yes.lane[i] : no.lane[i]) }
FASTNN_INLINE vr vr_select_eq(vr a, vr b, vr yes, vr no) { VR_EACH(a.lane[i] == b.lane[i] ? yes.lane[i] : no.lane[i]) }
FASTNN_INLINE vr vr_max(vr a, vr b) { return vr_select_gt(a, b, a, b); }
FASTNN_INLINE vr vr_min(vr a, vr b) { return vr_select_gt(b, a, a, b); }
FASTNN_INLINE vr vr_zip_low(vr a, vr b) { VR_EACH((i % 2 ? b : a).lane[i / 2]) }
FASTNN_INLINE vr vr_zip_high(vr a, vr b) { VR_EACH((i % 2 ? b : a).lane[(LANES + i) / 2]) }
FASTNN_INLINE vd vd_from_real(const real *p) { VD_EACH((double)p[i]) }
FASTNN_INLINE void vd_to_real(real *p, vd a) { for (int i = 0; i < DLANES; i++) p[i] = (float)a.lane[i]; }
#endif

#else
#error "no FASTNN_ISA_* is defined"
#endif

/* -------------------------- what is the same in every instruction set ---- */
#if FASTNN_REAL_BITS == 64
/* a vector of reals is a vector of doubles */
#define LANES DLANES
typedef vd vr;
FASTNN_INLINE vr vr_load(const real *p) { return vd_load(p); }
FASTNN_INLINE void vr_store(real *p, vr a) { vd_store(p, a); }
FASTNN_INLINE vr vr_set(real a) { return vd_set(a); }
FASTNN_INLINE vr vr_add(vr a, vr b) { return vd_add(a, b); }
FASTNN_INLINE vr vr_sub(vr a, vr b) { return vd_sub(a, b); }
FASTNN_INLINE vr vr_mul(vr a, vr b) { return vd_mul(a, b); }
FASTNN_INLINE vr vr_div(vr a, vr b) { return vd_div(a, b); }
FASTNN_INLINE vr vr_sqrt(vr a) { return vd_sqrt(a); }
FASTNN_INLINE vr vr_fma(vr a, vr b, vr c) { return vd_fma(a, b, c); }
FASTNN_INLINE int vr_has_nan(vr a) { return vd_has_nan(a); }
FASTNN_INLINE vr vr_max(vr a, vr b) { return vd_max(a, b); }
FASTNN_INLINE vr vr_min(vr a, vr b) { return vd_min(a, b); }
FASTNN_INLINE vr vr_select_gt(vr a, vr b, vr yes, vr no) { return vd_select_gt(a, b, yes, no); }
FASTNN_INLINE vr vr_select_eq(vr a, vr b, vr yes, vr no) { return vd_select_eq(a, b, yes, no); }
FASTNN_INLINE vr vr_zip_low(vr a, vr b) { return vd_zip_low(a, b); }
FASTNN_INLINE vr vr_zip_high(vr a, vr b) { return vd_zip_high(a, b); }
FASTNN_INLINE vd vd_from_real(const real *p) { return vd_load(p); }
FASTNN_INLINE void vd_to_real(real *p, vd a) { vd_store(p, a); }
#endif

/* A panel holds two vectors of columns. */
#define PANEL (2 * LANES)

/* 2^n for integral n in [-1022, 1023]: adding 2^52 + 1023 leaves the biased exponent in the low bits. */
FASTNN_INLINE vd vd_pow2(vd n) { return vd_shift_left_52(vd_add(n, vd_set(4503599627370496.0 + 1023.0))); }
/* x = vd_mantissa(x) * 2^vd_exponent(x) with the mantissa in [1, 2), for positive normal x. */
FASTNN_INLINE vd vd_mantissa(vd x) { return vd_and_or(x, 0x000FFFFFFFFFFFFFull, 0x3FF0000000000000ull); }
FASTNN_INLINE vd vd_exponent(vd x) {
    return vd_sub(vd_and_or(vd_shift_right_52(x), 0x7FFull, 0x4330000000000000ull), vd_set(4503599627370496.0 + 1023.0));
}

#endif
#endif
