# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""Exact l1 and non-negative quadratic programs in Gram space, one target after the other.

Every target solves

    min over w of  1/2 w'Hw - q'w + l1 |w|_1,   H = G + l2 I,   w >= 0 where positive,

in two phases. Coordinate descent on the sub-Gram of a growing active set guesses the support;
Newton steps through a Cholesky factor of that sub-Gram, cut at the boundary of the orthant, make
the weights exact. Both only ever lower the objective, so no support is visited twice.

Nothing is validated here, nothing is printed and nothing is raised but MemoryError.
"""

from cython cimport floating
from libc.float cimport DBL_EPSILON, FLT_EPSILON
from libc.math cimport NAN, fabs, fmax, fmin, sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from scipy.linalg.cython_blas cimport daxpy, ddot, saxpy, sdot

cdef enum:
    CD_PASSES = 8  # passes of coordinate descent a round; enough to settle most of the support
    SHORT = 24  # below this length a plain loop beats a call into BLAS
    SMALL_SUPPORT = 16  # up to here a Cholesky factor costs less than another round of descent
    REFINEMENTS = 4  # Newton steps on one support; beyond the first they are refinement
    PATIENCE = 10  # rounds without progress after which rounding is all that is left
    BLAS_INCREMENT = 1

cdef double HUGE = 1e300
cdef double GROUP = 0.25  # features enter together that violate by this fraction of the worst
cdef double LOOSE = 0.1  # descent stops once gradients move by less than this fraction of the worst
cdef double SETTLED = 0.02  # violations below this fraction of max|q|: time for exact weights


cdef struct Workspace:
    int p  # features
    int ld  # row stride of H and L
    int k  # active features
    int n_factored  # leading rows of L that are up to date
    bint positive
    double l1
    double l2
    int* active  # (k,) their indices
    char* is_active  # (p,)
    void* g  # (p,) q - Hw over all features, refreshed once a round
    void* w  # (k,) active weights
    void* r  # (k,) q - Hw over active features, kept up to date by coordinate descent
    void* step  # (k,) direction of the weights
    void* Hstep  # (k,) H step
    void* H  # (k, k) sub-Gram
    void* L  # (k, k) its Cholesky factor, lower


# ---------------------------------------------------------------------------- vectors

cdef inline void axpy(int n, floating a, const floating* x, floating* y) noexcept nogil:
    cdef int i, one = BLAS_INCREMENT
    if n < SHORT:
        for i in range(n):
            y[i] += a * x[i]
    elif floating is double:
        daxpy(&n, &a, <double*> x, &one, y, &one)
    else:
        saxpy(&n, &a, <float*> x, &one, y, &one)


cdef inline floating dot(int n, const floating* x, const floating* y) noexcept nogil:
    cdef int i, one = BLAS_INCREMENT
    cdef floating total = 0
    if n < SHORT:
        for i in range(n):
            total += x[i] * y[i]
        return total
    if floating is double:
        return ddot(&n, <double*> x, &one, <double*> y, &one)
    else:
        return sdot(&n, <float*> x, &one, <float*> y, &one)


# ---------------------------------------------------------------------------- the active set

cdef void activate(Workspace* ws, const floating* G, int j, floating weight) noexcept nogil:
    """Append feature j: its index, its weight, its row and column of the sub-Gram."""
    cdef int i, k = ws.k, ld = ws.ld
    cdef floating* H = <floating*> ws.H
    cdef floating* row = H + <size_t> k * ld
    cdef const floating* source = G + <size_t> j * ws.p
    ws.active[k] = j
    ws.is_active[j] = 1
    (<floating*> ws.w)[k] = weight
    (<floating*> ws.r)[k] = (<floating*> ws.g)[j]
    for i in range(k):
        row[i] = source[ws.active[i]]
        H[<size_t> i * ld + k] = row[i]
    row[k] = source[j] + <floating> ws.l2
    ws.k = k + 1


cdef void drop_zeros(Workspace* ws, floating* tag) noexcept nogil:
    """Take the features whose weight is zero out of the active set; the factor stays valid up to the first."""
    cdef int i, j, m, kept = 0, k = ws.k, ld = ws.ld, first = k
    cdef floating* H = <floating*> ws.H
    cdef floating* w = <floating*> ws.w
    cdef floating* r = <floating*> ws.r
    cdef int* place = <int*> ws.step  # free between Newton steps, and at least as wide as int
    for i in range(k):
        if w[i] == 0:
            ws.is_active[ws.active[i]] = 0
            if first == k:
                first = i
        else:
            place[kept] = i
            kept += 1
    if kept == k:
        return
    for i in range(kept):
        j = place[i]
        ws.active[i] = ws.active[j]
        w[i] = w[j]
        r[i] = r[j]
        for m in range(kept):
            H[<size_t> i * ld + m] = H[<size_t> j * ld + place[m]]
    ws.k = kept
    if ws.n_factored > first:
        ws.n_factored = first


cdef void refresh(Workspace* ws, const floating* G, const floating* q) noexcept nogil:
    """g = q - Hw from scratch, over all features; r is its active part."""
    cdef int i, j, p = ws.p
    cdef floating* g = <floating*> ws.g
    cdef floating* w = <floating*> ws.w
    cdef floating* r = <floating*> ws.r
    for i in range(p):
        g[i] = q[i]
    for i in range(ws.k):
        axpy(p, -w[i], G + <size_t> ws.active[i] * p, g)
    for i in range(ws.k):
        j = ws.active[i]
        g[j] -= <floating> ws.l2 * w[i]
        r[i] = g[j]


cdef inline double excess(Workspace* ws, floating g) noexcept nogil:
    """How far an inactive feature's gradient lies outside its bounds."""
    return (g if ws.positive else fabs(g)) - ws.l1


cdef double worst_excess(Workspace* ws, floating* tag) noexcept nogil:
    cdef int j
    cdef double worst = 0
    cdef floating* g = <floating*> ws.g
    cdef floating top = 0
    # Active features lie on their bound, so the plain maximum settles most final rounds.
    if ws.positive:
        for j in range(ws.p):
            top = g[j] if g[j] > top else top
    else:
        for j in range(ws.p):
            top = g[j] if g[j] > top else (-g[j] if -g[j] > top else top)
    if top <= ws.l1:
        return 0
    for j in range(ws.p):
        if not ws.is_active[j]:
            worst = fmax(worst, excess(ws, g[j]))
    return worst


cdef double active_residual(Workspace* ws, floating* tag) noexcept nogil:
    """The largest departure of an active feature's gradient from its bound."""
    cdef int i
    cdef double worst = 0
    cdef floating* w = <floating*> ws.w
    for i in range(ws.k):
        if w[i] != 0:
            worst = fmax(worst, fabs((<floating*> ws.r)[i] - (ws.l1 if w[i] > 0 else -ws.l1)))
    return worst


# ---------------------------------------------------------------------------- phase 1: support

cdef void coordinate_descent(Workspace* ws, int passes, double tol, floating* tag) noexcept nogil:
    """Cyclic descent on the active features until no gradient moves by more than tol."""
    cdef int i, n_passes, k = ws.k
    cdef floating* w = <floating*> ws.w
    cdef floating* r = <floating*> ws.r
    cdef floating* row
    cdef floating h, z, new, l1 = <floating> ws.l1
    cdef double largest
    for n_passes in range(passes):
        largest = 0
        for i in range(k):
            row = <floating*> ws.H + <size_t> i * ws.ld
            h = row[i]
            if h <= 0:
                continue
            z = r[i] + h * w[i]
            if z > l1:
                new = (z - l1) / h
            elif z < -l1 and not ws.positive:
                new = (z + l1) / h
            else:
                new = 0
            if new != w[i]:
                z = new - w[i]
                axpy(k, -z, row, r)
                w[i] = new
                largest = fmax(largest, fabs(z) * h)
        if largest <= tol:
            break


# ---------------------------------------------------------------------------- phase 2: weights

cdef void solve_upper(Workspace* ws, int m, floating* x) noexcept nogil:
    """x <- L'^-1 x over the leading m rows."""
    cdef int i
    cdef floating* row
    for i in range(m - 1, -1, -1):
        row = <floating*> ws.L + <size_t> i * ws.ld
        x[i] /= row[i]
        axpy(i, -x[i], row, x)


cdef int factorize(Workspace* ws, floating* tag) noexcept nogil:
    """Cholesky of the sub-Gram from row n_factored on; the first row that depends on those before
    it, up to rounding, or -1."""
    cdef int i, j, k = ws.k, ld = ws.ld
    cdef floating* row
    cdef floating* above
    cdef floating pivot, h
    cdef double epsilon = DBL_EPSILON if floating is double else FLT_EPSILON
    for i in range(ws.n_factored, k):
        row = <floating*> ws.L + <size_t> i * ld
        for j in range(i):
            above = <floating*> ws.L + <size_t> j * ld
            row[j] = ((<floating*> ws.H)[<size_t> i * ld + j] - dot(j, row, above)) / above[j]
        h = (<floating*> ws.H)[<size_t> i * ld + i]
        pivot = h - dot(i, row, row)
        if not pivot > 8 * (i + 1) * epsilon * h:
            ws.n_factored = i
            return i
        row[i] = sqrt(pivot)
    ws.n_factored = k
    return -1


cdef double to_boundary(Workspace* ws, int m, floating* tag) noexcept nogil:
    """The largest multiple of the step that changes no sign; HUGE if none does."""
    cdef int i
    cdef double t = HUGE
    cdef floating* w = <floating*> ws.w
    cdef floating* step = <floating*> ws.step
    for i in range(m):
        if (w[i] > 0) == (step[i] < 0) and step[i] != 0:
            t = fmin(t, -w[i] / step[i])
    return t


cdef double slope(Workspace* ws, int m, floating* tag) noexcept nogil:
    """How fast the objective falls along the step."""
    cdef int i
    cdef double total = 0
    for i in range(m):
        total += (<floating*> ws.step)[i] * (
            (<floating*> ws.r)[i] - (ws.l1 if (<floating*> ws.w)[i] > 0 else -ws.l1)
        )
    return total


cdef double curve(Workspace* ws, int m, floating* tag) noexcept nogil:
    """H step over all active features, kept for `move`; the curvature along the step."""
    cdef int i
    cdef floating* step = <floating*> ws.step
    cdef floating* Hstep = <floating*> ws.Hstep
    for i in range(ws.k):
        Hstep[i] = 0
    for i in range(m):
        axpy(ws.k, step[i], <floating*> ws.H + <size_t> i * ws.ld, Hstep)
    return dot(m, step, Hstep)


cdef void move(Workspace* ws, int m, double t, floating* tag) noexcept nogil:
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


cdef void leave_dependence(Workspace* ws, int m, double noise, floating* tag) noexcept nogil:
    """Active feature m is a combination of those before it: slide along that combination until one
    of the weights is zero, downhill or, where it is flat up to rounding, towards less of m."""
    cdef int i
    cdef double t = HUGE, falls, length = 0
    cdef floating* w = <floating*> ws.w
    cdef floating* step = <floating*> ws.step
    cdef floating* row = <floating*> ws.L + <size_t> m * ws.ld
    for i in range(m):
        step[i] = row[i]
    solve_upper(ws, m, step)
    step[m] = -1
    for i in range(m + 1):
        length += fabs(step[i])
        if w[m] < 0:
            step[i] = -step[i]
    falls = slope(ws, m + 1, tag)
    if falls < -noise * length:
        for i in range(m + 1):
            step[i] = -step[i]
        t = to_boundary(ws, m + 1, tag)
        if t == HUGE:  # cannot be but by rounding
            for i in range(m + 1):
                step[i] = -step[i]
    if t == HUGE:
        t = to_boundary(ws, m + 1, tag)
    curve(ws, m + 1, tag)
    move(ws, m + 1, t, tag)


cdef int newton(
    Workspace* ws, double tol, double noise, int max_steps, floating* tag
) noexcept nogil:
    """Exact weights on the active features, or on those of them that stay; the number of steps."""
    cdef int i, dependent, steps = 0, refinements = 0
    cdef floating* w = <floating*> ws.w
    cdef floating* r = <floating*> ws.r
    cdef floating* step = <floating*> ws.step
    cdef floating* row
    cdef double t, full, falls, curvature, residual
    while steps < max_steps:
        drop_zeros(ws, tag)
        if ws.k == 0:
            break
        steps += 1
        dependent = factorize(ws, tag)
        if dependent >= 0:
            leave_dependence(ws, dependent, noise, tag)
            continue
        residual = 0
        for i in range(ws.k):
            step[i] = r[i] - <floating> (ws.l1 if w[i] > 0 else -ws.l1)
            residual = fmax(residual, fabs(step[i]))
        if refinements and (residual <= tol or refinements == REFINEMENTS):
            break
        for i in range(ws.k):
            row = <floating*> ws.L + <size_t> i * ws.ld
            step[i] = (step[i] - dot(i, row, step)) / row[i]
        solve_upper(ws, ws.k, step)
        falls = slope(ws, ws.k, tag)
        curvature = curve(ws, ws.k, tag)
        # One step is exact unless the factor is all rounding; then at least it must not climb.
        full = 1
        if fabs(curvature - falls) > 1e-3 * falls:
            if not (falls > 0 and curvature > 0):
                break
            full = falls / curvature
        t = fmin(full, to_boundary(ws, ws.k, tag))
        move(ws, ws.k, t, tag)
        refinements = refinements + 1 if t == full else 0
    return steps


# ---------------------------------------------------------------------------- one target

cdef double objective(Workspace* ws, const floating* q, floating* tag) noexcept nogil:
    """1/2 w'Hw - q'w + l1 |w|_1 for g = q - Hw up to date."""
    cdef int i
    cdef double total = 0
    cdef floating* g = <floating*> ws.g
    cdef floating* w = <floating*> ws.w
    for i in range(ws.k):
        total += ws.l1 * fabs(w[i]) - 0.5 * w[i] * (<double> q[ws.active[i]] + g[ws.active[i]])
    return total


cdef void start(Workspace* ws, const floating* G, const floating* q, floating* w_full) noexcept nogil:
    """Make the admissible weights of w_full the active ones, and w_full zero."""
    cdef int j
    for j in range(ws.k):
        ws.is_active[ws.active[j]] = 0
    ws.k = 0
    ws.n_factored = 0
    for j in range(ws.p):
        if w_full[j] != 0 and not (ws.positive and w_full[j] < 0) and G[<size_t> j * ws.p + j] > 0:
            activate(ws, G, j, w_full[j])
        w_full[j] = 0
    refresh(ws, G, q)


cdef void keep(Workspace* ws, floating* w_full) noexcept nogil:
    """Write the active weights into w_full."""
    cdef int j
    for j in range(ws.p):
        w_full[j] = 0
    for j in range(ws.k):
        w_full[ws.active[j]] = (<floating*> ws.w)[j]


cdef int solve_target(
    Workspace* ws, const floating* G, const floating* q, double yy, double scale, double tol,
    int max_iter, floating* w_full
) noexcept nogil:
    """Solve from the weights in w_full, write the solution there; returns the iterations spent."""
    cdef int j, n_iter = 0, stalled = 0
    cdef double epsilon = DBL_EPSILON if floating is double else FLT_EPSILON
    cdef double noise = 16 * epsilon * scale
    cdef double tight = fmax(1e-3 * tol, 4 * epsilon) * scale
    cdef double worst, violation, value, lowest = HUGE, least = HUGE
    cdef bint exact, solved = False
    cdef floating* g = <floating*> ws.g
    cdef floating* w = <floating*> ws.w
    start(ws, G, q, w_full)
    exact = ws.k == 0  # the active weights solve their own problem
    if ws.k and not objective(ws, q, w) < 0:  # worse than zero weights: only costs time
        start(ws, G, q, w_full)
        exact = True
    while n_iter < max_iter:
        n_iter += 1
        worst = worst_excess(ws, w)
        if exact:
            violation = fmax(worst, active_residual(ws, w))
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
            lowest = fmin(lowest, value)
            if stalled == PATIENCE or (stalled and violation <= tol * scale):
                break
        for j in range(ws.p):
            if (
                not ws.is_active[j]
                and excess(ws, g[j]) > fmax(GROUP * worst, tight)
                and G[<size_t> j * ws.p + j] > 0
            ):
                activate(ws, G, j, 0)
        coordinate_descent(ws, CD_PASSES, fmax(LOOSE * worst, tight), w)
        exact = ws.k <= SMALL_SUPPORT or worst <= SETTLED * scale
        if exact:
            n_iter += newton(ws, tight, noise, max_iter - n_iter, w)
        else:
            drop_zeros(ws, w)
        refresh(ws, G, q)
    drop_zeros(ws, w)
    if not solved and fmax(worst_excess(ws, w), active_residual(ws, w)) > least:
        start(ws, G, q, w_full)  # an earlier round was better
    keep(ws, w_full)
    return n_iter


cdef void certify(
    Workspace* ws, double scale, double yy, const floating* q, double* kkt, double* gap, floating* tag
) noexcept nogil:
    """KKT violation and duality gap from g, which `refresh` has just computed from the final weights."""
    cdef int i, j
    cdef floating* g = <floating*> ws.g
    cdef floating* w = <floating*> ws.w
    cdef double violation = 0, wq = 0, wu = 0, l1_norm = 0, l2_norm = 0, dual_max = 0, conjugate = 0
    cdef double u, s, rr
    for j in range(ws.p):
        if not ws.is_active[j]:
            violation = fmax(violation, excess(ws, g[j]))
            u = g[j] if ws.positive else fabs(g[j])
            dual_max = fmax(dual_max, u)
            if ws.l2 > 0 and u > ws.l1:
                conjugate += (u - ws.l1) * (u - ws.l1)
    for i in range(ws.k):
        j = ws.active[i]
        violation = fmax(violation, fabs(g[j] - (ws.l1 if w[i] > 0 else -ws.l1)))
        u = g[j] + ws.l2 * w[i]  # x_j' residual
        wq += w[i] * q[j]
        wu += w[i] * u
        l1_norm += fabs(w[i])
        l2_norm += w[i] * w[i]
        u = u if ws.positive else fabs(u)
        dual_max = fmax(dual_max, u)
        if ws.l2 > 0 and u > ws.l1:
            conjugate += (u - ws.l1) * (u - ws.l1)
    kkt[0] = violation / scale if scale > 0 else 0
    rr = fmax(yy - wq - wu, 0)
    if ws.l2 > 0:
        s = 1
        conjugate /= 2 * ws.l2
    elif ws.l1 > 0:
        s = fmin(1, ws.l1 / dual_max) if dual_max > 0 else 1
    else:
        gap[0] = NAN
        return
    gap[0] = fmax(
        0.5 * rr + ws.l1 * l1_norm + 0.5 * ws.l2 * l2_norm
        - (s * (yy - wq) - 0.5 * s * s * rr - conjugate),
        0,
    )


def solve_block(
    const floating[:, ::1] G,  # IN (n_features, n_features)
    const floating[:, ::1] Q,  # IN (n_targets, n_features)
    const double[::1] yy,  # IN (n_targets,) squared norms of the targets
    const double[::1] l1,  # IN (n_targets,)
    const double[::1] l2,  # IN (n_targets,)
    bint positive,
    double tol,
    const int[::1] max_iter,  # IN (n_targets,)
    floating[:, ::1] W,  # IN the start, OUT the solution (n_targets, n_features)
    int[::1] n_iter,  # OUT (n_targets,)
    double[::1] kkt,  # OUT (n_targets,) relative to max|q|
    double[::1] gap,  # OUT (n_targets,) in the units of 1/2 |y - Xw|^2
):
    """Solve every target of a block without the GIL; weights and certificates are written in place."""
    cdef Workspace ws
    cdef int v, j, p = G.shape[0], n_targets = Q.shape[0]
    cdef size_t item = sizeof(floating)
    cdef double scale
    ws.p = p
    # One cache line beyond a multiple of one: rows of a power-of-two stride would evict each other.
    ws.ld = (p + 7) // 8 * 8 + 8
    ws.positive = positive
    ws.k = 0
    ws.active = <int*> malloc(p * sizeof(int))
    ws.is_active = <char*> malloc(p)
    ws.g = malloc(5 * p * item)
    # Only the pages of the active part are ever touched.
    ws.H = malloc(<size_t> p * ws.ld * item)
    ws.L = malloc(<size_t> p * ws.ld * item)
    try:
        if not (ws.active and ws.is_active and ws.g and ws.H and ws.L):
            raise MemoryError(f"no room for the working memory of a problem with {p} features")
        ws.w = <floating*> ws.g + p
        ws.r = <floating*> ws.g + 2 * p
        ws.step = <floating*> ws.g + 3 * p
        ws.Hstep = <floating*> ws.g + 4 * p
        memset(ws.is_active, 0, p)
        with nogil:
            for v in range(n_targets):
                ws.l1 = l1[v]
                ws.l2 = l2[v]
                scale = 0
                for j in range(p):
                    scale = fmax(scale, fabs(Q[v, j]))
                n_iter[v] = solve_target(&ws, &G[0, 0], &Q[v, 0], yy[v], scale, tol, max_iter[v], &W[v, 0])
                certify(&ws, scale, yy[v], &Q[v, 0], &kkt[v], &gap[v], &W[v, 0])
    finally:
        free(ws.active)
        free(ws.is_active)
        free(ws.g)
        free(ws.H)
        free(ws.L)
