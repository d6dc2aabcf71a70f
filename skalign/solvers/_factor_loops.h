/* Loops over a Cholesky factor, for _loops_body.h, which includes this. */

/* x <- the solution of L x = x over the first n rows, of which the first `known` are solved */
ATTRIBUTES static void NAME(solve_lower)(
    int known, int n, const REAL* RESTRICT L, size_t stride, REAL* RESTRICT x
) {
    int j = known;
    for (; j + 4 <= n; j += 4) {
        const REAL *a = L + stride * (size_t)j, *b = a + stride, *c = b + stride, *d = c + stride;
        REAL s = 0, t = 0, u = 0, v = 0;
        SIMD(reduction(+ : s, t, u, v))
        for (int i = 0; i < j; i++) {
            s += a[i] * x[i];
            t += b[i] * x[i];
            u += c[i] * x[i];
            v += d[i] * x[i];
        }
        x[j] = (x[j] - s) / a[j];
        x[j + 1] = (x[j + 1] - t - b[j] * x[j]) / b[j + 1];
        x[j + 2] = (x[j + 2] - u - c[j] * x[j] - c[j + 1] * x[j + 1]) / c[j + 2];
        x[j + 3] =
            (x[j + 3] - v - d[j] * x[j] - d[j + 1] * x[j + 1] - d[j + 2] * x[j + 2]) / d[j + 3];
    }
    for (; j < n; j++) {
        const REAL* row = L + stride * (size_t)j;
        x[j] = (x[j] - NAME(dot)(j, row, x)) / row[j];
    }
}

/* x <- the solution of L'x = x over the first n rows */
ATTRIBUTES static void NAME(solve_upper)(int n, const REAL* RESTRICT L, size_t stride, REAL* x) {
    int j = n;
    for (; j >= 4; j -= 4) {
        const REAL *a = L + stride * (size_t)(j - 4), *b = a + stride, *c = b + stride;
        const REAL* d = c + stride;
        REAL* z = x + j - 4;
        z[3] /= d[j - 1];
        z[2] = (z[2] - d[j - 2] * z[3]) / c[j - 2];
        z[1] = (z[1] - c[j - 3] * z[2] - d[j - 3] * z[3]) / b[j - 3];
        z[0] = (z[0] - b[j - 4] * z[1] - c[j - 4] * z[2] - d[j - 4] * z[3]) / a[j - 4];
        NAME(add_rows)(j - 4, 4, a, stride, NULL, z, -1, x);
    }
    for (; j > 0; j--) {
        const REAL* row = L + stride * (size_t)(j - 1);
        x[j - 1] /= row[j - 1];
        NAME(axpy)(j - 1, -x[j - 1], row, x);
    }
}

/* t_j for j < n of LANES systems L t = h that share the triangle L, lane by lane beside each other;
row m of H has the right-hand side of lane m. */
ATTRIBUTES static void NAME(solve_lanes)(
    int n, int rows, const REAL* RESTRICT H, const REAL* RESTRICT L, size_t stride, REAL* RESTRICT t
) {
    for (int j = 0; j < n;) {
        const REAL* RESTRICT a = L + stride * (size_t)j;
        int columns = n - j >= COLUMNS ? COLUMNS : 1;
        REAL part[COLUMNS][LANES];
        for (int c = 0; c < columns; c++)
            for (int m = 0; m < LANES; m++)
                part[c][m] = m < rows ? H[stride * (size_t)m + j + c] : 0;
        if (columns == COLUMNS) {
            LANE_VECTOR left[COLUMNS];
            for (int c = 0; c < COLUMNS; c++) left[c] = LOAD(part[c]);
            for (int i = 0; i < j; i++) {
                LANE_VECTOR x = LOAD(t + (size_t)i * LANES);
                for (int c = 0; c < COLUMNS; c++)
                    left[c] = MINUS(left[c], a[stride * (size_t)c + i], x);
            }
            for (int c = 0; c < COLUMNS; c++) STORE(part[c], left[c]);
        } else {
            LANE_VECTOR left = LOAD(part[0]);
            for (int i = 0; i < j; i++) left = MINUS(left, a[i], LOAD(t + (size_t)i * LANES));
            STORE(part[0], left);
        }
        for (int c = 0; c < columns; c++) {
            const REAL* row = a + stride * (size_t)c;
            REAL inverse = 1 / row[j + c];
            for (int i = 0; i < c; i++)
                for (int m = 0; m < LANES; m++) part[c][m] -= row[j + i] * part[i][m];
            for (int m = 0; m < LANES; m++) t[(size_t)(j + c) * LANES + m] = part[c][m] * inverse;
            for (int m = 0; m < LANES; m++) part[c][m] *= inverse;
        }
        j += columns;
    }
}

/* Rows `first` to `end` of the lower Cholesky factor L of H, those before given. Returns the first
row that depends on those before it up to rounding, whose entries left of the diagonal are written;
or -1. `room` is for LANES numbers a row. */
ATTRIBUTES static int NAME(factorize)(
    int first, int end, const REAL* RESTRICT H, REAL* RESTRICT L, size_t stride, REAL epsilon,
    REAL* RESTRICT room
) {
    enum { FEW = 3 }; /* rows, that are better taken one by one */
    int i = first;
    while (i < end) {
        int rows = end - i < LANES ? end - i : LANES, start = i;
        REAL* panel = L + stride * (size_t)i;
        if (rows >= FEW) {
            NAME(solve_lanes)(i, rows, H + stride * (size_t)i, L, stride, room);
            for (int m = 0; m < rows; m++)
                for (int j = 0; j < i; j++) panel[stride * (size_t)m + j] = room[(size_t)j * LANES + m];
        } else {
            rows = 1;
            start = 0;
        }
        for (int m = 0; m < rows; m++, i++) {
            const REAL* source = H + stride * (size_t)i;
            REAL* row = L + stride * (size_t)i;
            for (int j = start; j < i; j++) row[j] = source[j];
            NAME(solve_lower)(start, i, L, stride, row);
            REAL pivot = source[i] - NAME(dot)(i, row, row);
            if (!(pivot > 8 * (i + 1) * epsilon * source[i])) return i;
            row[i] = (REAL)sqrt((double)pivot);
        }
    }
    return -1;
}

/* Take row `gone` and its column out of a lower Cholesky factor L of n rows: rotations carry that
column into those after it. `room` is for two numbers a row. */
ATTRIBUTES static void NAME(leave_factor)(
    int n, int gone, REAL* RESTRICT L, size_t stride, REAL* RESTRICT room
) {
    REAL *RESTRICT cosine = room, *RESTRICT sine = room + n;
    for (int i = gone + 1; i < n;) {
        int rows = n - i < LANES ? 1 : LANES;
        REAL* panel = L + stride * (size_t)i;
        REAL carried[LANES];
        for (int m = 0; m < rows; m++) carried[m] = panel[stride * (size_t)m + gone];
        if (rows == LANES) { /* several, for each waits for its last number */
            for (int j = gone + 1; j < i; j++)
                for (int m = 0; m < LANES; m++) {
                    REAL* entry = panel + stride * (size_t)m + j;
                    REAL old = *entry;
                    entry[-1] = cosine[j] * old + sine[j] * carried[m];
                    carried[m] = cosine[j] * carried[m] - sine[j] * old;
                }
        } else {
            for (int j = gone + 1; j < i; j++) {
                REAL old = panel[j];
                panel[j - 1] = cosine[j] * old + sine[j] * carried[0];
                carried[0] = cosine[j] * carried[0] - sine[j] * old;
            }
        }
        for (int m = 0; m < rows; m++, i++) {
            REAL* row = L + stride * (size_t)i;
            REAL x = carried[m], diagonal;
            for (int j = i - m; j < i; j++) {
                REAL old = row[j];
                row[j - 1] = cosine[j] * old + sine[j] * x;
                x = cosine[j] * x - sine[j] * old;
            }
            diagonal = (REAL)sqrt((double)(row[i] * row[i] + x * x));
            cosine[i] = row[i] / diagonal;
            sine[i] = x / diagonal;
            row[i - 1] = diagonal;
            memcpy(row - stride, row, (size_t)i * sizeof(REAL));
        }
    }
}
