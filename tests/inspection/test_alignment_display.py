"""What the figure of null fits and intervals shows, target by target and region by region."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("pandas")

from skalign import SparsePositiveEncoder
from skalign.inference import (
    AlignmentNull,
    alignment_null,
    bootstrap_alignment,
    bootstrap_alignment_difference,
    refit_intervals,
)
from skalign.inspection import AlignmentDisplay
from skalign.metrics import Alignment, NoiseCeiling

NAN = np.nan


def make_result(**changes):
    """Three targets, the second without weights; 41 null fits, evenly spread."""
    even = np.linspace(0, 1, 41)[:, np.newaxis]
    tables = {
        "null_r": even * [0.4, 0.2, 0.1],
        "null_theta": even * [1.0, NAN, 0.5],
        "null_n_active": np.full((41, 3), 2),
        "q_value_r": np.array([0.5, NAN, 0.01]),
        "q_value_theta": np.array([0.01, NAN, 0.5]),
        "region_p_value_r": 0.1,
        "region_p_value_theta": 0.2,
    } | changes
    others = ["excess_theta", "p_value_r", "p_value_theta"]
    others += ["familywise_p_value_r", "familywise_p_value_theta"]
    theta_observed = np.array([0.3, NAN, 0.8])
    encoder = Alignment(
        np.array([0.9, NAN, 0.2]),
        np.array([0.1, NAN, 0.6]),
        np.array([3, 0, 1]),
        theta_observed,
        *np.ones((2, 3)),
    )
    return AlignmentNull(
        null="units",
        encoder=encoder,
        **{name: np.ones(3) for name in others},
        correction="bh",
        least_p_value=1 / 42,
        **tables,
    )


def points(ax):
    """Coordinates of the markers, by label."""
    groups = [one for one in ax.collections if type(one).__name__ == "PathCollection"]
    return {one.get_label(): one.get_offsets().data for one in groups}


def segments(ax, label):
    """Places and ends of the lines with a label, (n_lines, 2, x and y)."""
    (lines,) = [one for one in ax.collections if one.get_label() == label]
    return np.array(lines.get_segments())


def means(ax):
    """Ends of the horizontal lines of means, and of the bands around them, in order of regions."""
    lines = [
        one.get_segments()[0]
        for one in ax.collections
        if hasattr(one, "get_segments") and len(one.get_segments()) == 1
        and np.ptp(one.get_segments()[0][:, 1]) == 0
    ]  # fmt: skip
    bands = [
        one.get_paths()[0].vertices[:, 1]
        for one in ax.collections
        if type(one).__name__ in ("PolyCollection", "FillBetweenPolyCollection")
    ]
    return np.array(lines), [(band.min(), band.max()) for band in bands]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def ticks(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def test_targets_stand_beside_their_own_null_fits():
    r, theta = AlignmentDisplay.from_null(make_result()).axes_
    assert_allclose(points(r)["q at most 0.05 (1)"], [[0, 0.2]])
    assert_allclose(points(r)["q above 0.05, or none (1)"], [[1, 0.9]])
    assert_allclose(segments(r, "Null fits, 95 %")[..., 1], [[0.0025, 0.0975], [0.01, 0.39]])
    assert_allclose(points(theta)["q at most 0.05 (1)"], [[0, 0.1]])
    assert_allclose(points(theta)["q above 0.05, or none (1)"], [[1, 0.6]])
    assert_allclose(segments(theta, "Null fits, 95 %")[..., 1], [[0.025, 0.975], [0.0125, 0.4875]])


def test_means_stand_beside_those_of_null_fits():
    display = AlignmentDisplay.from_null(make_result())
    r, theta = display.axes_
    (line,), (band,) = means(r)
    assert_allclose(line, [[-0.5, 1.1 / 3], [1.5, 1.1 / 3]])  # the empty target counts as 0
    assert_allclose(band, np.array([0.025, 0.975]) * 0.7 / 3)
    (line,), (band,) = means(theta)
    assert_allclose(line[:, 1], 0.35)  # and has no theta
    assert_allclose(band, np.array([0.025, 0.975]) * 0.75)
    assert ticks(r) == ["p = 0.1"]
    assert ticks(theta) == ["p = 0.2"]
    assert r.get_xlabel() == "Targets, by r; p of their mean"
    assert_allclose(display.means["value"], [1.1 / 3, 0.35])


def test_theta_to_observed_responses_stands_beside_null_fits_to_them():
    theta = AlignmentDisplay.from_null(make_result(target="observed")).axes_[1]
    assert_allclose(points(theta)["q at most 0.05 (1)"], [[0, 0.3]])
    assert_allclose(means(theta)[0][0, :, 1], 0.55)


def test_every_target_is_counted():
    display = AlignmentDisplay.from_null(make_result(), rate=0.6)
    for ax, name in zip(display.axes_, ("r", "θ"), strict=True):
        assert legend(ax) == [
            "Mean of targets",
            "Null means, 95 %",
            "Null fits, 95 %",
            "q at most 0.6 (2)",
            f"No {name}: not drawn (1)",
        ]


def test_empty_null_fits_have_an_r_of_0_and_no_theta():
    empty = np.full((41, 3), NAN)
    result = make_result(null_r=empty, null_theta=empty)
    r, theta = AlignmentDisplay.from_null(result).axes_
    assert_allclose(segments(r, "Null fits, 95 %")[..., 1], np.zeros((2, 2)))
    assert not [label for label in legend(theta) if label.startswith("Null")]


def test_regions_stand_side_by_side_with_their_own_ceilings():
    results = {"FFA": make_result(), "PPA": make_result(region_p_value_r=0.001)}
    limits = {
        "PPA": NoiseCeiling(np.array([0.81, 0.25, 0.16]), "variance"),
        "FFA": NoiseCeiling(np.array([0.95, 0.5, NAN]), "r"),
    }
    display = AlignmentDisplay.from_null(results, ceilings=limits)
    r, theta = display.axes_
    assert ticks(r) == ["FFA\np = 0.1", "PPA\np = 0.001"]
    assert_allclose(r.get_xticks(), [0.5, 3.5])
    assert_allclose(points(r)["Noise ceiling"], [[1, 0.95], [3, 0.4], [4, 0.9]])
    assert_allclose(points(r)["q above 0.05, or none (2)"], [[1, 0.9], [4, 0.9]])
    assert_allclose(means(r)[0][:, :, 0], [[-0.5, 1.5], [2.5, 4.5]])
    assert "Noise ceiling" not in legend(theta)
    assert list(display.targets["region"].unique()) == ["FFA", "PPA"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 5))
    return X, X[:, :3] + rng.standard_normal((80, 3))


def test_intervals_are_those_of_targets_and_of_their_mean(data):
    X, y = data
    found = bootstrap_alignment(SparsePositiveEncoder().fit(X[:40], y[:40]), X[40:], y[40:])
    display = AlignmentDisplay.from_intervals(found)
    for ax, name in zip(display.axes_, ("r", "theta"), strict=True):
        of_targets, mean = getattr(found, f"target_{name}"), getattr(found, name)
        order = np.argsort(of_targets.estimate)
        assert_allclose(points(ax)["Targets (3)"][:, 1], of_targets.estimate[order])
        drawn = segments(ax, "Interval, 95 %")[..., 1]
        assert_allclose(drawn, np.stack([of_targets.low, of_targets.high], axis=1)[order])
        (line,), (band,) = means(ax)
        assert_allclose(line[:, 1], mean.estimate)
        assert_allclose(band, [mean.low, mean.high])
        assert ticks(ax) == [""]
        assert "p of" not in ax.get_xlabel()


def test_intervals_of_refits_are_over_the_images_asked_for(data):
    X, y = data
    found = refit_intervals(
        SparsePositiveEncoder(),
        X[:40],
        y[:40],
        X[40:],
        y[40:],
        n_resamples=5,
        confidence_level=0.9,
        random_state=0,
    )
    both, fit = (AlignmentDisplay.from_intervals(found, over=over) for over in ("both", "fit"))
    for display, over in ((both, "both"), (fit, "fit")):
        mean = found.means["r"][over]
        assert_allclose(means(display.axes_[0])[1], [(mean.low, mean.high)])
    assert "Interval, 90 %" in legend(both.axes_[0])
    with pytest.raises(ValueError, match=r"over must be one of .*; got 'train'"):
        AlignmentDisplay.from_intervals(found, over="train")


def test_axes_are_the_ones_given():
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 1)
    display = AlignmentDisplay.from_null(make_result(), ax=axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="ax must be two Axes, for r and theta; got 1"):
        display.plot(axes[0])


def test_legends_fit_the_figure():
    results = {name: make_result() for name in ("FFA", "PPA", "a long name")}
    limits = {name: NoiseCeiling(np.full(3, 0.95), "r") for name in results}
    display = AlignmentDisplay.from_null(results, ceilings=limits)
    display.figure_.canvas.draw()
    boxes = [ax.get_legend().get_window_extent() for ax in display.axes_]
    assert not boxes[0].overlaps(boxes[1])
    for ax, box in zip(display.axes_, boxes, strict=True):
        assert display.figure_.bbox.contains(*box.min)
        assert display.figure_.bbox.contains(*box.max)
        assert not box.overlaps(ax.get_window_extent())
        labels = [label.get_window_extent() for label in ax.get_xticklabels()]
        assert not any(one.overlaps(other) for one, other in pairwise(labels))


@pytest.mark.parametrize(
    ("results", "ceilings", "error", "message"),
    [
        ({}, None, ValueError, "results must have at least one region; got an empty dict"),
        ([make_result()], None, TypeError, "results must be of type AlignmentNull.*; got list"),
        ({"FFA": 1}, None, TypeError, "results must be of type AlignmentNull.*; got int"),
        (make_result(), np.ones(3), TypeError, "ceilings must be of type NoiseCeiling.*ndarray"),
        (
            {"FFA": make_result()},
            {"PPA": NoiseCeiling(np.ones(3), "r")},
            ValueError,
            r"ceilings must have the regions of results, \['FFA'\]; got \['PPA'\]",
        ),
        (
            {"FFA": make_result()},
            {"FFA": NoiseCeiling(np.ones(2), "r")},
            ValueError,
            "one value for each of the 3 targets of FFA; got 2",
        ),
    ],
)
def test_what_does_not_fit_is_named(results, ceilings, error, message):
    with pytest.raises(error, match=message):
        AlignmentDisplay.from_null(results, ceilings=ceilings)


def test_intervals_of_a_difference_are_refused(data):
    X, y = data
    one, other = (SparsePositiveEncoder(positive=sign).fit(X, y) for sign in (True, False))
    found = bootstrap_alignment_difference({"a": (one, X), "b": (other, X)}, y)
    with pytest.raises(ValueError, match=r"intervals of one model.*got those of the difference"):
        AlignmentDisplay.from_intervals(found)


def test_a_test_knows_which_theta_it_tested(data):
    X, y = data
    for target, name in (("observed", "theta_observed"), ("predicted", "theta")):
        found = alignment_null(
            SparsePositiveEncoder(), X[:40], y[:40], X[40:], y[40:],
            target=target, n_resamples=2, random_state=0,
        )  # fmt: skip
        assert found.target == target
        assert_allclose(found.tested_theta, getattr(found.encoder, name))


@pytest.mark.parametrize(("module", "extra"), [("matplotlib.pyplot", "plot"), ("pandas", "table")])
def test_missing_library_is_named(monkeypatch, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"skalign\[{extra}\]"):
        AlignmentDisplay.from_null(make_result())
