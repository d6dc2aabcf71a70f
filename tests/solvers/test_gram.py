"""Products in pieces equal those in one; each piece lets an interrupt in."""

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import _gram
from skalign.solvers._gram import gram_of, sparse_gram_of


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of a few columns; returns the number of times that an interrupt was let in."""
    calls = []
    monkeypatch.setattr(_gram, "PIECE", 2000)
    monkeypatch.setattr(_gram, "SPARSE_PIECE", 200)
    monkeypatch.setattr(_gram, "check_interrupt", lambda: calls.append(1))
    return calls


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(700, 300), (20, 50), (50, 20)])
@pytest.mark.parametrize("n_known", [None, 0, 1, 17, 20])
def test_dense(small_pieces, dtype, order, shape, n_known):
    X = np.random.default_rng(0).standard_normal(shape).astype(dtype, order=order)
    expected = X.T @ X
    gram = gram_of(X, None if n_known is None else expected[:n_known, :n_known])
    assert gram.dtype == dtype
    assert gram.flags.c_contiguous
    np.testing.assert_allclose(gram, expected, rtol=0, atol=1e4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(gram, gram.T)
    assert len(small_pieces) >= 8 or (n_known or 0) > 1


def test_known_products_are_taken_as_they_are(small_pieces):
    X = np.random.default_rng(0).standard_normal((20, 10))
    gram = gram_of(X, np.full((4, 4), 7.0))
    assert (gram[:4, :4] == 7).all()
    np.testing.assert_allclose(gram[4:], X[:, 4:].T @ X, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("density", [0, 0.1, 1])
def test_sparse(small_pieces, dtype, density):
    rng = np.random.default_rng(0)
    X = sparse.random_array((20, 50), density=density, format="csr", dtype=dtype, rng=rng)
    gram = sparse_gram_of(X)
    assert gram.dtype == dtype
    assert gram.flags.c_contiguous
    np.testing.assert_allclose(gram, X.toarray().T @ X.toarray(), atol=1e3 * np.finfo(dtype).eps)
    assert len(small_pieces) >= {0: 1, 0.1: 3, 1: 50}[density]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
def test_smallest(shape):
    X = np.ones(shape)
    np.testing.assert_array_equal(gram_of(X), X.T @ X)
    np.testing.assert_array_equal(sparse_gram_of(sparse.csr_array(X)), X.T @ X)
