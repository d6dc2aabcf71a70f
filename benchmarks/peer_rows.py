"""Rows of the table of peers: how large the work is, and how much faster we must be.

A floor is the least time of a contender over ours: ``{"SPAMS": 2}`` is twice as fast as SPAMS, and
``{PRODUCTS: 1 / 2}`` at most twice the time of the two products.
"""

from functools import partial

import numpy as np
from peer_work import (
    PRODUCTS,
    Row,
    default_cv,
    fit_row,
    lasso_cv_row,
    ridge_cv_row,
    theta,
    tiny,
)
from problem import encoding_problem, independent_problem

ROWS = [
    Row("tiny", "positive lasso, n 50, p 10, one target", tiny, {"scikit-learn": 1}),
    fit_row(
        "lasso-p100",
        "lasso",
        (1000, 100, 5000),
        0.1,
        floors={"SPAMS": 1.5, "scikit-learn": 6, PRODUCTS: 1 / 3},
        n_few=100,
    ),
    fit_row(
        "lasso-p1000",
        "lasso",
        (1000, 1000, 2000),
        0.01,
        floors={"SPAMS": 2.5, "scikit-learn": 4},
        n_few=20,
    ),
    fit_row("ols-p400", "ols", (1000, 400, 500), 0.0, floors={"SciPy NNLS": 50}),
    fit_row("ridge-p400", "ridge", (1000, 400, 500), 0.1, floors={"scikit-learn": 10}),
    fit_row(
        "elasticnet-p400",
        "elasticnet",
        (1000, 400, 500),
        0.1,
        floors={PRODUCTS: 1 / 2.5},
        n_few=50,
    ),
    fit_row(
        "signed-lasso-p400",
        "lasso",
        (1000, 400, 2000),
        0.02,
        positive=False,
        floors={"scikit-learn": 5},
        n_few=50,
    ),
    *(
        fit_row(name, penalty, size, alpha, floors=floors, layer=True, n_few=3)
        for name, penalty, size, alpha, floors in [
            ("lasso-p4096-0.05", "lasso", (1000, 4096, 200), 0.05, {"SPAMS": 1.8}),
            ("lasso-p4096-0.01", "lasso", (1000, 4096, 200), 0.01, {"SPAMS": 3.5}),
            ("lasso-t1000-0.05", "lasso", (1000, 4096, 1000), 0.05, {PRODUCTS: 1 / 2.5}),
            ("lasso-t1000-0.01", "lasso", (1000, 4096, 1000), 0.01, {PRODUCTS: 1 / 4.5}),
            ("lasso-n4000", "lasso", (4000, 4096, 200), 0.01, {"SPAMS": 3.5}),
            ("ridge-p1000", "ridge", (1000, 1000, 2000), 10.0, {PRODUCTS: 1 / 5}),
            ("ridge-p4096", "ridge", (1000, 4096, 500), 100.0, {PRODUCTS: 1 / 4}),
            ("ols-p4096", "ols", (1000, 4096, 500), 0.0, {PRODUCTS: 1 / 3.5}),
            ("elasticnet-p4096", "elasticnet", (1000, 4096, 500), 0.05, {PRODUCTS: 1 / 2.5}),
            ("lasso-p50000-0.2", "lasso", (1000, 50_000, 500), 0.2, {"celer": 16}),
            ("lasso-p50000-0.1", "lasso", (1000, 50_000, 500), 0.1, {"celer": 16}),
            ("lasso-p50000-0.05", "lasso", (1000, 50_000, 500), 0.05, {"celer": 10}),
        ]
    ),
    fit_row(
        "signed-ridge-p4096",
        "ridge",
        (1000, 4096, 5000),
        100.0,
        positive=False,
        floors={"himalaya": 1},
        layer=True,
    ),
    lasso_cv_row(
        "lasso-cv-p100",
        encoding_problem,
        (1000, 100, 5000),
        np.geomspace(0.5, 0.005, 10),
        {"LassoCV": 20, "one fit": 1 / 20},
        n_few=20,
    ),
    lasso_cv_row(
        "lasso-cv-p1000",
        encoding_problem,
        (1000, 1000, 5000),
        np.geomspace(0.5, 0.02, 10),
        {"LassoCV": 20, "one fit": 1 / 20},
    ),
    lasso_cv_row(
        "lasso-cv-p10000",
        encoding_problem,
        (1000, 10_000, 300),
        np.geomspace(0.5, 0.05, 10),
        {"one fit": 1 / 12},
        layer=True,
    ),
    lasso_cv_row(
        "lasso-cv-dense",
        independent_problem,
        (1000, 1000, 2000),
        np.geomspace(1, 0.01, 5),
        {"LassoCV": 5},
        n_few=4,
    ),
    Row(
        "ridge-cv-default",
        "positive ridge, 10 alphas x 5 folds, n 100, p 1922, 43 targets",
        default_cv,
        {"lasso": 1 / 8},
    ),
    *(
        ridge_cv_row(name, size, floors, leave_one_out="loo" in name)
        for name, size, floors in [
            ("signed-ridge-cv-p4096", (1000, 4096, 5000), {"himalaya RidgeCV": 2}),
            ("signed-ridge-loo-p4096", (1000, 4096, 5000), {"scikit-learn RidgeCV": 2.5}),
            ("signed-ridge-cv-p500", (2000, 500, 5000), {"himalaya RidgeCV": 2}),
            ("signed-ridge-loo-p500", (2000, 500, 5000), {"scikit-learn RidgeCV": 2.5}),
        ]
    ),
    Row(
        "theta",
        "theta, 515 images, 4096 units, 10,000 targets",
        partial(theta, 1.0),
        {"one product": 1 / 1.5, "the formula": 2.5},
    ),
    Row(
        "theta-sparse",
        "theta, the same with 0.5% of the weights",
        partial(theta, 0.005),
        {"the formula": 15},
    ),
]
