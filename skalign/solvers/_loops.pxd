# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The inner loops of `_loops.h`, which also chooses them for the processor, for both types."""

from cython cimport floating

cdef extern from "_loops.h" nogil:
    ctypedef struct DoubleLoops:
        void (*axpy)(int, double, const double*, double*) noexcept nogil
        double (*dot)(int, const double*, const double*) noexcept nogil
        void (*add_rows)(
            int, int, const double*, size_t, const int*, const double*, double, double*
        ) noexcept nogil
        double (*largest_excess)(int, const double*, const double*, double, int) noexcept nogil
        int (*find_above)(
            int, const double*, const double*, double, double, int, int*
        ) noexcept nogil
        double (*steepest)(int, const double*, const double*, double, int) noexcept nogil
        double (*squared_excess)(
            int, const double*, const double*, double, double, int
        ) noexcept nogil
        int (*any_nonzero)(int, const double*) noexcept nogil
        double (*descend)(
            int, const double*, size_t, const double*, const double*, double, int, double*, double*
        ) noexcept nogil
        int (*factorize)(
            int, int, const double*, double*, size_t, double, double*
        ) noexcept nogil
        void (*solve_lower)(int, int, const double*, size_t, double*) noexcept nogil
        void (*solve_upper)(int, const double*, size_t, double*) noexcept nogil
        void (*leave_factor)(int, int, double*, size_t, double*) noexcept nogil

    ctypedef struct FloatLoops:
        void (*axpy)(int, float, const float*, float*) noexcept nogil
        float (*dot)(int, const float*, const float*) noexcept nogil
        void (*add_rows)(
            int, int, const float*, size_t, const int*, const float*, float, float*
        ) noexcept nogil
        float (*largest_excess)(int, const float*, const float*, float, int) noexcept nogil
        int (*find_above)(int, const float*, const float*, float, float, int, int*) noexcept nogil
        float (*steepest)(int, const float*, const float*, float, int) noexcept nogil
        double (*squared_excess)(
            int, const float*, const float*, double, double, int
        ) noexcept nogil
        int (*any_nonzero)(int, const float*) noexcept nogil
        double (*descend)(
            int, const float*, size_t, const float*, const float*, float, int, float*, float*
        ) noexcept nogil
        int (*factorize)(int, int, const float*, float*, size_t, float, float*) noexcept nogil
        void (*solve_lower)(int, int, const float*, size_t, float*) noexcept nogil
        void (*solve_upper)(int, const float*, size_t, float*) noexcept nogil
        void (*leave_factor)(int, int, float*, size_t, float*) noexcept nogil

    DoubleLoops double_loops
    FloatLoops float_loops
    int choose_loops(int widest)
    enum: LANES  # rows of a factor that are taken together

cdef enum:
    TINY = 8  # below this length a plain loop beats a call


cdef inline void axpy(int n, floating a, const floating* x, floating* y) noexcept nogil:
    cdef int i
    if n < TINY:
        for i in range(n):
            y[i] += a * x[i]
    elif floating is double:
        double_loops.axpy(n, a, x, y)
    else:
        float_loops.axpy(n, a, x, y)


cdef inline floating dot(int n, const floating* x, const floating* y) noexcept nogil:
    cdef int i
    cdef floating total = 0
    if n < TINY:
        for i in range(n):
            total += x[i] * y[i]
        return total
    if floating is double:
        return double_loops.dot(n, x, y)
    else:
        return float_loops.dot(n, x, y)


cdef inline void add_rows(
    int n, int k, const floating* A, size_t stride, const int* rows, const floating* w,
    floating factor, floating* g
) noexcept nogil:
    if floating is double:
        double_loops.add_rows(n, k, A, stride, rows, w, factor, g)
    else:
        float_loops.add_rows(n, k, A, stride, rows, w, factor, g)


cdef inline floating largest_excess(
    int n, const floating* g, const floating* inverse, floating l1, bint positive
) noexcept nogil:
    if floating is double:
        return double_loops.largest_excess(n, g, inverse, l1, positive)
    else:
        return float_loops.largest_excess(n, g, inverse, l1, positive)


cdef inline int find_above(
    int n, const floating* g, const floating* inverse, floating l1, floating bar, bint positive,
    int* found
) noexcept nogil:
    if floating is double:
        return double_loops.find_above(n, g, inverse, l1, bar, positive, found)
    else:
        return float_loops.find_above(n, g, inverse, l1, bar, positive, found)


cdef inline floating steepest(
    int n, const floating* g, const floating* norms, floating slip, bint positive
) noexcept nogil:
    if floating is double:
        return double_loops.steepest(n, g, norms, slip, positive)
    else:
        return float_loops.steepest(n, g, norms, slip, positive)


cdef inline double squared_excess(
    int n, const floating* g, const floating* norms, double slip, double l1, bint positive
) noexcept nogil:
    if floating is double:
        return double_loops.squared_excess(n, g, norms, slip, l1, positive)
    else:
        return float_loops.squared_excess(n, g, norms, slip, l1, positive)


cdef inline bint any_nonzero(int n, const floating* x) noexcept nogil:
    if floating is double:
        return double_loops.any_nonzero(n, x)
    else:
        return float_loops.any_nonzero(n, x)


cdef inline double descend(
    int k, const floating* H, size_t stride, const floating* inverse, const floating* reach,
    floating l1, bint positive, floating* w, floating* r
) noexcept nogil:
    if floating is double:
        return double_loops.descend(k, H, stride, inverse, reach, l1, positive, w, r)
    else:
        return float_loops.descend(k, H, stride, inverse, reach, l1, positive, w, r)


cdef inline int cholesky(
    int first, int end, const floating* H, floating* L, size_t stride, floating epsilon,
    floating* room
) noexcept nogil:
    if floating is double:
        return double_loops.factorize(first, end, H, L, stride, epsilon, room)
    else:
        return float_loops.factorize(first, end, H, L, stride, epsilon, room)


cdef inline void solve_lower(
    int n, const floating* L, size_t stride, floating* x
) noexcept nogil:
    if floating is double:
        double_loops.solve_lower(0, n, L, stride, x)
    else:
        float_loops.solve_lower(0, n, L, stride, x)


cdef inline void solve_upper(
    int n, const floating* L, size_t stride, floating* x
) noexcept nogil:
    if floating is double:
        double_loops.solve_upper(n, L, stride, x)
    else:
        float_loops.solve_upper(n, L, stride, x)


cdef inline void leave_factor(
    int n, int gone, floating* L, size_t stride, floating* room
) noexcept nogil:
    if floating is double:
        double_loops.leave_factor(n, gone, L, stride, room)
    else:
        float_loops.leave_factor(n, gone, L, stride, room)
