# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Exact l1 and non-negative quadratic programs in Gram space, one target after the other.

Every target solves

    min over w of  1/2 w'Hw - q'w + l1 |w|_1,   H = G + l2 I,   w >= 0 where positive,

in two phases. Coordinate descent on the sub-Gram of a growing active set guesses the support;
Newton steps through a Cholesky factor of that sub-Gram, cut at the boundary of the orthant, make
the weights exact. Both lower the objective, so that no support is visited twice but for rounding;
where rounding is all that is left, the best weights seen are returned.

Gradients are judged in units that no rescaling of features or targets changes: over |x_j| |y|, they
are correlations of features with what is left of the target.

Nothing is validated here, nothing is printed, and nothing is raised but MemoryError and what an
interrupt raises.
"""

from cpython.ref cimport PyObject
from cython cimport floating
from libc.float cimport DBL_EPSILON, DBL_MIN, FLT_EPSILON
from libc.math cimport HUGE_VAL, NAN, fabs, frexp, ldexp, sqrt
from libc.stdlib cimport free, malloc

from skalign.solvers._active_set cimport (
    activate, change_l2, drop_zeros, keep, reserve, start,
)
from skalign.solvers._gradients cimport (
    active_residual, count_ties, excess, largest_pull, objective, refresh, refresh_active,
    refresh_roughly, steepest_slope, violators, worst_excess,
)
from skalign.solvers._loops cimport choose_loops, squared_excess
from skalign.solvers._steps cimport coordinate_descent, factorize, newton
from skalign.solvers._workspace cimport (
    Workspace, count_work, larger, larger_int, smaller, smaller_int,
)

from skalign.utils import check_interrupt

cdef enum:
    CD_PASSES = 8  # passes of coordinate descent a round; enough to settle most of the support
    SMALL_SUPPORT = 16  # up to here a Cholesky factor costs less than another round of descent
    RESUMED_STEPS = 4  # Newton steps before others are looked at; more only lose one feature each
    NARROWINGS = 8  # halvings of the distance between the bar for features that enter and the worst
    PATIENCE = 10  # rounds without progress after which rounding is all that is left

    FEW = 32  # features enter together up to this many, or as many as are active
    FIRST_ROOM = 64  # active features there is room for from the start

cdef double GROUP = 0.15  # features enter together that violate by this fraction of the worst
cdef double LOOSE = 0.2  # descent stops once gradients move by less than this fraction of the worst
cdef double SETTLED = 0.01  # violations below this fraction of the first: time for exact weights
cdef double TIED = 0.1  # inactive gradients this close to their bound, times tol, are at it
cdef double TYPICAL = 64  # roundings that a long dot product ends up with, of which most cancel


cdef int find_entering(
    Workspace* ws, double worst, double tight, floating* tag
) noexcept nogil:
    """How many features enter, listed in `ws.entering`: the worst ones, and never so many at once
    that filling the sub-Gram is most of the work, for most of them would leave again."""
    cdef int _, i, kept, n_entering
    cdef double bar = larger(GROUP * worst, tight)
    n_entering = violators(ws, <floating> bar, tag)
    for _ in range(NARROWINGS):
        if bar >= worst or n_entering <= larger_int(ws.k, FEW):
            break
        bar = 0.5 * (bar + worst)
        kept = 0
        for i in range(n_entering):
            ws.entering[kept] = ws.entering[i]
            kept += excess(ws, ws.entering[i], tag) > bar
        n_entering = kept
    return n_entering


cdef int solve_target(
    Workspace* ws, const floating* G, const floating* q, double yy, double scale, double pull,
    double tol, int max_iter, bint resumed, floating* w_full
) except -1 nogil:
    """Solve from the weights in w_full, write the solution there; returns the iterations spent.

    `scale` is |y|, `pull` the largest |q_j| / |x_j|. `resumed`: the workspace holds those weights
    already, with an up to date gradient.
    """
    cdef int j, n_entering, n_iter = 0, stalled = 0
    cdef double epsilon = DBL_EPSILON if floating is double else FLT_EPSILON
    cdef double noise = 16 * epsilon * scale
    cdef double tight = larger(1e-3 * tol, 4 * epsilon) * scale
    cdef double worst, violation, value, lowest = HUGE_VAL, least = HUGE_VAL
    cdef bint exact, solved = False
    cdef int p = ws.p
    cdef floating* w = <floating*> ws.w
    if not resumed:
        start(ws, G, q, w_full)
    if ws.k and not objective(ws, q, w) < 0:  # worse than zero weights: only costs time
        for j in range(p):
            w_full[j] = 0
        start(ws, G, q, w_full)
    if ws.k:  # first let them settle among themselves, before others are judged by their gradient
        n_iter += newton(ws, tight, noise, max_iter if max_iter < RESUMED_STEPS else RESUMED_STEPS, w)
        refresh_roughly(ws, G, q, HUGE_VAL)
    exact = True
    while n_iter < max_iter:
        n_iter += 1
        count_work(ws, <double> p * (ws.k + 1))
        worst = worst_excess(ws, w)
        if worst <= ws.slip:  # to be known better
            refresh(ws, G, q)
            worst = worst_excess(ws, w)
        if exact:
            violation = larger(worst, active_residual(ws, w))
            solved = violation <= tight
            if solved:
                break
            value = objective(ws, q, w)
            stalled += 1
            if value < lowest - 4 * epsilon * fabs(value) or violation < 0.9 * least:
                stalled = 0
            # Below -|y|^2 / 2 the objective is rounding: such weights are not kept.
            if violation < least and value >= -0.51 * yy:
                keep(ws, w_full)
                least = violation
            lowest = smaller(lowest, value)
            if stalled == PATIENCE or (stalled and violation <= tol * scale):
                break
        n_entering = find_entering(ws, worst, tight, w)
        reserve(ws, ws.k + n_entering, w)
        activate(ws, G, n_entering, w)
        coordinate_descent(ws, CD_PASSES, larger(LOOSE * worst, tight), w)
        exact = ws.k <= SMALL_SUPPORT or worst <= SETTLED * pull
        if exact:
            if ws.slip:  # the r of features that entered is no better
                drop_zeros(ws, w)
                refresh_active(ws, q)
            n_iter += newton(ws, tight, noise, max_iter - n_iter, w)
        else:
            drop_zeros(ws, w)
        refresh_roughly(ws, G, q, worst)
    drop_zeros(ws, w)
    if ws.slip:
        refresh(ws, G, q)
    if not solved and larger(worst_excess(ws, w), active_residual(ws, w)) > least:
        start(ws, G, q, w_full)  # an earlier round was better
        refresh(ws, G, q)
    keep(ws, w_full)
    return n_iter


cdef void certify(
    Workspace* ws, double yy, double scale, double rounding, double tol, const floating* q,
    double* kkt, double* gap, double* pivot, int* ties, floating* tag
) noexcept nogil:
    """What is known of the final weights, from g and r, which `refresh` has just computed from them.

    KKT violation over |x_j| |y|, a bound on the duality gap, and whether other weights do as well.
    """
    cdef int i, j, near, k = ws.k
    cdef double epsilon = DBL_EPSILON if floating is double else FLT_EPSILON
    cdef floating* r = <floating*> ws.r
    cdef floating* w = <floating*> ws.w
    cdef floating* norms = <floating*> ws.norms
    cdef double wq = 0, wu = 0, slips = 0, l1_norm = 0, l2_norm = 0, conjugate = 0
    cdef double size = scale, steepest = 0, bar = -TIED * tol * scale if scale > 0 else -1e-30
    cdef double slip, typical, u, s, rr, primal, least
    for i in range(k):
        size += fabs(w[i]) * norms[ws.active[i]]

    # A gradient is known up to `slip` |x_j|; if roundings cancel as they do, up to `typical` |x_j|.
    slip = (rounding + 0.5 * (k + 2) * epsilon) * size
    typical = smaller(sqrt(rounding * epsilon), TYPICAL * epsilon) * size
    near = count_ties(ws, <floating> bar, w)
    ties[0] = near if ws.l2 == 0 else 0
    kkt[0] = larger(worst_excess(ws, w) if near else 0, active_residual(ws, w))
    kkt[0] = kkt[0] / scale if scale > 0 else 0
    if typical > 0.5 * tol * scale:
        kkt[0] += typical / scale

    least = 1
    if k and ws.n_factored < k and factorize(ws, w) >= 0:
        least = 0
    for i in range(ws.n_factored):
        u = (<floating*> ws.L)[<size_t> i * (ws.ld + 1)]
        least = smaller(least, u * u / (<floating*> ws.H)[<size_t> i * (ws.ld + 1)])
    pivot[0] = least

    if ws.l1 == 0 and ws.l2 == 0:
        gap[0] = NAN
        return
    if not near and slip <= -bar:
        pass  # no inactive feature reaches its bound
    elif ws.l2 == 0:
        steepest = steepest_slope(ws, <floating> slip, w) * (1 + 4 * epsilon)
    else:
        conjugate = squared_excess(ws.p, <floating*> ws.g, norms, slip, ws.l1, ws.positive)
        if not ws.positive:
            for i in range(k):  # their g is hidden as 0
                u = slip * norms[ws.active[i]] - ws.l1
                conjugate -= u * u if u > 0 else 0
    for i in range(k):
        j = ws.active[i]
        u = r[i] + ws.l2 * w[i]  # x_j' residual
        wq += <double> w[i] * q[j]
        wu += w[i] * u
        slips += fabs(w[i]) * norms[j] * slip
        l1_norm += fabs(w[i])
        l2_norm += <double> w[i] * w[i]
        steepest = larger(steepest, (u if ws.positive else fabs(u)) + slip * norms[j])
        u = fabs(r[i] - (ws.l1 if w[i] > 0 else -ws.l1)) + slip * norms[j]
        conjugate += u * u
    rr = larger(yy - wq - wu, 0) + slip * size
    primal = 0.5 * rr + ws.l1 * l1_norm + 0.5 * ws.l2 * l2_norm
    # The dual point is the residual; without an l2 penalty shrunk until it is feasible for sure.
    if ws.l2 > 0:
        gap[0] = conjugate / (2 * ws.l2)
    else:
        s = smaller(1, ws.l1 / steepest) if steepest > 0 else 1
        gap[0] = 0.5 * (1 - s) * (1 - s) * rr + s * slips
        gap[0] += larger(ws.l1 * l1_norm - s * wu, 0)
        gap[0] += (k + 8) * DBL_EPSILON * (ws.l1 * l1_norm + fabs(wu))
    gap[0] = smaller(gap[0], primal) * (1 + 8 * DBL_EPSILON)


def limit_instructions(int widest):
    """Use instructions up to 0 (those of any processor), 1 (AVX2) or 2 (AVX-512), where there are
    such; returns the widest that are used."""
    return choose_loops(widest)


limit_instructions(2)


def solve_block(
    const floating[:, ::1] G,  # IN (n_features, n_features)
    const floating[:, ::1] Q,  # IN (n_targets, n_features)
    const double[::1] yy,  # IN (n_targets,) squared norms of the targets
    double rounding,  # IN bound on the errors of G_ij over |x_i| |x_j|, of Q_vj over |x_j| |y_v|
    const double[:, ::1] l1,  # IN (n_alphas, n_targets)
    const double[:, ::1] l2,  # IN (n_alphas, n_targets)
    bint positive,
    double tol,
    const int[::1] max_iter,  # IN (n_targets,) for every alpha
    floating[:, :, ::1] W,  # IN at the first alpha the start, OUT (n_alphas, n_targets, n_features)
    int[:, ::1] n_iter,  # OUT (n_alphas, n_targets)
    double[:, ::1] kkt,  # OUT (n_alphas, n_targets) relative to |x_j| |y|
    double[:, ::1] gap,  # OUT (n_alphas, n_targets) in the units of 1/2 |y - Xw|^2
    double[:, ::1] pivot,  # OUT (n_alphas, n_targets) least squared sine of an active feature
    int[:, ::1] ties,  # OUT (n_alphas, n_targets) inactive features with gradients at their bound
    const float[:, ::1] rough=None,  # IN (n_features, n_features) G times rough_unit
    double rough_unit=1,  # IN a power of four
):
    """Solve every target of a block at every alpha, each from the one before, without the GIL.

    Weights and certificates are written in place.
    """
    cdef Workspace ws
    cdef int v, a, j, p = G.shape[0], n_targets = Q.shape[0], n_alphas = W.shape[0]
    cdef size_t item = sizeof(floating)
    cdef int exponent
    cdef double scale, pull
    cdef floating* norms
    cdef floating* inverse
    ws.p = p
    ws.ld = 0
    ws.positive = positive
    ws.k = 0
    ws.n_factored = 0
    ws.flat = 0
    ws.check_interrupt = <PyObject*> check_interrupt
    ws.work = 0
    ws.active = <int*> malloc(2 * p * sizeof(int))
    ws.entering = ws.active + p
    ws.g = malloc(8 * p * item)
    ws.H = ws.L = NULL
    ws.slip = 0
    ws.rough = NULL
    ws.rough_w = NULL
    if floating is double and rough is not None:
        ws.rough = &rough[0, 0]
        ws.rough_w = <float*> malloc(2 * p * sizeof(float))
        ws.rough_g = ws.rough_w + p
    ws.rough_unit = rough_unit
    try:
        if not (ws.active and ws.g and (ws.rough_w or not ws.rough)):
            raise MemoryError(f"no room for the working memory of a problem with {p} features")
        ws.w = <floating*> ws.g + p
        ws.r = <floating*> ws.g + 2 * p
        ws.step = <floating*> ws.g + 3 * p
        ws.Hstep = <floating*> ws.g + 4 * p
        ws.bounded = <floating*> ws.g + 7 * p
        ws.norms = norms = <floating*> ws.g + 5 * p
        ws.inverse = inverse = <floating*> ws.g + 6 * p
        with nogil:
            reserve(&ws, smaller_int(p, FIRST_ROOM), norms)
            for j in range(p):
                norms[j] = <floating> sqrt(larger(G[j, j], 0))
                inverse[j] = 1 / norms[j] if norms[j] > 0 else 0
                ws.flat += not norms[j] > 0
            for v in range(n_targets):
                pull = largest_pull(&ws, &Q[v, 0])
                scale = larger(sqrt(larger(yy[v], 0)), pull)  # equal but for rounding, or |y|
                frexp(scale, &exponent)
                ws.rough_scale = larger(ldexp(sqrt(rough_unit), -exponent), DBL_MIN)
                for a in range(n_alphas):
                    if a == 0:
                        ws.l2 = l2[a, v]
                    else:
                        change_l2(&ws, &G[0, 0], l2[a, v])
                    ws.l1 = l1[a, v]
                    n_iter[a, v] = solve_target(
                        &ws, &G[0, 0], &Q[v, 0], yy[v], scale, pull, tol, max_iter[v], a > 0,
                        &W[a, v, 0]
                    )
                    certify(
                        &ws, yy[v], scale, rounding, tol, &Q[v, 0], &kkt[a, v], &gap[a, v],
                        &pivot[a, v], &ties[a, v], &W[a, v, 0]
                    )
    finally:
        free(ws.active)
        free(ws.g)
        free(ws.H)
        free(ws.L)
        free(ws.rough_w)


def quadratic_block(
    const floating[:, ::1] G,  # IN (n_features, n_features)
    const floating[:, ::1] W,  # IN (n_targets, n_features), mostly zeros
    const double[::1] scale,  # IN (n_features,)
    double[::1] quadratic,  # OUT (n_targets,) w'Gw
    double[::1] aligned,  # OUT (n_targets,) sum over features of |w_i| scale_i (Gw)_i
):
    """Two forms of the weights of every target, over its active features only."""
    cdef int i, j, k, v, p = G.shape[0]
    cdef double reached, weight
    cdef int* active = <int*> malloc((p if p else 1) * sizeof(int))
    if not active:
        raise MemoryError(f"no room for the working memory of a problem with {p} features")
    with nogil:
        for v in range(W.shape[0]):
            k = 0
            for j in range(p):
                if W[v, j] != 0:
                    active[k] = j
                    k += 1
            quadratic[v] = 0
            aligned[v] = 0
            for i in range(k):
                reached = 0
                for j in range(k):
                    reached += <double> G[active[i], active[j]] * W[v, active[j]]
                weight = W[v, active[i]]
                quadratic[v] += weight * reached
                aligned[v] += fabs(weight) * scale[active[i]] * reached
    free(active)
