/* The kernel's inner loops, compiled for several instruction sets and chosen when it is imported.

GCC and Clang on x86-64 compile the loops of _loops_body.h three times: for any such processor, for
AVX2 and for AVX-512. All other compilers and processors get the first kind only. */

#ifndef SKALIGN_LOOPS_H
#define SKALIGN_LOOPS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define RESTRICT __restrict
#define SIMD(reduction)
#else
#define RESTRICT __restrict__
#define PRAGMA(text) _Pragma(#text)
#define SIMD(reduction) PRAGMA(omp simd reduction)
#endif

#if defined(__GNUC__) && defined(__x86_64__)
#define SKALIGN_CHOOSES 1
#if defined(__clang__)
#define WIDE "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"
#else
#define WIDE "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,prefer-vector-width=512"
#endif
#else
#define SKALIGN_CHOOSES 0
#endif

/* LANES numbers at once: a vector where compilers have such. */
enum { LANES = 8 };
#if defined(__GNUC__)
typedef double DoubleLanes __attribute__((vector_size(64), aligned(8), may_alias));
typedef float FloatLanes __attribute__((vector_size(32), aligned(4), may_alias));
#define LOAD(source) (*(const LANE_VECTOR*)(source))
#define STORE(target, value) (*(LANE_VECTOR*)(target) = (value))
#define MINUS(value, factor, other) ((value) - (factor) * (other))
#else
typedef struct { double of[8]; } DoubleLanes;
typedef struct { float of[8]; } FloatLanes;
static inline DoubleLanes minus_double(DoubleLanes value, double factor, DoubleLanes other) {
    for (int m = 0; m < LANES; m++) value.of[m] -= factor * other.of[m];
    return value;
}
static inline FloatLanes minus_float(FloatLanes value, float factor, FloatLanes other) {
    for (int m = 0; m < LANES; m++) value.of[m] -= factor * other.of[m];
    return value;
}
#define LOAD(source) (*(const LANE_VECTOR*)(source))
#define STORE(target, value) (*(LANE_VECTOR*)(target) = (value))
#define MINUS(value, factor, other) NAME(minus)(value, factor, other)
#endif

/* What the loops of one floating type are called by; _loops_body.h says what they do. */
#define DECLARE_LOOPS(REAL, TYPE)                                                                  \
    typedef struct {                                                                               \
        void (*axpy)(int, REAL, const REAL*, REAL*);                                               \
        REAL (*dot)(int, const REAL*, const REAL*);                                                \
        void (*add_rows)(int, int, const REAL*, size_t, const int*, const REAL*, REAL, REAL*);     \
        REAL (*largest_excess)(int, const REAL*, const REAL*, REAL, int);                          \
        int (*find_above)(int, const REAL*, const REAL*, REAL, REAL, int, int*);                   \
        REAL (*steepest)(int, const REAL*, const REAL*, REAL, int);                                \
        double (*squared_excess)(int, const REAL*, const REAL*, double, double, int);              \
        int (*any_nonzero)(int, const REAL*);                                                      \
        double (*descend)(                                                                         \
            int, const REAL*, size_t, const REAL*, const REAL*, REAL, int, REAL*, REAL*            \
        );                                                                                         \
        int (*factorize)(int, int, const REAL*, REAL*, size_t, REAL, REAL*);                       \
        void (*solve_lower)(int, int, const REAL*, size_t, REAL*);                                 \
        void (*solve_upper)(int, const REAL*, size_t, REAL*);                                      \
        void (*leave_factor)(int, int, REAL*, size_t, REAL*);                                      \
    } TYPE;

DECLARE_LOOPS(double, DoubleLoops)
DECLARE_LOOPS(float, FloatLoops)

/* The place of the lowest bit that is set, of which there is one. */
static inline int lowest_bit(uint64_t bits) {
#if defined(__GNUC__)
    return __builtin_ctzll(bits);
#else
    int place = 0;
    while (!(bits >> place & 1)) place++;
    return place;
#endif
}

#define TWO_POWERS(i) (BITS)1 << (i), (BITS)1 << ((i) + 1)
#define FOUR_POWERS(i) TWO_POWERS(i), TWO_POWERS((i) + 2)
#define EIGHT_POWERS(i) FOUR_POWERS(i), FOUR_POWERS((i) + 4)
#define SIXTEEN_POWERS(i) EIGHT_POWERS(i), EIGHT_POWERS((i) + 8)
#define POWERS_32 SIXTEEN_POWERS(0), SIXTEEN_POWERS(16)
#define POWERS_64 POWERS_32, SIXTEEN_POWERS(32), SIXTEEN_POWERS(48)

#define JOIN(a, b) a##b
#define EXPAND(a, b) JOIN(a, b)

/* Columns of a factor that are taken together: as many as there are registers for. */
#define COLUMNS 4
#define ATTRIBUTES
#define REAL double
#define LANE_VECTOR DoubleLanes
#define BITS uint64_t
#define POWERS_OF_TWO POWERS_64
#define TABLE DoubleLoops
#define NAME(name) EXPAND(name, _double)
#include "_loops_body.h"
#define REAL float
#define LANE_VECTOR FloatLanes
#define BITS uint32_t
#define POWERS_OF_TWO POWERS_32
#define TABLE FloatLoops
#define NAME(name) EXPAND(name, _float)
#include "_loops_body.h"
#undef ATTRIBUTES

#if SKALIGN_CHOOSES
#define ATTRIBUTES __attribute__((target("avx2,fma")))
#define REAL double
#define LANE_VECTOR DoubleLanes
#define BITS uint64_t
#define POWERS_OF_TWO POWERS_64
#define TABLE DoubleLoops
#define NAME(name) EXPAND(name, _double_avx2)
#include "_loops_body.h"
#define REAL float
#define LANE_VECTOR FloatLanes
#define BITS uint32_t
#define POWERS_OF_TWO POWERS_32
#define TABLE FloatLoops
#define NAME(name) EXPAND(name, _float_avx2)
#include "_loops_body.h"
#undef ATTRIBUTES

#undef COLUMNS
#define COLUMNS 8
#define ATTRIBUTES __attribute__((target(WIDE)))
#define REAL double
#define LANE_VECTOR DoubleLanes
#define BITS uint64_t
#define POWERS_OF_TWO POWERS_64
#define TABLE DoubleLoops
#define NAME(name) EXPAND(name, _double_avx512)
#include "_loops_body.h"
#define REAL float
#define LANE_VECTOR FloatLanes
#define BITS uint32_t
#define POWERS_OF_TWO POWERS_32
#define TABLE FloatLoops
#define NAME(name) EXPAND(name, _float_avx512)
#include "_loops_body.h"
#undef ATTRIBUTES
#endif

static DoubleLoops double_loops;
static FloatLoops float_loops;

/* Choose the loops for this processor: at most those of `widest`, 0 (any), 1 (AVX2), 2 (AVX-512);
returns which. Processors and systems without them never get them. */
static int choose_loops(int widest) {
    int found = 0;
#if SKALIGN_CHOOSES
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        found = 1;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
            found = 2;
    }
    found = found < widest ? found : widest;
    if (found == 2) {
        double_loops = loops_double_avx512;
        float_loops = loops_float_avx512;
        return found;
    }
    if (found == 1) {
        double_loops = loops_double_avx2;
        float_loops = loops_float_avx2;
        return found;
    }
#endif
    (void)widest;
    double_loops = loops_double;
    float_loops = loops_float;
    return found;
}

#endif
