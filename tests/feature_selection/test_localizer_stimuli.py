"""SelectiveUnitLocalizer with its own stimuli: in pipelines, searches and clones."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skalign.feature_selection import SelectiveUnitLocalizer

FACE_UNITS = [2, 6]


@pytest.fixture
def stimuli():
    rng = np.random.default_rng(0)
    categories = np.tile(["body", "face", "scene"], 20)
    responses = rng.normal(size=(60, 10))
    responses[np.ix_(categories == "face", FACE_UNITS)] += 3
    responses[np.ix_(categories == "scene", [0, 1])] += 3
    return responses, categories


@pytest.fixture
def brain():
    """Other images, and voxels that follow the two face units."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 10))
    return X, X[:, FACE_UNITS] @ rng.uniform(1, 2, size=(2, 4)) + rng.normal(size=(50, 4))


def test_the_stimuli_are_used_and_y_is_not(stimuli, brain):
    X, y = brain
    localizer = SelectiveUnitLocalizer("face", n_units=2, stimuli=stimuli)
    from_images = SelectiveUnitLocalizer("face", n_units=2).fit(*stimuli)
    for target in (y, y[:, 0], None, "anything", y[:3]):
        localizer.fit(X, target)
        np.testing.assert_array_equal(localizer.t_values_, from_images.t_values_)
        np.testing.assert_array_equal(localizer.transform(X), X[:, FACE_UNITS])
    assert not get_tags(localizer).target_tags.required
    assert get_tags(from_images).target_tags.required


def test_search_over_category_n_units_and_alpha(stimuli, brain):
    X, y = brain
    model = Pipeline(
        [
            ("localizer", SelectiveUnitLocalizer(stimuli=stimuli)),
            ("scale", StandardScaler()),
            ("encoder", Lasso(positive=True)),
        ]
    )
    grid = {
        "localizer__category": ["body", "face", "scene", None],
        "localizer__n_units": [1, 2],
        "encoder__alpha": [0.01, 0.1],
    }
    search = GridSearchCV(model, grid, cv=KFold(5), error_score="raise", n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 16
    best = search.best_estimator_
    assert (best["localizer"].category, best["localizer"].n_units) == ("face", 2)
    assert best["encoder"].coef_.shape == (4, 2)
    assert best["localizer"].stimuli is stimuli


def test_a_combination_without_enough_units_fails_alone(stimuli, brain):
    model = make_pipeline(SelectiveUnitLocalizer("face", fdr=0.05, stimuli=stimuli), Lasso(0.1))
    search = GridSearchCV(model, {"selectiveunitlocalizer__n_units": [2, 9]})
    with (
        pytest.warns(FitFailedWarning, match=r"At least 9 units must pass .* got 2 of 10"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(*brain)
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), [False, True])


def test_clones_share_the_stimuli(stimuli):
    localizer = SelectiveUnitLocalizer("face", n_units=3, stimuli=stimuli)
    localizer.set_output(transform="pandas")
    copy = clone(clone(localizer))
    assert copy is not localizer
    assert copy.stimuli is localizer.stimuli is stimuli
    assert copy.get_params() == localizer.get_params()
    assert copy._sklearn_output_config == localizer._sklearn_output_config
    search = GridSearchCV(make_pipeline(localizer, Lasso()), {"lasso__alpha": [1.0]})
    assert clone(search).estimator[0].stimuli is stimuli


def test_clones_do_not_copy_the_stimuli_on_the_way():
    class Uncopyable(list):
        def __deepcopy__(self, memo):
            raise AssertionError("copied")

    stimuli = (Uncopyable(), Uncopyable())
    assert clone(SelectiveUnitLocalizer(stimuli=stimuli)).stimuli is stimuli


def test_clone_of_a_fitted_localizer_leaves_it_alone(stimuli, brain):
    localizer = SelectiveUnitLocalizer("face", n_units=2, stimuli=stimuli).fit(*brain)
    before = dict(vars(localizer))
    copy = clone(localizer)
    assert not hasattr(copy, "t_values_")
    assert vars(localizer) == before


def test_frozen_in_a_pipeline(stimuli, brain):
    X, y = brain
    frozen = FrozenEstimator(SelectiveUnitLocalizer("face", n_units=2).fit(*stimuli))
    with_stimuli = SelectiveUnitLocalizer("face", n_units=2, stimuli=stimuli)
    scores = [cross_val_score(make_pipeline(m, Lasso(0.1)), X, y) for m in (frozen, with_stimuli)]
    np.testing.assert_array_equal(*scores)
    assert scores[0].mean() > 0.4


def test_pickle_carries_the_stimuli(stimuli, brain):
    X, y = brain
    localizer = SelectiveUnitLocalizer("face", n_units=2, stimuli=stimuli).fit(X, y)
    loaded = pickle.loads(pickle.dumps(localizer))
    np.testing.assert_array_equal(loaded.transform(X), localizer.transform(X))
    np.testing.assert_array_equal(clone(loaded).fit(X).t_values_, localizer.t_values_)


def test_repr_stays_short():
    stimuli = (np.zeros((2000, 500)), np.repeat("face", 2000))
    localizer = SelectiveUnitLocalizer("face", stimuli=stimuli)
    assert len(repr(localizer)) < 1000
    assert len(localizer._repr_html_()) < 200_000


def test_frames_keep_names(stimuli, brain):
    pandas = pytest.importorskip("pandas")
    names = [f"unit{i}" for i in range(10)]
    X = pandas.DataFrame(brain[0], columns=names)
    frame = pandas.DataFrame(stimuli[0], columns=names)
    for responses in (stimuli[0], frame):
        localizer = SelectiveUnitLocalizer("face", n_units=2, stimuli=(responses, stimuli[1]))
        out = localizer.set_output(transform="pandas").fit_transform(X)
        assert out.columns.tolist() == ["unit2", "unit6"]
    localizer = SelectiveUnitLocalizer("face", n_units=2, stimuli=(frame, stimuli[1])).fit(brain[0])
    assert not hasattr(localizer, "feature_names_in_")  # the names are those of X, which has none
    renamed = frame.rename(columns={"unit4": "unit99"})
    with pytest.raises(ValueError, match=r"1 of 10 that differ, first 'unit99' .* X has 'unit4'"):
        SelectiveUnitLocalizer("face", stimuli=(renamed, stimuli[1])).fit(X)
    with pytest.raises(ValueError, match="same order; got 10 of 10 that differ"):
        SelectiveUnitLocalizer("face", stimuli=(frame[names[::-1]], stimuli[1])).fit(X)


def test_other_units_than_in_x(stimuli, brain):
    with pytest.raises(ValueError, match=r"same units; got 9 in stimuli and 10 in X.* this step"):
        SelectiveUnitLocalizer(stimuli=(stimuli[0][:, :9], stimuli[1])).fit(*brain)


@pytest.mark.parametrize(
    ("make_stimuli", "match"),
    [
        (lambda X, y: X, "stimuli must be a pair .* got a ndarray"),
        (lambda X, y: (X,), "stimuli must be a pair .* got a tuple of 1"),
        (lambda X, y: (X, y, y), "stimuli must be a pair .* got a tuple of 3"),
        (lambda X, y: "floc", "stimuli must be a pair .* got a str"),
        (lambda X, y: (np.where(X > 3, np.nan, X), y), r"stimuli\[0\] contains NaN"),
        (lambda X, y: (np.where(X > 3, np.inf, X), y), r"stimuli\[0\] contains infinity"),
        (lambda X, y: (X[:5], y), r"stimuli\[1\] must .* stimuli\[0\]; got 60 categories for 5"),
        (lambda X, y: (X, np.c_[y, y]), "should be a 1d array"),
        (lambda X, y: (X, np.full(60, "face")), "must be at least 2"),
        (lambda X, y: (X, y == "cat"), "must be at least 2"),
        (lambda X, y: (X, np.where(y == "face", "faces", y)), "category must be .* got 'face'"),
    ],
)
def test_malformed_stimuli_are_named(stimuli, brain, make_stimuli, match):
    with pytest.raises(ValueError, match=match):
        SelectiveUnitLocalizer("face", stimuli=make_stimuli(*stimuli)).fit(*brain)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_x_is_validated_beside_stimuli(stimuli, brain, bad):
    X, y = brain
    X[0, 0] = bad
    with pytest.raises(ValueError, match="X contains"):
        SelectiveUnitLocalizer(stimuli=stimuli).fit(X, y)
    with pytest.raises(ValueError, match="Expected 2D array"):
        SelectiveUnitLocalizer(stimuli=stimuli).fit(X[0], y)
