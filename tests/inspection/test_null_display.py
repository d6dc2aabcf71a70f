"""What the figure of null fits shows, target by target."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skalign.inference import AlignmentNull
from skalign.inspection import AlignmentNullDisplay
from skalign.metrics import Alignment

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
    } | changes
    others = ["excess_theta", "p_value_r", "p_value_theta"]
    others += ["familywise_p_value_r", "familywise_p_value_theta"]
    encoder = Alignment(
        np.array([0.9, NAN, 0.2]), np.array([0.1, NAN, 0.6]), np.array([3, 0, 1]), *np.ones((3, 4))
    )
    return AlignmentNull(
        null="units",
        encoder=encoder,
        **tables,
        **{name: np.ones(3) for name in others},
        region_p_value_r=0.1,
        region_p_value_theta=0.1,
        correction="bh",
        least_p_value=1 / 42,
    )


def drawn(ax):
    """Points by label, and the ends of the lines."""
    lines, *groups = ax.collections
    ends = [segment[:, 1] for segment in lines.get_segments()]
    return {group.get_label(): group.get_offsets() for group in groups}, ends


def test_targets_stand_beside_their_own_null_fits():
    r, theta = AlignmentNullDisplay.from_result(make_result()).axes_
    points, ends = drawn(r)
    assert_allclose(points["q at most 0.05 (1)"], [[0, 0.2]])
    assert_allclose(points["q above 0.05, or none (1)"], [[1, 0.9]])
    assert_allclose(ends, [[0.0025, 0.0975], [0.01, 0.39]])
    points, ends = drawn(theta)
    assert_allclose(points["q at most 0.05 (1)"], [[0, 0.1]])
    assert_allclose(points["q above 0.05, or none (1)"], [[1, 0.6]])
    assert_allclose(ends, [[0.025, 0.975], [0.0125, 0.4875]])


def test_every_target_is_counted():
    display = AlignmentNullDisplay(make_result()).plot(rate=0.6)
    for ax, name in zip(display.axes_, ("r", "θ"), strict=True):
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert texts == ["Null fits, 95 %", "q at most 0.6 (2)", f"No {name}: not drawn (1)"]


def test_empty_null_fits_have_an_r_of_0_and_no_theta():
    empty = np.full((41, 3), NAN)
    r, theta = AlignmentNullDisplay(make_result(null_r=empty, null_theta=empty)).plot().axes_
    assert_allclose(drawn(r)[1], np.zeros((2, 2)))
    assert [group.get_label()[:1] for group in theta.collections] == ["q", "q"]  # no lines


def test_axes_are_the_ones_given():
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 1)
    display = AlignmentNullDisplay.from_result(make_result(), ax=axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="ax must be two Axes, for r and theta; got 1"):
        display.plot(axes[0])
