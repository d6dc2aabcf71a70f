"""What the figure of encoders shows, and that what is missing or empty is counted in it."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

pd = pytest.importorskip("pandas")

from skalign import SparsePositiveEncoder  # noqa: E402
from skalign.inspection import EncoderComparisonDisplay  # noqa: E402
from skalign.metrics import alignment  # noqa: E402
from tests.inspection.results import make_table  # noqa: E402

ROLES = {"matched": "face", "mismatched": "scene"}


def draw(table, **options):
    return EncoderComparisonDisplay.from_frame(table, **(ROLES | options))


def dots(ax):
    """Markers of matched and of mismatched units, (n_subjects, n_penalties, x and y)."""
    found = {}
    for item in ax.collections:
        if item.get_label().startswith(("matched", "mismatched")):
            points = np.ma.filled(item.get_offsets(), np.nan)
            found[item.get_label().partition(" ")[0]] = points.reshape(-1, len(ax.get_xticks()), 2)
    return found


def foot(ax):
    """Texts below theta: (penalty, role), by the line they are on."""
    lines = {0.085: "matched", 0.02: "mismatched"}
    names = [label.get_text() for label in ax.get_xticklabels()]
    texts = [(text.get_position(), text.get_text()) for text in ax.texts]
    return {(names[int(x)], lines[y]): text for (x, y), text in texts if text}


def test_every_value_is_where_it_belongs():
    table = make_table()
    display = draw(table)
    assert display.axes_.shape == (2, 2)
    for column, positive in enumerate([False, True]):
        for ax, quantity in zip(display.axes_[:, column], ["r", "theta"], strict=True):
            assert [label.get_text() for label in ax.get_xticklabels()] in (["OLS", "lasso"], [])
            for role, units in ROLES.items():
                points = dots(ax)[role]
                for k, penalty in enumerate(["ols", "lasso"]):
                    of = {"units": units, "positive": positive, "penalty": penalty}
                    rows = table[(table[list(of)] == pd.Series(of)).all(axis=1)]
                    assert_allclose(points[:, k, 1], rows[quantity])
                    side = -1 if role == "matched" else 1
                    assert (side * (points[:, k, 0] - k) > 0).all()
    assert [ax.get_title() for ax in display.axes_[0]] == ["signed weights", "positive weights"]
    assert display.axes_[0, 0].get_ylabel() == "Predictivity r"
    assert display.axes_[1, 0].get_ylabel().startswith("Reorientation θ")


def test_subjects_are_joined_and_averaged():
    ax = draw(make_table()).axes_[0, 0]
    points = dots(ax)
    joined = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) == 2][1:]  # but r = 0
    expected = [
        np.array([points["matched"][subject, penalty], points["mismatched"][subject, penalty]])
        for penalty in range(2)
        for subject in range(3)
    ]
    assert_allclose(joined, expected)
    bars = [item for item in ax.collections if hasattr(item, "get_segments")]
    heights = np.array([[segment[0, 1] for segment in bar.get_segments()] for bar in bars])
    assert_allclose(heights, [points[role][..., 1].mean(axis=0) for role in ROLES])


def test_ceiling_is_the_range_over_subjects():
    table = make_table()
    display = draw(table)
    for ax in display.axes_[0]:
        (band,) = ax.patches
        assert_allclose([band.get_y(), band.get_y() + band.get_height()], [0.5, 0.6])
        assert ax.get_ylim()[1] > 0.6
    assert not display.axes_[1, 0].patches
    assert "range over 3 of 3 subjects" in legend(display)
    table.loc[table["subject"] == "s2", "ceiling"] = np.nan
    display = draw(table)
    assert_allclose(display.axes_[0, 0].patches[0].get_height(), 0.05)
    assert "range over 2 of 3 subjects" in legend(display)
    assert "ceiling" not in legend(draw(table.drop(columns="ceiling")))


def legend(display):
    (found,) = display.figure_.legends
    return " ".join(text.get_text() for text in found.get_texts())


def test_units_are_named():
    assert "matched (face units)" in legend(draw(make_table()))
    assert "mismatched (scene units)" in legend(draw(make_table()))


def test_active_units_and_empty_targets_are_told():
    table = make_table()
    lasso = table["positive"] & (table["penalty"] == "lasso")
    scene = table["units"] == "scene"
    table.loc[lasso & scene, "empty_fraction"] = [0.2, 0.3, 0.4]
    table.loc[lasso & ~scene, "empty_fraction"] = 0.001
    signed, positive = draw(table).axes_[1]
    assert foot(signed) == {
        ("OLS", "matched"): "100",
        ("OLS", "mismatched"): "100",
        ("lasso", "matched"): "3.2",
        ("lasso", "mismatched"): "3.2",
    }
    assert foot(positive)["lasso", "mismatched"] == "3.2 (30%)"
    assert foot(positive)["lasso", "matched"] == "3.2 (<1%)"
    assert "active units (targets left empty)" in positive.get_xlabel()
    assert signed.get_ylim() == positive.get_ylim()
    assert min(positive.get_yticks()) == 0
    assert positive.get_ylim()[0] < 0  # room for the text

    bare = draw(table.drop(columns=["n_active", "empty_fraction"])).axes_[1, 1]
    assert foot(bare) == {}
    assert bare.get_ylim()[0] == 0
    assert not bare.get_xlabel()


def test_what_is_not_drawn_is_counted():
    table = make_table()
    positive, ols = table["positive"], table["penalty"] == "ols"
    scene = table["units"] == "scene"
    empty = table.index[positive & scene & ~ols]
    table.loc[empty, ["r", "theta", "n_active", "empty_fraction"]] = [0, np.nan, 0, 1]
    failed = table.index[positive & ols & (table["units"] == "face")][0]
    table.loc[failed, ["r", "theta", "n_active", "empty_fraction"]] = np.nan
    gone = table.index[positive & ols & (table["units"] == "face")][1]
    (signed_r, r), (signed_theta, theta) = draw(table.drop(gone)).axes_
    assert r.get_xlabel() == "2 of 12 without r: not drawn"
    assert theta.get_xlabel().startswith("5 of 12 without θ: not drawn")
    assert not signed_r.get_xlabel()
    assert "not drawn" not in signed_theta.get_xlabel()
    assert foot(theta)["lasso", "mismatched"] == "0 (100%)"
    assert np.isnan(dots(theta)["mismatched"][:, 1, 1]).all()
    assert_allclose(dots(r)["mismatched"][:, 1, 1], 0)


def test_a_whole_table_without_theta_can_be_drawn():
    display = draw(make_table().assign(theta=np.nan, r=np.nan))
    display.figure_.canvas.draw()
    assert display.axes_[1, 0].get_xlabel().startswith("12 of 12 without θ")


def test_values_of_a_column_have_panels_of_their_own():
    table = pd.concat(
        [make_table().assign(choice="chosen"), make_table(penalty=["lasso"]).assign(choice="0.1")]
    )
    table["r"] = np.linspace(0.1, 0.5, len(table))
    display = draw(table, columns="choice")
    titles = [ax.get_title() for ax in display.axes_[0]]
    assert titles == [
        f"{choice}\n{sign} weights"
        for choice in ["chosen", "0.1"]
        for sign in ["signed", "positive"]
    ]
    rows = table.query("choice == '0.1' and positive and units == 'face'")
    ax = display.axes_[0, 3]
    assert_allclose(dots(ax)["matched"][:, 1, 1], rows["r"])
    assert not ax.get_xlabel()  # an encoder that was not asked for is not lost
    by_alpha = draw(make_table(positive=[True]), columns="alpha")
    assert by_alpha.axes_.shape == (2, 1)
    assert by_alpha.axes_[0, 0].get_title() == "alpha = 0.1\npositive weights"


def test_units_may_differ_between_regions():
    table = make_table(region=["PPA", "FFA"])
    by_region = {
        "matched": {"FFA": "face", "PPA": "scene"},
        "mismatched": {"FFA": "scene", "PPA": "face"},
    }
    display = draw(table, columns="region", **by_region)
    rows = table.query("region == 'PPA' and not positive and penalty == 'ols'")
    points = dots(display.axes_[0, 0])
    assert_allclose(points["matched"][:, 0, 1], rows.query("units == 'scene'")["r"])
    assert_allclose(points["mismatched"][:, 0, 1], rows.query("units == 'face'")["r"])


def test_unknown_penalties_come_last_and_the_table_is_left_alone():
    table = make_table(penalty=["mine", "elasticnet", "ridge"])
    before = table.copy()
    ax = draw(table).axes_[1, 0]
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["ridge", "elastic\nnet", "mine"]
    pd.testing.assert_frame_equal(table, before)


def test_categorical_columns_are_taken():
    table = make_table()
    names = ["units", "region", "penalty", "subject"]
    categorical = table.astype(dict.fromkeys(names, "category"))
    first, second = draw(table, columns="region"), draw(categorical, columns="region")
    assert first.axes_.shape == second.axes_.shape
    for ax, other in zip(first.axes_.flat, second.axes_.flat, strict=True):
        for role in ROLES:
            assert_allclose(np.sort(dots(ax)[role], 0), np.sort(dots(other)[role], 0))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t.drop(columns=["theta", "r"]), {}, r"columns \['r', 'theta'\]; got"),
        (lambda t: t.assign(subject=None), {}, r"value in every row of \['subject'\]"),
        (lambda t: t, {"matched": "hand"}, "matched must be units of the table; got 'hand'.*face"),
        (lambda t: t, {"mismatched": "face"}, "must be different units; got 'face' and 'face'"),
        (lambda t: t, {"matched": {"PPA": "face"}}, r"matched must name.*none for \['FFA'\]"),
        (lambda t: t, {"columns": "choice"}, r"columns \['choice'\]"),
        (lambda t: t.assign(positive="no"), {}, r"True or False.*\['no'\]"),
        (lambda t: pd.concat([t, t]), {}, "got 48 rows in 24 combinations, that say the same"),
        (
            lambda t: pd.concat([t, t.assign(partition="validation", alpha=1.0)]),
            {},
            r"got 48 rows.*differ in \['alpha', 'partition'\]. Select one",
        ),
    ],
)
def test_tables_that_do_not_fit_are_named(change, options, message):
    with pytest.raises(ValueError, match=message):
        draw(change(make_table()), **options)


def test_other_things_than_a_table_are_refused():
    with pytest.raises(TypeError, match="table must be a pandas DataFrame; got list"):
        draw([{"r": 1}])


def test_axes_given_are_drawn_on():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2)
    display = draw(make_table(), ax=axes)
    assert list(display.axes_.flat) == list(axes.flat)
    assert display.figure_ is figure
    assert not figure.legends
    assert axes[0, 0].get_legend()
    _, two = plt.subplots(2)
    assert draw(make_table(positive=[True]), ax=two).axes_.shape == (2, 1)
    with pytest.raises(ValueError, match=r"ax must be Axes of shape \(2, 2\).*got shape \(2,\)"):
        draw(make_table(), ax=two)


def test_results_of_encoders_can_be_drawn():
    rng = np.random.default_rng(0)
    rows = []
    for subject in ["s1", "s2"]:
        face = rng.standard_normal((80, 4))
        features = {"face": face, "scene": -face + 0.5 * rng.standard_normal((80, 4))}
        y = face @ rng.uniform(0, 1, (4, 6)) + 0.3 * rng.standard_normal((80, 6))
        for units, X in features.items():
            for positive in (False, True):
                encoder = SparsePositiveEncoder(positive=positive).fit(X[:40], y[:40])
                found = alignment(encoder, X[40:], y[40:], undefined_r=0.0)
                row = found.to_frame()[["r", "theta", "n_active"]].mean().to_dict()
                row |= {"units": units, "subject": subject, "penalty": "lasso"}
                row |= {"positive": positive, "empty_fraction": (found.n_active == 0).mean()}
                rows.append(row)
    display = draw(pd.DataFrame(rows))
    display.figure_.canvas.draw()
    signed, positive = (dots(ax) for ax in display.axes_[0])
    empty = np.mean([row["empty_fraction"] for row in rows if row["units"] == "scene"][1::2])
    assert empty > 0.5
    assert foot(display.axes_[1, 1])["lasso", "mismatched"].endswith(f"({empty:.0%})")
    assert (signed["mismatched"][..., 1] > 0.5).all()
    assert (positive["mismatched"][..., 1] < 0.1).all()


@pytest.mark.parametrize(("module", "extra"), [("matplotlib.pyplot", "plot"), ("pandas", "table")])
def test_missing_library_is_named(monkeypatch, module, extra):
    table = make_table()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"skalign\[{extra}\]"):
        draw(table)


def with_between(table, **columns):
    """The table, and subjects predicted by the others: r .5 to .7 and theta .1 to .3 of lasso."""
    rows = pd.DataFrame(
        {"subject": ["s1", "s2", "s3"], "units": "others", "r": [0.5, 0.7, 0.6]} | columns
    )
    rows["theta"] = [0.3, 0.1, np.nan]
    return pd.concat([table, rows], ignore_index=True)


def test_maps_between_subjects_are_boxes_of_their_penalty():
    table = with_between(make_table(), penalty="lasso", positive=True)
    display = draw(table, between="others")
    for ax, expected in zip(display.axes_[:, 1], [(0.5, 0.7), (0.1, 0.3)], strict=True):
        (box,) = [one for one in ax.collections if one.get_label().startswith("other brains")]
        corners = box.get_paths()[0].vertices
        assert_allclose([corners[:, 1].min(), corners[:, 1].max()], expected)
        assert_allclose([corners[:, 0].min(), corners[:, 0].max()], [0.6, 1.4])
    (legend,) = display.figure_.legends
    assert any(text.get_text().startswith("other brains") for text in legend.get_texts())
    for ax in display.axes_[:, 0]:  # no such maps with signed weights
        assert not any(one.get_label().startswith("other brains") for one in ax.collections)
    plain = draw(make_table())
    assert_allclose(dots(display.axes_[0, 1])["matched"], dots(plain.axes_[0, 1])["matched"])
    with pytest.raises(ValueError, match="between must be units of the table; got 'brains'"):
        draw(table, between="brains")
    with pytest.raises(ValueError, match="between must differ"):
        draw(table, between="face")


def test_models_can_be_the_markers():
    table = make_table(model=["small", "large"])
    table.loc[table.index[-1], "theta"] = np.nan
    display = draw(table, points="model")
    for ax, quantity in zip(display.axes_[:, 1], ["r", "theta"], strict=True):
        for role, units in ROLES.items():
            rows = table[table["positive"] & (table["units"] == units)]
            means = rows.groupby(["model", "penalty"])[quantity].mean().unstack()
            means = means.loc[["small", "large"], ["ols", "lasso"]]
            assert_allclose(dots(ax)[role][..., 1], means)
    assert "matched (face units), a model; bar: mean" in legend(display)
    assert "range over 3 of 3 subjects" in legend(display)  # subjects have ceilings, not models
    table.loc[table["units"] == "body", "theta"] = np.nan  # of no role
    table.loc[table.index[table["units"] == "scene"][-1], "theta"] = np.nan
    theta = draw(table, points="model").axes_[1, 1]
    assert theta.get_xlabel().startswith("1 of 24 without θ: not drawn")
    with pytest.raises(ValueError, match=r"got 48 rows in 24 combinations.*differ in \['model'\]"):
        draw(table)
    with pytest.raises(ValueError, match=r"points must be one of .*; got 'region'"):
        draw(table, points="region")


def test_models_can_have_panels_of_their_own():
    display = draw(make_table(model=["small", "large"]), columns="model")
    titles = [ax.get_title().partition("\n")[0] for ax in display.axes_[0]]
    assert titles == ["small", "small", "large", "large"]


@pytest.mark.parametrize("options", [{}, {"columns": "model"}, {"points": "model"}])
def test_legends_fit_the_figure(options):
    table = make_table(model=["small"], units=["face", "scene", "body"])
    figure = draw(with_between(table, penalty="lasso", positive=True, model="small"), **options,
                  between="others").figure_  # fmt: skip
    figure.canvas.draw()
    (below,) = figure.legends
    box = below.get_window_extent()
    assert figure.bbox.contains(*box.min)
    assert figure.bbox.contains(*box.max)
    for ax in figure.axes:
        assert not ax.get_tightbbox().overlaps(box)
