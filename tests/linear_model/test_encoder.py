"""SparsePositiveEncoder as a scikit-learn estimator: checks, shapes, inputs, attributes."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.solvers import solve
from tests.designs import with_spectrum
from tests.reference import ENCODERS, PENALTIES


@parametrize_with_checks(
    [SparsePositiveEncoder(penalty, positive=positive) for penalty, positive in ENCODERS]
    + [
        SparsePositiveEncoder("lasso", fit_intercept=False),
        SparsePositiveEncoder("ols", positive=False, fit_intercept=False),
        SparsePositiveEncoder("elasticnet", alpha=1e-3, l1_ratio=0.9, n_jobs=2),
        SparsePositiveEncoder("ridge", positive=False, missing="mask"),
        SparsePositiveEncoder(missing="mask"),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 5))
    return X, X[:, :3] @ rng.uniform(0, 1, (3, 4)) + 0.3 * rng.standard_normal((50, 4))


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_fits_what_the_solver_finds(data, penalty, positive):
    X, Y = data
    settings = {"alpha": 0.05, "l1_ratio": 0.3, "positive": positive, "fit_intercept": False}
    weight = np.arange(50.0)
    encoder = SparsePositiveEncoder(penalty, **settings).fit(X, Y, sample_weight=weight)
    solution = solve(X, Y, penalty, sample_weight=weight, **settings)
    np.testing.assert_array_equal(encoder.coef_, solution.coef)
    np.testing.assert_array_equal(encoder.intercept_, solution.intercept)
    np.testing.assert_array_equal(encoder.n_iter_, solution.n_iter)
    np.testing.assert_array_equal(encoder.kkt_violation_, solution.kkt_violation)
    np.testing.assert_array_equal(encoder.dual_gap_, solution.dual_gap)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_dimensions_of_y_decide_the_shapes(data, penalty):
    X, Y = data
    encoder = SparsePositiveEncoder(penalty, alpha=0.01)
    for y, coef, intercept, per_target in [
        (Y, (4, 5), (4,), (4,)),
        (Y[:, :1], (1, 5), (1,), (1,)),
        (Y[:, 0], (5,), (), (1,)),
    ]:
        encoder.fit(X, y)
        assert encoder.coef_.shape == coef
        assert np.shape(encoder.intercept_) == intercept
        assert encoder.predict(X).shape == y.shape
        assert encoder.sparse_coef_.shape == (*per_target, 5)
        for attribute in ["n_iter_", "kkt_violation_", "dual_gap_"]:
            assert getattr(encoder, attribute).shape == per_target


def test_one_dimensional_y_equals_its_column(data):
    X, Y = data
    flat = SparsePositiveEncoder().fit(X, Y[:, 0])
    column = SparsePositiveEncoder().fit(X, Y[:, [0]])
    np.testing.assert_array_equal(flat.coef_, column.coef_[0])
    np.testing.assert_array_equal(flat.predict(X), column.predict(X)[:, 0])
    assert flat.score(X, Y[:, 0]) == column.score(X, Y[:, [0]])


def test_data_frames_keep_their_feature_names(data):
    X, Y = data
    frame = pd.DataFrame(X, columns=list("abcde"))
    encoder = SparsePositiveEncoder().fit(frame, pd.DataFrame(Y))
    assert encoder.feature_names_in_.tolist() == list("abcde")
    assert encoder.n_features_in_ == 5
    np.testing.assert_allclose(encoder.coef_, SparsePositiveEncoder().fit(X, Y).coef_, atol=1e-14)
    with pytest.raises(ValueError, match="feature names should match"):
        encoder.predict(frame[list("edcba")])
    encoder.fit(X, pd.Series(Y[:, 0]))
    assert encoder.coef_.shape == (5,)
    assert not hasattr(encoder, "feature_names_in_")


@pytest.mark.parametrize(
    "encoder", [SparsePositiveEncoder(), SparsePositiveEncoderCV(alphas=[0.1], cv=2)]
)
def test_data_frames_keep_their_target_names(data, encoder):
    X, Y = data
    names = ["V1", "V2", "FFA", "PPA"]
    encoder.fit(X, pd.DataFrame(Y, columns=names))
    assert encoder.target_names_in_.tolist() == names
    encoder.fit(X, pd.Series(Y[:, 0], name="V1"))
    assert encoder.target_names_in_.tolist() == ["V1"]
    assert encoder.coef_.shape == (5,)
    encoder.fit(X, pd.DataFrame(Y))  # numbers are no names
    assert not hasattr(encoder, "target_names_in_")
    polars = pytest.importorskip("polars")
    encoder.fit(X, polars.DataFrame(Y, schema=names))
    assert encoder.target_names_in_.tolist() == names


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_infinite_alpha_leaves_a_target_empty(data, penalty, positive):
    X, Y = data
    weight = np.arange(1.0, 51.0)
    settings = {"positive": positive}
    encoder = SparsePositiveEncoder(penalty, [0.01, np.inf, 0.01, np.inf], **settings)
    encoder.fit(X, Y + 5, weight)
    assert not encoder.coef_[[1, 3]].any()
    mean = np.average(Y + 5, axis=0, weights=weight)
    np.testing.assert_allclose(encoder.intercept_[[1, 3]], mean[[1, 3]])
    np.testing.assert_array_equal(encoder.n_iter_[[1, 3]], 1)
    np.testing.assert_array_equal(encoder.kkt_violation_[[1, 3]], 0)
    finite = SparsePositiveEncoder(penalty, 0.01, **settings).fit(X, Y + 5, weight)
    np.testing.assert_allclose(encoder.coef_[[0, 2]], finite.coef_[[0, 2]], atol=1e-12)
    alone = SparsePositiveEncoder(penalty, np.inf, fit_intercept=False, **settings).fit(X, Y[:, 0])
    assert not alone.coef_.any()
    assert alone.intercept_ == 0


def test_integers_are_numbers():
    rng = np.random.default_rng(0)
    X, Y = rng.integers(-5, 5, (30, 4)), rng.integers(0, 100, (30, 2))
    encoder = SparsePositiveEncoder().fit(X, Y)
    assert encoder.coef_.dtype == np.float64
    expected = SparsePositiveEncoder().fit(X.astype(float), Y.astype(float))
    np.testing.assert_array_equal(encoder.coef_, expected.coef_)
    for other in [Y.astype(np.uint8), Y.astype(np.int16), Y.tolist(), Y.astype(object)]:
        np.testing.assert_array_equal(encoder.fit(X, other).coef_, expected.coef_)


def test_float32_features_decide_the_type(data):
    X, Y = data
    encoder = SparsePositiveEncoder().fit(X.astype(np.float32), Y)
    assert encoder.coef_.dtype == encoder.predict(X.astype(np.float32)).dtype == np.float32
    assert SparsePositiveEncoder().fit(X, Y.astype(np.float32)).coef_.dtype == np.float64


def test_memory_mapped_and_read_only_input(data, tmp_path):
    expected = SparsePositiveEncoder().fit(*data).coef_
    mapped = []
    for name, array in zip("XY", data, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
        array.flags.writeable = False
    np.testing.assert_array_equal(SparsePositiveEncoder().fit(*mapped).coef_, expected)
    np.testing.assert_array_equal(SparsePositiveEncoder(n_jobs=2).fit(*data).coef_, expected)
    np.testing.assert_allclose(
        SparsePositiveEncoder().fit(*map(np.asfortranarray, data)).coef_, expected, atol=1e-14
    )


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_features(data, form):
    X, Y = data
    X = X * (X > 0)
    encoder = SparsePositiveEncoder("ridge", 1.0).fit(form(X), Y)
    dense = SparsePositiveEncoder("ridge", 1.0).fit(X, Y)
    np.testing.assert_allclose(encoder.coef_, dense.coef_, atol=1e-10)
    np.testing.assert_allclose(encoder.predict(form(X)), dense.predict(X), atol=1e-10)


def test_sparse_coef_is_the_same_weights(data):
    encoder = SparsePositiveEncoder(alpha=0.3).fit(*data)
    assert isinstance(encoder.sparse_coef_, sparse.csr_array)
    np.testing.assert_array_equal(encoder.sparse_coef_.toarray(), encoder.coef_)
    assert encoder.sparse_coef_.nnz == np.count_nonzero(encoder.coef_) < encoder.coef_.size


def test_pickle_and_clone(data):
    X, Y = data
    encoder = SparsePositiveEncoder("elasticnet", [0.01, 0.1, 0.1, 1.0], l1_ratio=0.2).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(loaded.predict(X), encoder.predict(X))
    np.testing.assert_array_equal(loaded.dual_gap_, encoder.dual_gap_)
    fresh = clone(encoder)
    assert not hasattr(fresh, "coef_")
    np.testing.assert_array_equal(fresh.fit(X, Y).coef_, encoder.coef_)


@pytest.mark.parametrize("attribute", ["coef_", "sparse_coef_", "intercept_", "n_features_in_"])
def test_nothing_is_fitted_before_fit(data, attribute):
    encoder = SparsePositiveEncoder()
    assert not hasattr(encoder, attribute)
    with pytest.raises(NotFittedError):
        encoder.predict(data[0])


def test_fit_leaves_parameters_alone(data):
    alpha = np.full(4, 0.1)
    encoder = SparsePositiveEncoder(alpha=alpha).fit(*data)
    assert encoder.alpha is alpha
    assert encoder.tol is None


def test_four_by_two_design_is_a_param_grid(data):
    grid = {"penalty": PENALTIES, "positive": [True, False]}
    search = GridSearchCV(SparsePositiveEncoder(), grid, cv=3).fit(*data)
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    piped = make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.01)).fit(*data)
    assert piped.score(*data) > 0.5


class TestConvergenceWarning:
    def test_tells_how_many_targets_and_the_largest_gap(self, data):
        X, Y = data
        encoder = SparsePositiveEncoder("lasso", 1e-4, positive=False, max_iter=1)
        with pytest.warns(ConvergenceWarning) as caught:
            encoder.fit(X, Y)
        late = encoder.kkt_violation_ > 1e-7
        message = str(caught[0].message)
        assert late.sum() > 0
        assert f"{late.sum()} of 4 targets did not reach the tolerance" in message
        assert f"largest KKT violation {encoder.kkt_violation_.max():.2g}" in message
        assert f"largest duality gap {encoder.dual_gap_[late].max():.2g}" in message
        assert message.endswith("Increase max_iter.")
        assert caught[0].filename == __file__
        assert np.isfinite(encoder.coef_).all()

    def test_does_not_ask_a_closed_form_for_iterations(self):
        X = with_spectrum(np.random.default_rng(0), 60, np.logspace(0, -10, 20))
        with pytest.warns(ConvergenceWarning, match=r"nearly collinear\. Add a ridge penalty"):
            SparsePositiveEncoder("ols", positive=False).fit(
                X, np.random.default_rng(1).standard_normal((60, 3))
            )

    def test_tells_that_no_gap_is_known_for_ols(self, data):
        with pytest.warns(ConvergenceWarning, match="largest duality gap none known"):
            SparsePositiveEncoder("ols", max_iter=1).fit(*data)

    def test_names_the_first_targets(self, data):
        X, Y = data
        Y = np.tile(Y, 3)
        with pytest.warns(
            ConvergenceWarning, match=r"12 of 12 .*\(targets 0, 1, 2, 3, 4, \.\.\.\)"
        ):
            SparsePositiveEncoder("ols", max_iter=1).fit(X, Y)

    def test_is_silenced_by_a_looser_tolerance(self, data):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SparsePositiveEncoder("ols", max_iter=1, tol=10.0).fit(*data)


def test_says_where_weights_are_not_unique():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    y = X @ rng.uniform(0.5, 1, (4, 2)) + 0.1 * rng.standard_normal((30, 2))
    assert SparsePositiveEncoder("ols").fit(X, y).is_unique_.all()
    twice = SparsePositiveEncoder("ols").fit(np.hstack([X, X]), y)
    assert not twice.is_unique_.any()
    np.testing.assert_allclose(
        twice.coef_[:, :4], twice.coef_[:, 4:]
    )  # the minimizer of least norm
