"""What the figure of a front shows, and that nothing is dropped from it without a word."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV

from skalign import AlignmentScorer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inspection import AlignmentFrontDisplay
from skalign.linear_model import sparse_positive_path
from skalign.model_selection import AlignmentFront, least_reorientation


def front(**changes):
    """Candidates 0 to 2 on the front, 3 off it, 4 on it for its sparsity, 5 empty, 6 failed."""
    nan = np.nan
    tables = {
        "r": [0.3, 0.5, 0.6, 0.4, 0.2, 0.0, nan],
        "r_se": [0.1, 0.1, 0.1, 0.1, 0.1, 0.0, nan],
        "theta": [0.2, 0.4, 0.8, 0.9, 1.1, nan, nan],
        "n_active": [3, 5, 10, 20, 0.4, 0, nan],
        "empty_fraction": [0, 0, 0, 0, 0.5, 1, nan],
        "chosen_fraction": [0, 0.7, 0.2, 0, 0, 0, 0],
    } | changes
    tables = {name: np.array(values, dtype=float) for name, values in tables.items()}
    for name in ("penalized_theta", "theta_observed", "n_effective", "theta_floor"):
        tables.setdefault(name, tables["theta"])
    tables["alpha_at_edge"] = np.zeros(len(tables["r"]), dtype=bool)
    return AlignmentFront(candidate=np.arange(len(tables["r"])), params={}, **tables)


def drawn(ax):
    """Points of every kind, by the start of their label."""
    return {item.get_label().partition(" (")[0]: item for item in ax.collections}


def test_candidates_are_where_they_belong():
    display = AlignmentFrontDisplay(front()).plot()
    points = drawn(display.ax_)
    assert_allclose(points["On the front"].get_offsets(), [[0.2, 0.3], [0.4, 0.5], [0.8, 0.6]])
    assert_allclose(points["Off the front"].get_offsets(), [[0.9, 0.4]])
    assert_allclose(points["On the front, some targets empty"].get_offsets(), [[1.1, 0.2]])
    assert_allclose(points["Chosen"].get_offsets(), [[0.4, 0.5], [0.8, 0.6]])
    assert np.diff(points["Chosen"].get_sizes()) < 0  # fewer targets, smaller ring
    assert_array_equal(points["On the front"].get_array(), [3, 5, 10])
    (line,) = [line for line in display.ax_.lines if line.get_label().startswith("Front")]
    assert_allclose(line.get_xydata(), [[0.2, 0.3], [0.4, 0.5], [0.8, 0.6]])
    (bars,) = [item for item in display.ax_.collections if hasattr(item, "get_segments")]
    assert_allclose(np.array(bars.get_segments())[:, :, 1].mean(axis=1), [0.3, 0.5, 0.6, 0.4, 0.2])
    assert_allclose(np.ptp(np.array(bars.get_segments())[:, :, 1], axis=1), 0.2)


def test_what_is_not_drawn_is_counted():
    title = AlignmentFrontDisplay(front()).plot().ax_.get_title()
    assert "1 of 7 candidates empty for all targets: not drawn" in title
    assert "1 of 7 candidates without r or θ" in title
    assert "10.0% of the targets left empty by the choice" in title


def test_counts_in_the_legend_are_those_of_all_candidates():
    legend = AlignmentFrontDisplay(front()).plot().ax_.get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    counts = [int(text[:-1].rpartition("(")[2]) for text in texts if text[-2:-1].isdigit()]
    assert sum(counts) == 5


def test_nothing_to_draw_is_said():
    names = ["r", "r_se", "n_active", "chosen_fraction"]
    empty = {name: [0.0, 0.0] for name in names} | {"empty_fraction": [1.0, 1.0]}
    display = AlignmentFrontDisplay(front(**empty, theta=[np.nan] * 2)).plot()
    assert "2 of 2 candidates empty" in display.ax_.get_title()
    assert display.colorbar_ is None


def test_one_number_of_units_and_no_standard_errors():
    single = {name: [0.5] for name in ["r", "theta"]}
    ones = {name: [1.0] for name in ["n_active", "chosen_fraction"]} | {"empty_fraction": [0.0]}
    display = AlignmentFrontDisplay(front(**single, **ones, r_se=[np.nan])).plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_title() == ""
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "1 standard error of r" not in labels


def test_colors_are_of_active_units_on_a_log_scale():
    colorbar = AlignmentFrontDisplay(front()).plot().colorbar_
    assert colorbar.ax.get_ylabel() == "Active units"
    assert_allclose([colorbar.norm.vmin, colorbar.norm.vmax], [1, 20])
    assert colorbar.extend == "min"  # a mean of 0.4 units
    assert colorbar.norm(10) > 0.7
    colorbar.ax.figure.canvas.draw()
    labels = [label.get_text() for label in colorbar.ax.get_yticklabels()]
    assert {"1", "10", "20"} <= set(labels)


def test_axes_given_are_drawn_on():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    display = AlignmentFrontDisplay(front()).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.get_xlabel().startswith("Reorientation θ")
    assert ax.get_ylabel() == "Predictivity r"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 8))
    return X, X[:, :2] @ rng.random((2, 3)) + rng.standard_normal((80, 3))


def test_from_a_search(data):
    search = GridSearchCV(
        SparsePositiveEncoder(),
        {"alpha": [0.01, 0.1, 1e3]},
        scoring=AlignmentScorer(),
        refit=least_reorientation(),
    ).fit(*data)
    display = AlignmentFrontDisplay.from_cv_results(search)
    expected = AlignmentFront.from_cv_results(search)
    assert_array_equal(display.front.r, expected.r)
    chosen = drawn(display.ax_)["Chosen"].get_offsets()
    assert_allclose(chosen, [[expected.theta[search.best_index_], expected.r[search.best_index_]]])
    assert "1 of 3" in display.ax_.get_title()


def test_from_an_encoder_averaged_or_one_target():
    encoder = SparsePositiveEncoderCV()  # as if fitted
    encoder.coef_ = np.ones((2, 3))
    encoder.best_index_ = np.array([0, 1])
    encoder.cv_results_ = {
        "param_alpha": np.ones((2, 2)),
        "param_l1_ratio": np.full(2, np.nan),
        "mean_test_r": np.array([[0.2, 0.4], [0.3, 0.7]]),
        "se_test_r": np.full((2, 2), 0.1),
        "mean_test_theta": np.array([[0.1, 0.3], [0.5, 0.7]]),
        "mean_test_n_active": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "mean_test_penalized_theta": np.array([[0.1, 0.3], [0.5, 0.7]]),
        "empty_fraction": np.zeros((2, 2)),
        "mean_test_theta_observed": np.full((2, 2), 0.9),
        "mean_test_n_effective": np.ones((2, 2)),
        "mean_test_theta_floor": np.zeros((2, 2)),
    }
    display = AlignmentFrontDisplay.from_encoder_cv(encoder)
    assert_allclose(drawn(display.ax_)["On the front"].get_offsets(), [[0.2, 0.3], [0.6, 0.5]])
    display = AlignmentFrontDisplay.from_encoder_cv(encoder, target=1)
    assert_allclose(drawn(display.ax_)["On the front"].get_offsets(), [[0.3, 0.4], [0.7, 0.7]])
    assert_allclose(drawn(display.ax_)["Chosen"].get_offsets(), [[0.7, 0.7]])
    with pytest.raises(ValueError, match=r"got one of 2 targets\. Take front\.for_target"):
        AlignmentFrontDisplay(AlignmentFront.from_encoder_cv(encoder, per_target=True)).plot()


def test_from_a_path_averaged_or_one_target(data):
    path = sparse_positive_path(*data, alphas=[0.2, 0.1])
    display = AlignmentFrontDisplay.from_path(path, *data, center=True)
    expected = AlignmentFront.from_path(path, *data, center=True, per_target=True)
    penalized = np.nan_to_num(expected.theta, nan=2.0).mean(axis=1)
    assert_allclose(display.front.penalized_theta, penalized)
    display = AlignmentFrontDisplay.from_path(path, *data, target=2, center=True)
    assert_allclose(display.front.theta, expected.theta[:, 2])


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skalign\[plot\]"):
        AlignmentFrontDisplay(front()).plot()
