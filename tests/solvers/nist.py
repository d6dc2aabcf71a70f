"""Data sets for linear regression of the Statistical Reference Datasets (StRD) of NIST.

Source: National Institute of Standards and Technology, https://www.itl.nist.gov/div898/strd/lls/lls.shtml
(public domain). Certified values have 15 digits.
"""

import numpy as np

_LONGLEY = np.array(
    [
        [60323, 83.0, 234289, 2356, 1590, 107608, 1947],
        [61122, 88.5, 259426, 2325, 1456, 108632, 1948],
        [60171, 88.2, 258054, 3682, 1616, 109773, 1949],
        [61187, 89.5, 284599, 3351, 1650, 110929, 1950],
        [63221, 96.2, 328975, 2099, 3099, 112075, 1951],
        [63639, 98.1, 346999, 1932, 3594, 113270, 1952],
        [64989, 99.0, 365385, 1870, 3547, 115094, 1953],
        [63761, 100.0, 363112, 3578, 3350, 116219, 1954],
        [66019, 101.2, 397469, 2904, 3048, 117388, 1955],
        [67857, 104.6, 419180, 2822, 2857, 118734, 1956],
        [68169, 108.4, 442769, 2936, 2798, 120445, 1957],
        [66513, 110.8, 444546, 4681, 2637, 121950, 1958],
        [68655, 112.6, 482704, 3813, 2552, 123366, 1959],
        [69564, 114.2, 502601, 3931, 2514, 125368, 1960],
        [69331, 115.7, 518173, 4806, 2572, 127852, 1961],
        [70551, 116.9, 554894, 4007, 2827, 130081, 1962],
    ]
)
_LONGLEY_COEF = [
    15.0618722713733,
    -0.358191792925910e-01,
    -2.02022980381683,
    -1.03322686717359,
    -0.511041056535807e-01,
    1829.15146461355,
]
# What Wampler3 adds to Wampler1, orthogonal to all powers; Wampler4 adds 100 times as much.
_HALF = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048]
_WAMPLER_ERROR = np.array([*_HALF, 2048, *_HALF[::-1]], dtype=float)


def _wampler():
    x = np.arange(21.0)
    X = x[:, None] ** np.arange(1, 6)
    ones, tenths = np.ones(5), 0.1 ** np.arange(1, 6)
    yield "Wampler1", X, 1 + X @ ones, ones, 1.0
    yield "Wampler2", X, 1 + X @ tenths, tenths, 1.0
    for number, size in [(3, 1.0), (4, 1e2), (5, 1e4)]:
        yield f"Wampler{number}", X, 1 + X @ ones + size * _WAMPLER_ERROR, ones, 1.0


# name: (X, y, certified weights, certified intercept)
NIST = {name: case for name, *case in _wampler()} | {
    "Longley": [_LONGLEY[:, 1:], _LONGLEY[:, 0], np.array(_LONGLEY_COEF), -3482258.63459582]
}
