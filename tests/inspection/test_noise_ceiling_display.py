"""What the figure of r against the noise ceiling shows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skalign.inspection import UNIT_COLORS, NoiseCeilingDisplay
from skalign.metrics import NoiseCeiling

NAN = np.nan
CEILING = NoiseCeiling(np.array([0.8, 0.4, 0.0, NAN, 0.6]), "r")
SCORES = {
    "matched": [0.4, -0.1, 0.1, 0.9, NAN],
    "mismatched": [0.2, 0.1, 0.0, 0.3, 0.3],
}


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def drawn(display):
    return {one.get_label(): one for one in display.ax_.collections}


def test_every_target_is_at_its_ceiling():
    display = NoiseCeilingDisplay.from_scores(SCORES, CEILING)
    found = {label: points.get_offsets().data for label, points in drawn(display).items()}
    assert_allclose(found["matched: 17% of the ceiling"], [[0.8, 0.4], [0.4, -0.1], [0, 0.1]])
    assert_allclose(found["matched: empty, r = 0 (1)"], [[0.6, 0]])
    mismatched = [[0.8, 0.2], [0.4, 0.1], [0, 0], [0.6, 0.3]]
    assert_allclose(found["mismatched: 33% of the ceiling"], mismatched)
    assert display.ax_.get_title() == "1 of 5 targets without a ceiling: not drawn"
    assert legend(display) == ["r = ceiling", *found]
    low, high = display.ax_.get_ylim()
    assert low < -0.1 < 0.4 < high
    assert display.share_ == pytest.approx({"matched": 0.3 / 1.8, "mismatched": 0.6 / 1.8})


def test_matched_and_mismatched_have_their_colors():
    from matplotlib.colors import to_rgb

    display = NoiseCeilingDisplay.from_scores(SCORES, CEILING)
    for label, points in drawn(display).items():
        expected = to_rgb(UNIT_COLORS[label.partition(":")[0]])
        assert_allclose(points.get_edgecolor()[0, :3], expected)
        n_filled = len(points.get_facecolor())
        assert n_filled == (0 if "empty" in label else 1)


def test_one_model_needs_no_name_and_variance_becomes_r():
    in_variance = CEILING.to_unit("variance")
    display = NoiseCeilingDisplay.from_scores(SCORES["mismatched"], in_variance)
    assert legend(display) == ["r = ceiling", "33% of the ceiling"]
    assert_allclose(display.ax_.collections[0].get_offsets()[:, 0], [0.8, 0.4, 0, 0.6])


def test_no_ceiling_at_all():
    nowhere = NoiseCeiling(np.full(5, NAN), "r")
    display = NoiseCeilingDisplay.from_scores(SCORES["matched"], nowhere)
    display.figure_.canvas.draw()
    assert legend(display) == ["r = ceiling", "no ceiling"]
    assert np.isnan(display.share_[""])


def test_axes_are_the_one_given_and_the_legend_fits():
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots()
    display = NoiseCeilingDisplay.from_scores(SCORES, CEILING, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    figure.canvas.draw()
    box, inside = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert inside.contains(*box.min)
    assert inside.contains(*box.max)


@pytest.mark.parametrize(
    ("scores", "ceiling", "error", "message"),
    [
        ([0.1], np.ones(1), TypeError, "ceiling must be a NoiseCeiling.*got a ndarray. Use"),
        ([0.1, 0.2], CEILING, ValueError, r"for each of the 5 targets.*got shape \(2,\)"),
        ({"a": np.full(5, 1.5)}, CEILING, ValueError, r"scores\['a'\] must be corr.*got 1.5"),
        ({}, CEILING, ValueError, "scores must be of 1 to 7 models.*got 0"),
        (dict.fromkeys("abcdefgh", [0] * 5), CEILING, ValueError, "1 to 7 models.*got 8"),
    ],
)
def test_what_does_not_fit_is_named(scores, ceiling, error, message):
    with pytest.raises(error, match=message):
        NoiseCeilingDisplay.from_scores(scores, ceiling)
