"""What the figure of pairs shows, that its test is scipy's, and that lost pairs are counted."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

pd = pytest.importorskip("pandas")

from skalign.inspection import PairedUnitsDisplay  # noqa: E402
from tests.inspection.results import make_table  # noqa: E402

ROLES = {"matched": "face", "mismatched": "scene"}
BY_REGION = {
    "matched": {"FFA": "face", "PPA": "scene"},
    "mismatched": {"FFA": "scene", "PPA": "face"},
}


def make_models(n_models=106, **levels):
    models = [f"model{k}" for k in range(n_models)]
    return make_table(model=models, penalty=["ridge"], positive=[False], **levels)


def draw(table, **options):
    return PairedUnitsDisplay.from_frame(table, **(ROLES | options))


def means(table, units, region, quantity):
    """Mean over subjects of every model, in the order of their names."""
    rows = table[(table["units"] == units) & (table["region"] == region)]
    return rows.groupby("model")[quantity].mean()


@pytest.mark.parametrize("test", ["t", "wilcoxon"])
def test_tests_are_those_of_scipy_over_models(test):
    table = make_models(region=["PPA", "FFA"])
    display = draw(table, test=test, **BY_REGION)
    found = display.tests.set_index(["region", "quantity"])
    assert list(found.index) == [(a, b) for a in ("PPA", "FFA") for b in ("r", "theta")]
    function = {"t": stats.ttest_rel, "wilcoxon": stats.wilcoxon}[test]
    for (region, quantity), row in found.iterrows():
        units = [BY_REGION[role][region] for role in ROLES]
        matched, mismatched = (means(table, name, region, quantity) for name in units)
        expected = function(matched, mismatched)
        assert_allclose([row["statistic"], row["p"]], [expected.statistic, expected.pvalue])
        assert_allclose(row["mean_difference"], (matched - mismatched).mean())
        assert_allclose(row["mean_matched"] - row["mean_mismatched"], row["mean_difference"])
        assert (row["n"], row["n_left_out"], row["n_pairs"]) == (106, 0, 318)
        assert [row["units_matched"], row["units_mismatched"]] == units


def test_models_are_joined_and_the_test_is_printed():
    table = make_models(region=["FFA", "PPA"])
    display = draw(table, **BY_REGION)
    assert display.axes_.shape == (2, 2)
    for column, region in enumerate(["FFA", "PPA"]):
        for ax, quantity in zip(display.axes_[:, column], ["r", "theta"], strict=True):
            lines = np.array([line.get_ydata() for line in ax.lines if len(line.get_xdata()) == 2])
            units = [BY_REGION[role][region] for role in ROLES]
            expected = np.c_[[means(table, name, region, quantity) for name in units]].T
            lines = lines[: len(expected)]  # then the line of theta at 0
            assert_allclose(lines[np.lexsort(lines.T)], expected[np.lexsort(expected.T)])
            row = display.tests.set_index(["region", "quantity"]).loc[(region, quantity)]
            title = ax.get_title()
            assert f"{row['mean_difference']:+.3f}, n = 106" in title
            assert f"t(105) = {row['statistic']:.4g}, p" in title
            assert title.startswith(region) == (quantity == "r")
        bottom = display.axes_[1, column]
        assert [label.get_text() for label in bottom.get_xticklabels()] == [
            f"{role}\n({BY_REGION[role][region]} units)" for role in ROLES
        ]
    assert "p < 0.001" in display.axes_[1, 0].get_title()
    assert "W = " in draw(table, test="wilcoxon", **BY_REGION).axes_[0, 0].get_title()


def test_incomplete_pairs_are_left_out_and_counted():
    table = make_models(n_models=5)

    def rows(model, units, subject=None):
        found = (table["model"] == model) & (table["units"] == units)
        return found if subject is None else found & (table["subject"] == subject)

    table.loc[rows("model0", "scene", "s1"), "theta"] = np.nan  # empty: one subject of three
    table.loc[rows("model1", "face"), ["r", "theta"]] = np.nan  # failed
    short = table[~rows("model2", "scene", "s2")]  # not there at all
    display = draw(short)
    found = display.tests.set_index("quantity")
    assert found["n"].tolist() == [4, 4]
    assert found["n_left_out"].tolist() == [4, 5]
    assert found["n_pairs"].tolist() == [15, 15]
    r_ax, theta_ax = display.axes_[:, 0]
    assert r_ax.get_xlabel() == "4 of 15 pairs incomplete: left out"
    assert theta_ax.get_xlabel().startswith("5 of 15 pairs incomplete: left out")
    # A model that lost a subject in one group is compared in the others alone.
    pairs = display.pairs.set_index(["quantity", "model"])
    rest = table[rows("model0", "face") & (table["subject"] != "s1")]
    assert_allclose(pairs.loc[("theta", "model0"), "matched"], rest["theta"].mean())
    whole = table[rows("model0", "face")]
    assert_allclose(pairs.loc[("r", "model0"), "matched"], whole["r"].mean())


def test_active_units_and_empty_targets_are_told():
    table = make_models(n_models=4)
    scene = table["units"] == "scene"
    table.loc[scene, "empty_fraction"] = 0.25
    table.loc[~scene, "n_active"] = 7.5
    ax = draw(table).axes_[1, 0]
    texts = {text.get_position()[0]: text.get_text() for text in ax.texts}
    assert texts == {0: "7.5", 1: "100 (25%)"}
    assert "active units (targets left empty)" in ax.get_xlabel()


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (make_models(n_models=1), "under 2 models"),
        (make_models(n_models=3).assign(r=0.5, theta=1.0), "differences all alike"),
        (make_models(n_models=3).assign(r=np.nan, theta=np.nan), "under 2 models"),
    ],
)
@pytest.mark.parametrize("test", ["t", "wilcoxon"])
def test_without_a_test_the_title_says_why(table, reason, test):
    display = draw(table, test=test)
    display.figure_.canvas.draw()
    for ax in display.axes_.flat:
        assert f"no test: {reason}" in ax.get_title()
    assert display.tests[["statistic", "p"]].isna().all(axis=None)


def test_a_region_without_one_group_is_all_left_out():
    table = make_models(n_models=3, region=["FFA", "PPA"])
    short = table[(table["region"] == "FFA") | (table["units"] != "scene")]
    found = draw(short).tests.set_index(["region", "quantity"])
    assert found.loc[("PPA", "r"), ["n", "n_left_out"]].tolist() == [0, 9]
    assert found.loc[("FFA", "r"), ["n", "n_left_out"]].tolist() == [3, 0]


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"test must be one of \['t', 'wilcoxon'\]; got 'z'"):
        draw(make_models(2), test="z")
    twice = make_table(model=["a", "b"], penalty=["ridge"])
    with pytest.raises(ValueError, match=r"differ in \['positive'\]. Select one of each"):
        draw(twice)
    with pytest.raises(ValueError, match=r"must have the columns \['model'\]"):
        draw(twice.drop(columns="model"))


def test_axes_given_are_drawn_on():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 1)
    display = draw(make_models(3), ax=axes)
    assert list(display.axes_.flat) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match=r"ax must be Axes of shape \(2, 1\).*got shape \(\)"):
        draw(make_models(3), ax=axes[0])


@pytest.mark.parametrize(("module", "extra"), [("matplotlib.pyplot", "plot"), ("pandas", "table")])
def test_missing_library_is_named(monkeypatch, module, extra):
    table = make_models(3)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"skalign\[{extra}\]"):
        draw(table)


def test_maps_between_subjects_are_a_band_of_their_region():
    rows = pd.DataFrame(
        {"subject": ["s1", "s2"], "units": "others", "model": "brain", "region": "FFA"}
    ).assign(r=[0.5, 0.7], theta=[0.3, 0.1])
    table = make_models(3, region=["PPA", "FFA"])
    display = draw(pd.concat([table, rows], ignore_index=True), between="others", **BY_REGION)
    plain = draw(table, **BY_REGION)
    names = ["n", "n_left_out", "n_pairs", "p", "n_active_matched"]
    pd.testing.assert_frame_equal(display.tests[names], plain.tests[names])
    band = display.tests.set_index(["region", "quantity"])[["between_low", "between_high"]]
    assert_allclose(band.loc["FFA", "r"], [0.5, 0.7])
    assert_allclose(band.loc["FFA", "theta"], [0.1, 0.3])
    assert band.loc["PPA"].isna().all(axis=None)
    counts = [[len(ax.patches) for ax in row] for row in display.axes_]
    assert counts == [[0, 1], [0, 1]]
    notes = [ax.get_xlabel() for ax in display.axes_[0]]
    assert [note.count("range over 2") for note in notes] == [0, 1]
