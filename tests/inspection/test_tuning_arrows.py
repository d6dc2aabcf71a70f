"""What the figure of arrows shows: features, weights and the target of two images."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Lasso, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skalign import SparsePositiveEncoder, tuning_reorientation
from skalign.datasets import make_tuning_toy
from skalign.inspection import TuningArrowsDisplay

X = np.array([[1.0, 0.0, -2.0, 1.0], [0.0, 2.0, 0.0, 1.0]])
WEIGHTS = np.array([0.02, -0.05, 0.0, 0.01])


def test_arrows_are_features_in_the_order_of_their_weight():
    display = TuningArrowsDisplay.from_weights(X, [3, 2.5], WEIGHTS, name="mine")
    order = [2, 3, 0, 1]  # from the smallest: large ones lie on top
    drawn = display.arrows_
    assert_array_equal([drawn.U, drawn.V], X[:, order])
    assert_array_equal(drawn.get_array(), WEIGHTS[order])
    assert drawn.get_clim() == (-0.03, 0.03)
    low, high = drawn.cmap([0.0, 1.0])
    assert low[2] > low[0]  # from blue
    assert high[0] > high[2]  # to red
    target = display.ax_.collections[1]
    assert_allclose([target.U, target.V], [[3], [2.5]])
    red, green, blue, _ = target.get_facecolor()[0]
    assert green > max(red, blue)
    assert display.ax_.get_xlim() == display.ax_.get_ylim()
    assert display.ax_.get_xlim()[1] >= 3


def test_title_is_true():
    display = TuningArrowsDisplay.from_weights(X, [3, 2.5], WEIGHTS, name="mine")
    (theta,) = tuning_reorientation(X, [3, 2.5], WEIGHTS)
    assert display.theta == theta
    assert display.ax_.get_title() == f"mine\nθ = {theta:.2f}, 3 of 4 active"


def test_without_weights_nothing_is_claimed():
    display = TuningArrowsDisplay.from_weights(X, [3, 2.5], np.zeros(4))
    display.figure_.canvas.draw()
    assert display.ax_.get_title() == "θ undefined, 0 of 4 active"


@pytest.mark.parametrize(
    ("limit", "extend"), [(0.03, "min"), (0.01, "both"), (0.05, "neither")], ids=str
)
def test_color_bar_says_which_weights_are_beyond_it(limit, extend):
    display = TuningArrowsDisplay.from_weights(X, [3, 2.5], WEIGHTS, limit=limit)
    assert display.colorbar_.extend == extend
    assert_allclose(display.colorbar_.mappable.get_clim(), [-limit, limit])


def test_color_bar_can_be_left_to_the_figure():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2)
    display = TuningArrowsDisplay.from_weights(X, [3, 2.5], WEIGHTS, colorbar=False, ax=axes[1])
    assert display.colorbar_ is None
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert len(figure.axes) == 2
    figure.colorbar(display.arrows_, ax=axes)


def test_estimator_gives_weights_and_name():
    toy = make_tuning_toy()
    encoder = SparsePositiveEncoder("ridge", 1000, positive=False, fit_intercept=False)
    display = TuningArrowsDisplay.from_estimator(encoder.fit(toy.X, toy.y), toy.X, toy.y)
    assert_array_equal(display.weights, encoder.coef_)
    (theta,) = tuning_reorientation(toy.X, toy.y, encoder.coef_)  # to the target itself
    assert display.theta == theta
    assert display.ax_.get_title().startswith("ridge, signed weights\n")
    piped = make_pipeline("passthrough", encoder)
    title = TuningArrowsDisplay.from_estimator(piped, toy.X, toy.y).ax_.get_title()
    assert title.startswith("ridge, signed weights\n")
    lasso = Lasso(0.5, fit_intercept=False).fit(toy.X, toy.y)
    title = TuningArrowsDisplay.from_estimator(lasso, toy.X, toy.y).ax_.get_title()
    assert title.startswith("Lasso\n")
    display = TuningArrowsDisplay.from_estimator(lasso, toy.X, toy.y, name="other")
    assert display.ax_.get_title().startswith("other\n")


def test_drawn_is_what_reaches_the_model():
    toy = make_tuning_toy(n_features=5)
    model = make_pipeline(FunctionTransformer(np.tanh), LinearRegression())
    display = TuningArrowsDisplay.from_estimator(model.fit(toy.X, toy.y), toy.X, toy.y)
    assert_array_equal(display.X, np.tanh(toy.X))


def test_other_problems_are_refused():
    with pytest.raises(ValueError, match=r"X must be of shape \(2, n_features\).*got \(3, 4\)"):
        TuningArrowsDisplay.from_weights(np.ones((3, 4)), np.ones(3), WEIGHTS)
    with pytest.raises(ValueError, match="limit must be a positive weight; got 0"):
        TuningArrowsDisplay.from_weights(X, [3, 2.5], WEIGHTS, limit=0)
    two_targets = np.ones((2, 2))
    encoder = SparsePositiveEncoder().fit(X, two_targets)
    with pytest.raises(ValueError, match="y must be one target"):
        TuningArrowsDisplay.from_estimator(encoder, X, two_targets)
    with pytest.raises(ValueError, match="weights"):
        TuningArrowsDisplay.from_weights(X, [3, 2.5], WEIGHTS[:3])


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skalign\[plot\]"):
        TuningArrowsDisplay.from_weights(X, [3, 2.5], WEIGHTS)
