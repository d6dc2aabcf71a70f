# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Steps on the active set: coordinate descent, and Newton's through a Cholesky factor."""

from cython cimport floating
from libc.float cimport DBL_EPSILON, FLT_EPSILON
from libc.math cimport HUGE_VAL, fabs, sqrt

from skalign.solvers._active_set cimport drop_zeros
from skalign.solvers._loops cimport (
    add_rows, axpy, cholesky, descend, dot, solve_lower, solve_upper,
)
from skalign.solvers._workspace cimport Workspace, count_work, larger, smaller

cdef enum:
    FACTORED_TOGETHER = 256  # rows of the factor between looks at interrupts
    REFINEMENTS = 4  # Newton steps on one support; beyond the first they are refinement


cdef inline int coordinate_descent(
    Workspace* ws, int passes, double tol, floating* tag
) except -1 nogil:
    """Cyclic descent on the active features until no gradient moves by more than tol |x_j|."""
    cdef int i, k = ws.k
    cdef floating h
    cdef floating* inverse = <floating*> ws.step
    cdef floating* reach = <floating*> ws.Hstep
    for i in range(k):
        h = (<floating*> ws.H)[<size_t> i * (ws.ld + 1)]
        inverse[i] = 1 / h if h > 0 else 0
        reach[i] = h * (<floating*> ws.inverse)[ws.active[i]]
    for _ in range(passes):
        count_work(ws, <double> k * k)
        if descend(
            k, <floating*> ws.H, ws.ld, inverse, reach, <floating> ws.l1, ws.positive,
            <floating*> ws.w, <floating*> ws.r
        ) <= tol:
            break
    return 0


cdef inline int factorize(Workspace* ws, floating* tag) except -2 nogil:
    """Cholesky of the sub-Gram from row n_factored on; the first row that depends on those before
    it, up to rounding, or -1."""
    cdef int end, dependent
    cdef double epsilon = DBL_EPSILON if floating is double else FLT_EPSILON
    while ws.n_factored < ws.k:
        end = ws.n_factored + FACTORED_TOGETHER
        end = end if end < ws.k else ws.k
        count_work(ws, 0.5 * (end - ws.n_factored) * end * end)
        dependent = cholesky(
            ws.n_factored, end, <floating*> ws.H, <floating*> ws.L, ws.ld, <floating> epsilon,
            <floating*> ws.L + <size_t> ws.ld * ws.ld
        )
        ws.n_factored = end if dependent < 0 else dependent
        if dependent >= 0:
            return dependent
    return -1


cdef inline double to_boundary(Workspace* ws, int m, floating* tag) noexcept nogil:
    """The largest multiple of the step that changes no sign; HUGE_VAL if none does."""
    cdef int i
    cdef double t = HUGE_VAL
    cdef floating* w = <floating*> ws.w
    cdef floating* step = <floating*> ws.step
    for i in range(m):
        if (w[i] > 0) == (step[i] < 0) and step[i] != 0:
            t = smaller(t, -w[i] / step[i])
    return t


cdef inline double slope(Workspace* ws, int m, floating* tag) noexcept nogil:
    """How fast the objective falls along the step."""
    cdef int i
    cdef double total = 0
    for i in range(m):
        total += (<floating*> ws.step)[i] * (
            (<floating*> ws.r)[i] - (ws.l1 if (<floating*> ws.w)[i] > 0 else -ws.l1)
        )
    return total


cdef inline double curve(Workspace* ws, int m, floating* tag) noexcept nogil:
    """H step over all active features, kept for `move`; the curvature along the step."""
    cdef int i
    cdef floating* step = <floating*> ws.step
    cdef floating* Hstep = <floating*> ws.Hstep
    for i in range(ws.k):
        Hstep[i] = 0
    add_rows(ws.k, m, <floating*> ws.H, ws.ld, NULL, step, <floating> 1, Hstep)
    return dot(m, step, Hstep)


cdef inline void move(Workspace* ws, int m, double t, floating* tag) noexcept nogil:
    """w += t step, weights that reach zero set to exactly zero, r updated."""
    cdef int i
    cdef floating* w = <floating*> ws.w
    cdef floating* step = <floating*> ws.step
    cdef floating new
    for i in range(m):
        new = w[i] + <floating> t * step[i]
        if (w[i] > 0) != (new > 0) or (
            (w[i] > 0) == (step[i] < 0) and step[i] != 0 and -w[i] / step[i] <= t
        ):
            new = 0
        w[i] = new
    axpy(ws.k, <floating> -t, <floating*> ws.Hstep, <floating*> ws.r)


cdef inline void leave_dependence(Workspace* ws, int m, double noise, floating* tag) noexcept nogil:
    """Active feature m is a combination of those before it: slide along that combination until one
    of the weights is zero, downhill or, where it is flat up to rounding, toward less of m."""
    cdef int i
    cdef double t = HUGE_VAL, falls, length = 0
    cdef floating* w = <floating*> ws.w
    cdef floating* step = <floating*> ws.step
    cdef floating* row = <floating*> ws.L + <size_t> m * ws.ld
    for i in range(m):
        step[i] = row[i]
    solve_upper(m, <floating*> ws.L, ws.ld, step)
    step[m] = -1
    for i in range(m + 1):
        length += fabs(step[i]) * (<floating*> ws.norms)[ws.active[i]]
        if w[m] < 0:
            step[i] = -step[i]
    falls = slope(ws, m + 1, tag)
    if falls < -noise * length:
        for i in range(m + 1):
            step[i] = -step[i]
        t = to_boundary(ws, m + 1, tag)
        if t == HUGE_VAL:  # cannot be but by rounding
            for i in range(m + 1):
                step[i] = -step[i]
    if t == HUGE_VAL:
        t = to_boundary(ws, m + 1, tag)
    curve(ws, m + 1, tag)
    move(ws, m + 1, t, tag)


cdef inline double decrease(Workspace* ws, floating* tag) noexcept nogil:
    """How much the objective falls with the whole step, which changes no sign."""
    return slope(ws, ws.k, tag) - 0.5 * curve(ws, ws.k, tag)


cdef inline bint move_along_boundary(Workspace* ws, double least, floating* tag) noexcept nogil:
    """Take the whole step, but for weights that would change sign, which become zero: many features
    leave at once. Only done if the objective falls by more than `least`."""
    cdef int i
    cdef floating* w = <floating*> ws.w
    cdef floating* step = <floating*> ws.step
    cdef floating* bounded = <floating*> ws.bounded
    for i in range(ws.k):
        bounded[i] = step[i] if (w[i] > 0) == (w[i] + step[i] > 0) else -w[i]
    ws.step, ws.bounded = ws.bounded, ws.step
    if decrease(ws, tag) > least:
        move(ws, ws.k, 1, tag)
        return True
    ws.step, ws.bounded = ws.bounded, ws.step
    return False


cdef inline int newton(
    Workspace* ws, double tol, double noise, int max_steps, floating* tag
) except -1 nogil:
    """Exact weights on the active features, or on those of them that stay; the number of steps."""
    cdef int i, dependent, steps = 0, refinements = 0
    cdef floating* w = <floating*> ws.w
    cdef floating* r = <floating*> ws.r
    cdef floating* step
    cdef double t, full, falls, curvature, residual
    while steps < max_steps:
        drop_zeros(ws, tag)
        if ws.k == 0:
            break
        steps += 1
        count_work(ws, 2.0 * ws.k * ws.k)
        dependent = factorize(ws, tag)
        if dependent >= 0:
            leave_dependence(ws, dependent, noise, tag)
            continue
        residual = 0
        step = <floating*> ws.step
        for i in range(ws.k):
            step[i] = r[i] - <floating> (ws.l1 if w[i] > 0 else -ws.l1)
            residual = larger(
                residual, fabs(step[i]) * (<floating*> ws.inverse)[ws.active[i]]
            )
        if refinements and (residual <= tol or refinements == REFINEMENTS):
            break
        solve_lower(ws.k, <floating*> ws.L, ws.ld, step)
        solve_upper(ws.k, <floating*> ws.L, ws.ld, step)
        falls = slope(ws, ws.k, tag)
        t = to_boundary(ws, ws.k, tag)
        if t < 1 and falls > 0 and move_along_boundary(ws, t * (1 - 0.5 * t) * falls, tag):
            refinements = 0
            continue
        curvature = curve(ws, ws.k, tag)
        # One step is exact unless the factor is all rounding; then at least it must not climb.
        full = 1
        if fabs(curvature - falls) > 1e-3 * falls:
            if not (falls > 0 and curvature > 0):
                break
            full = falls / curvature
        t = smaller(full, t)
        move(ws, ws.k, t, tag)
        refinements = refinements + 1 if t == full else 0
    return steps
