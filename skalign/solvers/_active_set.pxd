# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The active set of one target: its features, weights, gradient and sub-Gram.

The arrays of a Workspace have no type of their own. Where no argument tells whether they are float
or double, a pointer `tag`, never looked at, does.
"""

from cpython.ref cimport PyObject
from cython cimport floating
from libc.float cimport FLT_MAX
from libc.math cimport fabs
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from skalign.solvers._loops cimport (
    LANES, add_rows, any_nonzero, find_above, largest_excess, steepest,
)

cdef enum:
    COPIED_TOGETHER = 8  # columns of the sub-Gram: a cache line
    MANY = 16  # numbers from where on a call copies them faster than a loop
    WORK_BETWEEN_CHECKS = 100_000_000  # multiplications: about a tenth of a second


cdef struct Workspace:
    int p  # features
    int ld  # row stride of H and L, and how many rows they have room for
    int k  # active features
    int n_factored  # leading rows of L that are up to date
    int flat  # features without variance
    bint positive
    double l1
    double l2
    int* active  # (k,) their indices
    int* entering  # (p,) room for indices of features that enter
    void* norms  # (p,) |x_j|, the square roots of the diagonal of G
    void* inverse  # (p,) 1 / |x_j|; 0 for features without variance, which never enter
    void* g  # (p,) q - Hw, refreshed once a round; of active features out of sight, see `hidden`
    void* w  # (k,) active weights
    void* r  # (k,) q - Hw over active features, kept up to date by coordinate descent
    void* step  # (k,) direction of the weights
    void* Hstep  # (k,) H step
    void* bounded  # (k,) a step that stops where weights reach zero
    void* H  # (k, k) sub-Gram
    void* L  # (k, k) its Cholesky factor, lower; behind it room for LANES numbers a row
    PyObject* check_interrupt  # called now and then; may raise
    double work  # multiplications since


cdef inline int count_work(Workspace* ws, double work) except -1 nogil:
    """Count multiplications, and after many of them give an interrupt the chance to end it all."""
    ws.work += work
    if ws.work > WORK_BETWEEN_CHECKS:
        ws.work = 0
        with gil:
            (<object> ws.check_interrupt)()
    return 0


cdef inline double larger(double a, double b) noexcept nogil:
    return a if a > b else b  # fmax would be a call, for the sake of NaN


cdef inline int larger_int(int a, int b) noexcept nogil:
    return a if a > b else b


cdef inline int smaller_int(int a, int b) noexcept nogil:
    return a if a < b else b


cdef inline double smaller(double a, double b) noexcept nogil:
    return a if a < b else b


cdef inline floating hidden(Workspace* ws, floating* tag) noexcept nogil:
    """What stands in g for active features, so that a search for violators passes them over."""
    return -FLT_MAX if ws.positive else 0


cdef inline int reserve(Workspace* ws, int k, floating* tag) except -1 nogil:
    """Make room for k active features. Rows of H and L stay as near each other as they fit."""
    cdef int i
    cdef size_t item = sizeof(floating), used = ws.k * item, old = ws.ld * item, ld
    cdef char* H
    cdef char* L
    if k <= ws.ld:
        return 0
    # One cache line beyond a multiple of one: rows of a power-of-two stride would evict each other.
    ld = (larger_int(k, smaller_int(2 * k, ws.p)) + 7) // 8 * 8 + 8
    H = <char*> malloc(ld * ld * item)
    L = <char*> malloc((ld + LANES) * ld * item)
    if not (H and L):
        free(H)
        free(L)
        with gil:
            raise MemoryError(f"no room for the working memory of {k} active features")
    for i in range(ws.k):
        memcpy(H + i * ld * item, <char*> ws.H + i * old, used)
        memcpy(L + i * ld * item, <char*> ws.L + i * old, used)
    free(ws.H)
    free(ws.L)
    ws.H, ws.L, ws.ld = H, L, <int> ld
    return 0


cdef inline void activate(Workspace* ws, const floating* G, int count, floating* tag) noexcept nogil:
    """Append the `count` features in `ws.entering`, with zero weights: their rows and columns of the
    sub-Gram, a few columns at a time, so that what is written lies together."""
    cdef int i, j, m, n, end, k = ws.k, ld = ws.ld
    cdef floating* H = <floating*> ws.H
    cdef floating* row
    cdef const floating* source
    for m in range(count):
        j = ws.entering[m]
        ws.active[k + m] = j
        (<floating*> ws.w)[k + m] = 0
        (<floating*> ws.r)[k + m] = (<floating*> ws.g)[j]
        (<floating*> ws.g)[j] = hidden(ws, tag)
    for m in range(count):
        row = H + <size_t> (k + m) * ld
        source = G + <size_t> ws.active[k + m] * ws.p
        for i in range(k + m):
            row[i] = source[ws.active[i]]
        row[k + m] = source[ws.active[k + m]] + <floating> ws.l2
    m = 0
    while m < count:
        end = smaller_int(m + COPIED_TOGETHER, count)
        for i in range(k + end):
            for n in range(larger_int(m, i - k + 1), end):
                H[<size_t> i * ld + k + n] = H[<size_t> (k + n) * ld + i]
        m = end
    ws.k = k + count


cdef inline void drop_zeros(Workspace* ws, floating* tag) noexcept nogil:
    """Take the features whose weight is zero out of the active set; the factor stays valid up to the first."""
    cdef int i, j, m, n_runs = 0, kept = 0, k = ws.k, ld = ws.ld, first = k
    cdef floating* H = <floating*> ws.H
    cdef floating* w = <floating*> ws.w
    cdef floating* r = <floating*> ws.r
    cdef int* place = <int*> ws.step  # free between Newton steps, and at least as wide as int
    cdef int* runs = <int*> ws.Hstep  # where features that stay start to lie together
    for i in range(k):
        if w[i] == 0:
            (<floating*> ws.g)[ws.active[i]] = r[i]
            if first == k:
                first = i
        else:
            if kept == 0 or place[kept - 1] != i - 1:
                runs[n_runs] = kept
                n_runs += 1
            place[kept] = i
            kept += 1
    if kept == k:
        return
    runs[n_runs] = kept
    for i in range(kept):
        j = place[i]
        ws.active[i] = ws.active[j]
        w[i] = w[j]
        r[i] = r[j]
        for m in range(n_runs):
            move_back(
                H + <size_t> i * ld + runs[m], H + <size_t> j * ld + place[runs[m]],
                runs[m + 1] - runs[m],
            )
    ws.k = kept
    if ws.n_factored > first:
        ws.n_factored = first


cdef inline void move_back(floating* target, floating* source, int count) noexcept nogil:
    """Copy numbers to where they were or before."""
    cdef int i
    if source == target:
        return
    if count >= MANY:
        memmove(target, source, count * sizeof(floating))
        return
    for i in range(count):
        target[i] = source[i]


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


cdef inline void change_l2(Workspace* ws, const floating* G, double l2) noexcept nogil:
    """Another ridge penalty, for the same weights."""
    cdef int i
    cdef floating more = <floating> (l2 - ws.l2)
    if more == 0:
        return
    for i in range(ws.k):
        (<floating*> ws.H)[<size_t> i * (ws.ld + 1)] = (
            G[<size_t> ws.active[i] * (ws.p + 1)] + <floating> l2
        )
        (<floating*> ws.r)[i] -= more * (<floating*> ws.w)[i]
    ws.l2 = l2
    ws.n_factored = 0


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


cdef inline int start(Workspace* ws, const floating* G, const floating* q, floating* w_full) except -1 nogil:
    """Make the admissible weights of w_full the active ones, and w_full zero."""
    cdef int j, k = 0
    ws.k = 0
    ws.n_factored = 0
    if any_nonzero(ws.p, w_full):
        for j in range(ws.p):
            if (
                w_full[j] != 0 and not (ws.positive and w_full[j] < 0)
                and G[<size_t> j * ws.p + j] > 0
            ):
                ws.entering[k] = j
                k += 1
        reserve(ws, k, w_full)
        activate(ws, G, k, w_full)
        for j in range(k):
            (<floating*> ws.w)[j] = w_full[ws.active[j]]
        for j in range(ws.p):
            w_full[j] = 0
    refresh(ws, G, q)
    return 0


cdef inline void keep(Workspace* ws, floating* w_full) noexcept nogil:
    """Write the active weights into w_full."""
    cdef int j
    for j in range(ws.p):
        w_full[j] = 0
    for j in range(ws.k):
        w_full[ws.active[j]] = (<floating*> ws.w)[j]
