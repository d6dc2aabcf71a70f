"""Tuning directions are correlations with principal components, and all units are accounted for."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skalign.inspection import TuningDirectionsDisplay

draw = TuningDirectionsDisplay.from_responses


def make_responses(n_images=60, n_units=8, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n_images, 2)) * [2, 1]
    return latent @ rng.standard_normal((2, n_units)) + 0.3 * rng.standard_normal(
        (n_images, n_units)
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 30), st.integers(2, 12))
def test_directions_are_correlations_with_the_scores(seed, n_images, n_units):
    responses = make_responses(n_images, n_units, seed)
    import matplotlib.pyplot as plt

    display = draw(responses, {})
    plt.close(display.figure_)
    centered = responses - responses.mean(axis=0)
    left, singular, _ = np.linalg.svd(centered, full_matrices=False)
    expected = np.corrcoef(np.c_[responses, left[:, :2]].T)[:n_units, n_units:]
    assert_allclose(np.abs(display.directions), np.abs(expected), atol=1e-7)
    # One sign per component: directions as a whole are the same up to it.
    assert_allclose(display.directions @ display.directions.T, expected @ expected.T, atol=1e-7)
    share = singular[:2] ** 2 / (singular**2).sum()
    assert_allclose(display.explained_variance_ratio, share, atol=1e-9)
    assert (np.linalg.norm(display.directions, axis=1) <= 1 + 1e-9).all()


def test_scale_and_offset_of_the_layer_change_nothing():
    responses = make_responses()
    first, second = draw(responses, {}), draw(5 * responses + 3, {})
    assert_allclose(first.directions, second.directions, atol=1e-9)


def arrows(ax):
    return [item for item in ax.collections if hasattr(item, "U")]


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_arrows_are_the_units_of_the_groups_and_their_means():
    display = draw(make_responses(), {"face": np.arange(8) < 3, "scene": [4, 5]})
    face, face_mean, scene, scene_mean = arrows(display.ax_)
    assert_allclose(np.c_[face.U, face.V], display.directions[:3])
    assert_allclose(np.c_[scene.U, scene.V], display.directions[4:6])
    assert_allclose([*face_mean.U, *face_mean.V], display.directions[:3].mean(axis=0))
    assert_allclose([*scene_mean.U, *scene_mean.V], display.directions[4:6].mean(axis=0))
    assert tuple(face.get_facecolor()[0][:3]) == tuple(face_mean.get_facecolor()[0][:3])
    assert tuple(face.get_facecolor()[0][:3]) != tuple(scene.get_facecolor()[0][:3])
    (others,) = [item for item in display.ax_.collections if item not in arrows(display.ax_)]
    assert_allclose(others.get_offsets(), display.directions[[3, 6, 7]])
    assert labels(display) == ["face (3)", "scene (2)", "other (3)"]


def test_axes_are_labeled_with_explained_variance():
    display = draw(make_responses(), {})
    for k, label in enumerate([display.ax_.get_xlabel(), display.ax_.get_ylabel()]):
        share = display.explained_variance_ratio[k]
        assert label == f"Correlation with PC {k + 1} ({share:.1%} of variance)"
    assert display.ax_.get_xlim() == display.ax_.get_ylim()
    assert display.ax_.get_xlim()[1] >= np.abs(display.directions).max()


def test_units_that_do_not_vary_are_counted():
    responses = make_responses()
    responses[:, [0, 7]] = 0.1
    display = draw(responses, {"face": [0, 1, 2], "none": [7], "empty": []})
    display.figure_.canvas.draw()
    assert np.isnan(display.directions[[0, 7]]).all()
    assert np.isfinite(display.directions[1:7]).all()
    assert display.ax_.get_title() == "2 of 8 units do not vary: not drawn"
    assert labels(display) == ["face (2)", "none (0)", "empty (0)", "other (4)"]
    clean = draw(responses[:, 1:7], {})  # a unit without variance moves no component
    assert_allclose(clean.directions, display.directions[1:7], atol=1e-9)


def test_groups_may_overlap():
    display = draw(make_responses(), {"face": [0, 1], "body": [1, 2]})
    assert labels(display) == ["face (2)", "body (2)", "other (5)"]


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([[0, 1]], TypeError, "groups must be a dict from names to units.*got list"),
        ({"face": [True, False]}, ValueError, r"'face'.*mask of the 8 units; got shape \(2,\)"),
        ({"face": [0, 8]}, ValueError, "'face'.*indices from 0 to 7"),
        ({"face": [-1]}, ValueError, "'face'.*indices from 0 to 7"),
        ({"face": [0.5]}, TypeError, "'face'.*mask or indices.*float64"),
        ({str(k): [k] for k in range(8)}, ValueError, "at most 7.*got 8"),
    ],
)
def test_groups_that_do_not_fit_are_named(groups, error, message):
    with pytest.raises(error, match=message):
        draw(make_responses(), groups)


def test_responses_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="responses must vary"):
        draw(np.ones((5, 3)), {})
    with pytest.raises(ValueError, match="responses contains NaN"):
        draw([[1.0, np.nan], [0.0, 1.0]], {})


def test_a_large_layer_is_the_same_every_time():
    responses = np.random.default_rng(0).standard_normal((60, 600)).astype(np.float32)
    first, second = draw(responses, {}), draw(responses, {})
    assert_array_equal(first.directions, second.directions)


def test_axes_given_are_drawn_on():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    display = draw(make_responses(), {}, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skalign\[plot\]"):
        draw(make_responses(), {})
