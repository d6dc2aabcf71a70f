# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Gradients of one target, and how far they are from optimal."""

from cython cimport floating
from libc.float cimport FLT_EPSILON
from libc.math cimport fabs
from libc.string cimport memcpy, memset

from skalign.solvers._loops cimport add_rows, find_above, largest_excess, steepest
from skalign.solvers._workspace cimport Workspace, hidden, larger

cdef enum:
    ROUNDINGS = 16  # of a gradient in single precision
    SHRINKS = 16  # the worst violation in a round, by about this factor


cdef inline void refresh(Workspace* ws, const floating* G, const floating* q) noexcept nogil:
    """g = q - Hw from scratch, over all features; r is its active part."""
    cdef int i, j, p = ws.p
    cdef floating* g = <floating*> ws.g
    cdef floating* w = <floating*> ws.w
    cdef floating* r = <floating*> ws.r
    memcpy(g, q, p * sizeof(floating))
    add_rows(p, ws.k, G, p, ws.active, w, -1, g)
    for i in range(ws.k):
        j = ws.active[i]
        r[i] = g[j] - <floating> ws.l2 * w[i]
        g[j] = hidden(ws, w)
    ws.slip = 0


cdef inline void refresh_roughly(
    Workspace* ws, const floating* G, const floating* q, double worst
) noexcept nogil:
    """g from scratch over inactive features, in single precision where that is at hand: half of the
    Gram's memory is read, and guesses need no more. r stays as it is. But if the worst violation
    was that small before, g is taken as in `refresh`, for it would be soon."""
    cdef int i, p = ws.p
    cdef double size = 0, factor = ws.rough_scale / ws.rough_unit
    cdef floating* g = <floating*> ws.g
    cdef floating* w = <floating*> ws.w
    cdef floating back = <floating> (1 / ws.rough_scale)
    if ws.rough == NULL:
        refresh(ws, G, q)
        return
    for i in range(ws.k):
        ws.rough_w[i] = <float> (w[i] * factor)
        size += fabs(w[i]) * (<floating*> ws.norms)[ws.active[i]]
    ws.slip = ROUNDINGS * FLT_EPSILON * size
    if worst <= SHRINKS * ws.slip:
        refresh(ws, G, q)
        return
    memset(ws.rough_g, 0, p * sizeof(float))
    add_rows(p, ws.k, ws.rough, p, ws.active, ws.rough_w, <float> 1, ws.rough_g)
    for i in range(p):
        g[i] = q[i] - back * ws.rough_g[i]
    for i in range(ws.k):
        g[ws.active[i]] = hidden(ws, w)


cdef inline void refresh_active(Workspace* ws, const floating* q) noexcept nogil:
    """r from scratch."""
    cdef int i
    cdef floating* r = <floating*> ws.r
    for i in range(ws.k):
        r[i] = q[ws.active[i]]
    add_rows(ws.k, ws.k, <floating*> ws.H, ws.ld, NULL, <floating*> ws.w, -1, r)


cdef inline double worst_excess(Workspace* ws, floating* tag) noexcept nogil:
    """How far gradients of inactive features lie outside their bounds at most, over |x_j|."""
    return largest_excess(
        ws.p, <floating*> ws.g, <floating*> ws.inverse, <floating> ws.l1, ws.positive
    )


cdef inline double largest_pull(Workspace* ws, const floating* q) noexcept nogil:
    """The largest |q_j| / |x_j|."""
    return largest_excess(ws.p, q, <floating*> ws.inverse, <floating> 0, False)


cdef inline double steepest_slope(Workspace* ws, floating slip, floating* tag) noexcept nogil:
    """The largest gradient of an inactive feature, each known up to slip |x_j|."""
    return steepest(ws.p, <floating*> ws.g, <floating*> ws.norms, slip, ws.positive)


cdef inline double excess(Workspace* ws, int j, floating* tag) noexcept nogil:
    """How far the gradient of an inactive feature lies outside its bounds, over |x_j|."""
    cdef floating g = (<floating*> ws.g)[j]
    return ((g if ws.positive else <floating> fabs(g)) - <floating> ws.l1) * (<floating*> ws.inverse)[j]


cdef inline int violators(Workspace* ws, floating bar, floating* tag) noexcept nogil:
    """The number of inactive features whose gradient is outside its bounds by more than bar |x_j|;
    they are listed in `ws.entering`."""
    return find_above(
        ws.p, <floating*> ws.g, <floating*> ws.inverse, <floating> ws.l1, bar, ws.positive,
        ws.entering
    )


cdef inline int count_ties(Workspace* ws, floating bar, floating* tag) noexcept nogil:
    """How many inactive features have a gradient above bar |x_j| below its bound, bar negative."""
    cdef int i, found = violators(ws, bar, tag) - ws.flat
    if not ws.positive:
        for i in range(ws.k):  # their g is hidden as 0
            found -= -ws.l1 * (<floating*> ws.inverse)[ws.active[i]] > bar
    return found


cdef inline double active_residual(Workspace* ws, floating* tag) noexcept nogil:
    """The largest departure of an active feature's gradient from its bound, over |x_j|."""
    cdef int i
    cdef double worst = 0
    cdef floating* w = <floating*> ws.w
    cdef floating* inverse = <floating*> ws.inverse
    for i in range(ws.k):
        if w[i] != 0:
            worst = larger(
                worst,
                fabs((<floating*> ws.r)[i] - (ws.l1 if w[i] > 0 else -ws.l1)) * inverse[ws.active[i]],
            )
    return worst


cdef inline double objective(Workspace* ws, const floating* q, floating* tag) noexcept nogil:
    """1/2 w'Hw - q'w + l1 |w|_1 for r up to date."""
    cdef int i
    cdef double total = 0
    cdef floating* r = <floating*> ws.r
    cdef floating* w = <floating*> ws.w
    for i in range(ws.k):
        total += ws.l1 * fabs(w[i]) - 0.5 * w[i] * (<double> q[ws.active[i]] + r[i])
    return total
