"""Stability of selections: planted supports, the index against a slow reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectFpr, SelectKBest, f_regression
from sklearn.linear_model import Lasso, LassoCV, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import selection_stability
from skalign.inference._stability import _summary


@pytest.fixture
def planted():
    """Eight units; target 0 is reached by units 0 and 1, target 1 by unit 5, target 2 by none."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 8))
    Y = np.column_stack([X[:, 0] + X[:, 1], 2 * X[:, 5], np.zeros(120)])
    Y[:, :2] += 0.5 * rng.standard_normal((120, 2))
    return X, Y


def slow_index(selections):
    """Nogueira, Sechidis and Brown, term by term; selections (n_fits, n_units)."""
    n_fits, n_units = selections.shape
    size = np.mean([selection.sum() for selection in selections])
    variances = []
    for unit in range(n_units):
        share = sum(selection[unit] for selection in selections) / n_fits
        variances.append(n_fits / (n_fits - 1) * share * (1 - share))
    expected = size / n_units * (1 - size / n_units)
    return 1 - np.mean(variances) / expected if expected else np.nan


def summarized(selections):
    """Record of selections (n_fits, n_targets, n_units)."""
    selections = np.asarray(selections, dtype=np.int32)
    n_empty = (selections.sum(axis=2) == 0).sum(axis=0)
    return _summary(sparse.csr_array(selections.sum(axis=0)), n_empty, len(selections))


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(2, 6), st.integers(1, 3), st.integers(1, 6))))
def test_index_equals_the_slow_one(selections):
    found = summarized(selections)
    expected = [slow_index(selections[:, target]) for target in range(selections.shape[1])]
    assert_allclose(found.stability, expected, atol=1e-12)
    assert (np.isnan(found.stability) | (found.stability <= 1)).all()
    assert (
        np.isnan(found.stability) | (found.stability >= -1 / (len(selections) - 1) - 1e-9)
    ).all()


def test_index_at_its_known_points():
    same = np.repeat([[[1, 1, 0, 0]]], 20, axis=0)
    assert_allclose(summarized(same).stability, [1])
    rng = np.random.default_rng(0)
    by_chance = rng.permuted(np.tile([1] * 10 + [0] * 40, (100, 30, 1)), axis=2)
    assert_allclose(summarized(by_chance).stability, 0, atol=0.02)
    complements = np.array([[[1, 0]], [[0, 1]]])
    assert_allclose(summarized(complements).stability, [-1])
    for trivial in (np.zeros((5, 1, 3)), np.ones((5, 1, 3))):
        assert np.isnan(summarized(trivial).stability).all()


@pytest.mark.parametrize("sample_fraction", [0.5, "bootstrap"])
def test_planted_support_is_found(planted, sample_fraction):
    found = selection_stability(
        SparsePositiveEncoder(alpha=0.4),
        *planted,
        n_resamples=20,
        sample_fraction=sample_fraction,
        random_state=0,
    )
    expected = np.zeros((3, 8))
    expected[0, :2] = expected[1, 5] = 1
    assert isinstance(found.frequency, sparse.csr_array)
    assert_array_equal(found.frequency.toarray(), expected)
    assert_array_equal(found.stability, [1, 1, np.nan])
    assert_array_equal(found.n_active, [2, 1, 0])
    assert_array_equal(found.n_empty, [0, 0, 20])
    assert_allclose(found.unit_frequency, expected.mean(axis=0))
    assert found.n_resamples == 20


def test_equals_an_explicit_loop(planted):
    X, Y = planted
    encoder = SparsePositiveEncoder(alpha=0.05)
    found = selection_stability(encoder, X, Y, n_resamples=10, sample_fraction=0.3, random_state=0)
    rng, selections = np.random.RandomState(0), []
    for _ in range(10):
        rows = rng.permutation(120)[:36]
        selections.append(clone(encoder).fit(X[rows], Y[rows]).coef_ != 0)
    selections = np.array(selections)
    assert_allclose(found.frequency.toarray(), selections.mean(axis=0))
    assert_allclose(found.n_active, selections.sum(axis=2).mean(axis=0))
    assert_array_equal(found.n_empty, (~selections.any(axis=2)).sum(axis=0))
    assert_allclose(found.stability, [slow_index(selections[:, target]) for target in range(3)])
    assert 0 < found.stability[0] < 1


def test_units_that_respond_alike_take_turns():
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((200, 1))
    X = unit + 0.3 * rng.standard_normal((200, 6))
    y = unit[:, 0] + rng.standard_normal(200)
    found = selection_stability(Lasso(0.3, positive=True), X, y, random_state=0)
    assert found.frequency.shape == (1, 6)
    assert 0 < found.n_active[0] < 6
    assert found.stability[0] < 0.4


def test_bootstrap_weights_equal_repeated_rows(planted):
    encoder = SparsePositiveEncoder(alpha=0.05)
    options = {"sample_fraction": "bootstrap", "n_resamples": 10, "random_state": 0}
    by_weight = selection_stability(encoder, *planted, **options)
    by_rows = selection_stability(make_pipeline(encoder), *planted, **options)
    assert_allclose(by_weight.frequency.toarray(), by_rows.frequency.toarray())
    assert_allclose(by_weight.stability, by_rows.stability)


def test_bootstrap_of_groups_leaves_no_inner_split_empty(planted):
    """Folds of whole groups: those of groups that are not drawn would have nothing to score."""
    X, Y = planted
    encoder = SparsePositiveEncoderCV(alphas=[0.1, 0.3], cv=GroupKFold(3))
    found = selection_stability(
        encoder,
        X,
        Y[:, :2],
        sample_fraction="bootstrap",
        groups=np.arange(120) // 15,
        n_resamples=20,
        random_state=0,
    )
    assert_array_equal(found.frequency.toarray()[[0, 1], [1, 5]], 1)


def make_nested():
    lasso = Lasso(0.1, positive=True)
    scaled = make_pipeline(StandardScaler(), lasso)
    return {
        "pipeline": scaled,
        "target transformer": TransformedTargetRegressor(scaled, transformer=StandardScaler()),
        "search": GridSearchCV(lasso, {"alpha": [0.1]}, cv=2),
        "several maps": MultiOutputRegressor(scaled),
        "one map": MultiOutputRegressor(lasso),
    }


@pytest.mark.parametrize("name", make_nested())
def test_looks_through_to_the_linear_model(planted, name):
    X, Y = planted[0], planted[1][:, :2] / planted[1][:, :2].std(axis=0)
    found = selection_stability(make_nested()[name], X, Y, n_resamples=6, random_state=0)
    assert found.frequency.shape == (2, 8)
    assert_array_equal(found.frequency.toarray()[[0, 0, 1], [0, 1, 5]], 1)


def test_localizer_with_its_own_stimuli_is_the_same_in_every_fit(planted):
    X, Y = planted
    rng = np.random.default_rng(1)
    categories = np.repeat(["face", "house"], 20)
    responses = rng.standard_normal((40, 8))
    responses[:20, [1, 5]] += 3
    localizer = SelectiveUnitLocalizer("face", n_units=2, stimuli=(responses, categories))
    model = make_pipeline(localizer, SparsePositiveEncoder(alpha=0.4))
    found = selection_stability(model, X, Y, n_resamples=6, random_state=0)
    assert_array_equal(found.frequency.toarray(), [[1, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (SelectKBest(f_regression, k=3), "respond differently"),
        (SelectFpr(f_regression, alpha=0.2), "units in one and .* in another|respond differently"),
        (PCA(3, svd_solver="full"), "respond differently"),
    ],
)
def test_units_that_differ_between_fits_are_refused(before, message):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 20)), rng.standard_normal(60)
    with pytest.raises(ValueError, match="must hand the same units .*(" + message + ")"):
        selection_stability(make_pipeline(before, Ridge()), X, y, random_state=0)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_units_that_differ_in_number_are_refused_in_workers_too(n_jobs):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 20)), rng.standard_normal(60)
    model = make_pipeline(SelectFpr(f_regression, alpha=0.3), Ridge())
    with pytest.raises(ValueError, match="must hand the same units"):
        selection_stability(model, X, y, n_resamples=8, random_state=0, n_jobs=n_jobs)


def test_a_silent_unit_is_the_same_as_itself(planted):
    X, Y = planted
    X[:, 3] = 7
    found = selection_stability(SparsePositiveEncoder(alpha=0.4), X, Y, n_resamples=4)
    assert found.frequency.toarray()[:, 3].max() == 0


def test_reproducible_also_in_parallel(planted):
    encoder = SparsePositiveEncoder(alpha=0.02)
    found = [
        selection_stability(
            encoder, *planted, n_resamples=6, sample_fraction=0.2, random_state=seed, n_jobs=n_jobs
        ).frequency.toarray()
        for seed, n_jobs in [(0, None), (0, 2), (np.random.RandomState(0), None), (1, None)]
    ]
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[3])


def test_frames_sparse_and_lists_are_taken(planted):
    pd = pytest.importorskip("pandas")
    X, Y = planted
    options = {"n_resamples": 4, "random_state": 0}
    encoder = SparsePositiveEncoder(alpha=0.1)
    expected = selection_stability(encoder, X, Y, **options)
    for given_X, given_Y in [
        (pd.DataFrame(X, columns=list("abcdefgh")), pd.DataFrame(Y)),
        (sparse.coo_array(X), Y),
        (X.tolist(), Y.tolist()),
    ]:
        found = selection_stability(encoder, given_X, given_Y, **options)
        assert_allclose(found.frequency.toarray(), expected.frequency.toarray())
    frame = expected.to_frame()
    assert list(frame.columns) == ["target", "stability", "n_active", "n_empty"]
    assert_array_equal(frame["n_empty"], expected.n_empty)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_resamples": 1}, ValueError, "n_resamples == 1, must be >= 2"),
        ({"sample_fraction": 1}, ValueError, 'must be "bootstrap" or a number between 0 and 1'),
        ({"sample_fraction": "half"}, ValueError, "sample_fraction must be"),
        ({"sample_fraction": 0.001}, ValueError, "must draw at least one of .*; got 0.001 of 120"),
        (
            {"groups": np.ones(120)},
            ValueError,
            "at least two images, or groups where given; got 0.5 of 1",
        ),
        ({"groups": [1, 2]}, ValueError, "one label per sample, 120 here"),
    ],
)
def test_errors_name_the_parameter(planted, options, error, message):
    with pytest.raises(error, match=message):
        selection_stability(SparsePositiveEncoder(), *planted, **options)


def test_a_model_without_weights_is_refused(planted):
    with pytest.raises(TypeError, match="is not a linear regressor"):
        selection_stability(KNeighborsRegressor(), *planted)


def test_groups_reach_the_inner_splits():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 5))
    Y = X[:, :2] + 0.3 * rng.standard_normal((80, 2))
    encoder = SparsePositiveEncoderCV(alphas=[0.3, 0.1], cv=LeaveOneGroupOut())
    runs = np.arange(80) // 10
    found = selection_stability(encoder, X, Y, groups=runs, n_resamples=5, random_state=0)
    assert_allclose(found.frequency.toarray()[[0, 1], [0, 1]], 1)


def test_alpha_is_chosen_anew_unless_kept(planted):
    X, y = planted[0], planted[1][:, 0]
    encoder = make_pipeline(StandardScaler(), LassoCV(positive=True))
    options = {"n_resamples": 10, "random_state": 0}
    anew = selection_stability(encoder, X, y, **options)
    kept = selection_stability(encoder, X, y, keep_alpha=True, **options)
    alpha = encoder.fit(X, y)[-1].alpha_
    fixed = make_pipeline(StandardScaler(), Lasso(alpha, positive=True))
    expected = selection_stability(fixed, X, y, **options)
    assert_allclose(kept.frequency.toarray(), expected.frequency.toarray())
    assert not np.allclose(kept.n_active, anew.n_active)


def test_targets_keep_their_names(planted):
    pd = pytest.importorskip("pandas")
    X, Y = planted
    named = pd.DataFrame(Y, columns=["a", "b", "c"])
    found = selection_stability(SparsePositiveEncoder(alpha=0.4), X, named, n_resamples=3)
    assert list(found.to_frame()["target"]) == ["a", "b", "c"]
