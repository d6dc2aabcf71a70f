/* Loops of one floating type REAL for one instruction set; _loops.h includes this several times.

Reductions are declared as such, for a compiler may not reorder sums and maxima by itself. */

/* y += a x */
ATTRIBUTES static void NAME(axpy)(int n, REAL a, const REAL* RESTRICT x, REAL* RESTRICT y) {
    SIMD()
    for (int i = 0; i < n; i++) y[i] += a * x[i];
}

/* x'y, in four sums at once where they are long enough */
ATTRIBUTES static REAL NAME(dot)(int n, const REAL* RESTRICT x, const REAL* RESTRICT y) {
    enum { STRIDE = 32, SHORT = 16 };
    REAL s = 0, t = 0, u = 0, v = 0;
    int i = 0;
    if (n < SHORT) {
        for (; i + 2 <= n; i += 2) s += x[i] * y[i], t += x[i + 1] * y[i + 1];
        return i < n ? (s + t) + x[i] * y[i] : s + t;
    }
    for (; i + 4 * STRIDE <= n; i += 4 * STRIDE) {
        SIMD(reduction(+ : s, t, u, v))
        for (int j = i; j < i + STRIDE; j++) {
            s += x[j] * y[j];
            t += x[j + STRIDE] * y[j + STRIDE];
            u += x[j + 2 * STRIDE] * y[j + 2 * STRIDE];
            v += x[j + 3 * STRIDE] * y[j + 3 * STRIDE];
        }
    }
    SIMD(reduction(+ : s))
    for (int j = i; j < n; j++) s += x[j] * y[j];
    return (s + t) + (u + v);
}

/* g += factor * sum over i < k of w_i times row rows[i] of A; row i where rows is NULL */
ATTRIBUTES static void NAME(add_rows)(
    int n, int k, const REAL* RESTRICT A, size_t stride, const int* rows, const REAL* w,
    REAL factor, REAL* RESTRICT g
) {
    int i = 0;
    for (; i + 8 <= k; i += 8) {
        const REAL* RESTRICT row[8];
        REAL f[8];
        for (int m = 0; m < 8; m++) {
            row[m] = A + stride * (size_t)(rows ? rows[i + m] : i + m);
            f[m] = factor * w[i + m];
        }
        const REAL *a = row[0], *b = row[1], *c = row[2], *d = row[3];
        const REAL *e = row[4], *h = row[5], *s = row[6], *t = row[7];
        SIMD()
        for (int j = 0; j < n; j++)
            g[j] += ((f[0] * a[j] + f[1] * b[j]) + (f[2] * c[j] + f[3] * d[j])) +
                    ((f[4] * e[j] + f[5] * h[j]) + (f[6] * s[j] + f[7] * t[j]));
    }
    for (; i + 4 <= k; i += 4) {
        const REAL* RESTRICT a = A + stride * (size_t)(rows ? rows[i] : i);
        const REAL* RESTRICT b = A + stride * (size_t)(rows ? rows[i + 1] : i + 1);
        const REAL* RESTRICT c = A + stride * (size_t)(rows ? rows[i + 2] : i + 2);
        const REAL* RESTRICT d = A + stride * (size_t)(rows ? rows[i + 3] : i + 3);
        const REAL s = factor * w[i], t = factor * w[i + 1];
        const REAL u = factor * w[i + 2], v = factor * w[i + 3];
        SIMD()
        for (int j = 0; j < n; j++) g[j] += (s * a[j] + t * b[j]) + (u * c[j] + v * d[j]);
    }
    for (; i + 2 <= k; i += 2) {
        const REAL* RESTRICT a = A + stride * (size_t)(rows ? rows[i] : i);
        const REAL* RESTRICT b = A + stride * (size_t)(rows ? rows[i + 1] : i + 1);
        const REAL u = factor * w[i], v = factor * w[i + 1];
        SIMD()
        for (int j = 0; j < n; j++) g[j] += u * a[j] + v * b[j];
    }
    if (i < k) NAME(axpy)(n, factor * w[i], A + stride * (size_t)(rows ? rows[i] : i), g);
}

/* the largest (g_j - l1) inverse_j, of |g_j| where not positive; at least 0 */
ATTRIBUTES static REAL NAME(largest_excess)(
    int n, const REAL* RESTRICT g, const REAL* RESTRICT inverse, REAL l1, int positive
) {
    REAL largest = 0;
    if (positive) {
        SIMD(reduction(max : largest))
        for (int j = 0; j < n; j++) {
            REAL value = (g[j] - l1) * inverse[j];
            largest = value > largest ? value : largest;
        }
    } else {
        SIMD(reduction(max : largest))
        for (int j = 0; j < n; j++) {
            REAL size = g[j] < 0 ? -g[j] : g[j];
            REAL value = (size - l1) * inverse[j];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

/* 1 << j, from a table, for a shift would not be done for many at once */
static const BITS NAME(powers)[] = {POWERS_OF_TWO};

/* the j with (g_j - l1) inverse_j > bar, of |g_j| where not positive, written to `found`; their
number */
ATTRIBUTES static int NAME(find_above)(
    int n, const REAL* RESTRICT g, const REAL* RESTRICT inverse, REAL l1, REAL bar, int positive,
    int* found
) {
    enum { CHUNK = 8 * sizeof(BITS) };
    int count = 0;
    for (int start = 0; start < n; start += CHUNK) {
        const REAL *slope = g + start, *scale = inverse + start;
        int length = n - start < CHUNK ? n - start : CHUNK;
        BITS above = 0; /* as wide as REAL, so that a comparison gives one without conversion */
        if (positive) {
            SIMD(reduction(| : above))
            for (int j = 0; j < length; j++)
                above |= (slope[j] - l1) * scale[j] > bar ? NAME(powers)[j] : 0;
        } else {
            SIMD(reduction(| : above))
            for (int j = 0; j < length; j++) {
                REAL size = slope[j] < 0 ? -slope[j] : slope[j];
                above |= (size - l1) * scale[j] > bar ? NAME(powers)[j] : 0;
            }
        }
        for (; above; above &= above - 1) found[count++] = start + lowest_bit(above);
    }
    return count;
}

/* the largest g_j + slip norms_j, of |g_j| where not positive; at least 0 */
ATTRIBUTES static REAL NAME(steepest)(
    int n, const REAL* RESTRICT g, const REAL* RESTRICT norms, REAL slip, int positive
) {
    REAL largest = 0;
    SIMD(reduction(max : largest))
    for (int j = 0; j < n; j++) {
        REAL size = !positive && g[j] < 0 ? -g[j] : g[j];
        REAL value = size + slip * norms[j];
        largest = value > largest ? value : largest;
    }
    return largest;
}

/* the sum of squares of what g_j + slip norms_j is above l1, of |g_j| where not positive */
ATTRIBUTES static double NAME(squared_excess)(
    int n, const REAL* RESTRICT g, const REAL* RESTRICT norms, double slip, double l1, int positive
) {
    double total = 0;
    SIMD(reduction(+ : total))
    for (int j = 0; j < n; j++) {
        double size = !positive && g[j] < 0 ? -g[j] : g[j];
        double over = size + slip * norms[j] - l1;
        over = over > 0 ? over : 0;
        total += over * over;
    }
    return total;
}

/* whether any x_j is not zero */
ATTRIBUTES static int NAME(any_nonzero)(int n, const REAL* RESTRICT x) {
    int found = 0;
    SIMD(reduction(| : found))
    for (int j = 0; j < n; j++) found |= x[j] != 0;
    return found;
}

/* Descent on one weight after the other, for `descend`. */
ATTRIBUTES static REAL NAME(descend_singly)(
    int first, int k, const REAL* RESTRICT H, size_t stride, const REAL* RESTRICT inverse,
    const REAL* RESTRICT reach, REAL l1, int positive, REAL* RESTRICT w, REAL* RESTRICT r
) {
    REAL largest = 0;
    for (int i = first; i < k; i++) {
        const REAL* RESTRICT row = H + stride * (size_t)i;
        REAL z = r[i] + row[i] * w[i], best = 0;
        if (inverse[i] == 0) continue;
        if (z > l1)
            best = (z - l1) * inverse[i];
        else if (z < -l1 && !positive)
            best = (z + l1) * inverse[i];
        REAL change = best - w[i];
        if (change == 0) continue;
        w[i] = best;
        SIMD()
        for (int j = 0; j < k; j++) r[j] -= change * row[j];
        REAL moved = (change < 0 ? -change : change) * reach[i];
        largest = moved > largest ? moved : largest;
    }
    return largest;
}

/* One pass of cyclic descent on 1/2 w'Hw - q'w + l1 |w|_1 with r = q - Hw kept up to date; the
largest change of w_i times reach_i. inverse_i is 1 / H_ii, or 0 for a feature to skip. Where there
are many, four weights change one after the other before the r of all others follow. */
ATTRIBUTES static double NAME(descend)(
    int k, const REAL* RESTRICT H, size_t stride, const REAL* RESTRICT inverse,
    const REAL* RESTRICT reach, REAL l1, int positive, REAL* RESTRICT w, REAL* RESTRICT r
) {
    enum { MANY = 32 };
    REAL largest = 0, others, left[4];
    int i = 0;
    if (k >= MANY)
        for (int m = 0; m < 4; m++) left[m] = r[m];
    for (; k >= MANY && i + 4 <= k; i += 4) {
        const REAL* rows = H + stride * (size_t)i;
        REAL change[4];
        int n_changes = 0;
        for (int m = 0; m < 4; m++) { /* without branches, which nobody could predict */
            const REAL* row = rows + stride * (size_t)m + i;
            REAL old = w[i + m];
            if (positive) { /* known before, and the shortest way from left to change */
                REAL best = (left[m] - l1) * inverse[i + m];
                change[m] = best > -old ? best : -old;
                w[i + m] = old + change[m];
            } else {
                REAL z = left[m] + row[m] * old;
                REAL above = z - l1 > 0 ? z - l1 : 0, below = z + l1 < 0 ? z + l1 : 0;
                REAL best = inverse[i + m] == 0 ? old : (above + below) * inverse[i + m];
                change[m] = best - old;
                w[i + m] = best;
            }
            for (int s = m + 1; s < 4; s++) left[s] -= change[m] * row[s];
        }
        for (int m = 0; m < 4; m++) {
            REAL moved = (change[m] < 0 ? -change[m] : change[m]) * reach[i + m];
            largest = moved > largest ? moved : largest;
            n_changes += change[m] != 0;
        }
        /* The next four do not wait for all of r. */
        if (i + 8 <= k) {
            for (int s = 0; s < 4; s++) left[s] = r[i + 4 + s];
            for (int m = 0; m < 4; m++)
                for (int s = 0; s < 4; s++)
                    left[s] -= change[m] * rows[stride * (size_t)m + i + 4 + s];
        }
        if (n_changes) NAME(add_rows)(k, 4, rows, stride, NULL, change, -1, r);
    }
    others = NAME(descend_singly)(i, k, H, stride, inverse, reach, l1, positive, w, r);
    return others > largest ? others : largest;
}

#include "_factor_loops.h"

static const TABLE NAME(loops) = {
    NAME(axpy),     NAME(dot),            NAME(add_rows),    NAME(largest_excess),
    NAME(find_above), NAME(steepest),     NAME(squared_excess), NAME(any_nonzero),
    NAME(descend),  NAME(factorize),      NAME(solve_lower), NAME(solve_upper),
    NAME(leave_factor),
};

#undef REAL
#undef BITS
#undef LANE_VECTOR
#undef POWERS_OF_TWO
#undef TABLE
#undef NAME
