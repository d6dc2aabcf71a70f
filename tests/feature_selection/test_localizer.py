"""SelectiveUnitLocalizer fitted to localizer images: its rules, attributes and errors."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skalign.datasets import load_haxby_slice
from skalign.feature_selection import SelectiveUnitLocalizer, selectivity_tests

CATEGORIES = ["body", "face", "scene"]


@parametrize_with_checks(
    [
        SelectiveUnitLocalizer(),
        SelectiveUnitLocalizer(n_units=1),
        SelectiveUnitLocalizer(n_units=None),
        SelectiveUnitLocalizer(category=1, n_units=2),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture
def localizer_set():
    """Rectified responses: faces drive units 3, 7 and 11, scenes units 0 and 5, unit 9 is dead."""
    rng = np.random.default_rng(0)
    y = np.tile(CATEGORIES, 30)
    X = rng.uniform(0, 1, size=(90, 12))
    X[np.ix_(y == "face", [3, 7, 11])] += [1, 2, 4]
    X[np.ix_(y == "scene", [0, 5])] += 3
    X[:, 9] = 0
    return X, y


FACE_UNITS, SCENE_UNITS, DEAD = [3, 7, 11], [0, 5], 9


def kept(localizer):
    return localizer.get_support(indices=True).tolist()


def test_by_rank_alone_the_largest_mean_t_are_kept(localizer_set):
    X, y = localizer_set
    assert kept(SelectiveUnitLocalizer("face", n_units=3).fit(X, y)) == FACE_UNITS
    assert kept(SelectiveUnitLocalizer("face", n_units=1).fit(X, y)) == [11]
    assert kept(SelectiveUnitLocalizer("scene", n_units=2).fit(X, y)) == SCENE_UNITS


@pytest.mark.parametrize("n_units", [11, 12, 100, None])
def test_by_rank_alone_all_there_are_are_kept(localizer_set, n_units):
    localizer = SelectiveUnitLocalizer("face", n_units=n_units).fit(*localizer_set)
    assert kept(localizer) == [unit for unit in range(12) if unit != DEAD]
    np.testing.assert_array_equal(localizer.selective_, localizer.support_)


def test_strict_rule_keeps_what_passes_every_contrast(localizer_set):
    X, y = localizer_set
    X[y != "body", 1] += 5  # faces over bodies, not over scenes
    X[y == "face", 2] -= 5  # significant, and the wrong way round
    localizer = SelectiveUnitLocalizer("face", n_units=None, fdr=0.05).fit(X, y)
    assert kept(localizer) == FACE_UNITS
    by_hand = (localizer.q_values_ <= 0.05) & (localizer.t_values_ > 0)
    np.testing.assert_array_equal(localizer.selective_, by_hand.all(axis=0))
    assert kept(localizer.set_params(n_units=2).fit(X, y)) == [7, 11]
    assert np.flatnonzero(localizer.selective_).tolist() == FACE_UNITS  # before the cut


def test_ratio_rule(localizer_set):
    X, y = localizer_set
    body, face, scene = (X[y == name].mean(axis=0) for name in CATEGORIES)
    ratio = np.divide(face, np.maximum(body, scene), out=np.zeros(12), where=body > 0)
    for min_ratio in (2.0, 4.0, 6.0):
        localizer = SelectiveUnitLocalizer("face", n_units=None, min_ratio=min_ratio).fit(X, y)
        assert kept(localizer) == np.flatnonzero(ratio >= min_ratio).tolist() != []


def test_rules_combine(localizer_set):
    X, y = localizer_set
    X[:5, 6] = 100 * (y[:5] == "face")  # a large ratio by two images, not significant
    assert kept(SelectiveUnitLocalizer("face", n_units=None, min_ratio=2).fit(X, y)) != FACE_UNITS
    both = SelectiveUnitLocalizer("face", n_units=None, min_ratio=2, fdr=0.05).fit(X, y)
    assert kept(both) == FACE_UNITS


def test_without_category_every_unit_counts_for_its_best(localizer_set):
    localizer = SelectiveUnitLocalizer(n_units=None, fdr=0.05).fit(*localizer_set)
    assert kept(localizer) == sorted(FACE_UNITS + SCENE_UNITS)
    assert set(localizer.preferred_category_[FACE_UNITS]) == {"face"}
    assert set(localizer.preferred_category_[SCENE_UNITS]) == {"scene"}
    assert localizer.contrasts_[:, 3].tolist() == ["body", "scene"]
    assert localizer.contrasts_[:, 0].tolist() == ["body", "face"]


@pytest.mark.parametrize("category", ["face", None])
def test_attributes(localizer_set, category):
    X, y = localizer_set
    localizer = SelectiveUnitLocalizer(category, n_units=4).fit(X, y)
    tests = selectivity_tests(X, y, category)
    for attribute, field in {
        "categories_": "categories",
        "preferred_category_": "preferred",
        "contrasts_": "contrasts",
        "t_values_": "t_values",
        "p_values_": "p_values",
        "q_values_": "q_values",
        "selectivity_": "selectivity",
    }.items():
        np.testing.assert_array_equal(getattr(localizer, attribute), getattr(tests, field))
    assert localizer.t_values_.shape == (2, 12)
    assert localizer.n_features_in_ == 12
    assert not hasattr(localizer, "feature_names_in_")
    assert sorted(localizer.ranking_) == list(range(1, 13))
    assert localizer.ranking_[DEAD] == 12
    order = np.argsort(localizer.ranking_)
    assert (np.diff(localizer.selectivity_[order][:-1]) <= 0).all()
    assert kept(localizer) == sorted(order[:4])


def test_infinite_t_ranks_first(localizer_set):
    X, y = localizer_set
    X[:, 4] = y == "face"
    localizer = SelectiveUnitLocalizer("face", n_units=1).fit(X, y)
    assert kept(localizer) == [4]
    assert localizer.selectivity_[4] == np.inf


def test_transform_names_and_way_back(localizer_set):
    pandas = pytest.importorskip("pandas")
    X, y = localizer_set
    frame = pandas.DataFrame(X, columns=[f"unit{i}" for i in range(12)])
    localizer = SelectiveUnitLocalizer("face", n_units=3).set_output(transform="pandas")
    out = localizer.fit_transform(frame, pandas.Series(y))
    names = ["unit3", "unit7", "unit11"]
    assert out.columns.tolist() == localizer.get_feature_names_out().tolist() == names
    assert localizer.feature_names_in_.tolist() == frame.columns.tolist()
    np.testing.assert_array_equal(out, X[:, FACE_UNITS])
    back = localizer.inverse_transform(out)
    np.testing.assert_array_equal(back[:, FACE_UNITS], X[:, FACE_UNITS])
    assert not np.delete(back, FACE_UNITS, axis=1).any()
    with pytest.raises(ValueError, match="feature names should match"):
        localizer.transform(frame[frame.columns[::-1]])


def test_float32_goes_through(localizer_set):
    X, y = localizer_set
    out = SelectiveUnitLocalizer("face", n_units=3).fit_transform(X.astype(np.float32), y)
    assert out.dtype == np.float32


def test_memory_mapped_input(localizer_set, tmp_path):
    X, y = localizer_set
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert kept(SelectiveUnitLocalizer("face", n_units=3).fit(mapped, y)) == FACE_UNITS


def test_pickle(localizer_set):
    X, y = localizer_set
    localizer = SelectiveUnitLocalizer("face", n_units=3).fit(X, y)
    loaded = pickle.loads(pickle.dumps(localizer))
    np.testing.assert_array_equal(loaded.transform(X), localizer.transform(X))


def test_not_fitted(localizer_set):
    with pytest.raises(NotFittedError):
        SelectiveUnitLocalizer().get_support()


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"category": "car"}, r"category must be one of \['body', 'face', 'scene'\].* got 'car'"),
        ({"n_units": 0}, "n_units must be a positive int, or None .* got 0"),
        ({"n_units": 2.0}, "n_units must be a positive int"),
        ({"n_units": True}, "n_units must be a positive int"),
        ({"fdr": 0}, "fdr must be a number between 0 and 1, both excluded.* got 0"),
        ({"fdr": 1.0}, "fdr must be"),
        ({"fdr": np.nan}, "fdr must be .* got nan"),
        ({"fdr": "strict"}, "fdr must be .* got 'strict'"),
        ({"min_ratio": 0}, "min_ratio must be a finite number greater than 0.* got 0"),
        ({"min_ratio": -2.0}, "min_ratio must be"),
        ({"min_ratio": np.inf}, "min_ratio must be"),
        ({"min_ratio": "2"}, "min_ratio must be"),
    ],
)
def test_parameters_out_of_range_are_named(localizer_set, parameters, match):
    with pytest.raises(ValueError, match=match):
        SelectiveUnitLocalizer(**parameters).fit(*localizer_set)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        (
            {"fdr": 0.05, "n_units": 4},
            r"At least 4 units must pass for category='face', fdr=0.05; got 3 of 12\. Raise fdr "
            r"\(None drops the rule\), or lower n_units \(None keeps all that pass\)\.",
        ),
        (
            {"min_ratio": 4.0, "n_units": 3},
            "At least 3 units must pass .* min_ratio=4.0; got 2 of 12. Lower min_ratio",
        ),
        (
            {"min_ratio": 100.0, "n_units": None},
            r"At least 1 unit must pass .*; got 0 of 12\. Lower min_ratio [^,]*$",
        ),
        ({"fdr": 1e-300, "n_units": None}, r"1 unit must pass .*; got 0 of 12\. Raise fdr [^,]*$"),
    ],
)
def test_too_few_under_a_rule_is_an_error(localizer_set, parameters, match):
    with pytest.raises(ValueError, match=match):
        SelectiveUnitLocalizer("face", **parameters).fit(*localizer_set)


def test_ratio_rule_needs_positive_means(localizer_set):
    X, y = localizer_set
    localizer = SelectiveUnitLocalizer("face", n_units=None, min_ratio=2)
    X[:, DEAD] = -1  # without variance: disturbs nothing
    assert kept(localizer.fit(X, y)) == FACE_UNITS
    X[:, :2] -= 10
    with pytest.raises(ValueError, match=r"must be positive for min_ratio=2; got 2 units"):
        localizer.fit(X, y)


@pytest.mark.parametrize("parameters", [{}, {"fdr": 0.05}, {"n_units": None}])
def test_no_unit_with_variance(parameters):
    with pytest.raises(ValueError, match=r"must have a unit that varies .* got none"):
        SelectiveUnitLocalizer(**parameters).fit(np.full((8, 3), 0.1), list("aaaabbbb"))


@pytest.mark.parametrize(
    ("brain", "match"),
    [
        (None, "y is None.*stimuli="),
        (
            np.random.default_rng(0).normal(size=(90, 5)),
            r"continuous.* of shape \(90, 5\).*stimuli=",
        ),
        (np.random.default_rng(0).normal(size=90), r"continuous .*stimuli="),
        (np.random.default_rng(0).integers(3, size=(90, 5)), r"multioutput .*stimuli="),
    ],
)
def test_brain_data_for_categories_points_to_stimuli(localizer_set, brain, match):
    with pytest.raises(ValueError, match=match):
        SelectiveUnitLocalizer().fit(localizer_set[0], brain)


def test_a_failed_fit_overwrites_nothing(localizer_set):
    X, y = localizer_set
    localizer = SelectiveUnitLocalizer("face", n_units=3, fdr=0.05).fit(X, y)
    before = dict(vars(localizer))
    with pytest.raises(ValueError, match="units must pass"):
        localizer.fit(X[:, :6], y)
    with pytest.raises(ValueError, match="contains NaN"):
        localizer.fit(np.where(X > 3, np.nan, X), y)
    assert vars(localizer) == before


def test_clone_is_unfitted_with_the_same_parameters(localizer_set):
    localizer = SelectiveUnitLocalizer("face", n_units=3, fdr=0.1, min_ratio=2).fit(*localizer_set)
    copy = clone(localizer)
    assert copy.get_params() == localizer.get_params()
    assert not hasattr(copy, "t_values_")


def test_house_voxels_of_real_fmri_hold_up_in_other_runs():
    haxby = load_haxby_slice()
    labels = np.char.add(haxby.target, haxby.run.astype(str))
    blocks = np.array([haxby.data[labels == name].mean(axis=0) for name in np.unique(labels)])
    first = [np.flatnonzero(labels == name)[0] for name in np.unique(labels)]
    y, run = haxby.target[first], haxby.run[first]
    localizer = SelectiveUnitLocalizer("house", n_units=40).fit(blocks[run < 6], y[run < 6])
    others = localizer.transform(blocks[run >= 6])
    means = {name: others[y[run >= 6] == name].mean() for name in haxby.target_names}
    assert max(means, key=means.get) == "house"
    assert means["house"] > 2 * sorted(means.values())[-2]
