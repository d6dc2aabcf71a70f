# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""What is known of the target that is solved: its active features, weights, gradient, sub-Gram.

The arrays of a Workspace have no type of their own. Where no argument tells whether they are float
or double, a pointer `tag`, never looked at, does.
"""

from cpython.ref cimport PyObject
from cython cimport floating
from libc.float cimport FLT_MAX

cdef enum:
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
    double slip  # how far g may be off over |x_j|, where it was taken in single precision; else 0
    const float* rough  # (p, p) G times rough_unit in single precision, or NULL
    double rough_unit
    double rough_scale  # of gradients in single precision: makes them at most 1
    float* rough_w  # (k,) weights and
    float* rough_g  # (p,) Hw in single precision
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
