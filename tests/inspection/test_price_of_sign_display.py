"""What the figure of the price of sign shows, and that empty targets are counted in it."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skalign import SparsePositiveEncoder
from skalign.inference import PriceOfSign, price_of_sign
from skalign.inspection import PriceOfSignDisplay
from skalign.metrics import Alignment


def make_price(**changes):
    """Four targets: the third has no positive fit, the fourth neither; three units."""
    nan = np.nan
    tables = {
        "r_signed": [0.8, 0.6, 0.7, nan],
        "r_positive": [0.7, 0.7, nan, nan],
        "theta_signed": [1.0, 0.5, 1.2, nan],
        "theta_positive": [0.4, 0.3, nan, nan],
        "n_active_signed": [5, 3, 2, 0],
        "n_active_positive": [3, 2, 0, 0],
        "negative_share": [0.4, 0.1, 1.0, nan],
        "negative_weight": [0.5, 0.0, 2.5],
        "n_negative": [1, 0, 3],
    } | changes
    tables = {name: np.array(values) for name, values in tables.items()}
    sides = {
        side: Alignment(
            *(tables.pop(f"{name}_{side}") for name in ("r", "theta", "n_active")),
            *np.full((3, 4), nan),
        )
        for side in ("signed", "positive")
    }
    return PriceOfSign(sides, **tables)


def points(ax):
    return {item.get_label(): item.get_offsets() for item in ax.collections}


def test_targets_are_where_they_belong():
    r, theta, _ = PriceOfSignDisplay(make_price()).plot().axes_
    found = points(r)
    assert_allclose(found["Both fits have units (2)"], [[0.8, 0.7], [0.6, 0.7]])
    assert_allclose(found["Positive fit empty, r = 0 (1)"], [[0.7, 0.0]])
    assert_allclose(found["Both empty, r = 0 (1)"], [[0.0, 0.0]])
    assert_allclose(points(theta)["Both fits have θ (2)"], [[1.0, 0.4], [0.5, 0.3]])
    for ax in (r, theta):
        assert ax.get_xlim() == ax.get_ylim()
        assert "signed" in ax.get_xlabel()
        assert "positive" in ax.get_ylabel()


def test_every_target_is_counted():
    r, theta, _ = PriceOfSignDisplay(make_price()).plot().axes_
    for ax in (r, theta):
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert sum(int(text[:-1].rpartition("(")[2]) for text in texts) == 4
    assert "not drawn (2)" in texts[-1]


def test_titles_tell_the_average():
    r, theta, _ = PriceOfSignDisplay(make_price()).plot().axes_
    assert "r falls by 0.175 on average" in r.get_title()
    assert "θ falls by 0.400 on average" in theta.get_title()
    gains = make_price(r_positive=[0.9, 0.7, 0.7, 0.2])
    r, _, _ = PriceOfSignDisplay(gains).plot().axes_
    assert "r rises by 0.100" in r.get_title()


def test_units_are_the_ones_with_the_negative_weight():
    display = PriceOfSignDisplay(make_price(unit_names=["a", "b", "c"])).plot()
    ax = display.axes_[2]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c", "a"]
    assert_allclose([bar.get_width() for bar in ax.patches], [2.5, 0.5])
    assert {text.get_text() for text in ax.texts} == {"3", "1"}
    assert "2 of 3 units" in ax.get_title()
    ax = PriceOfSignDisplay(make_price()).plot(n_units=1).axes_[2]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2"]


def test_all_empty_can_be_drawn():
    zeros, nans = np.zeros(4), np.full(4, np.nan)
    changes = dict.fromkeys(["n_active_signed", "n_active_positive"], zeros)
    changes |= dict.fromkeys(["r_signed", "r_positive", "theta_signed", "theta_positive"], nans)
    changes["negative_weight"] = np.zeros(3)
    display = PriceOfSignDisplay(make_price(**changes)).plot()
    display.figure_.canvas.draw()
    texts = [text.get_text() for text in display.axes_[1].get_legend().get_texts()]
    assert texts == ["No θ in a fit: not drawn (4)"]


def test_from_an_estimator_and_from_a_record_are_the_same():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    Y = X @ rng.standard_normal((5, 6)) + rng.standard_normal((100, 6))
    weight = rng.random(50)
    data = X[:50], Y[:50], X[50:], Y[50:]
    options = {"sample_weight": weight, "center": True}
    price = price_of_sign(SparsePositiveEncoder(), *data, **options)
    display = PriceOfSignDisplay.from_estimator(SparsePositiveEncoder(), *data, **options)
    assert_array_equal(display.price["positive"].r, price["positive"].r)
    assert_array_equal(display.price.negative_weight, price.negative_weight)
    other = PriceOfSignDisplay.from_price(price, n_units=2)
    assert len(other.axes_[2].patches) == 2
    for ax, other_ax in zip(display.axes_[:2], other.axes_[:2], strict=True):
        assert_allclose(*(item.collections[0].get_offsets() for item in (ax, other_ax)))


def test_axes_given_are_drawn_on():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3)
    display = PriceOfSignDisplay(make_price()).plot(axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match=r"ax must be three Axes.*got 1"):
        PriceOfSignDisplay(make_price()).plot(axes[0])


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skalign\[plot\]"):
        PriceOfSignDisplay(make_price()).plot()
