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

/* One pass of cyclic descent on 1/2 w'Hw - q'w + l1 |w|_1 with r = q - Hw kept up to date; the
largest change of w_i times reach_i. inverse_i is 1 / H_ii, or 0 for a feature to skip. */
ATTRIBUTES static double NAME(descend)(
    int k, const REAL* RESTRICT H, size_t stride, const REAL* RESTRICT inverse,
    const REAL* RESTRICT reach, REAL l1, int positive, REAL* RESTRICT w, REAL* RESTRICT r
) {
    REAL largest = 0;
    for (int i = 0; i < k; i++) {
        const REAL* RESTRICT row = H + stride * (size_t)i;
        REAL z = r[i] + row[i] * w[i], updated = 0;
        if (inverse[i] == 0) continue;
        if (z > l1)
            updated = (z - l1) * inverse[i];
        else if (z < -l1 && !positive)
            updated = (z + l1) * inverse[i];
        REAL change = updated - w[i];
        if (change == 0) continue;
        w[i] = updated;
        SIMD()
        for (int j = 0; j < k; j++) r[j] -= change * row[j];
        REAL moved = (change < 0 ? -change : change) * reach[i];
        largest = moved > largest ? moved : largest;
    }
    return largest;
}

/* out[i][j] = product of row i of b with row j of a, over the first n entries of four rows each */
ATTRIBUTES static void NAME(multiply_4x4)(
    int n, const REAL* RESTRICT a, const REAL* RESTRICT b, size_t stride, REAL out[4][4]
) {
    const REAL *a1 = a + stride, *a2 = a + 2 * stride, *a3 = a + 3 * stride;
    const REAL *b1 = b + stride, *b2 = b + 2 * stride, *b3 = b + 3 * stride;
    REAL s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
    REAL s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
    SIMD(reduction(+ : s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33))
    for (int j = 0; j < n; j++) {
        s00 += a[j] * b[j], s01 += a[j] * b1[j], s02 += a[j] * b2[j], s03 += a[j] * b3[j];
        s10 += a1[j] * b[j], s11 += a1[j] * b1[j], s12 += a1[j] * b2[j], s13 += a1[j] * b3[j];
        s20 += a2[j] * b[j], s21 += a2[j] * b1[j], s22 += a2[j] * b2[j], s23 += a2[j] * b3[j];
        s30 += a3[j] * b[j], s31 += a3[j] * b1[j], s32 += a3[j] * b2[j], s33 += a3[j] * b3[j];
    }
    out[0][0] = s00, out[0][1] = s10, out[0][2] = s20, out[0][3] = s30;
    out[1][0] = s01, out[1][1] = s11, out[1][2] = s21, out[1][3] = s31;
    out[2][0] = s02, out[2][1] = s12, out[2][2] = s22, out[2][3] = s32;
    out[3][0] = s03, out[3][1] = s13, out[3][2] = s23, out[3][3] = s33;
}

/* Rows `first` to `end` of the lower Cholesky factor L of H, those before given. Returns the first
row that depends on those before it up to rounding, whose entries left of the diagonal are written;
or -1. */
ATTRIBUTES static int NAME(factorize)(
    int first, int end, const REAL* RESTRICT H, REAL* RESTRICT L, size_t stride, REAL epsilon
) {
    enum { BLOCKED = 16 }; /* from this many columns on, four rows are taken at once */
    int i = first;
    while (i < end) {
        int rows = end - i >= 4 && i >= BLOCKED ? 4 : 1, columns = rows == 4 ? i - i % 4 : 0;
        REAL* row = L + stride * (size_t)i;
        for (int j = 0; j < columns; j += 4) {
            const REAL* above = L + stride * (size_t)j;
            REAL part[4][4]; /* of the four columns; their four rows are taken at once */
            NAME(multiply_4x4)(j, row, above, stride, part);
            for (int n = 0; n < 4; n++) {
                REAL inverse = 1 / above[stride * n + j + n];
                for (int m = 0; m < 4; m++)
                    part[n][m] = H[stride * (size_t)(i + m) + j + n] - part[n][m];
                for (int s = 0; s < n; s++)
                    for (int m = 0; m < 4; m++) part[n][m] -= part[s][m] * above[stride * n + j + s];
                for (int m = 0; m < 4; m++) part[n][m] *= inverse;
            }
            for (int m = 0; m < 4; m++)
                for (int n = 0; n < 4; n++) row[stride * m + j + n] = part[n][m];
        }
        for (int m = 0; m < rows; m++, i++, row += stride) {
            const REAL* source = H + stride * (size_t)i;
            for (int j = columns; j < i; j++) {
                const REAL* above = L + stride * (size_t)j;
                row[j] = (source[j] - NAME(dot)(j, row, above)) / above[j];
            }
            REAL pivot = source[i] - NAME(dot)(i, row, row);
            if (!(pivot > 8 * (i + 1) * epsilon * source[i])) return i;
            row[i] = (REAL)sqrt((double)pivot);
        }
    }
    return -1;
}

static const TABLE NAME(loops) = {
    NAME(axpy),     NAME(dot),            NAME(add_rows),    NAME(largest_excess),
    NAME(find_above), NAME(steepest),     NAME(squared_excess), NAME(any_nonzero),
    NAME(descend),  NAME(factorize),
};

#undef REAL
#undef BITS
#undef POWERS_OF_TWO
#undef TABLE
#undef NAME
