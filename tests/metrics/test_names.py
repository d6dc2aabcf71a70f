"""Names of targets: refused where they differ, and carried into tables."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import (
    AlignmentScorer,
    PearsonScorer,
    SparsePositiveEncoder,
    SparsePositiveEncoderCV,
    TuningReorientationScorer,
)
from skalign.linear_model import sparse_positive_path
from skalign.metrics import (
    NoiseCeiling,
    alignment,
    check_target_names,
    fitted_target_names,
    linear_maps,
    noise_ceiling,
    tuning_reorientation_parts,
    variance_components,
)
from skalign.model_selection import AlignmentFront

pd = pytest.importorskip("pandas")
NAMES = ["left", "middle", "right"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    Y = X @ rng.random((4, 3)) + rng.standard_normal((60, 3))
    return X, pd.DataFrame(Y, columns=NAMES)


@pytest.fixture(scope="module")
def encoder(data):
    return SparsePositiveEncoder(alpha=0.01).fit(*data)


def everything_that_scores():
    return {
        "alignment": alignment,
        "linear_maps": linear_maps,
        "AlignmentScorer": AlignmentScorer(),
        "PearsonScorer": PearsonScorer(),
        "TuningReorientationScorer": TuningReorientationScorer(),
    }


@pytest.mark.parametrize("score", everything_that_scores().values(), ids=everything_that_scores())
def test_other_names_or_order_are_refused(data, encoder, score):
    X, Y = data
    for given, message in [
        (Y[NAMES[::-1]], "another order: target 0 is 'right' instead of 'left'"),
        (Y.rename(columns={"right": "top"}), "without 'right' and with 'top', which it does not"),
        (Y[NAMES[:2]], "2 targets without 'right'"),
    ]:
        with pytest.raises(ValueError, match=f"y must have the 3 targets .* got .*{message}"):
            score(encoder, X, given)
    score(encoder, X, Y)
    score(encoder, X, Y[NAMES[::-1]].to_numpy())  # which nobody can tell


def test_names_are_found_inside_compositions(data):
    X, Y = data
    model = SparsePositiveEncoderCV(alphas=[0.1, 0.01], cv=2)
    search = GridSearchCV(model, {"penalty": ["lasso", "ridge"]}, cv=2)
    for outer in (make_pipeline(StandardScaler(), model), search):
        fitted = FrozenEstimator(outer.fit(X, Y))
        assert fitted_target_names(fitted).tolist() == NAMES
        with pytest.raises(ValueError, match="another order"):
            AlignmentScorer()(fitted, X, Y[NAMES[::-1]])


def test_estimators_that_know_no_names_take_any(data):
    X, Y = data
    encoder = SparsePositiveEncoder(alpha=0.01)
    for model in (
        Ridge(),
        MultiOutputRegressor(Ridge()),
        TransformedTargetRegressor(encoder, transformer=StandardScaler()),
    ):
        fitted = model.fit(X, Y)
        assert fitted_target_names(fitted) is None
        assert alignment(fitted, X, Y).target_names.tolist() == NAMES


def test_folds_of_a_cross_validation_keep_the_names(data):
    scores = cross_validate(SparsePositiveEncoder(), *data, scoring=AlignmentScorer(), cv=3)
    assert np.isfinite(scores["test_r"]).all()


def test_tables_carry_the_names_of_either_side(data, encoder):
    X, Y = data
    for y in (Y, Y.to_numpy()):
        assert alignment(encoder, X, y).to_frame()["target"].tolist() == NAMES
    one = SparsePositiveEncoder(alpha=0.01).fit(X, Y["left"])
    assert alignment(one, X, Y["left"]).to_frame()["target"].tolist() == ["left"]
    with pytest.raises(ValueError, match="without 'left' and with 'right'"):
        alignment(one, X, Y["right"])
    unnamed = SparsePositiveEncoder().fit(X, Y.to_numpy())
    assert alignment(unnamed, X, Y.to_numpy()).to_frame()["target"].tolist() == [0, 1, 2]


def test_polars(data):
    pl = pytest.importorskip("polars")
    X, Y = data
    frame = pl.DataFrame({name: Y[name].to_numpy() for name in NAMES})
    encoder = SparsePositiveEncoder(alpha=0.01).fit(X, frame)
    assert alignment(encoder, X, frame).target_names.tolist() == NAMES
    with pytest.raises(ValueError, match="another order"):
        alignment(encoder, X, frame.select(NAMES[::-1]))


def test_many_names_are_told_by_a_few():
    y = pd.DataFrame(np.zeros((1, 9)), columns=[f"voxel {k}" for k in range(9)])
    with pytest.raises(ValueError, match=r"with 'voxel 1', 'voxel 2', 'voxel 3' and 5 more, which"):
        check_target_names(y, np.array(["voxel 0"], dtype=object))


def test_repeated_names_are_told():
    y = pd.DataFrame(np.zeros((1, 3)), columns=["a", "b", "a"])
    with pytest.raises(ValueError, match=r"y_test must have the 2 targets of y, .*repeated"):
        check_target_names(y, np.array(["a", "b"], dtype=object), name="y_test", of="y")


def test_tables_of_ceilings_and_variances():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((20, 1, 3)) + rng.standard_normal((20, 2, 3))
    ids = np.repeat(np.arange(20), 2)
    trials = pd.DataFrame(values.reshape(40, 3), columns=NAMES)
    ceiling = noise_ceiling(trials=trials, image_ids=ids)
    frame = ceiling.to_unit("variance")[[2, 0]].to_frame()
    assert list(frame.columns) == ["target", "ceiling", "unit"]
    assert frame["target"].tolist() == ["right", "left"]
    assert set(frame["unit"]) == {"variance"}
    np.testing.assert_allclose(frame["ceiling"], ceiling.values[[2, 0]] ** 2)
    assert noise_ceiling(trials=values).to_frame()["target"].tolist() == [0, 1, 2]

    components = variance_components(trials, ids)
    frame = components.to_frame()
    assert frame["target"].tolist() == NAMES
    np.testing.assert_array_equal(frame["noise"], components.noise)
    np.testing.assert_array_equal(frame["signal"], components.signal)
    with pytest.raises(ValueError, match="target_names must be of shape"):
        NoiseCeiling(np.ones(3), "r", np.array(["a"], dtype=object))


def test_table_of_the_parts_of_theta(data):
    X, Y = data
    weights = np.random.default_rng(1).random((3, 4))
    parts = tuning_reorientation_parts(pd.DataFrame(X, columns=list("abcd")), Y, weights)
    frame = parts.to_frame()
    sums = frame.groupby("target", sort=False)["contribution"].sum()
    np.testing.assert_allclose(sums, parts.theta)
    assert sums.index.tolist() == NAMES
    row = frame[(frame["target"] == "middle") & (frame["unit"] == "c")]
    assert row["distance"].item() == parts.distance[1, 2]


def test_tables_of_fronts(data):
    X, Y = data
    encoder = SparsePositiveEncoderCV(alphas=[0.1, 0.01], cv=2).fit(X, Y)
    path = sparse_positive_path(X, Y, alphas=[0.1, 0.01])
    for front in (
        AlignmentFront.from_encoder_cv(encoder, per_target=True),
        AlignmentFront.from_path(path, X, Y, per_target=True),
    ):
        assert front.to_frame()["target"].tolist() == NAMES * 2
        assert "target" not in front.for_target(1).to_frame()
