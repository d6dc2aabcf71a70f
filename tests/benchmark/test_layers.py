"""The layer is chosen without the test images, and validation images are used as asked."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.benchmark import ModelFeatures, RegionResponses, run_benchmark
from skalign.metrics import pearson_r

pytest.importorskip("pandas", reason="tables: pip install skalign[table]")

N = {"train": 60, "validation": 50, "test": 40}


@pytest.fixture
def layered():
    """One model of three layers, which are good for two voxels on different images.

    "early" predicts training and test images, "middle" those of validation and less well the
    training images, "late" nothing.
    """
    rng = np.random.default_rng(0)
    Y = {part: rng.standard_normal((n, 2)) for part, n in N.items()}
    noise = {
        "early": {"train": 0.1, "validation": 3, "test": 0.1},
        "middle": {"train": 0.5, "validation": 0.1, "test": 1},
        "late": dict.fromkeys(N, 30),
    }
    parts = {
        part: {
            layer: Y[part][:, [0, 1, 1]] + size[part] * rng.standard_normal((n, 3))
            for layer, size in noise.items()
        }
        for part, n in N.items()
    }
    return {
        "models": [ModelFeatures("net", **parts)],
        "regions": [RegionResponses("s1", "V4", **Y)],
        "encoders": {"ridge": SparsePositiveEncoder("ridge", 1.0)},
    }


def without_validation(layered):
    return layered | {"regions": [replace(layered["regions"][0], validation=None)]}


def standardized(layered, layer):
    model, region = layered["models"][0], layered["regions"][0]
    x = StandardScaler().fit(model.train[layer])
    y = StandardScaler().fit(region.train)
    return {
        part: (x.transform(getattr(model, part)[layer]), y.transform(getattr(region, part)))
        for part in N
    }


def test_validation_images_choose_the_layer_and_test_images_report_it(layered):
    table = run_benchmark(**layered)
    assert table["layer"].tolist() == ["early", "middle", "late", "middle"]
    assert table["partition"].tolist() == ["validation"] * 3 + ["test"]
    for row in table.itertuples():
        data = standardized(layered, row.layer)
        fitted = SparsePositiveEncoder("ridge", 1.0).fit(*data["train"])
        X, Y = data[row.partition]
        assert_allclose(row.r, pearson_r(Y, fitted.predict(X)).mean())


def test_without_them_folds_of_the_training_images_do(layered):
    for cv in (5, KFold(3, shuffle=True, random_state=0)):
        table = run_benchmark(**without_validation(layered), layer_cv=cv)
        assert table["layer"].tolist() == ["early", "middle", "late", "early"]
        assert table["partition"].tolist() == ["train"] * 3 + ["test"]
        X, Y = standardized(layered, "middle")["train"]
        splitter = KFold(5) if cv == 5 else cv
        r = [
            pearson_r(
                Y[test],
                SparsePositiveEncoder("ridge", 1.0).fit(X[train], Y[train]).predict(X[test]),
            )
            for train, test in splitter.split(X)
        ]
        assert_allclose(table["r"][1], np.mean(r))


def test_folds_that_cannot_be_scored_are_recorded(layered):
    """An iterable of splits, one of which has a single held-out image."""
    splits = [(np.arange(40), np.arange(40, 60)), (np.arange(1, 60), np.array([0]))]
    table = run_benchmark(**without_validation(layered), layer_cv=splits)
    assert table["error"].str.contains("at least 2 sample.* in the test part", na=False).all()
    table = run_benchmark(**without_validation(layered), layer_cv=splits[:1])
    assert table["layer"].tolist() == ["early", "middle", "late", "early"]


def test_test_images_change_no_choice(layered):
    expected = run_benchmark(**layered)
    model, region = layered["models"][0], layered["regions"][0]
    rng = np.random.default_rng(1)
    layered["regions"] = [replace(region, test=rng.standard_normal((40, 2)))]
    good_late = {**model.test, "late": layered["regions"][0].test[:, [0, 1, 1]]}
    layered["models"] = [replace(model, test=good_late)]
    table = run_benchmark(**layered)
    assert (table["layer"] == expected["layer"]).all()
    assert (table["r"][:3] == expected["r"][:3]).all()
    assert abs(table["r"][3]) < 0.5 < expected["r"][3]


def test_seconds_of_the_cell_are_those_of_its_layers_and_more(layered):
    seconds = run_benchmark(**layered)["seconds"]
    assert 0 < seconds[:3].sum() < seconds[3]


def test_every_cell_has_a_layer_of_its_own(layered):
    """A region that "late" predicts, beside the other."""
    model, region = layered["models"][0], layered["regions"][0]
    late = {part: getattr(model, part)["late"][:, :2] for part in N}
    layered["regions"].append(replace(region, name="IT", **late))
    table = run_benchmark(**layered).query("partition == 'test'").set_index("region")
    assert table["layer"].to_dict() == {"V4": "middle", "IT": "late"}


def test_callable_may_return_layers(layered):
    model = layered["models"][0]
    expected = run_benchmark(**layered)
    loaded = {
        part: lambda part=part: {name: lambda a=a: a for name, a in getattr(model, part).items()}
        for part in N
    }
    table = run_benchmark(**layered | {"models": [replace(model, **loaded)]})
    assert (table["r"] == expected["r"]).all()
    assert (table["layer"] == expected["layer"]).all()


def test_layer_that_fails_is_left_out_and_says_why(layered):
    layered["models"][0].train["middle"][0, 0] = np.nan
    table = run_benchmark(**layered)
    assert table["layer"].tolist() == ["early", "middle", "late", "early"]
    assert table["error"].notna().tolist() == [False, True, False, False]
    assert "NaN" in table["error"][1]
    assert table["r"].isna().tolist() == [False, True, False, False]


@pytest.mark.parametrize("alpha", [-1.0, 1.0])
def test_all_layers_fail(layered, alpha):
    layered["encoders"]["ridge"] = Ridge(alpha)
    if alpha > 0:
        for array in layered["models"][0].train.values():
            array[0, 0] = np.nan
    table = run_benchmark(**layered)
    assert table["error"].notna().all()
    assert table["layer"].tolist() == ["early", "middle", "late", ""]
    assert table["error"][3].startswith(
        "ValueError: No layer could be fitted. The first, 'early': "
    )


def test_empty_layers_do_not_win(layered):
    """Without them "early", the first, would have the least theta, none."""
    model = layered["models"][0]
    for part in N:
        getattr(model, part)["early"][:] *= -1  # positive weights explain nothing
    layered["encoders"] = {"lasso": SparsePositiveEncoder(alpha=1e-4)}
    table = run_benchmark(**layered)
    assert table["empty_fraction"].tolist() == [1, 0, 0, 0]
    assert table["r"][0] == 0
    assert table["layer"][3] == "middle"


def validated(layered):
    """One layer, and the cross-validation that its validation images make."""
    model = layered["models"][0]
    arrays = {part: getattr(model, part)["early"] for part in N}
    data = standardized(layered, "early")
    X, Y = (np.vstack([data["train"][i], data["validation"][i]]) for i in (0, 1))
    split = PredefinedSplit(np.repeat([-1, 0], [N["train"], N["validation"]]))
    return layered | {"models": [replace(model, **arrays)]}, X, Y, split, data["test"]


@pytest.mark.filterwarnings("ignore:.* targets were left empty:UserWarning")
@pytest.mark.parametrize(
    "encoder",
    [
        SparsePositiveEncoderCV(refit="train", cv="validation"),
        SparsePositiveEncoderCV(refit="all", cv="validation"),
        GridSearchCV(Ridge(), {"alpha": [0.1, 10, 1000]}, cv="validation"),
    ],
    ids=["train", "all", "search"],
)
def test_validation_as_cv(layered, encoder):
    problem, X, Y, split, (X_test, Y_test) = validated(layered)
    table = run_benchmark(**problem | {"encoders": {"cv": encoder}})
    fitted = encoder.set_params(cv=split).fit(X, Y)
    encoder.set_params(cv="validation")
    assert_allclose(table["r"], pearson_r(Y_test, fitted.predict(X_test), undefined=0).mean())
    alpha = getattr(fitted, "alpha_", None)
    chosen = fitted.best_params_["alpha"] if alpha is None else alpha[np.isfinite(alpha)]
    assert_allclose(table["alpha"], np.median(chosen))
    assert table["penalty"].tolist() == ["ridge" if alpha is None else "lasso"]


def test_validation_as_cv_needs_validation_images(layered):
    problem = without_validation(validated(layered)[0])
    problem["encoders"] = {"cv": SparsePositiveEncoderCV(cv="validation")}
    assert "no validation responses" in run_benchmark(**problem)["error"][0]
    problem = validated(layered)[0]
    problem["models"] = [replace(problem["models"][0], validation=None)]
    problem["encoders"] = {"cv": SparsePositiveEncoderCV(cv="validation")}
    assert "no validation features" in run_benchmark(**problem)["error"][0]
    problem = without_validation(layered) | {"encoders": problem["encoders"]}
    assert "got none. Give validation" in run_benchmark(**problem)["error"][0]


@pytest.mark.filterwarnings("ignore:.* targets were left empty:UserWarning")
def test_validation_images_that_are_fitted_choose_no_layer(layered):
    layered["encoders"] = {
        "all": SparsePositiveEncoderCV(cv="validation"),
        "train": SparsePositiveEncoderCV(cv="validation", refit="train"),
        "folds": SparsePositiveEncoderCV(cv=3),
    }
    table = run_benchmark(**layered).set_index("encoder")
    assert (
        table.loc["all", "error"].str.contains(r"cv=\"validation\" and refit='all'", na=False).all()
    )
    assert table.loc[["train", "folds"], "error"].isna().all()
    assert table.loc[["train", "folds"], "layer"].tolist()[3::4] == ["middle", "middle"]
