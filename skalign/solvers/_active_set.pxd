# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The active set of one target: features enter and leave it, its sub-Gram and its factor."""

from cython cimport floating
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from skalign.solvers._gradients cimport refresh, refresh_active
from skalign.solvers._loops cimport LANES, any_nonzero, leave_factor
from skalign.solvers._workspace cimport Workspace, hidden, larger_int, smaller_int

cdef enum:
    COPIED_TOGETHER = 8  # columns of the sub-Gram: a cache line
    MANY = 16  # numbers from where on a call copies them faster than a loop
    ROTATION = 16  # multiplications of a factorization in the time of one rotation
    ROOTS = 32  # rotations in the time of a square root and two divisions


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
    """Take the features whose weight is zero out of the active set, and out of the factor."""
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
    drop_from_factor(ws, first, tag)
    runs[n_runs] = kept
    for i in range(kept):
        j = place[i]
        ws.active[i] = ws.active[j]
        w[i] = w[j]
        r[i] = r[j]
        if kept < MANY:
            for m in range(kept):
                H[<size_t> i * ld + m] = H[<size_t> j * ld + place[m]]
            continue
        for m in range(n_runs):
            move_back(
                H + <size_t> i * ld + runs[m], H + <size_t> j * ld + place[runs[m]],
                runs[m + 1] - runs[m],
            )
    ws.k = kept


cdef inline void drop_from_factor(Workspace* ws, int first, floating* tag) noexcept nogil:
    """Take the features whose weight is zero, from `first` on, out of the factor; or cut it there,
    where they are so many that to compute it again costs less."""
    cdef int i, n = ws.n_factored
    cdef floating* w = <floating*> ws.w
    cdef double work = 0
    for i in range(first, n):
        if w[i] == 0:
            work += <double> (n - i) * (n - i + ROOTS)
    if n > first and ROTATION * work > <double> n * n * n - <double> first * first * first:
        ws.n_factored = first
        return
    for i in range(n - 1, first - 1, -1):
        if w[i] == 0:
            leave_factor(
                ws.n_factored, i, <floating*> ws.L, ws.ld,
                <floating*> ws.L + <size_t> ws.ld * ws.ld
            )
            ws.n_factored -= 1


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


cdef inline int start(Workspace* ws, const floating* G, const floating* q, floating* w_full) except -1 nogil:
    """Make the admissible weights of w_full the active ones, and w_full zero. Where there are any,
    the gradient of the other features is left to `refresh`."""
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
        refresh_active(ws, q)
        for j in range(ws.p):
            w_full[j] = 0
    if k == 0:
        refresh(ws, G, q)
    return 0


cdef inline void keep(Workspace* ws, floating* w_full) noexcept nogil:
    """Write the active weights into w_full."""
    cdef int j
    for j in range(ws.p):
        w_full[j] = 0
    for j in range(ws.k):
        w_full[ws.active[j]] = (<floating*> ws.w)[j]
