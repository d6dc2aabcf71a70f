"""The main example runs, keeps its promises about voxels and runs, and says what its table says."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import clone, model_selection
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

from skalign.datasets import load_haxby_slice
from tests.example_scripts import run_example


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """One run of the script in an empty folder, and what it handed to cross_validate.

    To be quick, alpha is chosen among two values of the grid.
    """
    calls = []

    def cross_validate(estimator, X, y, **options):
        calls.append(SimpleNamespace(estimator=estimator, X=X, y=y, **options))
        return original(estimator, X, y, **options)

    def search_two(estimator, grid, **options):
        grid = {name: alphas[[1, 4]] for name, alphas in grid.items()}
        return GridSearchCV(estimator, grid, **options)

    original = model_selection.cross_validate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_selection, "cross_validate", cross_validate)
        patch.setattr(model_selection, "GridSearchCV", search_two)
        run = run_example("plot_selective_cortex", tmp_path_factory.mktemp("example"))
    run.calls = calls
    return run


@pytest.fixture(scope="module")
def blocks():
    """Block means of the data, (runs, categories, voxels)."""
    haxby = load_haxby_slice()
    return np.array(
        [
            [
                haxby.data[(haxby.run == run) & (haxby.target == category)].mean(axis=0)
                for category in haxby.target_names
            ]
            for run in range(12)
        ]
    )


def voxels_of(columns, blocks):
    """Find the voxels whose responses the columns are."""
    voxels = blocks[4:].reshape(64, -1)
    distance = np.abs(columns[:, :, np.newaxis] - voxels[:, np.newaxis, :]).max(axis=0)
    assert distance.min(axis=1).max() < 1e-12
    return distance.argmin(axis=1)


def test_table_has_a_row_per_encoder_and_way_to_choose_alpha(example):
    encoders = ["ols", "ridge", "lasso", "elasticnet"]
    expected = [
        (alpha, region, encoder, positive)
        for alpha in ("0.1", "chosen")
        for region in ("house", "face")
        for encoder in encoders
        for positive in (False, True)
    ]
    assert sorted(example.table.index) == sorted(expected)
    for alpha in ("0.1", "chosen"):
        assert list(example.table.loc[alpha].index) == [row[1:] for row in expected[:16]]
    assert list(example.table.columns) == [
        (quantity, features)
        for quantity in ("r", "theta", "active units", "empty targets", "r across runs")
        for features in ("matched", "mismatched")
    ]


def test_table_values_are_in_range(example):
    table = example.table
    assert table.notna().all(axis=None)
    assert table["r"].abs().max(axis=None) <= 1
    assert table["theta"].min(axis=None) >= 0
    assert table["theta"].max(axis=None) <= 2
    assert table["active units"].max(axis=None) <= 20
    assert table["empty targets"].min(axis=None) >= 0
    assert table["empty targets"].max(axis=None) <= 1
    assert (
        table["active units"].xs("ridge", level="encoder").xs(False, level="positive") == 20
    ).all(axis=None)
    ols = table.xs("ols", level="encoder")  # has no alpha to choose
    np.testing.assert_array_equal(ols.loc["0.1"], ols.loc["chosen"])


def test_range_over_folds_belongs_to_the_row_of_its_mean(example):
    table, lowest, highest = example.frames
    for frame in (lowest, highest):
        assert sorted(frame.index) == sorted(table.index)
    for features in ("matched", "mismatched"):
        r, low, high = (frame["r", features] for frame in (table, lowest, highest))
        assert (low.reindex(r.index) <= r).all()
        assert (r <= high.reindex(r.index)).all()
    for alpha in ("0.1", "chosen"):  # the figure draws rows by position
        for frame in (lowest, highest):
            assert list(frame.loc[alpha].index) == list(table.loc[alpha].index)


def test_no_voxel_is_both_feature_and_target(example, blocks):
    used = {}
    for call in example.calls:
        localizer = call.estimator[0]
        key = (voxels_of(call.y[:, :1], blocks)[0], localizer.category)
        if key in used:
            continue
        pool, targets = voxels_of(call.X, blocks), voxels_of(call.y, blocks)
        features = pool[clone(localizer).fit(call.X).get_support()]
        assert len(targets) == len(features) == 20
        assert not set(targets) & set(features)
        used[key] = features
    assert len(used) == 4
    for first in {target for target, _ in used}:
        matched, mismatched = (
            set(voxels) for (target, _), voxels in used.items() if target == first
        )
        assert not matched & mismatched


def test_no_run_both_localizes_and_fits_or_tests(example, blocks):
    for call in example.calls[:: len(example.calls) // 4]:  # one per pool of features
        localizer = call.estimator[0]
        voxels = voxels_of(call.X, blocks)
        localizing, encoding = np.split(blocks[..., voxels].reshape(96, -1), [32])
        np.testing.assert_allclose(localizer.stimuli[0], localizing, atol=1e-12)
        np.testing.assert_allclose(call.X, encoding, atol=1e-12)
        assert len(localizer.stimuli[1]) == 32
    for call in example.calls:  # outer and inner folds are two whole runs each
        np.testing.assert_array_equal(call.params["groups"], np.repeat([2, 3, 4, 5], 16))
        assert isinstance(call.cv, LeaveOneGroupOut)
        model = call.estimator[-1]
        assert not isinstance(model, GridSearchCV) or isinstance(model.cv, LeaveOneGroupOut)
    assert sum(isinstance(call.estimator[-1], GridSearchCV) for call in example.calls) == 24


def test_reading_is_true_of_the_table(example):
    def of(quantity, features, region, positive):
        where = ("0.1", region, positive)
        levels = ["alpha", "targets", "positive"]
        return example.table[quantity, features].xs(where, level=levels)

    for positive in (False, True):
        for region in ("house", "face"):
            assert (of("r", "matched", region, positive) > 0.3).all()
    # Signed: in part for house targets, hardly for face targets; theta likewise.
    assert of("r", "mismatched", "house", False).between(0.2, 0.4).all()
    assert (of("r", "matched", "house", False) > 0.6).all()
    gap = of("r", "matched", "face", False) - of("r", "mismatched", "face", False)
    assert gap.between(0, 0.05).all()
    assert (of("theta", "mismatched", "house", False) > 1.1).all()
    assert (of("theta", "matched", "house", False) < 0.6).all()
    gap = of("theta", "mismatched", "face", False) - of("theta", "matched", "face", False)
    assert gap.between(0, 0.2).all()
    # Positive: matched r is kept, mismatched r is not, and its theta is low on few units.
    for region in ("house", "face"):
        kept = of("r", "matched", region, True) - of("r", "matched", region, False)
        assert (kept.to_numpy() > -0.02).all()
        assert (of("r", "mismatched", region, True) < 0.15).all()
        assert (of("theta", "mismatched", region, True) < 0.5).all()
        assert (of("active units", "mismatched", region, True) < 6).all()
    # Where mismatched voxels predict nothing, the search prefers empty maps.
    chosen = example.table["empty targets", "mismatched"].loc["chosen"].loc["house"]
    assert chosen["lasso", True] > 0.5
    # Shared noise: nothing of the face targets is predicted in another run, of the house ones some.
    across = example.table["r across runs"]
    assert (across.xs("face", level="targets").abs() < 0.06).all(axis=None)
    assert (of("r across runs", "matched", "house", True) > 0.3).all()
    assert (of("r across runs", "mismatched", "house", False) > 0.1).all()
    assert (of("r across runs", "mismatched", "house", True) < 0).all()


def test_prose_on_choice_and_ranks(example):
    r = example.table["r"]
    assert (r.loc["chosen"] - r.loc["0.1"]).abs().max(axis=None) < 0.1
    assert [group["strict"] for group in example.groups.values()] == [0, 0]


def test_figures_have_all_encoders(example):
    for fig in (example.fig, example.fig_theta):
        assert len(fig.axes) == 4
        for ax in fig.axes:
            assert [len(line.get_xdata()) for line in ax.lines if line.get_marker() in "os"] == [
                8,
                8,
            ]
    matched = example.fig.axes[0].lines[-2]
    expected = example.table["r", "matched"].xs(("0.1", "house"), level=["alpha", "targets"])
    np.testing.assert_array_equal(matched.get_ydata()[:4], expected.xs(False, level="positive"))
    assert not list(example.folder.iterdir())
