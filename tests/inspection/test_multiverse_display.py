"""What the figure of all choices shows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skalign import SparsePositiveEncoder
from skalign.inference import alignment_multiverse
from skalign.inspection import AlignmentMultiverseDisplay


@pytest.fixture(scope="module")
def result():
    """Of two targets; one of them is out of reach of positive weights."""
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(100, 4))
    y = 1 + np.column_stack([X[:, 0] + X[:, 1], -X.sum(axis=1)]) + rng.standard_normal((100, 2))
    return alignment_multiverse(SparsePositiveEncoder(), X[:50], y[:50], X[50:], y[50:])


def test_combinations_stand_in_the_order_of_theta(result):
    theta, r, choices = AlignmentMultiverseDisplay.from_result(result).axes_
    table = result.summary_frame()
    drawn = np.vstack([group.get_offsets() for group in theta.collections])
    assert_allclose(drawn[np.argsort(drawn[:, 0]), 1], np.sort(table["theta"]), atol=1e-8)
    for group, responses in zip(theta.collections, ("predicted", "observed"), strict=True):
        expected = table.loc[table["responses"] == responses, "theta"]
        assert_allclose(np.sort(group.get_offsets()[:, 1]), np.sort(expected))
    assert len(r.patches) == 16
    # A combination is found again by its column.
    columns = [{} for _ in range(16)]
    for row, name in enumerate(("standardize", "fit_intercept", "center")):
        chosen = choices.collections[2 * row].get_offsets()
        assert_allclose(chosen[:, 1], row)
        for at, column in enumerate(columns):
            column[name] = at in chosen[:, 0]
    for at, column in enumerate(columns):
        found = result[tuple(column.values())]
        means = found.summary()
        (value,) = drawn[drawn[:, 0] == at, 1]
        assert min(abs(value - means["theta"]), abs(value - means["theta_observed"])) < 1e-8
        assert_allclose(r.patches[at].get_height(), means["r"])
        share = f" ({means['empty_fraction']:.0%})" if means["empty_fraction"] else ""
        assert choices.texts[at].get_text() == f"{means['n_active']:.1f}{share}"


def test_what_is_empty_is_counted():
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(100, 3))
    y = -X.sum(axis=1)
    result = alignment_multiverse(SparsePositiveEncoder(), X[:50], y[:50], X[50:], y[50:])
    theta, *_ = AlignmentMultiverseDisplay(result).plot().axes_
    texts = [text.get_text() for text in theta.get_legend().get_texts()]
    assert texts[-1] == "all targets empty: not drawn (16)"


def test_axes_are_the_ones_given(result):
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 1)
    display = AlignmentMultiverseDisplay.from_result(result, ax=axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="ax must be three Axes, for theta, r and the choices"):
        display.plot(axes[:2])
