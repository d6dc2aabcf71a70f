"""The kernel's loops, compiled for several instruction sets: each finds the same weights."""

import numpy as np
import pytest

from skalign.solvers import certify, solve
from skalign.solvers._kernel import limit_instructions
from tests.designs import noisy_targets
from tests.reference import ALPHA, ENCODERS

WIDEST = limit_instructions(2)


@pytest.fixture(params=range(WIDEST + 1))
def instructions(request):
    assert limit_instructions(request.param) == request.param
    yield request.param
    limit_instructions(WIDEST)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_features", [1, 7, 33, 130])  # no multiples of what is taken at once
def test_each_is_exact(instructions, n_features, dtype, penalty, positive):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((200, n_features))
    X[:, 1:] += X[:, :-1]
    Y = noisy_targets(rng, X, 5)
    X, Y = X.astype(dtype), Y.astype(dtype)
    solution = solve(X, Y, penalty, ALPHA[penalty] / 10, positive=positive)
    judged = certify(X, Y, solution.coef, penalty, ALPHA[penalty] / 10, positive=positive)
    assert solution.converged.all()
    assert judged.kkt_violation.max() <= (1e-12 if dtype == np.float64 else 1e-4)
    if n_features == 130:
        assert np.count_nonzero(solution.coef, axis=1).min() > 20  # rows of the factor in fours
